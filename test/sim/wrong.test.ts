/**
 * Blocks that are spoiled on their way between any two nodes, one in a hundred on each hop: every
 * node is complete, each hop repairs what it spoiled, and the origin sends little more than a copy.
 */
import { expect, it } from 'vitest'
import { Cluster } from '../../src/sim/cluster.js'
import { type Scenario, steadyScenario } from '../../src/sim/scenario.js'

const count = 12

/** Blocks of four chunks. */
function spoiled(seed: number): Scenario {
  const steady = steadyScenario(seed, count)
  return { ...steady, bytes: 96 * steady.blockBytes, wrongChance: 0.0025 }
}

it.each<[string, Partial<Scenario>, number]>([
  ['one group', {}, 1.4],
  // Of which the origin sends some to all heads itself.
  ['a chain of groups', { shape: 'chain', groupSize: 4, sites: 0 }, 1.7],
])('are sent again by who passed them on: %s', (_, wish, copies) => {
  const scenario = { ...spoiled(3), ...wish }
  const cluster = new Cluster(scenario)
  const { outcomes, originBytes, logged } = cluster.run()
  expect(outcomes.map(({ reason }) => reason)).toEqual(Array(count).fill(null))
  expect(logged).toContain('bad-block')
  const repairedBytes = outcomes.reduce((sum, outcome) => sum + outcome.repairedBytes, 0)
  const sentAgain = cluster.nodes.reduce((sum, node) => sum + (node?.scratchBytes ?? 0), 0)
  expect(repairedBytes).toBeGreaterThan(0.2 * scenario.bytes)
  expect(sentAgain).toBeLessThan(1.5 * repairedBytes)
  expect(originBytes).toBeLessThan(copies * scenario.bytes)
})

it('that come from one relay: it is named, and relays nothing for a while', () => {
  const steady = steadyScenario(3, 8)
  const nodes = steady.nodes.map((node, at) => (at === 2 ? { ...node, spoils: 0.2 } : node))
  const cluster = new Cluster({ ...steady, bytes: 400 * steady.blockBytes, nodes })
  const { outcomes, warnings } = cluster.run()
  expect(outcomes.map(({ reason }) => reason)).toEqual(Array(8).fill(null))
  expect(warnings).toEqual([
    expect.stringMatching(
      / came through node2:1, .* between node2:1 and node\d:1: .* nothing to relay for a while$/,
    ),
  ])
})
