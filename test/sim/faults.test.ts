/** A link that breaks again and again is left out, and tried again after a while. */
import { expect, it } from 'vitest'
import { Cluster } from '../../src/sim/cluster.js'
import { type Resets, type Scenario, steadyScenario } from '../../src/sim/scenario.js'

const count = 5

/** A steady push of so many times the usual bytes, and what became of it. */
function run(times: number, resets?: Resets) {
  const steady = steadyScenario(5, count)
  const bytes = times * steady.bytes
  const coarse = { ...steady, chunkBytes: steady.blockBytes, bytes }
  const scenario: Scenario = { ...coarse, ...(resets !== undefined && { resets }) }
  const cluster = new Cluster(scenario)
  const { outcomes, warnings, logged } = cluster.run()
  expect(outcomes.map(({ reason }) => reason)).toEqual(Array(count).fill(null))
  const sent = cluster.network.sentBytes.reduce((sum, all) => sum + all, 0) / (count * bytes)
  return { warnings, logged, sent, ms: cluster.timeline.nowMs }
}

const edge = [2, 4] as const
const warning = expect.stringMatching(/^the link from node2:1 to node4:1 fails .* for a while$/)

it('breaking all the time it is avoided, and the push is nearly as fast as without', () => {
  const plain = run(2)
  const broken = run(2, { kinds: ['edge'], edge, everyMs: 150 })
  expect(broken.warnings).toEqual([warning])
  expect(broken.ms / plain.ms).toBeLessThan(1.05)
  expect(broken.sent).toBeLessThan(1.05)
})

it('it is used again once it has recovered', () => {
  const { warnings, logged, sent } = run(7, {
    kinds: ['edge'],
    edge,
    everyMs: 150,
    untilMs: 6_000,
  })
  expect(warnings).toEqual([warning])
  expect(logged).toContain('edge-retried')
  expect(sent).toBeLessThan(1.05)
})
