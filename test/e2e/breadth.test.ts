/**
 * Many nodes, many pushes, many spellings of an address: repeated use works and leaves nothing
 * behind. The long tests (10 GiB, 8 GiB) are in test/load/breadth.test.ts.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fetchStatus, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { sha256 } from './cli-world.js'
import { usualEngines } from './engines.js'
import { keepsNothing, World } from './push-support.js'

let world: World
afterEach(() => world.dispose())

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((at) => at?.address === '::1')

describe.each(usualEngines)('addresses on the %s engine', (engine) => {
  beforeEach(() => {
    world = new World(engine)
  })

  it.skipIf(!hasIpv6)('IPv6: nodes and their mates at [::1]', async () => {
    const nodes = await Promise.all([0, 1, 2].map(() => world.node({ listen: '[::1]:0' })))
    for (const node of nodes) expect(node.address).toMatch(/^\[::1\]:\d+$/)
    const { path, content } = world.file('data.bin', 5 * MIB + 1)
    const result = await push(path, { to: nodes.map((node) => node.address), engine }).result
    expect(result.nodes.map((node) => node.reason)).toEqual([null, null, null])
    for (const node of nodes)
      expect(sha256(readFileSync(join(node.dataDir, 'data.bin')))).toBe(sha256(content))
  })

  it('host names: nodes and their mates at localhost', async () => {
    const nodes = await Promise.all([0, 1, 2].map(() => world.node({ listen: 'localhost:0' })))
    const to = nodes.map(
      (node) => `localhost:${node.address.slice(node.address.lastIndexOf(':') + 1)}`,
    )
    const { path, content } = world.file('data.bin', 5 * MIB + 1)
    const result = await push(path, { to, engine }).result
    expect(result.nodes.map((node) => [node.node, node.reason])).toEqual(to.map((at) => [at, null]))
    for (const node of nodes)
      expect(sha256(readFileSync(join(node.dataDir, 'data.bin')))).toBe(sha256(content))
  })
})

describe('breadth', () => {
  beforeEach(() => {
    world = new World('native')
  })

  it('40 pushes at once to the same nodes', async () => {
    // One process each, because an offer must be answered within five seconds.
    const nodes = await Promise.all([1, 2, 3].map(() => world.childNode()))
    const to = nodes.map((node) => node.address)
    const { path, content } = world.file('data.bin', MIB)
    const results = await Promise.all(
      Array.from(
        { length: 40 },
        (_, i) => push(path, { to, as: `many/${i}`, connectMs: 30_000 }).result,
      ),
    )
    expect(results.flatMap((result) => result.nodes).filter((node) => node.reason)).toEqual([])
    const expected = sha256(content)
    for (const node of nodes) {
      const names = readdirSync(join(node.dataDir, 'many'))
      expect(names.length).toBe(40)
      for (const name of names)
        expect(sha256(readFileSync(join(node.dataDir, 'many', name)))).toBe(expected)
      await keepsNothing(node.dataDir)
      expect(await settled(node.child.pid as number, node.address)).toMatchObject({
        openFeeds: 0,
        openFiles: 0,
      })
      expect((await fetchStatus(node.address)).counters['transfersComplete']).toBe(40)
    }
  })

  it('25 pushes in a row leave nothing behind at a node', async () => {
    const node = await world.childNode()
    const mate = await world.childNode()
    const to = [node.address, mate.address]
    const pid = node.child.pid as number
    const { path } = world.file('data.bin', 12 * MIB)
    const once = async (): Promise<void> => {
      const result = await push(path, { to }).result
      expect(result.nodes.map((outcome) => outcome.reason)).toEqual([null, null])
    }
    // Things opened at the first use (workers, a pipe on each lane) are no leak.
    const { lanes } = (await fetchStatus(node.address)).counters
    for (let i = 0; i < 2 * (lanes ?? 1) + 1; i++) await once()
    const before = await settled(pid, node.address)
    for (let i = 0; i < 25; i++) await once()
    const after = await settled(pid, node.address)
    expect([after.openFeeds, after.openFiles]).toEqual([0, 0])
    expect(after.openPipes).toBeLessThanOrEqual(before.openPipes)
    expect(after.fds).toBeLessThanOrEqual(before.fds)
    expect(after.threads).toBeLessThanOrEqual(before.threads)
    expect(after.rssAnon - before.rssAnon).toBeLessThan(32 * MIB)
    await keepsNothing(node.dataDir)
  })
})

interface Belongings {
  readonly fds: number
  readonly threads: number
  readonly rssAnon: number
  readonly openFeeds: number
  readonly openFiles: number
  readonly openPipes: number
}

/** What a node process holds once it has released everything it will release. */
async function settled(pid: number, address: string): Promise<Belongings> {
  let last = await belongings(pid, address)
  // A connection that is being closed may take a second for its last word.
  let same = 0
  for (let i = 0; i < 30; i++) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    const next = await belongings(pid, address)
    const isSame = next.fds === last.fds && next.openFiles === 0 && next.openFeeds === 0
    same = isSame ? same + 1 : 0
    if (same === 4) return next
    last = next
  }
  return last
}

async function belongings(pid: number, address: string): Promise<Belongings> {
  const { counters } = await fetchStatus(address)
  const { openFeeds = -1, openFiles = -1, openPipes = -1 } = counters
  // The connection of the question itself closes meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 150))
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    fds: readdirSync(`/proc/${pid}/fd`).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
    rssAnon: Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) * 1024,
    openFeeds,
    openFiles,
    openPipes,
  }
}
