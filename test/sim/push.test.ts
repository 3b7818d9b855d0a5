/**
 * Whole pushes on a virtual network and clock. FR_SIM_SEEDS=N runs more of them, FR_SIM_SEED=N just
 * the one that failed.
 */
import { describe, expect, it } from 'vitest'
import { runSeed } from '../../src/sim/run-seed.js'

const only = process.env.FR_SIM_SEED
const count = Number(process.env.FR_SIM_SEEDS ?? 300)
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)]

describe('simulated pushes', () => {
  it(`end well for ${seeds.length} seeds`, { timeout: 300_000 }, () => {
    const statuses = new Map<string, number>()
    for (const seed of seeds) {
      try {
        const result = runSeed(seed)
        const kinds =
          result.failure === null
            ? result.outcomes.map((outcome) => outcome.status)
            : [result.failure]
        for (const kind of kinds) statuses.set(kind, (statuses.get(kind) ?? 0) + 1)
      } catch (error) {
        const replay = `replay: FR_SIM_SEED=${seed} npx vitest run test/sim/push.test.ts`
        throw new Error(`seed ${seed}: ${(error as Error).message}\n${replay}`, { cause: error })
      }
    }
    if (only !== undefined) return
    // The scenarios must reach what they are there for; otherwise this test shows nothing.
    for (const kind of ['complete', 'failed', 'refused'])
      expect(statuses.get(kind) ?? 0).toBeGreaterThan(0)
  })

  it('the same seed is the same run', () => {
    expect(runSeed(7)).toEqual(runSeed(7))
  })
})
