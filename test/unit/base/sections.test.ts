import { describe, expect, it } from 'vitest'
import { blockBytesFor, GIB, KIB, limits, MIB } from '../../../src/base/limits.js'
import { blockAt, blockBytesAt, isInSection, sectionOf } from '../../../src/base/sections.js'
import fc from '../../support/property.js'

const span = limits.growingSpanBytes
/** Offsets near borders of sections, and anywhere. */
const offset = fc.oneof(
  fc.nat({ max: span - 1 }),
  fc
    .tuple(fc.integer({ min: 0, max: 10 }), fc.integer({ min: -2, max: 2 }))
    .map(([k, by]) => Math.min(span - 1, Math.max(0, 4 * GIB * (2 ** k - 1) + by))),
)

describe('sections', () => {
  it('are as docs/protocol.md has them', () => {
    expect(sectionOf(0)).toEqual({
      ...{ start: 0, end: 4 * GIB, blockBytes: 64 * KIB, firstBlock: 0 },
    })
    expect(sectionOf(4 * GIB)).toEqual({
      ...{ start: 4 * GIB, end: 12 * GIB, blockBytes: 128 * KIB, firstBlock: 65_536 },
    })
    expect(sectionOf(span - 1)).toEqual({
      ...{ start: 1_023 * 4 * GIB, end: span, blockBytes: 64 * MIB, firstBlock: 655_360 },
    })
    expect(blockAt(span - 1) + 1).toBe(655_424)
    expect(blockBytesAt(span - 1, 65_536)).toBe(65_536)
  })

  it('follow each other without a gap, and so do their blocks', () => {
    fc.assert(
      fc.property(offset, (at) => {
        const { start, end, blockBytes, firstBlock } = sectionOf(at)
        expect(start <= at && at < end && start % (4 * GIB) === 0).toBe(true)
        expect(end === span || sectionOf(end).start === end).toBe(true)
        if (end < span) expect(blockAt(end)).toBe(blockAt(end - 1) + 1)
        const block = blockAt(at)
        const from = start + (block - firstBlock) * blockBytes
        expect(from <= at && at < from + blockBytes && from % blockBytes === 0).toBe(true)
        expect(isInSection(from, end - from)).toBe(true)
        expect(isInSection(from, end - from + 1)).toBe(false)
        expect(isInSection(from + 1, 1)).toBe(false)
      }),
    )
  })

  it('have blocks that add up to those of a file of any size', () => {
    fc.assert(
      fc.property(offset, fc.double({ min: 0, max: 1, noNaN: true }), (last, part) => {
        const { start, blockBytes } = sectionOf(Math.floor(last * part))
        const ofFile = blockBytesFor(last + 1)
        expect(ofFile % blockBytes).toBe(0)
        expect(start % ofFile).toBe(0)
      }),
    )
  })
})
