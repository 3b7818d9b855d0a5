/** Pushes to groups in a chain on the virtual network: what fails, and how close to the bound. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/sim/random.js'
import { runScenario } from '../../src/sim/run-seed.js'
import { type Scenario, scenarioOf } from '../../src/sim/scenario.js'

const count = Number(process.env.FR_SIM_SEEDS ?? 100)
const only = process.env.FR_SIM_SEED

/** The scenario of the seed in groups of one to three nodes, where it has a chain to offer. */
function chainOf(seed: number): Scenario | undefined {
  const scenario = scenarioOf(seed)
  const starters = scenario.nodes.filter(({ joinsAtMs }) => joinsAtMs === null).length
  if (scenario.shape === 'unicast' || starters < 3) return undefined
  const groupSize = new Random(seed ^ 0xc4a1).integer(1, 3)
  return { ...scenario, shape: 'chain', groupSize }
}

describe('simulated pushes to a chain of groups', () => {
  it(`end well for ${count} seeds`, { timeout: 300_000 }, () => {
    const seen = new Map<string, number>()
    const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [+only]
    for (const seed of seeds) {
      const scenario = chainOf(seed)
      if (scenario === undefined) continue
      try {
        const { failure, outcomes, logged } = runScenario(scenario)
        const kinds = failure === null ? outcomes.map(({ status }) => status) : [failure]
        for (const kind of [...kinds, ...logged]) seen.set(kind, (seen.get(kind) ?? 0) + 1)
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
    }
    if (only !== undefined) return
    for (const kind of ['complete', 'failed', 'refused', 'edge-lost', 'left', 'joined'])
      expect([kind, (seen.get(kind) ?? 0) > 0]).toEqual([kind, true])
  })
})
