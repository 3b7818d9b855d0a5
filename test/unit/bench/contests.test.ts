/** Contests with other systems, and the limit: what is compared with what, and what is met. */
import { describe, expect, test } from 'vitest'
import {
  type Contest,
  contestReport,
  contests,
  quickContest,
  type Trial,
} from '../../../bench/lab/contests.mjs'
import { loopbackReport } from '../../../bench/loopback.mjs'
import { busyOf } from '../../../bench/machine.mjs'
import { smallReport } from '../../../bench/small.mjs'

const unshaped4 = contests['unshaped4'] as Contest
const lan8 = contests['lan8'] as Contest

const trials = (seconds: readonly number[], more: Partial<Trial> = {}): Trial[] =>
  seconds.map((each) => ({ seconds: each, cpuPerGB: 1, busyPerGB: 1.5, ...more }))

const nothing = new Map<string, string>()
const verdicts = (report: ReturnType<typeof contestReport>) =>
  report.rows.filter((row) => row['wanted'] !== undefined)

describe('a contest', () => {
  test('compares medians with each rival, and with the better of the simpler ways', () => {
    const report = contestReport(
      unshaped4,
      new Map([
        ['fr push', trials([1.7, 1.5, 1.6])],
        ['fr push, classic', trials([1.55, 1.55, 1.55])],
        ['fr push, unicast', trials([3, 3, 3])],
        ['nginx', trials([1.4, 1.4, 1.2], { cpuPerGB: 0.5 })],
        ['rsync', trials([2, 2, 2])],
        ['mbuffer', trials([1.8, 1.8, 1.8])],
      ]),
      nothing,
    )
    expect(verdicts(report).map((row) => [row['name'], row['wanted'], row['met']])).toEqual([
      ['fr push / nginx + curl: seconds, start to exit', '<= 1.20', 'yes'],
      ['fr push / rsync --whole-file: seconds, start to exit', '<= 0.85', 'yes'],
      ['fr push / fr push, classic or fr push, unicast: seconds, start to exit', '<= 1.02', 'no'],
    ])
    expect(verdicts(report)[0]?.['ratio']).toBe('1.14 (1.07-1.33)')
    expect(report.missed).toHaveLength(1)
    expect(report.matters?.[0]).toEqual({
      what: `${unshaped4.about}: seconds, start to exit`,
      of: 'nginx + curl',
      measured: '1.14: 1.600 s / 1.400 s',
      wanted: '<= 1.20',
      met: 'yes',
      cpu: '1.00, nginx + curl 0.50',
    })
    expect(report.rows[0]).toMatchObject({ name: 'fr push', seconds: '1.60 (1.50-1.70)' })
    expect(report.rows[0]?.['rate']).toBeCloseTo((4 * 2 ** 30) / 1e9 / 1.6, 6)
  })

  test('a rival that is not installed says so, and is not judged', () => {
    const missing = new Map([['nginx', 'not installed: nginx']])
    const report = contestReport(unshaped4, new Map([['fr push', trials([1.6])]]), missing)
    const rival = report.rows.find((row) => row['name'] === 'nginx + curl')
    expect(rival).toMatchObject({ seconds: 'not installed: nginx', cpu: null })
    expect(verdicts(report).map((row) => [row['ratio'], row['met']])).toEqual([
      [null, null],
      [null, null],
      [null, null],
    ])
    expect(report).toMatchObject({ missed: [], matters: [], isFailed: false })
  })

  test('a figure may be wanted by itself; one that a round lacks is not judged', () => {
    const rival = trials([5.7, 5.7], { busyPerGB: 2 })
    const judged = (...firsts: (number | null)[]) =>
      verdicts(
        contestReport(
          lan8,
          new Map([
            ['fr push', firsts.flatMap((each) => trials([5.8], { firstByteSeconds: each }))],
            ['mbuffer', rival],
          ]),
          nothing,
        ),
      ).map((row) => [row['ratio'], row['wanted'], row['met']])
    expect(judged(0.04, 0.06)).toEqual([
      ['0.75 (0.75-0.75)', '<= 1.35', 'yes'],
      ['0.050 s', '<= 0.060', 'yes'],
    ])
    expect(judged(0.05, 0.09)[1]).toEqual(['0.070 s', '<= 0.060', 'no'])
    expect(judged(0.05, null)[1]).toEqual([null, '<= 0.060', null])
  })

  test('a failure is a note and fails the suite', () => {
    const report = contestReport(lan8, new Map(), nothing, ['lan8, fr push: exit status 1'])
    expect(report).toMatchObject({
      isFailed: true,
      notes: ['FAILED: lan8, fr push: exit status 1'],
    })
    expect(report.rows[0]).toMatchObject({ name: 'fr push', seconds: 'failed' })
  })

  test('made small, what is wanted beside a system that is left out is not judged', () => {
    const small = quickContest(contests['blake3'] as Contest)
    expect(small.systems).not.toContain('fr push, classic')
    expect(small.wanted.map((each) => each.of)).toEqual([['nginx'], ['nginx, b3sum']])
    expect(quickContest(lan8)).toMatchObject({ nodes: 2, wanted: lan8.wanted })
  })

  test('every contest wants something of fr push, and of systems that take part', () => {
    for (const { systems, wanted } of Object.values(contests)) {
      expect(systems[0]).toBe('fr push')
      expect(wanted.length).toBeGreaterThan(0)
      for (const { of = [] } of wanted) expect(systems).toEqual(expect.arrayContaining([...of]))
    }
  })
})

describe('beside the limit program', () => {
  const size = { nodes: 4, bytes: 256 * 2 ** 20 }
  const done = (seconds: number, cpuSeconds: number) => [{ seconds, cpuSeconds }]
  const all = new Map([
    ['limit', done(0.25, 0.5)],
    ['limit, verified', done(0.4, 0.6)],
    ['engine, no digests', done(0.5, 0.75)],
    ['fr push', done(0.5, 0.8)],
    ['fr push, classic', done(0.5, 0.7)],
    ['fr push, unicast', done(0.8, 0.9)],
  ])

  test('bounds fr push where it verifies, and bare what hashes nothing', () => {
    const { rows, matters, missed } = loopbackReport(size, all, 1, null)
    const shown = rows.map((row) => [row['name'], row['of'], row['ofLimit']?.toFixed(2)])
    expect(shown).toEqual([
      ['limit', undefined, undefined],
      ['limit, verified', 'limit', '0.63'],
      ['engine, no digests', 'limit', '0.50'],
      ['fr push', 'limit, verified', '0.80'],
      ['fr push, classic', 'limit, verified', '0.80'],
      ['fr push, unicast', 'limit, verified', '0.50'],
    ])
    expect(rows.map((row) => row['met']).filter(Boolean)).toEqual(['no: CPU of limit'])
    expect(missed).toEqual(['4 nodes, 256 MiB, fr push: CPU of limit 1.333 (wanted: <= 1.25)'])
    expect(matters?.map((each) => [each.measured, each.wanted])).toEqual([
      ['0.80', '>= 0.80'],
      ['1.33', '<= 1.25'],
      ['1.00', '<= 1.02'],
    ])
  })

  test('without a C compiler nothing is compared with it, and the report says why', () => {
    const few = new Map([...all].filter(([name]) => !name.startsWith('limit')))
    const { rows, notes } = loopbackReport(size, few, 1, 'no cc')
    expect(rows.some((row) => row['ofLimit'] !== undefined)).toBe(false)
    expect(rows.find((row) => row['name'] === 'fr push')?.['met']).toBe('yes')
    expect(notes[0]).toBe('no cc: nothing is compared with it')
  })
})

test('the smallest push is judged beside node -e 0', () => {
  const { rows, missed } = smallReport(8, 1, { empty: [40], pushes: [100], inside: [30] })
  expect(rows[1]).toMatchObject({ ratio: 2.5, wanted: '<= 2.20', met: 'no: of node -e 0' })
  expect(missed).toHaveLength(1)
})

test('busy time has user, nice, system and interrupts, and neither idle nor stolen time', () => {
  expect(busyOf('cpu  100 20 300 4000 50 6 70 800 9 0\ncpu0 1 1 1 1\n')).toBeCloseTo(4.96, 6)
})
