/**
 * Planted bugs (src/sim/planted.ts), each with a seed that finds it and how it shows. All are found
 * within the first 1,000 seeds; `npm run sim -- --plant NAME --seed N` replays one.
 */
import { describe, expect, it } from 'vitest'
import { isPlanted, type PlantedName, planted, withPlanted } from '../../src/sim/planted.js'
import { runSeed } from '../../src/sim/run-seed.js'

const stuck = 'ERR_FR_TIMEOUT: nothing landed or was verified for 30 s'
const found: Record<PlantedName, readonly [seed: number, shows: string]> = {
  'last-block': [12, `node 0 lives and is not complete: ${stuck}`],
  'late-feed': [11, 'node 1 had to ask again although nothing kept quiet'],
  'complete-untold': [178, 'still serves node 7, which is gone'],
  'two-plans': [1, 'ERR_FR_STALE'],
  'two-seals': [1, 'a seal before the plan, or a second one'],
  'away-is-gone': [178, 'node 5 closes its connection to node'],
  'lost-take-back': [358, 'node 0 had to ask again although nothing kept quiet'],
  'asked-anyway': [37, 'asks for what has landed'],
  'unverified-promise': [32, 'node 1 promises what it does not hold'],
  'counted-twice': [1, 'node 0 lives and is not complete: ERR_FR_PROTOCOL: a report that cannot'],
  'odd-frame': [68, 'cannot be sent: frame backlog: members of a list do not ascend'],
}

const plant = process.env.FR_SIM_PLANT

describe.skipIf(plant !== undefined)('a planted bug', () => {
  it.each(Object.keys(planted).filter(isPlanted))('%s is found', (name) => {
    const [seed, shows] = found[name]
    expect(() => withPlanted(name, () => runSeed(seed))).toThrow(shows)
    expect(() => runSeed(seed)).not.toThrow()
  })
})

it.runIf(plant !== undefined)(`the bug ${plant} is planted`, () => {
  const seed = Number(process.env.FR_SIM_SEED ?? 1)
  if (plant === undefined || !isPlanted(plant))
    throw new Error(`no such bug: ${plant}; there are ${Object.keys(planted).join(', ')}`)
  withPlanted(plant, () => runSeed(seed))
})
