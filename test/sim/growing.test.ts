/** Contents that are written while they are sent, through a whole simulated push. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { Cluster } from '../../src/sim/cluster.js'
import {
  growingAgain,
  growingMix,
  growingOrphans,
  growingScenario,
} from '../../src/sim/growing-scenario.js'
import { plantedGrowing } from '../../src/sim/planted-growing.js'
import { runScenario } from '../../src/sim/run-seed.js'
import type { Scenario } from '../../src/sim/scenario.js'

const nodes = 4

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN
}

/** A message and its answer, and a block that the slowest node passes on to all others, twice. */
function boundMs({ edges, nodes: all, blockBytes }: Scenario): number {
  const rttMs = 2 * Math.max(...edges.flat().map(({ latencyMs }) => latencyMs))
  const slowest = Math.min(...all.map(({ uplinkBytesPerMs }) => uplinkBytesPerMs))
  return 2 * (rttMs + ((nodes - 1) * blockBytes) / slowest)
}

describe('a content that is still written', () => {
  it.each([1, 2])('is with all nodes soon after it is written, at 80 of 100 (seed %i)', (seed) => {
    const scenario = growingScenario(seed, nodes)
    const { growing: steps = [] } = scenario
    const cluster = new Cluster(scenario)
    const result = cluster.run()
    expect(result.outcomes.map(({ reason }) => reason)).toEqual(Array(nodes).fill(null))
    expect(cluster.nodes.map((node) => node?.asks)).toEqual(Array(nodes).fill(0))
    for (const [i, node] of cluster.nodes.entries()) {
      expect(node?.reachedBytes).toBe(scenario.bytes)
      const lagMs = percentile(node?.growing?.lagsMs(steps) ?? [], 0.99)
      const lag = cluster.machine.growth?.lag(i)
      const seen = JSON.stringify({ seed, i, lagMs, lag, boundMs: boundMs(scenario) })
      expect(lagMs, seen).toBeGreaterThan(0)
      expect(lagMs, seen).toBeLessThan(boundMs(scenario))
      // What the coordinator says of it holds the time in which it hears of it.
      expect(lag?.p99Ms, seen).toBeLessThan(1.1 * (lagMs + 2 * limits.reachedMs))
    }
    // One copy leaves the origin, and a little for what nobody else can bring.
    expect(result.originBytes / scenario.bytes).toBeLessThan(1.1)
  })

  it('comes to its end whatever goes wrong', () => {
    const seeds = Array.from({ length: 8 }, (_, i) => 110 + i)
    const complete = seeds.map((seed) => {
      try {
        const { outcomes } = runScenario(growingMix(seed))
        return outcomes.filter(({ status }) => status === 'complete').length
      } catch (cause) {
        throw new Error(`seed ${seed}: ${String(cause)}`, { cause })
      }
    })
    expect(complete.filter((count) => count > 0).length).toBeGreaterThan(5)
  })

  it.each([{ shape: 'tree', groupSize: 2 }, { shape: 'binomial' }] as const)(
    'comes to its end through other shapes: %o',
    (shape) => {
      for (let seed = 0; seed < 4; seed++) runScenario({ ...growingMix(seed), ...shape })
    },
  )

  it('goes on from what nodes have verified before', () => {
    const scenario = growingAgain(2)
    const result = runScenario(scenario)
    const held = scenario.nodes.map(({ holds }) => holds?.[0]?.[1] ?? 0)
    expect(result.outcomes.map(({ reason }) => reason)).toEqual(Array(3).fill(null))
    expect(result.outcomes.map(({ heldBytes }) => heldBytes)).toEqual(held)
    expect(held.some((bytes) => bytes > 0)).toBe(true)
  })

  it('is kept as far as it came where the origin is gone, and nobody takes over', () => {
    const cluster = new Cluster(growingOrphans(1))
    expect(cluster.run().failure).toBe('killed')
    expect(cluster.successions).toEqual([])
    for (const node of cluster.nodes) {
      expect(node?.failure?.code).toBe('ERR_FR_ORIGIN_LOST')
      expect(node?.keepsPartial).toBe(true)
      expect(node?.reachedBytes).toBeGreaterThan(0.9 * cluster.frontierBytes)
    }
  })
})

/** How each planted bug shows, by the seed that finds it. */
const found: Record<keyof typeof plantedGrowing, readonly [seed: number, shows: string]> = {
  'lost-end': [128, 'hang: 300000 ms have passed'],
  'far-floor': [1, 'the floor is at'],
  'no-cuts': [3, 'node 0 asks for what has landed'],
}

it.each(Object.entries(found))('the planted bug %s is found', (name, [seed, shows]) => {
  const undo = plantedGrowing[name as keyof typeof found]()
  try {
    expect(() => runScenario(growingMix(seed))).toThrow(shows)
  } finally {
    undo()
  }
  expect(() => runScenario(growingMix(seed))).not.toThrow()
})
