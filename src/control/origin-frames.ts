/** The longer frames of the origin, made from what it knows. */
import { limits } from '../limits.js'
import type { Peer } from './peer.js'
import type { Frame, Mate, RangePair } from './types.js'

/** The plan as one node of the group is told it. */
export function planFrame(
  group: readonly Peer[],
  self: Peer,
  hasShare: boolean,
  progressMs: number,
): Frame {
  const mates = group.map((peer): Mate => {
    return { index: peer.mate, nodeId: peer.nodeId, address: peer.link.address }
  })
  const relays = hasShare && mates.length > 1
  const shape = 'group'
  return { type: 'plan', strategy: 'classic', shape, self: self.mate, mates, relays, progressMs }
}

/** At least one, also without ranges: it says that the mate is gone. */
export function detourFrames(from: Peer, gone: boolean, ranges: readonly RangePair[]): Frame[] {
  const frames: Frame[] = []
  for (let i = 0; i === 0 || i < ranges.length; i += limits.needRanges) {
    const part = ranges.slice(i, i + limits.needRanges)
    frames.push({ type: 'detour', index: from.mate, gone, stream: 0, ranges: part })
  }
  return frames
}

/** For the log. */
export function describeRanges(ranges: readonly RangePair[]): string {
  const bytes = ranges.reduce((sum, [, length]) => sum + length, 0)
  return `${bytes} bytes in ${ranges.length} ranges`
}
