/** Contents that are written while they are sent, through a whole simulated push. */
import { describe, expect, it } from 'vitest'
import { Cluster } from '../../src/sim/cluster.js'
import { growingScenario } from '../../src/sim/growing-scenario.js'

describe('a content that is still written', () => {
  it.each([1, 2, 3])('is with all nodes once it has ended (seed %i)', (seed) => {
    const scenario = growingScenario(seed, 3)
    const cluster = new Cluster(scenario)
    const result = cluster.run()
    expect(result.outcomes.map(({ reason }) => reason)).toEqual([null, null, null])
    expect(cluster.nodes.map((node) => node?.reachedBytes)).toEqual(Array(3).fill(scenario.bytes))
    expect(cluster.nodes.map((node) => node?.publications)).toEqual([1, 1, 1])
  })
})
