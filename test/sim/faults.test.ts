/** A link that breaks again and again is left out for a while; a silent one is opened again. */
import { expect, it } from 'vitest'
import { Cluster } from '../../src/sim/cluster.js'
import { type Resets, type Scenario, steadyScenario } from '../../src/sim/scenario.js'

const count = 5
const edge = [2, 4] as const

/** A steady push of so many times the usual bytes, and what became of it. */
function run(times: number, resets?: Resets, silentMs?: number) {
  const steady = steadyScenario(5, count)
  const bytes = times * steady.bytes
  const silent = { stallAtMs: 300, stallMs: silentMs ?? 0 }
  const edges = steady.edges.map((row, i) =>
    row.map((one, j) =>
      silentMs && i === edge[0] + 1 && j === edge[1] ? { ...one, ...silent } : one,
    ),
  )
  const coarse = { ...steady, edges, chunkBytes: steady.blockBytes, bytes }
  const scenario: Scenario = { ...coarse, ...(resets !== undefined && { resets }) }
  const cluster = new Cluster(scenario)
  const { outcomes, warnings, logged } = cluster.run()
  expect(outcomes.map(({ reason }) => reason)).toEqual(Array(count).fill(null))
  const sent = cluster.network.sentBytes.reduce((sum, all) => sum + all, 0) / (count * bytes)
  const asks = cluster.nodes.reduce((sum, node) => sum + (node?.asks ?? 0), 0)
  return { warnings, logged, sent, asks, ms: cluster.timeline.nowMs }
}

const plain = run(2)
const warning = expect.stringMatching(/^the link from node2:1 to node4:1 fails .* for a while$/)

it('breaking all the time it is avoided, and the push is nearly as fast as without', () => {
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

it('silent while both ends are heard it has another connection, and nobody asks for more', () => {
  const silent = run(2, undefined, 60_000)
  expect(silent.asks).toBe(0)
  expect(silent.logged).not.toContain('edge-lost')
  expect(silent.sent).toBeLessThan(1.02)
  expect(silent.ms / plain.ms).toBeLessThan(1.1)
})
