/**
 * Planted bugs of the master (src/sim/wan/planted.ts), each with a seed that finds it and how it
 * shows. `npm run seeds -- --wan --planted NAME` searches for another one.
 */
import { expect, it } from 'vitest'
import { drawnWan } from '../../src/sim/wan/mix.js'
import { type PlantedWanName, plantedWan, withPlantedWan } from '../../src/sim/wan/planted.js'
import { runWan } from '../../src/sim/wan/run-wan.js'

const found: Record<PlantedWanName, readonly [seed: number, shows: string]> = {
  'over-allocated': [1, 'has 8553512 allocated of 7127927'],
  'budget-blind': [2, 'the master wants turns, and does nothing in them'],
  'never-woken': [4, '2 demands wait for ever'],
  'no-dawn': [10, '1 demands wait for ever: n0 lacks c1.2'],
  'crosses-twice': [8, 'bring the same into s2'],
  'hidden-behind-failed': [48, '8 demands wait for ever'],
  'untold-stop': [1, 'the master has forgotten copy 1'],
  'runs-unheard': [1, 'the master has forgotten copy 3'],
  'does-not-listen': [13, 'begins before nodes have said what they copy already'],
  'drains-late': [34, 'goes on: n0 is drained'],
  'free-ride': [4, 'takes another way than its own'],
  'no-residency': [5, 'comes from where it may not come from'],
  'grown-unseen': [9, 'demands wait for ever: n0 lacks c2.0'],
  'out-of-order': [7, 'before what comes first'],
  'to-all-at-once': [17, 'it gives what is written to 3 others of its site'],
  'no-patience': [1, '24 demands wait for ever'],
}

it.each(Object.keys(plantedWan) as PlantedWanName[])('%s is found', (name) => {
  const [seed, shows] = found[name]
  const { scenario } = drawnWan(seed)
  // What waits for ever has done so for long enough by then.
  const horizonMs = scenario.calmMs + 120_000
  expect(() => withPlantedWan(name, () => runWan({ ...scenario, horizonMs }))).toThrow(shows)
})
