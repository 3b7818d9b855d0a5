/** The longer frames of the origin, made from what it knows; what is wrong with those of nodes. */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet, slicesOf } from '../../base/ranges.js'
import type { Peer } from '../members/peer.js'
import type { DetourReason, Frame } from '../messages/types.js'
import type { Extent } from './extent.js'

export type Need = Frame & { type: 'need' | 'needDigests' | 'bad' }

/** At least one, also without ranges: nothing more comes on the connection. */
export function detourFrames(
  from: Peer,
  why: DetourReason,
  ranges: readonly RangePair[],
  route = 0,
): Frame[] {
  const parts = ranges.length === 0 ? [[]] : slicesOf(ranges, limits.needRanges)
  return parts.map((part) => ({ type: 'detour', member: from.node, why, ranges: part, route }))
}

/** For the log. */
export function describeRanges(ranges: readonly RangePair[]): string {
  const bytes = ranges.reduce((sum, [, length]) => sum + length, 0)
  return `${bytes} bytes in ${ranges.length} ranges`
}

/** Why a node cannot mean this of the file; null: it can. */
export function needFault(frame: Need, extent: Extent): string | null {
  if (frame.type === 'bad') {
    return extent.hasBlocks([frame.offset, frame.length])
      ? null
      : 'bad blocks that are none of the file'
  }
  const fits = frame.ranges.every((range) => range[1] > 0 && extent.has(range))
  return fits ? null : 'a need beyond the file'
}

/** What these hold, or `feeder` has coming, of what the node lacks: it asks them. */
export function heldFrames(
  peer: Peer,
  group: Iterable<Peer>,
  held: RangeSet,
  feeder?: number,
): Frame[] {
  if (!peer.isReceiver) return []
  const lacking = RangeSet.of(held)
  lacking.subtract(peer.had.have)
  const isHolder = (other: Peer): boolean =>
    other.node === feeder || !(other === peer || !other.isReceiver || other.had.have.isEmpty)
  const holder = lacking.isEmpty ? undefined : [...group].find(isHolder)
  return holder === undefined ? [] : detourFrames(holder, 'held', lacking.toArray())
}
