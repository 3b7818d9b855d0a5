/**
 * A master and its nodes over links between sites, in which anything goes wrong (src/sim/wan).
 * `npm run seeds -- --wan` runs many more of them, `npm run seeds -- --wan --seed N` one.
 */
import { expect, it } from 'vitest'
import { parseCriteria } from '../../src/base/criteria.js'
import { compared } from '../../src/sim/wan/bounds.js'
import { drawnWan, wanKinds } from '../../src/sim/wan/mix.js'
import { runWan } from '../../src/sim/wan/run-wan.js'
import { calm, type WanNodeSpec } from '../../src/sim/wan/scenario.js'

/**
 * Found by many more: the end is told to who has every byte (4588), a rate to who has not heard of
 * it (6606), and nobody waits for a site where nothing can be taken (6679).
 */
const found = [90, 4588, 6606, 6679]

it('puts everything where it is wanted, for 36 seeds', { timeout: 300_000 }, () => {
  const seen = new Set<string>()
  for (const seed of [...Array.from({ length: 32 }, (_, i) => i + 1), ...found]) {
    const { scenario, kinds } = drawnWan(seed)
    try {
      const { counts } = runWan(scenario)
      for (const kind of [...kinds, ...counts.notes.keys()]) seen.add(kind)
      if (counts.slowed > 0) seen.add('slowed down')
      if (counts.stopped > 0) seen.add('stopped')
    } catch (error) {
      const replay = `replay: npm run seeds -- --wan --seed ${seed}`
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${replay}`, { cause: error })
    }
  }
  // The scenarios must reach what they are there for.
  for (const each of [...wanKinds, 'failed', 'retried', 'full', 'slowed down', 'stopped'])
    expect([each, seen.has(each)]).toEqual([each, true])
})

it('knows the least time over a diamond of links, and what it costs to copy directly', () => {
  const MB = 1e6
  const carries = (mb: number) => ({ bytesPerSecond: mb * MB, costPerGb: 1 })
  const link = (from: string, to: string, mb: number) => ({
    ...{ name: `${from}-${to}`, from, to, ...carries(mb) },
  })
  const node = (name: string, site: string): WanNodeSpec => ({
    ...{ name, site, attributes: {}, latencyMs: 1, diskBytes: 1e12, lies: [], corrupts: false },
    ...{ up: { bytesPerSecond: 100 * MB }, down: { bytesPerSecond: 50 * MB } },
    lineBytesPerSecond: 100 * MB,
  })
  const files = [{ name: 'f', digest: null }]
  const set = (name: string, where: string) => ({
    ...{ name, files, priority: 5, where: parseCriteria(where), never: null, from: null },
  })
  const least = (bWays: number) =>
    compared({
      ...calm,
      ...{ seed: 1, horizonMs: 1 },
      topology: {
        sites: ['a', 'b', 'c', 'd'].map((name) => ({ name })),
        links: [link('a', 'b', 4), link('b', 'd', bWays), link('a', 'c', 2), link('c', 'd', 3)],
        routes: [],
      },
      nodes: [node('a1', 'a'), node('b1', 'b'), node('c1', 'c'), node('d1', 'd')],
      contents: [{ contentId: 'f', name: 'f', node: 'a1', atMs: 0, size: 60 * MB, growth: [] }],
      sets: [{ atMs: 0, sets: [set('all', 'site'), set('nobody', 'site=z')] }],
    })
  // Into d: 3 of the 4 by b, and 2 of the 3 by c. Into c come 2 MB a second, and that is longest.
  expect(least(3)).toEqual({
    leastSeconds: 30,
    // Straight to b, and over it to d.
    ...{ direct: { seconds: 30, cost: 0.24 }, unmeant: ['nobody'] },
  })
  // By b only half a megabyte comes then: 60 MB at 2.5 a second are 24 s, c still needs 30.
  expect(least(0.5).leastSeconds).toBe(30)
})
