import { describe, expect, it } from 'vitest'
import type { RangePair } from '../../../../src/base/ranges.js'
import { OriginDigests } from '../../../../src/control/coordinator/digests.js'

/** Nine blocks of 10 bytes and one of 5; runs of 0..2, 3, 6..9. */
function known(): OriginDigests {
  const digests = new OriginDigests({ bytes: 95, blockBytes: 10 }, 1)
  digests.put(60, Uint8Array.of(6, 7, 8, 9))
  digests.put(0, Uint8Array.of(0, 1, 2))
  digests.put(30, Uint8Array.of(3))
  return digests
}

describe('the digests of the origin', () => {
  it.each<[string, RangePair[], number[][]]>([
    ['a byte of the middle of a run', [[15, 1]], [[0, 30, 0, 1, 2]]],
    [
      'parts of one run',
      [
        [0, 1],
        [12, 1],
        [29, 1],
      ],
      [[0, 30, 0, 1, 2]],
    ],
    [
      'a border of two runs',
      [[25, 10]],
      [
        [0, 30, 0, 1, 2],
        [30, 10, 3],
      ],
    ],
    ['what is not hashed yet', [[40, 20]], []],
    [
      'all of it, and the short end',
      [[0, 95]],
      [
        [0, 30, 0, 1, 2],
        [30, 10, 3],
        [60, 35, 6, 7, 8, 9],
      ],
    ],
    ['the last byte', [[94, 1]], [[60, 35, 6, 7, 8, 9]]],
    ['nothing', [], []],
  ])('travel in whole runs: %s', (_, ranges, runs) => {
    const given = [...known().runs(ranges)]
    expect(given.map(({ offset, length, digests }) => [offset, length, ...digests])).toEqual(runs)
  })

  it('of a run that no record could carry are a mistake', () => {
    const digests = new OriginDigests({ bytes: 2 ** 20, blockBytes: 1 }, 1)
    expect(() => digests.put(0, new Uint8Array(2 ** 18))).toThrow(RangeError)
  })
})
