/** Pushes to nodes by name while a machine's resolver is slow or does not answer. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyDigest, listOf, type ServingNode, sha256, World } from './cli-world.js'

/** Host names of one machine; processes with its `env` look names up here. */
class Names {
  readonly #directory: string
  readonly env: Record<string, string>

  constructor(world: World, machine: string) {
    this.#directory = world.path(`names-${machine}`)
    mkdirSync(this.#directory)
    const library = world.path(`lookup-${machine}.so`)
    const source = fileURLToPath(new URL('preload/lookup.c', import.meta.url))
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'])
    this.env = { LD_PRELOAD: library, FR_LOOKUPS: this.#directory }
  }

  answer(name: string, address: string): void {
    writeFileSync(`${this.#directory}/${name}`, `${address}\n`)
  }

  get asked(): string[] {
    try {
      return readFileSync(`${this.#directory}/asked`, 'utf8').trim().split('\n')
    } catch {
      return []
    }
  }
}

let world: World

beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

const portOf = (node: ServingNode) => node.address.split(':').at(-1)

describe('a push by name', () => {
  it('looks each host up once, and does not count that time for the node', async () => {
    const names = new Names(world, 'origin')
    const nodes = await world.nodes(3)
    const content = world.file('f.bin', 300_000)
    const to = nodes.map((node) => `slow.test:${portOf(node)}`).join(',')
    const mute = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const silent = `127.0.0.1:${(mute.address() as AddressInfo).port}`
    const args = ['push', 'f.bin', '--to', `${silent},${to}`, '--connect-timeout', '2s', '--json']
    const push = world.fr(args, names)
    // The time that a node may take to be connected is over now.
    await push.until('failed node', () => push.stderr.includes(`${silent} failed`))
    names.answer('slow.test', '127.0.0.1')
    expect(await push.ended, push.stderr).toBe(3)
    mute.close()
    expect(names.asked).toEqual(['slow.test'])
    for (const node of nodes) expect(copyDigest(node, 'f.bin')).toBe(sha256(content))
  })

  it('ends when it is over, whatever look-up is still open', async () => {
    const names = new Names(world, 'origin')
    const node = await world.node('n1')
    const content = world.file('f.bin', 300_000)
    const args = ['push', 'f.bin', '--to', `${node.address},never.test:7400`, '--json']
    const push = world.fr(args, names)
    await push.until('complete node', () =>
      push.lines.some((line) => line['event'] === 'node' && line['status'] === 'complete'),
    )
    await push.until('a look-up', () => names.asked.length > 0)
    expect(names.asked).toEqual(['never.test'])
    push.kill('SIGINT')
    expect(await push.ended, push.stderr).toBe(130)
    expect(push.lines.at(-1)).toMatchObject({ event: 'error', code: 'ERR_FR_ABORTED' })
    expect(copyDigest(node, 'f.bin')).toBe(sha256(content))
  })

  it('costs a node one look-up for all its mates at a host', async () => {
    const origin = new Names(world, 'origin')
    origin.answer('all.test', '127.0.0.1')
    const machines = ['a', 'b', 'c'].map((machine) => new Names(world, machine))
    const nodes = await Promise.all(
      machines.map((names, i) => world.node(`n${i}`, ['--log-level', 'debug'], names.env)),
    )
    const content = world.file('f.bin', 20_000_000)
    const to = nodes.map((node) => `all.test:${portOf(node)}`).join(',')
    const push = world.fr(['push', 'f.bin', '--to', to, '--shape', 'group'], origin)
    for (const names of machines) {
      await push.until('look-up at each node', () => names.asked.length > 0)
      names.answer('all.test', '127.0.0.1')
    }
    expect(await push.ended, push.stderr).toBe(0)
    for (const names of machines) expect(names.asked).toEqual(['all.test'])
    for (const node of nodes) expect(copyDigest(node, 'f.bin')).toBe(sha256(content))
  })

  it('by a name that nobody knows fails by that name', async () => {
    const node = await world.node('n1')
    world.file('f.bin', 1000)
    const to = `${listOf([node])},no-such-name.invalid:7400`
    const { status, stderr } = await world.run(['push', 'f.bin', '--to', to])
    expect(status).toBe(3)
    expect(stderr).toMatch(/the name no-such-name\.invalid cannot be looked up \(no address\)/)
  })
})

describe('a question by name', () => {
  it('to a node whose name is not answered is given up for that reason', async () => {
    const names = new Names(world, 'origin')
    const status = world.fr(['status', 'never.test:7400'], names)
    await status.until('look-up', () => names.asked.length > 0)
    status.kill('SIGTERM')
    expect(await status.ended).toBe(143)
  })
})
