/** Which part of its range one of several fetches into one file asks for. */
import { describe, expect, it } from 'vitest'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import { blocksOf, bytesHere, nextPart } from '../../../../src/control/fetching/parts.js'

const set = (...ranges: RangePair[]): RangeSet => RangeSet.of(ranges)

describe('blocks that a range touches', () => {
  it.each([
    [
      [0, 10],
      [0, 10],
    ],
    [
      [1, 8],
      [0, 10],
    ],
    [
      [10, 1],
      [10, 10],
    ],
    [
      [19, 2],
      [10, 15],
    ],
    [
      [24, 1],
      [20, 5],
    ],
    [
      [0, 0],
      [0, 0],
    ],
  ] as [RangePair, RangePair][])('of %j are %j', (range, blocks) => {
    expect(blocksOf(range, 10, 25)).toEqual(blocks)
  })
})

describe('the next part', () => {
  it.each([
    ['is all where nothing is here', set(), set(), [0, 100]],
    ['begins and ends with what is missing', set([0, 20], [90, 10]), set(), [20, 70]],
    ['may hold what is here', set([40, 10]), set(), [0, 100]],
    ['ends where somebody else begins', set(), set([60, 80]), [0, 60]],
    ['begins behind somebody else', set(), set([0, 10]), [10, 90]],
    ['lies between two others', set(), set([0, 10], [50, 10]), [10, 40]],
    ['passes over what others are at and what is here', set([10, 30]), set([0, 10]), [40, 60]],
    ['is waited for where others are at it', set([0, 50]), set([50, 50]), 'wait'],
    ['is none where all is here', set([0, 100]), set([0, 10]), null],
  ] as const)('%s', (_, here, taken, part) => {
    expect(nextPart([0, 100], here, taken)).toEqual(part)
  })
})

describe('what of a range is here', () => {
  it('counts to the first gap', () => {
    expect(bytesHere([10, 20], set([0, 15], [16, 14]))).toBe(5)
    expect(bytesHere([10, 20], set([5, 25]))).toBe(20)
    expect(bytesHere([10, 20], set([11, 19]))).toBe(0)
  })
})
