/**
 * What members hold at the start: whole, verified blocks. Dealing is content minus holdings: what
 * nobody holds is dealt, and what somebody holds the others have from there.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { isBlockRun, type StreamLedger } from './ledger.js'

/** A run of whole blocks that were verified before. */
export interface HeldRun {
  readonly offset: number
  readonly length: number
  readonly digests: Uint8Array
}

/** Why a node cannot hold this of the content; null: it can. */
export function haveFault(
  have: readonly RangePair[],
  { bytes, blockBytes }: { readonly bytes: number; readonly blockBytes: number },
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

/** Takes in what was verified before this transfer; what to say of it: never more than there is. */
export function restore(
  held: readonly HeldRun[],
  ledger: StreamLedger,
  landed: RangeSet,
): RangePair[] {
  for (const { offset, length, digests } of held) {
    ledger.restore(offset, length, digests)
    landed.add(offset, length)
  }
  return landed.toArray().slice(0, limits.needRanges)
}
