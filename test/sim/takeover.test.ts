/** The origin dies: those that are left finish by themselves, or name what nobody holds. */
import { expect, it } from 'vitest'
import { Cluster } from '../../src/sim/cluster.js'
import { checkSurvivors } from '../../src/sim/run-seed.js'
import { orphansOf } from './takeover-support.js'

it('survivors finish, or name the same missing ranges', { timeout: 300_000 }, () => {
  const ends = { finished: 0, incomplete: 0 }
  for (let seed = 1; seed <= 11; seed++) {
    const scenario = orphansOf(seed)
    const cluster = new Cluster(scenario)
    try {
      cluster.run()
      checkSurvivors(scenario, cluster)
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
    const events = cluster.successions.map(({ event }) => event)
    if (events.includes('finished')) ends.finished++
    if (events.includes('incomplete')) ends.incomplete++
  }
  expect(Math.min(ends.finished, ends.incomplete)).toBeGreaterThan(1)
})
