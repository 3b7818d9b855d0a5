/** The suite of faults: what is injected, what is compared with what, and what a verdict counts. */
import { describe, expect, test } from 'vitest'
import {
  type FaultScenario,
  faultBoundSeconds,
  faultScenarios,
  quickFaults,
} from '../../../bench/lab/fault-scenarios.mjs'
import { faultReport, withBeside } from '../../../bench/lab/faults.mjs'
import { wireFactor } from '../../../bench/lab/lab.mjs'

const floor = faultBoundSeconds(faultScenarios['none'] as FaultScenario) * wireFactor

const complete = (ofFloor: number, lastOfMedian = 1.01) => ({
  isGood: true,
  verdict: 'all 7 complete',
  seconds: ofFloor * floor,
  lastOfMedian,
  untilNamed: null,
  injected: ['host 3: SIGKILL at 40 % (2.10 s)'],
})
const gone = { ...complete(1), seconds: null, lastOfMedian: null }

const reportOf = (runs: Readonly<Record<string, object[]>>) =>
  faultReport(
    faultScenarios,
    Object.entries(runs).map(([name, all]) => ({ name, runs: all, failures: [] })),
  )

describe('scenarios of faults', () => {
  test('each takes 5.37 s at best, is beside one without faults, and wants something', () => {
    for (const table of [faultScenarios, quickFaults])
      for (const { beside, injections, wanted } of Object.values(table)) {
        expect(beside === undefined).toBe(injections.length === 0)
        if (beside !== undefined) expect(table[beside]?.injections).toEqual([])
        expect(Object.keys(wanted).length > 0).toBe(beside !== undefined)
      }
    for (const each of Object.values(faultScenarios))
      expect(faultBoundSeconds(each)).toBeCloseTo(5.37, 2)
  })

  test('what is compared with a run without faults brings that along', () => {
    expect(withBeside(faultScenarios, ['chain-killed', 'hung'])).toEqual([
      'none',
      'hung',
      'chain',
      'chain-killed',
    ])
  })
})

describe('the table of faults', () => {
  test('has the ratio to the floor and to the run without, and what was done', () => {
    const { rows, missed, notes } = reportOf({ none: [complete(1.02)], killed: [complete(1.05)] })
    expect(rows[1]).toMatchObject({ ratios: '1.050', wanted: '<= 1.060', met: 'yes' })
    expect(rows[1]?.beside).toBeCloseTo(1.05 / 1.02, 6)
    expect(missed).toEqual([])
    expect(notes).toContain('killed, done: host 3: SIGKILL at 40 % (2.10 s)')
  })

  test('a run that came to something else is missed by its verdict, and no figure', () => {
    const verdict = '6 of 7 complete; host 2: says nothing'
    const bad = { ...gone, isGood: false, verdict }
    const { rows, missed, isFailed } = reportOf({ killed: [bad, complete(1.04, 1.2)] })
    expect(rows[0]).toMatchObject({ ratios: '1.040', verdict: `1 of 2 runs: ${verdict}` })
    expect(missed).toEqual([`killed: ${verdict}`, 'killed: max/median 1.200 (wanted: <= 1.050)'])
    expect(isFailed).toBe(false)
  })

  test('of missing ranges the time counts until all have named them', () => {
    const verdict = 'all 8 name the same 512 bytes: 0-511'
    const { rows, missed } = reportOf({ 'origin-gone': [{ ...gone, verdict, untilNamed: 6 }] })
    expect(rows[0]).toMatchObject({ verdict, untilNamed: 6, wanted: '<= 5.000' })
    expect(missed).toEqual(['origin-gone: s until named 6.000 (wanted: <= 5.000)'])
  })

  test('a scenario of which every run failed says why', () => {
    const measured = [{ name: 'hung', runs: [], failures: ['hung: no plan'] }]
    const { rows, isFailed } = faultReport(faultScenarios, measured)
    expect(rows[0]?.verdict).toBe('hung: no plan')
    expect(isFailed).toBe(true)
  })
})
