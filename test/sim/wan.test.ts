/**
 * A master and its nodes over links between sites, in which anything goes wrong (src/sim/wan).
 * `npm run soak -- --wan` runs many more of them, `npm run soak -- --wan --seed N` one.
 */
import { expect, it } from 'vitest'
import { drawnWan, wanKinds } from '../../src/sim/wan/mix.js'
import { runWan } from '../../src/sim/wan/run-wan.js'

it('puts everything where it is wanted, for 36 seeds', { timeout: 300_000 }, () => {
  const seen = new Set<string>()
  for (const seed of [...Array.from({ length: 35 }, (_, i) => i + 1), 90]) {
    const { scenario, kinds } = drawnWan(seed)
    try {
      const { counts } = runWan(scenario)
      for (const kind of [...kinds, ...counts.notes.keys()]) seen.add(kind)
      if (counts.slowed > 0) seen.add('slowed down')
      if (counts.stopped > 0) seen.add('stopped')
    } catch (error) {
      const replay = `replay: npm run soak -- --wan --seed ${seed}`
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${replay}`, { cause: error })
    }
  }
  // The scenarios must reach what they are there for.
  for (const each of [...wanKinds, 'failed', 'retried', 'full', 'slowed down', 'stopped'])
    expect([each, seen.has(each)]).toEqual([each, true])
})
