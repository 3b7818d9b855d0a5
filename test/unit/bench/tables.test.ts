/** The tables of the lab: which run counts for what, what is judged, who wins where. */
import { describe, expect, test } from 'vitest'
import { wireFactor } from '../../../bench/lab/lab.mjs'
import { apartBoundSeconds, boundSeconds, scenarios } from '../../../bench/lab/scenarios.mjs'
import {
  comparisons,
  type Entry,
  labReport,
  merged,
  type Run,
  whereEachWins,
} from '../../../bench/lab/tables.mjs'

const floor = boundSeconds(scenarios.lan8) * wireFactor

/** A run that takes so many times the floor. */
function run(ofFloor: number, more: Partial<Run> = {}): Run {
  return {
    seconds: ofFloor * floor,
    apartSeconds: null,
    lastOfMedian: 1.01,
    cpuPerGB: 1,
    originCpuPerGB: 0.2,
    originCopies: 1,
    stolenSeconds: 0.1,
    ...more,
  }
}

function entry(system: string, ratios: readonly number[], more: Partial<Entry> = {}): Entry {
  const runs = ratios.map((each) => run(each))
  return { name: 'lan8', queue: 'fifo', system, runs, failures: [], missing: null, ...more }
}

const tableOf = (entries: readonly Entry[]) => labReport('lab', 'a title', scenarios, entries, [])

describe('the table of the lab', () => {
  test('shows the median against the floor, and judges the product as it comes alone', () => {
    const { rows, missed } = tableOf([
      entry('adaptive', [1.03, 1.01, 1.015]),
      entry('classic', [1.2]),
      entry('mbuffer', [1.01]),
    ])
    expect(rows.map((row) => row.met)).toEqual(['yes', null, null])
    expect(rows[0]).toMatchObject({
      ratios: '1.015 (1.010-1.030)',
      wanted: '<= 1.030',
      stolen: 0.1,
    })
    expect(missed).toEqual([])
  })

  test('what is missed is said by name', () => {
    const slow = entry('adaptive', [1.04, 1.04, 1.1])
    const late = { ...slow, runs: slow.runs.map((each) => ({ ...each, lastOfMedian: 1.2 })) }
    const { rows, missed } = tableOf([late])
    expect(rows[0]?.met).toBe('no: of floor, max/min, last/median')
    expect(missed).toEqual([
      'lan8, fifo: of floor 1.040 (wanted: <= 1.030)',
      'lan8, fifo: max/min 1.058 (wanted: <= 1.050)',
      'lan8, fifo: last/median 1.200 (wanted: <= 1.050)',
    ])
  })

  test.each([
    ['slow8', 'slow8, the slow one'],
    ['join8', 'join8, the new one'],
  ] as const)('%s has a line for the node looked at apart, with its own bound', (name, title) => {
    const apartFloor = (apartBoundSeconds(scenarios[name]) ?? 0) * wireFactor
    const runs = [run(1.01, { apartSeconds: 1.2 * apartFloor })]
    const { rows, missed } = tableOf([entry('adaptive', [], { name, runs })])
    expect(rows.map((row) => [row.name, row.met])).toEqual([
      [name, 'yes'],
      [title, 'no: of floor'],
    ])
    expect(rows[1]).toMatchObject({ floor: apartFloor, ratio: expect.closeTo(1.2, 6) })
    expect(missed).toHaveLength(1)
  })

  test('between sites: how often a byte crossed, and what is off once', () => {
    const ways = [1.01, 1.05].map((times) => [
      { from: 'a', to: 'b', times, onTheWire: 1.06 },
      { from: 'b', to: 'a', times: 0.01, onTheWire: 0.02 },
    ])
    const table = {
      here: { ...scenarios.lan8, wanted: { 'of floor': 1.1, 'off one crossing': 0.02 } },
    }
    const runs = ways.map((crossings) => run(1, { crossings }))
    const entries = [entry('adaptive', [], { name: 'here', runs })]
    const { columns, rows, missed } = labReport('groups', 'a title', table, entries, [])
    expect(columns.at(-1)?.key).toBe('crossings')
    expect(rows[0]?.crossings).toBe('a-b 1.030 (1.06), b-a 0.010 (0.02)')
    expect(missed).toEqual(['here, fifo: off one crossing 0.030 (wanted: <= 0.020)'])
  })

  test('a run that failed is a note, every run failed is a miss, and both fail the suite', () => {
    const failures = ['lan8, fifo, fr push: exit status 1']
    const some = tableOf([entry('adaptive', [1.01], { failures })])
    expect(some).toMatchObject({ isFailed: true, missed: [] })
    expect(some.notes).toEqual([`FAILED: ${failures[0]}`])
    const all = tableOf([entry('adaptive', [], { failures })])
    expect(all).toMatchObject({ isFailed: true, missed: ['lan8, fifo: every run failed'] })
    expect(all.rows[0]?.seconds).toBe('failed')
  })

  test('what is not installed is a line that says so, and no failure', () => {
    const { rows, isFailed } = tableOf([entry('uftp', [], { missing: 'not installed: uftp' })])
    expect(rows[0]?.seconds).toBe('not installed: uftp')
    expect(isFailed).toBe(false)
  })

  test('runs of several outputs are put together, system by system and network by network', () => {
    const fair = entry('adaptive', [1.05], { queue: 'fair' })
    const whole = merged([entry('adaptive', [1.01]), fair, entry('adaptive', [1.03])])
    expect(whole.map((each) => [each.queue, each.runs.length])).toEqual([
      ['fifo', 2],
      ['fair', 1],
    ])
  })
})

describe('systems beside one another', () => {
  const entries = [
    entry('classic', [1.2]),
    entry('adaptive', [1.017]),
    entry('uftp', [], { missing: 'not installed: uftp' }),
    entry('mbuffer', [1.01]),
    entry('adaptive', [1.02], { name: 'hetero8' }),
    entry('mbuffer', [4], { name: 'hetero8' }),
    entry('adaptive', [1.02], { name: 'fault8' }),
  ]

  test('a table for each scenario with several, fastest first, absent ones last', () => {
    const tables = comparisons('lab', scenarios, entries)
    expect(tables.map((each) => each.title.split(',')[0])).toEqual(['lan8', 'hetero8'])
    expect(tables[0]?.rows.map((row) => row.system)).toEqual([
      'mbuffer',
      'adaptive',
      'classic',
      'uftp',
    ])
    expect(tables[0]?.notes).toEqual([
      'lan8, fifo: mbuffer and adaptive are fastest, before classic (+19 %)',
    ])
    expect(tables[1]?.notes).toEqual([
      'hetero8, fifo: adaptive is fastest, before mbuffer (+292 %)',
    ])
  })

  test('where each wins comes from the figures', () => {
    expect(whereEachWins(scenarios, entries)).toEqual([
      'mbuffer is fastest in lan8 fifo',
      'adaptive is fastest in hetero8 fifo; level with the fastest in lan8 fifo',
      'classic is fastest nowhere',
      'uftp is fastest nowhere',
    ])
  })
})
