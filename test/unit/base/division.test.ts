import { expect, it } from 'vitest'
import {
  blockFileBytes,
  blockFiles,
  type Division,
  divisionFault,
  linearBytes,
  rangesOfTrack,
  type Track,
  trackBytes,
} from '../../../src/base/division.js'
import { limits, MIB } from '../../../src/base/limits.js'
import type { RangePair } from '../../../src/base/ranges.js'
import fc from '../../support/property.js'

const track = (ranges: RangePair[], cuts: number[] = []): Track => ({
  name: 'all',
  ranges,
  bitRate: null,
  cuts,
})

it('begins block files at the cut that is nearest to their size, and else at their size', () => {
  const cut = track([[0, 1000]], [60, 140, 155, 230, 460, 990])
  expect([...blockFiles(cut, 100)]).toEqual([
    [0, 60],
    [60, 95],
    [155, 75],
    [230, 100],
    [330, 130],
    [460, 100],
    [560, 100],
    [660, 100],
    [760, 100],
    [860, 130],
    [990, 10],
  ])
})

it('cuts every track into block files that have each byte once, of bounded size', () => {
  const bytes = fc.integer({ min: 1, max: 5_000 })
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 4_999 }), { maxLength: 200 })
  fc.assert(
    fc.property(bytes, cuts, fc.integer({ min: 2, max: 400 }), (size, places, blockBytes) => {
      const inside = places.filter((cut) => cut < size).sort((a, b) => a - b)
      const files = [...blockFiles(track([[0, size]], inside), blockBytes)]
      let at = 0
      const wrong = files.filter(([offset, length]) => {
        const isNext = offset === at
        at += length
        return !isNext || length > blockBytes * 1.5 || (at < size && length < blockBytes / 2)
      })
      expect({ wrong, at }).toEqual({ wrong: [], at: size })
    }),
  )
})

it('finds the bytes of the file behind a range of a track file, in the order of delivery', () => {
  const moved = track([
    [900, 100],
    [0, 20],
    [400, 50],
  ])
  expect(trackBytes(moved)).toBe(170)
  expect(rangesOfTrack(moved, [90, 40])).toEqual([
    [990, 10],
    [0, 20],
    [400, 10],
  ])
  expect(rangesOfTrack(moved, [100, 20])).toEqual([[0, 20]])
  expect(rangesOfTrack(moved, [170, 10])).toEqual([])
})

it('has block files of about two seconds, or of one size where nothing is known', () => {
  expect(blockFileBytes(10 * MIB, 8_000_000)).toBe(2_000_000)
  expect(blockFileBytes(10 * MIB, 1_000)).toBe(limits.blockFileBytesMin)
  expect(blockFileBytes(10 * MIB, 1e12)).toBe(limits.blockFileBytesMax)
  expect(blockFileBytes(10 * MIB, null)).toBe(limits.blockFileBytes)
  expect(blockFileBytes(2 ** 37, null)).toBe(2 ** 21)
})

const whole: Division = linearBytes(1_000)
const divided = (...tracks: Track[]): Division => ({ ...whole, tracks })
const second: Track = { ...track([[500, 500]]), name: 'media' }

it.each([
  ['nothing missing', divided({ ...track([[0, 500]]), name: 'index' }, second), null],
  ['a byte missing', divided({ ...track([[0, 499]]), name: 'index' }, second), /all bytes/],
  ['a byte twice', divided({ ...track([[0, 501]]), name: 'index' }, second), /there already/],
  ['one name twice', divided({ ...track([[0, 500]]), name: 'media' }, second), /one name/],
  ['a strange name', divided({ ...track([[0, 1000]]), name: '../x' }), /has a name/],
  ['bytes behind the end', divided(track([[0, 1001]])), /beyond the content/],
  ['an empty range', divided(track([[0, 0]])), /beyond the content/],
  ['an empty track', divided(track([])), /is empty/],
  ['cuts that go back', divided(track([[0, 1000]], [5, 5])), /not ascending/],
  ['a cut at the end', divided(track([[0, 1000]], [1000])), /not ascending/],
  ['tiny block files', { ...whole, blockBytes: 1 }, /too small/],
])('judges a division with %s', (_, division, fault) => {
  if (fault === null) expect(divisionFault(division, 1_000)).toBeNull()
  else expect(divisionFault(division, 1_000)).toMatch(fault)
})

it('bounds track files, ranges, cuts and block files', () => {
  const many = (count: number): RangePair[] => Array.from({ length: count }, (_, i) => [i * 2, 2])
  const ranges = track(many(limits.trackRanges + 1))
  expect(divisionFault(divided(ranges), 2 * limits.trackRanges + 2)).toMatch(/ranges/)
  const cuts = Array.from({ length: limits.trackCuts + 1 }, (_, i) => i + 1)
  expect(divisionFault(divided(track([[0, MIB]], cuts)), MIB)).toMatch(/cuts/)
  const tracks = many(limits.tracks + 1).map((range, i) => ({ ...track([range]), name: `t${i}` }))
  expect(divisionFault(divided(...tracks), 2 * tracks.length)).toMatch(/track files/)
  const tiny = { ...linearBytes(2 ** 40), blockBytes: limits.blockFileBytesMin }
  expect(divisionFault(tiny, 2 ** 40)).toMatch(/too many block files/)
  for (const size of [0, 1, 2 ** 40, limits.fileBytes])
    expect(divisionFault(linearBytes(size), size)).toBeNull()
})
