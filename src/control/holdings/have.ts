/**
 * What members hold at the start: whole, verified blocks. Dealing is content minus holdings: what
 * nobody holds is dealt, and what somebody holds the others have from there.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { type BlockBytes, blockStart, nextBlock } from '../../base/sections.js'
import { isBlockRun } from './ledger.js'

export type { HeldRun } from './ledger.js'

export interface Geometry {
  readonly bytes: number
  readonly blockBytes: BlockBytes
}

/** Why a node cannot hold this of the content; null: it can. */
export function haveFault(
  have: readonly RangePair[],
  { bytes, blockBytes }: Geometry,
): string | null {
  const isWhole = have.every((range) => isBlockRun(...range, blockBytes, bytes))
  return isWhole ? null : 'it holds parts of blocks'
}

/** What at least one of them holds. */
export function heldBySome(all: Iterable<{ readonly have: RangeSet }>): RangeSet {
  const held = new RangeSet()
  for (const { have } of all) for (const [offset, length] of have) held.add(offset, length)
  return held
}

/** What is in all of these. */
export function commonOf(sets: readonly RangeSet[]): RangeSet {
  const [first = new RangeSet(), ...others] = sets
  const common = RangeSet.of(first)
  for (const other of others) {
    const rest = RangeSet.of(common)
    rest.subtract(other)
    common.subtract(rest)
  }
  return common
}

/** The blocks that these bytes are in. */
export function blocksTouched(ranges: RangeSet, { bytes, blockBytes }: Geometry): RangeSet {
  const blocks = new RangeSet()
  for (const [offset, length] of ranges) {
    const first = blockStart(offset, blockBytes)
    const end = Math.min(bytes, nextBlock(offset + length, blockBytes))
    blocks.add(first, end - first)
  }
  return blocks
}

/** What all that have filled something of a block have filled of it. */
export function filledByAll(
  all: Iterable<{ readonly filled: RangeSet }>,
  geometry: Geometry,
): RangeSet {
  const [some, lacking] = [new RangeSet(), new RangeSet()]
  for (const { filled } of all) {
    if (filled.isEmpty) continue
    const blocks = blocksTouched(filled, geometry)
    for (const range of blocks) some.add(...range)
    blocks.subtract(filled)
    for (const range of blocks) lacking.add(...range)
  }
  some.subtract(lacking)
  return some
}

/** What a node says that it holds: so many ranges at most. Of the rest nothing is known. */
export function toldOf(held: RangeSet): RangePair[] {
  return held.toArray().slice(0, limits.needRanges)
}

/** What nobody holds, in words that are the same wherever they are said; few of the ranges. */
export function missingText(missing: RangeSet): string {
  const all = missing.toArray()
  const named = all
    .slice(0, rangesNamed)
    .map(([offset, length]) => `${offset}-${offset + length - 1}`)
  const more = all.length > named.length ? ` and ${all.length - named.length} more ranges` : ''
  return `nobody holds ${missing.bytes} bytes of the file: ${named.join(', ')}${more}`
}

const rangesNamed = 8
