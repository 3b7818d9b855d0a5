/** Runs the commands of docs/security.md that say who may ask, hold and read. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyDigest, MIB, root, type ServingNode, sha256, World } from './cli-world.js'

const page = readFileSync(`${root}/docs/security.md`, 'utf8')
const section = /^## Who may ask, hold and read\n([\s\S]*)/m.exec(page)?.[1] ?? ''
const commands = [...section.matchAll(/^npx fr ([^#\n]*)/gm)].map(([, words]) => words ?? '')
const peers = /```text\n([\s\S]*?)```/.exec(section)?.[1] ?? ''

describe('who may ask, hold and read', () => {
  let world: World
  let here: ServingNode
  let there: ServingNode
  /** A command of the page with our values, as a shell splits it. */
  const words = (at: number, ...more: [string, string][]) => {
    const of = [...(commands[at] ?? '').matchAll(/'([^']*)'|(\S+)/g)]
    const replaced: [string, string][] = [
      ...more,
      ['10.0.0.2:7400', here?.address],
      ['10.0.0.3:7400', there?.address],
    ]
    return of.map(([, quoted, plain]) =>
      replaced.reduce((text, [from, to]) => text.replace(from, to), quoted ?? plain ?? ''),
    )
  }
  const node = async (args: readonly string[], data: string) => {
    const running = world.fr([...args, '--json'])
    await running.until('listening line', () => running.lines.length > 0)
    return Object.assign(running, { address: String(running.lines[0]?.['address']), data })
  }

  beforeAll(async () => {
    world = new World()
    writeFileSync(world.path('fr.key'), `${'k'.repeat(43)}\n`, { mode: 0o600 })
    const [first, second] = [world.path('n1'), world.path('n2')]
    for (const data of [first, second]) mkdirSync(data)
    const own = ['node', '--listen', '127.0.0.1:0', '--data', second, '--key-file', 'fr.key']
    there = await node([...own, '--attr', 'site=us'], second)
    const mine = (await world.run(words(0))).stdout.trim()
    const other = (await world.run(['id', '--data', second])).stdout.trim()
    const [alice = '', edge = ''] = peers.match(/^[0-9a-f]{32}/gm) ?? []
    const list = peers.replace(alice, mine).replace(edge, other)
    writeFileSync(world.path('peers'), list, { mode: 0o644 })
    const args = words(1, ['10.0.0.2:7400', '127.0.0.1:0'], ['/srv/data', first])
    here = await node(args, first)
  })
  afterAll(() => world.close())

  it('is five commands and a list of two peers', () => {
    expect(commands).toHaveLength(5)
    expect(peers.trim().split('\n')).toHaveLength(3)
  })

  it('puts a file on those that may hold it, and refuses the others by name', async () => {
    const content = world.file('model.bin', MIB)
    const pushed = await world.run(words(2))
    expect([pushed.status, pushed.stderr]).toEqual([3, expect.stringContaining('ERR_FR_ONLY')])
    expect(copyDigest(here, 'model.bin')).toBe(sha256(content))
    expect(copyDigest(there, 'model.bin')).toBeNull()
  })

  it('sends a file sealed between nodes that know each other', async () => {
    const content = world.file('other.bin', 3 * MIB)
    const pushed = await world.run(words(3))
    expect([pushed.status, pushed.stderr]).toEqual([0, expect.any(String)])
    for (const one of [here, there]) expect(copyDigest(one, 'other.bin')).toBe(sha256(content))
  })

  it('refuses what the list does not say, and shows who asked', async () => {
    const key = ['--key-file', 'fr.key']
    const removed = await world.run(['rm', here.address, 'model.bin', ...key])
    expect(removed.stderr).toContain("the right 'rm model.bin' is missing")
    const shown = await world.run(words(4))
    expect(shown.status).toBe(0)
    expect(shown.stdout).toMatch(/alice.*refused.*rm model\.bin|alice.*remove model\.bin/)
  })
})
