/** Figures and tables of the benches, and the bounds they are compared with. */
import { describe, expect, test } from 'vitest'
import { copyRows, isAllowed } from '../../../bench/copies.mjs'
import {
  apartBoundSeconds,
  boundSeconds,
  groupScenarios,
  randomUplinks,
  type Scenario,
  scenarios,
} from '../../../bench/lab/scenarios.mjs'
import { median, reportText, spread } from '../../../bench/report.mjs'
import { judge, missedText } from '../../../bench/wanted.mjs'

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
  missed: ['lan8: too slow'],
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
})

describe('what is wanted', () => {
  const values = { ratio: 1.02, spread: 1.06, tail: null }

  test('is met at the limit itself; a figure that could not be taken is not judged', () => {
    expect(judge('lan8', { ratio: 1.02, tail: 1.05 }, values)).toEqual({
      wanted: '<= 1.02',
      met: 'yes',
      missed: [],
    })
  })

  test('is missed by name, and every miss is a sentence', () => {
    expect(judge('lan8', { ratio: { atLeast: 1.1 }, spread: 1.05 }, values)).toEqual({
      wanted: '>= 1.10',
      met: 'no: ratio, spread',
      missed: ['lan8: ratio 1.020 (wanted: >= 1.10)', 'lan8: spread 1.060 (wanted: <= 1.05)'],
    })
  })

  test('nothing wanted, nothing measured: nothing said', () => {
    const nothing = { wanted: null, met: null, missed: [] }
    expect(judge('lan8', undefined, values)).toEqual(nothing)
    expect(judge('lan8', { tail: 1.05 }, values)).toEqual({ ...nothing, wanted: '<= 1.05' })
    expect(missedText([], false)).toBe('')
  })

  test('the last lines list what was missed, or say that nothing was', () => {
    expect(missedText(['one', 'two'], true)).toBe('missed:\n  one\n  two\n')
    expect(missedText([], true)).toMatch(/was reached\n$/)
  })

  test('every scenario wants a ratio and alike runs; who is apart has wishes of its own', () => {
    for (const scenario of Object.values(scenarios)) {
      expect(scenario.wanted).toMatchObject({ 'of floor': expect.any(Number), 'max/min': 1.05 })
      const isApart = apartBoundSeconds(scenario) !== null
      expect(scenario.wantedApart !== undefined).toBe(isApart)
    }
  })

  test.each([
    [10, 1, true],
    [11.01, 1, false],
    [210, 200, true],
    [211, 200, false],
    [1050, 1000, true],
    [1051, 1000, false],
  ])('%d ms beside a copy of %d ms: %s', (ms, other, isSo) => {
    expect(isAllowed(ms, other)).toBe(isSo)
  })

  test('fr push is judged beside both plain copies, and they are not', () => {
    const trial = (ms: number) => [{ ms, wallMs: ms + 100 }]
    const trials = new Map([
      ['fr push', trial(40)],
      ['fr push, unicast', trial(35)],
      ['nginx + curl', trial(20)],
    ])
    const rows = copyRows('4 KiB', trials, null)
    expect(rows.map((row) => row.met)).toEqual(['no: nginx + curl', undefined, undefined])
    expect(rows[0]?.missed).toEqual([
      '4 KiB: 40.0 ms, nginx + curl 20.0 ms (wanted: <= 1.05 or + 10 ms)',
    ])
    trials.delete('nginx + curl')
    const without = copyRows('4 KiB', trials, 'not installed: nginx')
    expect(without.map((row) => row.met)).toEqual(['yes', undefined, undefined])
    expect(without.at(-1)).toMatchObject({ name: 'nginx + curl', ms: 'not installed: nginx' })
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
    ['join8', 5.37],
  ] as const)('%s: %d s', (name, seconds) => {
    expect(boundSeconds(scenarios[name])).toBeCloseTo(seconds, 2)
  })

  test.each(['sites24', 'twice16'])('%s: a link between sites, a limit: 5.37 s', (name) => {
    expect(boundSeconds(groupScenarios[name] as Scenario)).toBeCloseTo(5.37, 2)
  })

  test('the host looked at apart has a bound of its own, the others have none', () => {
    expect(apartBoundSeconds(scenarios.slow8)).toBeCloseTo(53.69, 2)
    expect(apartBoundSeconds(scenarios.join8)).toBeCloseTo(5.37, 2)
    expect(apartBoundSeconds(scenarios.lan8)).toBe(null)
  })

  test('a host that is added takes nothing from the bound of the others', () => {
    const { bytes, hosts } = scenarios.join8
    expect(boundSeconds({ bytes, hosts })).toBeCloseTo(boundSeconds(scenarios.join8), 6)
  })

  test.each(['random6', 'random11', 'random16'] as const)(
    '%s: uplinks over a decade, the same every time, either limit within 3 %%',
    (name) => {
      const { hosts, bytes } = scenarios[name]
      const [origin, ...nodes] = hosts.map((each) => each.upMbit)
      const uplinks = nodes.reduce((sum, up) => sum + up, 0)
      const level = uplinks / (nodes.length - 1)
      expect(Math.min(...nodes)).toBeGreaterThanOrEqual(12)
      expect(Math.max(...nodes)).toBeLessThanOrEqual(120)
      expect(Math.abs((origin ?? 0) / level - 1)).toBeCloseTo(0.03, 2)
      const mbit = Math.min(origin ?? 0, ((origin ?? 0) + uplinks) / nodes.length)
      expect(boundSeconds({ bytes, hosts })).toBeCloseTo((bytes * 8) / (mbit * 1e6), 6)
      expect(randomUplinks(6, 6, 0.97)).toEqual(scenarios.random6)
    },
  )

  test('a network at another scale takes the same time', () => {
    for (const name of ['hetero8-quarter', 'hetero8-x4', 'lan8-50'] as const)
      expect(boundSeconds(scenarios[name])).toBeCloseTo(5.37, 2)
    expect(boundSeconds(scenarios['lan8-22s'])).toBeCloseTo(21.47, 2)
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
