/**
 * Planted bugs (src/sim/planted.ts), each with a seed that finds it and how it shows. All are found
 * within the first 1,000 seeds: `npm run seeds -- --planted NAME` searches, and
 * `npm run sim -- --plant NAME --seed N` replays one that `npm run sim` finds.
 */
import { describe, expect, it } from 'vitest'
import { isPlanted, type PlantedName, planted, withPlanted } from '../../src/sim/planted.js'
import { runSeed } from '../../src/sim/run-seed.js'
import { runMixedSeed } from '../../src/sim/verdicts.js'

const stuck = 'ERR_FR_TIMEOUT: nothing landed or was verified for 30 s'
/** By `npm run sim` ('one') or by `npm run seeds` ('mix'). */
const found: Record<PlantedName, readonly [by: 'one' | 'mix', seed: number, shows: string]> = {
  'last-block': ['one', 12, `node 0 lives and is not complete: ${stuck}`],
  'late-feed': ['one', 11, 'node 1 had to ask again although nothing kept quiet'],
  'complete-untold': ['one', 178, 'still serves node 7, which is gone'],
  'two-plans': ['one', 1, 'ERR_FR_STALE'],
  'two-seals': ['one', 1, 'a seal before the plan, or a second one'],
  'away-is-gone': ['one', 178, 'node 5 closes its connection to node'],
  'lost-take-back': ['one', 358, 'node 0 had to ask again although nothing kept quiet'],
  'asked-anyway': ['one', 37, 'asks for what has landed'],
  'unverified-promise': ['one', 32, 'node 1 promises what it does not hold'],
  'counted-twice': [
    'one',
    1,
    'node 0 lives and is not complete: ERR_FR_PROTOCOL: a report that cannot',
  ],
  'odd-frame': ['one', 68, 'cannot be sent: frame backlog: members of a list do not ascend'],
  'hasty-detector': ['mix', 18, 'lives and is not complete: ERR_FR_NODE_SILENT: silent for 1 s'],
  'no-successor': ['mix', 156, 'says ERR_FR_ORIGIN_LOST: the origin is silent for 19 s'],
  'short-roster': ['mix', 95, 'Cannot read properties of undefined'],
  'term-again': ['mix', 31, '0 coordinates in term 2 of member 0, as 0 does or did'],
  'landed-counts': ['mix', 4, 'node 3 reports more than it holds'],
  'copied-twice': ['mix', 2, 'node 0 has two writers at 786432: both copy'],
  'found-twice': ['mix', 23, 'node 1 has two writers at 0: it landed there'],
  'never-reopened': ['mix', 93, 'ERR_FR_NODE_LOST: the data connection broke'],
  'blind-trust': ['mix', 228, 'node 0 holds block 6, which is not right'],
  'blind-fill': ['mix', 278, 'node 0 holds block 4, which is not right'],
  'early-publish': ['one', 1, 'node 1 published a wrong file'],
  'lost-repair': ['mix', 60, `node 1 lives and is not complete: ${stuck}`],
  'left-untold': ['one', 103, 'ERR_FR_PROTOCOL: the plan routes to who is no member'],
  'old-epoch': ['mix', 1, 'ERR_FR_STALE: it follows a newer plan'],
}

const plant = process.env.FR_SIM_PLANT

describe.skipIf(plant !== undefined)('a planted bug', () => {
  it.each(Object.keys(planted).filter(isPlanted))('%s is found', (name) => {
    const [by, seed, shows] = found[name]
    const run = by === 'one' ? runSeed : runMixedSeed
    expect(() => withPlanted(name, () => run(seed))).toThrow(shows)
    // The others the mix runs without it.
    if (by === 'one') expect(() => run(seed)).not.toThrow()
  })
})

it.runIf(plant !== undefined)(`the bug ${plant} is planted`, () => {
  const seed = Number(process.env.FR_SIM_SEED ?? 1)
  if (plant === undefined || !isPlanted(plant))
    throw new Error(`no such bug: ${plant}; there are ${Object.keys(planted).join(', ')}`)
  withPlanted(plant, () => runSeed(seed))
})
