/** The process of the coordinator dies, whatever else goes wrong: nobody loses anything. */
import { expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { Cluster } from '../../src/sim/cluster.js'
import { Random } from '../../src/sim/random.js'
import { runScenario } from '../../src/sim/run-seed.js'
import { type Scenario, scenarioOf, steadyScenario } from '../../src/sim/scenario.js'

it('everybody ends with a named error and keeps what is verified', { timeout: 300_000 }, () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new Random(seed ^ 0xdead)
    const originDiesAtMs = random.between(1, 1_500)
    try {
      runScenario({ ...scenarioOf(seed), originDiesAtMs })
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
})

it('standbys know the roster, the others nothing', () => {
  const scenario: Scenario = { ...steadyScenario(3), originDiesAtMs: 1_200 }
  const cluster = new Cluster(scenario)
  cluster.begin()
  // What was said is heard, and nobody has taken over.
  while (cluster.timeline.nowMs < 1_300) cluster.timeline.step()
  const { numbers, roster } = cluster.machine.exchange.plans.standbys
  expect(numbers).toHaveLength(limits.standbys)
  expect(roster?.entries.map(({ state }) => state)).toEqual(scenario.nodes.map(() => 'running'))
  for (const [i, node] of cluster.nodes.entries()) {
    const isStandby = numbers.includes(i)
    expect(node?.replica).toMatchObject(isStandby ? { roster } : {})
    expect(node?.replica.roster === undefined).toBe(!isStandby)
    expect(node?.phase).toBe('orphaned')
    expect(node?.held.verifiedBytes).toBeGreaterThan(0)
  }
})
