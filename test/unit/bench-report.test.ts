/** Figures and tables of the benches, and the bounds they are compared with. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { boundSeconds, scenarios, slowBoundSeconds } from '../../bench/lab/scenarios.mjs'
import { appendResults, median, reportText, spread } from '../../bench/report.mjs'

const report = {
  suite: 'lan',
  title: 'two runs',
  columns: [
    { key: 'name', title: 'scenario' },
    { key: 'seconds', title: 's', digits: 1 },
    { key: 'why', title: 'why' },
  ],
  rows: [
    { name: 'lan8', seconds: 5.617, why: null },
    { name: 'a long name', seconds: 12, why: 'slow' },
  ],
  notes: ['a note'],
}

describe('figures', () => {
  test('the median of an odd and an even number of trials, in any order', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })

  test('a spread says median, least and most', () => {
    expect(spread([3, 1, 2], 1)).toBe('2.0 (1.0-3.0)')
    expect(spread([1.234])).toBe('1.23')
    expect(spread([])).toBe(null)
  })
})

describe('a report', () => {
  test('is a table with the first column to the left and figures to the right', () => {
    expect(reportText(report).split('\n')).toEqual([
      'lan: two runs',
      '',
      'scenario        s   why',
      'lan8          5.6     -',
      'a long name  12.0  slow',
      '',
      'a note',
      '',
    ])
  })

  test('is appended as Markdown, after what is there already', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'fr-bench-test-'))
    try {
      const circumstances = { machine: '2 cores', command: 'fr-bench lan', date: '2026-01-02' }
      appendResults(path.join(directory, 'new'), report, circumstances)
      appendResults(path.join(directory, 'new'), report, circumstances)
      const text = readFileSync(path.join(directory, 'new/RESULTS.md'), 'utf8')
      expect(text.match(/^# Results$/gm)).toHaveLength(1)
      expect(text.match(/^## lan: two runs$/gm)).toHaveLength(2)
      expect(text).toContain('2026-01-02. 2 cores. `fr-bench lan`')
      expect(text).toContain('| scenario | s | why |\n| --- | --- | --- |\n| lan8 | 5.6 | - |')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('bounds of the scenarios', () => {
  test.each([
    ['lan8', 5.37],
    ['lan16', 5.37],
    ['hetero8', 5.37],
    ['relay8', 5.37],
    ['slow8', 5.37],
    ['fault8', 5.37],
    ['shift8', 5.37],
  ] as const)('%s: %d s', (name, seconds) => {
    expect(boundSeconds(scenarios[name])).toBeCloseTo(seconds, 2)
  })

  test('the slow host has a bound of its own', () => {
    expect(slowBoundSeconds(scenarios.slow8)).toBeCloseTo(53.69, 2)
  })

  test('a change is integrated over time', () => {
    const hosts = [100, 100].map((mbit) => ({ upMbit: mbit, downMbit: mbit }))
    const changes = [{ at: 0.5, host: 0, upMbit: 50 }]
    // 12.5 MB take 1 s; half of it at half the speed takes a second more.
    expect(boundSeconds({ bytes: 12.5e6, hosts, changes })).toBeCloseTo(1.5, 6)
  })

  test('no uplink that dies is the limit of its scenario', () => {
    const { fault, hosts, bytes } = scenarios.fault8
    const survivors = hosts.filter((_, at) => at !== fault?.host)
    expect(boundSeconds({ bytes, hosts: survivors })).toBeCloseTo(5.37, 2)
  })
})
