/**
 * Several fetches that fill one file: which part of its range one of them asks for next. Each block
 * is asked for by one at a time, so nobody writes over what another one has verified.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'

/** The blocks that a range touches, in a file of this size. */
export function blocksOf([offset, length]: RangePair, blockBytes: number, size: number): RangePair {
  const first = Math.floor(offset / blockBytes) * blockBytes
  const end = Math.min(size, Math.ceil((offset + length) / blockBytes) * blockBytes)
  return [first, Math.max(0, end - first)]
}

/**
 * The first part of these blocks that is missing and nobody else is at, up to where somebody is;
 * what is here may lie within it. `wait`: others are at all that is missing. Null: nothing is.
 */
export function nextPart(
  blocks: RangePair,
  here: RangeSet,
  taken: RangeSet,
): RangePair | 'wait' | null {
  const missing = RangeSet.of(here.missing(...blocks))
  if (missing.isEmpty) return null
  missing.subtract(taken)
  const first = missing.first()
  if (first === undefined) return 'wait'
  const [start] = first
  const [free] = taken.missing(start, blocks[0] + blocks[1] - start)
  const bound = free === undefined ? start : free[0] + free[1]
  const last = missing.present(start, bound - start).at(-1) ?? first
  return [start, last[0] + last[1] - start]
}

/** Bytes from the beginning of a range that are here without a gap. */
export function bytesHere([offset, length]: RangePair, here: RangeSet): number {
  const [gap] = here.missing(offset, length)
  return gap === undefined ? length : gap[0] - offset
}
