/** Pieces of an index, samples of it, and which pages are the same. */
import { describe, expect, it } from 'vitest'
import { GIB, KIB, limits, MIB } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import { equalPages, piecesOf, samplesOf } from '../../../../src/control/holdings/pages.js'

const page = limits.indexPageBytes

describe('pieces of an index', () => {
  it('are cut at multiples, whatever else is asked for', () => {
    const piece = limits.pagesPieceBytes
    expect(piecesOf('pages', [[page, 2 * piece]])).toEqual([
      [page, piece - page],
      [piece, piece],
      [2 * piece, page],
    ])
    const apart: RangePair[] = [
      [0, page],
      [2 * page, 5],
    ]
    expect(piecesOf('pages', apart)).toEqual(apart)
    expect(piecesOf('chunks', [[0, limits.chunksPieceBytes]])).toHaveLength(1)
    expect(piecesOf('chunks', [])).toEqual([])
  })

  it.each(['pages', 'chunks'] as const)('are few and all over it as samples of %s', (kind) => {
    for (const bytes of [limits.indexSampledBytesMin, 9 * GIB + 12_345]) {
      const samples = samplesOf(kind, bytes)
      const total = samples.reduce((sum, [, length]) => sum + length, 0)
      expect(total).toBe(limits.indexSamples * limits.indexSampleBytes)
      expect(samples.every(([at]) => at % page === 0)).toBe(true)
      // Asked for together they are the pieces that an origin cuts.
      expect(piecesOf(kind, samples)).toEqual(samples)
      const part = bytes / limits.indexSamples
      for (let i = 0; i < limits.indexSamples; i++)
        expect(samples.some(([at]) => at >= i * part - page && at < (i + 1) * part)).toBe(true)
    }
    expect(limits.indexSamples * limits.indexSampleBytes).toBeLessThan(limits.indexAskedBytes)
  })
})

describe('pages at the same place', () => {
  const hashes = (...values: number[]): Uint8Array =>
    Uint8Array.from(values.flatMap((value) => [value, 0, 0, 0, 0, 0, 0, value]))
  const piece = { offset: 8 * MIB, length: 4 * page + 10 }

  it('are equal by their hashes, the last one as long as it is', () => {
    const theirs = hashes(1, 2, 3, 4, 5)
    expect(equalPages(piece, page, theirs, hashes(1, 2, 9, 4, 5))).toEqual([
      [8 * MIB, 2 * page],
      [8 * MIB + 3 * page, page + 10],
    ])
    expect(equalPages(piece, page, theirs, hashes(9, 9, 9, 9, 9))).toEqual([])
  })

  it('are those that both have', () => {
    const theirs = hashes(1, 2, 3, 4, 5)
    expect(equalPages(piece, page, theirs, hashes(1, 2))).toEqual([[8 * MIB, 2 * page]])
    expect(equalPages(piece, page, theirs, hashes())).toEqual([])
    expect(equalPages({ offset: 0, length: 4 * KIB }, page, hashes(1), hashes(1, 2))).toEqual([
      [0, page],
    ])
  })
})
