/** A mate that may be asked for bytes, and what is known of it. */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Mate } from '../messages/types.js'
import { PullWindow } from './window.js'

export interface Holder {
  readonly mate: Mate
  /** `late`: being dialled, and no longer waited for. */
  link: 'none' | 'dialling' | 'late' | 'open'
  sinceMs: number
  /** Unknown before the link is open. */
  rttMs: number
  /** Not asked before. */
  pausedMs: number
  /** What it had listed for this node when it last said so. */
  backlogBytes: number
  receivedBytes: number
  readonly window: PullWindow
  /** When something came from it. */
  movedMs: number
  hasLostFeed: boolean
  /** Nothing is asked of it for now. */
  isAvoided: boolean
  /** What it said it does not hold. */
  readonly lacks: RangeSet
}

export function holderOf(mate: Mate, blockBytes: number): Holder {
  return {
    mate,
    link: 'none',
    sinceMs: 0,
    rttMs: Number.POSITIVE_INFINITY,
    pausedMs: 0,
    backlogBytes: 0,
    receivedBytes: 0,
    window: new PullWindow(blockBytes),
    movedMs: 0,
    hasLostFeed: false,
    isAvoided: false,
    lacks: new RangeSet(),
  }
}

export function mayAsk({ isAvoided, pausedMs }: Holder, nowMs: number): boolean {
  return !isAvoided && nowMs >= pausedMs
}

/** What may be asked of it next of what is open, at most a unit. */
export function unitFor(holder: Holder, open: Iterable<RangePair>): RangePair[] {
  const unit: RangePair[] = []
  let room = holder.window.unitBytes
  for (const range of open) {
    for (const [offset, length] of holder.lacks.missing(...range)) {
      const bytes = Math.min(length, room)
      unit.push([offset, bytes])
      room -= bytes
      if (room === 0 || unit.length === limits.needRanges) return unit
    }
  }
  return unit
}
