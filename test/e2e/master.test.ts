/** A master and nodes as processes: files come to all that sets want, whoever is killed. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fetchStatus } from '../../src/api/index.js'
import { copyDigest, MIB, type Running, type ServingNode, sha256, World } from './cli-world.js'

let world: World
beforeEach(() => {
  world = new World()
  mkdirSync(world.path('sets'))
})
afterEach(() => world.close())

function writeSet(files: readonly string[], where = 'name=*'): void {
  const spec = `spec: {where: '${where}', files: [${files.join(', ')}]}`
  const head = 'apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: all}'
  writeFileSync(world.path('sets/all.yaml'), `${head}\n${spec}\n`)
}

interface MasterProcess {
  readonly running: Running
  readonly address: string
}

async function startMaster(listen = '127.0.0.1:0'): Promise<MasterProcess> {
  const where = ['--data', world.path('master'), '--sets', world.path('sets')]
  const running = world.fr(['master', '--listen', listen, ...where, '--json'])
  await running.until('it listens', () => running.lines.length > 0)
  return { running, address: String(running.lines[0]?.['address']) }
}

function startNode(name: string, { address }: MasterProcess, more: readonly string[] = []) {
  return world.node(name, ['--master', address, '--name', name, ...more])
}

async function counted({ address }: ServingNode): Promise<number> {
  const { counters } = await fetchStatus(address, { key: world.env['FR_KEY'] as string })
  return counters['receivedBytes'] ?? 0
}

async function untilHeld(nodes: readonly ServingNode[], name: string, digest: string) {
  while (!nodes.every((node) => copyDigest(node, name) === digest)) await sleep(50)
}

describe('a master', () => {
  it('has what one node holds copied to all, killed in the middle too', {
    timeout: 120_000,
  }, async () => {
    writeSet(['big', 'small'])
    const master = await startMaster()
    const slow = ['--limit-down', '2MB']
    const nodes = await Promise.all([
      startNode('a', master),
      startNode('b', master, slow),
      startNode('c', master, slow),
    ])
    const [a, b, c] = nodes as [ServingNode, ServingNode, ServingNode]
    const small = world.file('small', 10_000)
    expect((await world.run(['push', 'small', '--to', c.address])).status).toBe(0)
    await untilHeld(nodes, 'small', sha256(small))
    const big = world.file('big', 12 * MIB)
    expect((await world.run(['push', 'big', '--to', a.address])).status).toBe(0)
    while ((await counted(b)) < MIB) await sleep(20)
    master.running.kill('SIGKILL')
    await master.running.ended
    // What was ordered goes on without it.
    const before = await counted(b)
    const more = Math.min(before + 256 * 1024, big.length + small.length)
    while ((await counted(b)) < more) await sleep(20)
    const again = await startMaster(master.address)
    await untilHeld(nodes, 'big', sha256(big))
    for (const node of [b, c])
      expect(await counted(node)).toBeLessThan(big.length + small.length + 2 * MIB)
    again.running.kill('SIGTERM')
    expect(await again.running.ended).toBe(143)
  })

  it('goes on with a node that was killed where it was, and with sets that change', {
    timeout: 120_000,
  }, async () => {
    writeSet(['big'])
    const master = await startMaster()
    const a = await startNode('a', master)
    let b = await startNode('b', master, ['--limit-down', '2MB'])
    const big = world.file('big', 8 * MIB)
    expect((await world.run(['push', 'big', '--to', a.address])).status).toBe(0)
    while ((await counted(b)) < 3 * MIB) await sleep(20)
    b.kill('SIGKILL')
    await b.ended
    b = await startNode('b', master, ['--limit-down', '2MB'])
    await untilHeld([b], 'big', sha256(big))
    expect(await counted(b)).toBeLessThan(big.length)
    const other = world.file('other', 100_000)
    expect((await world.run(['push', 'other', '--to', a.address])).status).toBe(0)
    writeSet(['big', 'other'], 'name=b')
    master.running.kill('SIGHUP')
    await untilHeld([b], 'other', sha256(other))
    const { lines } = await world.run(['status', b.address, '--json'])
    expect(lines[0]?.['master']).toEqual({
      ...{ address: master.address, isLinked: true, fault: null, required: 2 },
    })
  })
})
