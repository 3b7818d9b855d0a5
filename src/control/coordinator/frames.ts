/** The longer frames of the origin, made from what it knows. */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { DetourReason, Frame, Mate } from '../messages/types.js'

/** A node of the group as its mates are told of it. */
export function mateOf(peer: Peer): Mate {
  const { site } = peer.link
  const address = peer.link.advertise ?? peer.advertise ?? peer.link.address
  const at = site === undefined ? {} : { site }
  return { index: peer.node, nodeId: peer.nodeId, address, ...at }
}

/** The plan as one node of the group is told it. */
export function planFrame(
  group: readonly Peer[],
  self: Peer,
  progressMs: number,
  dealer: Pick<Dealer, 'strategy' | 'shape' | 'reportMs'>,
): Frame {
  const mates = group.map(mateOf)
  const { strategy, shape, reportMs } = dealer
  return {
    type: 'plan',
    strategy,
    shape,
    mates,
    relays: self.isRelay,
    progressMs,
    reportMs,
  }
}

/** At least one, also without ranges: it says that the mate is gone. */
export function detourFrames(from: Peer, why: DetourReason, ranges: readonly RangePair[]): Frame[] {
  const frames: Frame[] = []
  for (let i = 0; i === 0 || i < ranges.length; i += limits.needRanges) {
    const part = ranges.slice(i, i + limits.needRanges)
    frames.push({ type: 'detour', index: from.node, why, stream: 0, ranges: part })
  }
  return frames
}

/** For the log. */
export function describeRanges(ranges: readonly RangePair[]): string {
  const bytes = ranges.reduce((sum, [, length]) => sum + length, 0)
  return `${bytes} bytes in ${ranges.length} ranges`
}
