/** Contents that are written while they are sent, through a whole simulated push. */
import { describe, expect, it } from 'vitest'
import { Cluster } from '../../src/sim/cluster.js'
import { growingMix, growingScenario } from '../../src/sim/growing-scenario.js'
import { runScenario } from '../../src/sim/run-seed.js'

/** Of nodes in one room: messages take half a millisecond at most, a block some four. */
const lagMsMax = 60

describe('a content that is still written', () => {
  it.each([1, 2])(
    'is with all nodes soon after it is written, at four fifths of the bound (seed %i)',
    (seed) => {
      const scenario = growingScenario(seed, 4)
      const cluster = new Cluster(scenario)
      const result = cluster.run()
      const endMs = scenario.growing?.at(-1)?.atMs ?? 0
      expect(result.outcomes.map(({ reason }) => reason)).toEqual(Array(4).fill(null))
      expect(cluster.nodes.map((node) => node?.reachedBytes)).toEqual(Array(4).fill(scenario.bytes))
      expect(cluster.nodes.map((node) => node?.asks)).toEqual(Array(4).fill(0))
      expect(result.virtualMs - endMs).toBeLessThan(2 * lagMsMax)
      for (const node of scenario.nodes.keys()) {
        const lag = cluster.machine.growth?.lag(node)
        expect(lag?.p99Ms, JSON.stringify(lag)).toBeLessThan(lagMsMax)
        expect(lag?.p50Ms).toBeGreaterThan(0)
      }
      // One copy leaves the origin, and a little for what nobody else can bring.
      expect(result.originBytes / scenario.bytes).toBeLessThan(1.6)
    },
  )

  it('comes to its end whatever goes wrong', () => {
    const seeds = Array.from({ length: 12 }, (_, i) => 108 + i)
    const complete = seeds.map((seed) => {
      try {
        const { outcomes } = runScenario(growingMix(seed))
        return outcomes.filter(({ status }) => status === 'complete').length
      } catch (cause) {
        throw new Error(`seed ${seed}: ${String(cause)}`, { cause })
      }
    })
    expect(complete.filter((count) => count > 0).length).toBeGreaterThan(9)
  })
})
