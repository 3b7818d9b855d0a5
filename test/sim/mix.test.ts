/**
 * Whole clusters in which anything goes wrong, several things at a time (src/sim/mix.ts).
 * `npm run seeds` runs many more of them, `npm run seeds -- --seed N` one.
 */
import { expect, it } from 'vitest'
import { faultKinds, mixedScenario } from '../../src/sim/mix.js'
import { runMixed } from '../../src/sim/verdicts.js'

/** What few seeds have: connections between nodes that come back, and a large cluster. */
const rare = [180, 195, 279]
const seeds = [...Array.from({ length: 100 }, (_, at) => at + 1), ...rare]

it(`end as they must for ${seeds.length} seeds`, { timeout: 300_000 }, () => {
  const seen = new Set<string>()
  let most = 0
  for (const seed of seeds) {
    const scenario = mixedScenario(seed)
    try {
      const { failure, outcomes, logged } = runMixed(scenario)
      const ends = failure === null ? outcomes.map(({ status }) => status) : [failure]
      for (const kind of [...scenario.kinds, ...ends, ...logged, scenario.shape]) seen.add(kind)
      most = Math.max(most, scenario.nodes.length)
    } catch (error) {
      const replay = `replay: npm run seeds -- --seed ${seed}`
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${replay}`, { cause: error })
    }
  }
  // The scenarios must reach what they are there for.
  const ends =
    'complete failed refused killed away back bad-block joined edge-lost edge-back edge-retried'
  const shapes = ['group', 'unicast', 'chain', 'tree', 'binomial']
  for (const each of [...faultKinds, ...ends.split(' '), ...shapes])
    expect([each, seen.has(each)]).toEqual([each, true])
  expect(most).toBeGreaterThan(50)
})

it.each([
  [4639, 'a block that came wrong after the origin had died, where no mate had a connection'],
  [8664, 'the same, of several at once'],
])('seed %i ends as it must: %s', (seed) => {
  runMixed(mixedScenario(seed))
})
