/** Faults held against components: counted, forgotten, declared, tried again, within a bound. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import {
  FaultAccounts,
  fatal,
  faultView,
  mergedFaults,
} from '../../../../src/control/members/faults.js'

const cause = 'broken'

/** How many faults, one every so often, until the component is declared failed; 0: never. */
function faultsUntilFailed(everyMs: number): number {
  const faults = new FaultAccounts<string>()
  for (let i = 0; i < 1_000; i++) if (faults.charge('a', i * everyMs, { cause })) return i + 1
  return 0
}

describe('a component', () => {
  it.each([
    [0, 3],
    [2_000, 3],
    [6_000, 4],
    [60_000, 0],
  ])('with a fault every %i ms is declared failed by fault %i', (everyMs, faults) => {
    expect(faultsUntilFailed(everyMs)).toBe(faults)
  })

  it('is tried again after a while, then after twice as long, and at last at most so long', () => {
    const faults = new FaultAccounts<string>()
    const spans: number[] = []
    let nowMs = 0
    for (let round = 0; round < 8; round++) {
      while (!faults.charge('a', nowMs, { cause })) nowMs++
      const sinceMs = nowMs
      expect(faults.isFailed('a')).toBe(true)
      while (faults.retried(nowMs).length === 0) nowMs += 1_000
      expect(faults.isFailed('a')).toBe(false)
      spans.push(nowMs - sinceMs)
    }
    const { failedMs, failedMsMax } = limits
    expect(spans).toEqual(spans.map((_, i) => Math.min(failedMsMax, failedMs * 2 ** i)))
  })

  it('that has failed is declared so once, and only it', () => {
    const faults = new FaultAccounts<string>()
    const declared = Array.from({ length: 10 }, () => faults.charge('a', 0, { cause }))
    expect(declared.filter((is) => is)).toHaveLength(1)
    expect([faults.charge('b', 0, { cause }), faults.isFailed('b')]).toEqual([false, false])
  })

  it('is told of with its causes, those that have failed first', () => {
    const faults = new FaultAccounts<string>()
    for (let i = 0; i < 2; i++) faults.charge('a', 0, { cause })
    faults.charge('a', 0, { cause: 'slow', weight: 0 })
    faults.charge('b', 0, { cause, weight: fatal })
    const causes = [{ cause, count: 1 }]
    expect(faults.records(1_000)).toEqual([
      ['b', { causes, failures: 1, isFailed: true, retryMs: limits.failedMs - 1_000 }],
      [
        'a',
        {
          causes: [
            { cause, count: 2 },
            { cause: 'slow', count: 1 },
          ],
          failures: 0,
          isFailed: false,
          retryMs: null,
        },
      ],
    ])
  })
})

describe('a component among others', () => {
  /** `part`: of what both do. */
  function isFailed(own: number, theirs: number, part?: number): boolean {
    const faults = new FaultAccounts<string>()
    const charge = { cause, weight: fatal / 16 }
    for (let i = 0; i < theirs; i++) faults.charge('b', 0, { ...charge, others: ['a'], part: 1 })
    const how = { ...charge, others: ['b'], ...(part !== undefined && { part }) }
    for (let i = 0; i < own; i++) faults.charge('a', 0, how)
    return faults.isFailed('a')
  }

  it.each<[string, Parameters<typeof isFailed>, boolean]>([
    ['alone', [16, 0], true],
    ['alone, and few', [15, 0], false],
    ['as much as the other', [16, 16], false],
    ['most of all', [80, 16], true],
    ['as much more as it does more', [80, 16, 5 / 6], false],
    ['in whose place nobody could be', [16, 0, 1], false],
  ])('has faults, %s', (_, given, expected) => expect(isFailed(...given)).toBe(expected))
})

it('the one with least against it is forgotten where there are more than the bound', () => {
  const faults = new FaultAccounts<number>()
  for (let i = 0; i < 3; i++) faults.charge(-1, 0, { cause })
  for (let i = 0; i < 2; i++) faults.charge(-2, 0, { cause })
  for (let i = 0; i < 2 * limits.faultAccounts; i++) faults.charge(i, i, { cause })
  expect(faults.isFailed(-1)).toBe(true)
  expect(faults.charge(-2, 1_000, { cause })).toBe(true)
})

it('what several transfers hold against one component is told as one', () => {
  const causes = [{ cause, count: 2 }]
  const link = (to: string, failures: number, retryMs: number | null) =>
    faultView(['link', 'a', to], { causes, failures, isFailed: retryMs !== null, retryMs })
  expect(mergedFaults([link('c', 0, null), link('b', 1, null), link('b', 1, 500)])).toEqual([
    { ...link('b', 2, 500), causes: [{ cause, count: 4 }] },
    link('c', 0, null),
  ])
})
