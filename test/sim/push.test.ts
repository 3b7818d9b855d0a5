/**
 * Whole pushes on a virtual network and clock. `npm run sim -- --seeds N` runs more of them,
 * `npm run sim -- --seed N` just the one that failed.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { runScenario, runSeed } from '../../src/sim/run-seed.js'
import {
  bestBytesPerMs,
  outageScenario,
  scenarioOf,
  steadyScenario,
} from '../../src/sim/scenario.js'

const only = process.env.FR_SIM_SEED
const count = Number(process.env.FR_SIM_SEEDS ?? 40)
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)
/** A node that lags, and one that is complete and leaves, which few other seeds have. */
const rare = [68, 326].filter((seed) => seed > count)
const seeds = only === undefined ? [...upTo(count), ...rare] : [Number(only)]

describe('simulated pushes', () => {
  it(`end well for ${seeds.length} seeds`, { timeout: 300_000 }, () => {
    const seen = new Map<string, number>()
    let originBytes = 0
    let pulledBytes = 0
    for (const seed of seeds) {
      try {
        const result = runSeed(seed)
        const { strategy, shape } = scenarioOf(seed)
        const kinds =
          result.failure === null
            ? result.outcomes.map((outcome) => outcome.status)
            : [result.failure]
        originBytes += result.originBytes
        pulledBytes += result.pulledBytes
        if (result.pulledBytes > 0) kinds.push('pulled')
        for (const kind of [...kinds, ...result.logged, strategy, shape])
          seen.set(kind, (seen.get(kind) ?? 0) + 1)
      } catch (error) {
        const replay = `replay: npm run sim -- --seed ${seed}`
        throw new Error(`seed ${seed}: ${(error as Error).message}\n${replay}`, { cause: error })
      }
    }
    console.info(`${originBytes} bytes from origins, ${pulledBytes} pulled from mates`)
    if (only !== undefined) return
    // The scenarios must reach what they are there for; otherwise this test shows nothing.
    const wanted =
      'complete failed refused classic adaptive group unicast need repair bad-block edge-lost ' +
      'suspected lags keeps-up left pulled added joined'
    for (const kind of wanted.split(' '))
      expect([kind, (seen.get(kind) ?? 0) > 0]).toEqual([kind, true])
  })

  it('the same seed is the same run', () => {
    expect(runSeed(7)).toEqual(runSeed(7))
  })
})

/**
 * Files of two seconds at the bound. Where the origin or a receiver is the limit, half of the runs
 * are within 5 % of it: the start and the last queues take about 0.06 s. A receiver whose downlink
 * is just the bound may for a while be taken for one that lags, which costs its share of the
 * relaying (up to 1.35 was seen). Where the uplinks together are the limit, the origin's direct
 * share is part of the bound; it is held back for the first 0.3 s, and the slowest relay ends last
 * (up to 1.44 was seen; four times the file: 1.12). The equal split needs 1.4 to 3 times the bound
 * here.
 */
describe('adaptive dealing on steady links', () => {
  let runs: { seed: number; isRelayLimited: boolean; ratio: number }[] = []
  beforeAll(() => {
    runs = upTo(20).map((seed) => {
      const scenario = steadyScenario(seed)
      const best = bestBytesPerMs(scenario)
      const isRelayLimited =
        best < scenario.originUplinkBytesPerMs &&
        scenario.nodes.every((node) => best < node.downlinkBytesPerMs)
      const ratio = (runScenario(scenario).exchangeMs * best) / scenario.bytes
      return { seed, isRelayLimited, ratio }
    })
  })

  it.each([
    ['the origin or a receiver', false, 1.05, 1.4],
    ['the uplinks together', true, 1.4, 1.5],
  ])('comes close to the bound where the limit is %s', (_, isRelayLimited, typical, most) => {
    const these = runs.filter((run) => run.isRelayLimited === isRelayLimited)
    expect(these.length).toBeGreaterThan(4)
    const ratios = these.map((run) => run.ratio).sort((a, b) => a - b)
    expect(ratios[Math.floor(ratios.length / 2)]).toBeLessThan(typical)
    expect(these.filter((run) => run.ratio > most)).toEqual([])
    // Nothing is faster than the bound; if it seems so, the simulated network is wrong.
    expect(these.filter((run) => run.ratio < 1)).toEqual([])
  })

  it('beats the equal split wherever uplinks differ', () => {
    const scenario = steadyScenario(3)
    const adaptive = runScenario(scenario).exchangeMs
    const classic = runScenario({ ...scenario, strategy: 'classic' }).exchangeMs
    expect(classic / adaptive).toBeGreaterThan(1.5)
  })
})

/**
 * Node 1 says that it relays, and passes nothing on: from the start, or after it has for a while.
 * Files of four seconds at the bound, so that there is something left once it is known.
 */
describe('pushes with a relay that only says it forwards', () => {
  const withLiar = (seed: number, deceivesAtMs: number) => {
    const steady = steadyScenario(seed)
    const nodes = steady.nodes.map((node, i) => (i === 1 ? { ...node, deceivesAtMs } : node))
    return { ...steady, nodes, bytes: 2 * steady.bytes, chunkBytes: steady.blockBytes }
  }

  it.each([0, 1_000])('reach everybody and name it, from %s ms', { timeout: 300_000 }, (fromMs) => {
    for (const seed of upTo(2)) {
      const scenario = withLiar(seed, fromMs)
      expect(scenario.nodes.length).toBeGreaterThan(2)
      const { outcomes, warnings } = runScenario(scenario)
      const reasons = outcomes.map(({ reason }) => reason)
      expect([seed, ...reasons]).toEqual([seed, ...scenario.nodes.map(() => null)])
      expect([seed, ...warnings]).toEqual([seed, expect.stringMatching(/^node1:1 says that it/)])
    }
  })

  it('reach everybody in time where one changes the digests that it passes on', () => {
    for (const strategy of ['adaptive', 'classic'] as const)
      for (const seed of upTo(3)) {
        const steady = steadyScenario(seed)
        const nodes = steady.nodes.map((node, i) => ({ ...node, forges: i === 1 }))
        // runScenario throws where a node asks only because nothing moves any more.
        const { outcomes, logged } = runScenario({ ...steady, strategy, nodes })
        expect([seed, ...outcomes.map(({ reason }) => reason)]).toEqual([
          seed,
          ...nodes.map(() => null),
        ])
        expect([seed, logged.includes('need-digests')]).toEqual([seed, true])
      }
  })

  it('never accuse an honest relay, though little is enough', { timeout: 300_000 }, () => {
    // runScenario throws where one is. More than this is under way on no path of a scenario.
    const sooner = { relayClaimBytes: 2 * 1024 * 1024 }
    const some = only === undefined ? seeds.filter((seed) => seed % 8 === 0) : seeds
    for (const seed of some) {
      runScenario({ ...scenarioOf(seed), ...sooner })
      if (seed % 16 === 0 || only !== undefined) runScenario({ ...outageScenario(seed), ...sooner })
    }
  })

  it.each([
    ['refused', 1, { cannotDial: true }],
    ['held up', 2, { stallAtMs: 300, stallMs: 2_500 }],
    ['broken', 3, { breaksAtMs: 400 }],
  ])('never accuse one whose feeds are all %s', { timeout: 300_000 }, (_, own, fault) => {
    for (const seed of only === undefined ? [own] : seeds) {
      const steady = steadyScenario(seed)
      const edges = steady.edges.map((row, i) =>
        i === 1 ? row.map((e) => ({ ...e, ...fault })) : row,
      )
      const long = { bytes: 2 * steady.bytes, chunkBytes: steady.blockBytes }
      const { warnings } = runScenario({ ...steady, ...long, edges, relayClaimBytes: 256 * 1024 })
      expect(warnings.filter((text) => text.includes('says that'))).toEqual([])
    }
  })
})

/**
 * A cable out, a process stopped or a disk hung for 1 to 8 s in a push of two, or all processes
 * stopped for longer than silence may last: connections outlive that, so everybody must complete.
 * `npm run sim -- --seeds N` runs more of them, too.
 */
describe('pushes with outages', () => {
  const outageSeeds = only === undefined ? upTo(Math.ceil(0.3 * count)) : seeds

  it(`bring the file to everybody for ${outageSeeds.length} seeds`, { timeout: 300_000 }, () => {
    const seen = new Set<string>()
    for (const seed of outageSeeds) {
      const scenario = outageScenario(seed)
      const { outcomes, logged } = runScenario(scenario)
      const { kind = '', forMs = 0 } = scenario.outages[0] ?? {}
      if (forMs > limits.silenceMs) seen.add('all stopped for long')
      for (const each of [kind, scenario.strategy, ...logged]) seen.add(each)
      const reasons = outcomes.map(({ reason }) => reason)
      expect([seed, ...reasons]).toEqual([seed, ...scenario.nodes.map(() => null)])
    }
    if (only !== undefined) return
    // The scenarios must reach what they are there for.
    const wanted = ['cable', 'stop', 'disk', 'all stopped for long', 'away', 'back']
    for (const each of [...wanted, 'adaptive', 'classic'])
      expect([each, seen.has(each)]).toEqual([each, true])
  })
})
