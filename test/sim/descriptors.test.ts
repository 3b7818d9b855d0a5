/** Descriptors: each is a push of which one node is dealt everything while it can relay. */
import { describe, expect, it } from 'vitest'
import { runScenario } from '../../src/sim/run-seed.js'
import { type Scenario, scenarioOf, steadyScenario } from '../../src/sim/scenario.js'

/** Of this seed, dealt whole to one of its nodes. */
function whole(seed: number, scenario: Scenario): Scenario {
  const dealtTo = seed % scenario.nodes.length
  return { ...scenario, strategy: 'adaptive', shape: 'group', dealtTo }
}

describe('a push that is dealt whole to one node', () => {
  it('ends well whatever fails, the relay as well', { timeout: 300_000 }, () => {
    let lostRelays = 0
    for (let seed = 1; seed <= 20; seed++) {
      const scenario = whole(seed, scenarioOf(seed))
      try {
        const { failure, outcomes } = runScenario(scenario)
        const relay = outcomes[scenario.dealtTo ?? 0]
        if (failure === null && relay !== undefined && relay.status !== 'complete') lostRelays++
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
    }
    // Otherwise nobody has taken over.
    expect(lostRelays).toBeGreaterThan(2)
  })

  it('leaves the origin once where nothing goes wrong', () => {
    for (let seed = 1; seed <= 2; seed++) {
      const scenario = whole(seed, steadyScenario(seed, 3))
      const { outcomes, originBytes } = runScenario(scenario)
      expect(outcomes.map(({ status }) => status)).toEqual(Array(3).fill('complete'))
      expect(originBytes / scenario.bytes).toBeLessThan(1.02)
    }
  })
})
