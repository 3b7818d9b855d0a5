/** A member that is left where the origin is gone, as whoever took over knows it. */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet, slicesOf } from '../../base/ranges.js'
import { type WayThere, wayBetween } from '../members/ways.js'
import type { MemberWish } from '../messages/facts.js'
import type { Member, RosterEntry } from '../messages/types.js'

type SayWish = MemberWish & { readonly type: 'say' }

export class Survivor {
  readonly entry: RosterEntry
  /**
   * - dialled -> asked | out
   * - asked -> joined | out: it has been told of the term.
   * - joined -> complete | out: it follows.
   * - complete -> out
   */
  state: 'dialled' | 'asked' | 'joined' | 'complete' | 'out' = 'dialled'
  have = new RangeSet()
  /** Received and verified, as it last said. */
  movedBytes = 0
  /** As it has heard it. */
  seal: string | null = null
  isSealed = false
  /** What it was told to ask others for. */
  readonly told = new RangeSet()
  /** Blocks that came wrong, and that nobody has been told to send it again. */
  readonly owed = new RangeSet()
  /** How often others were told to. */
  mends = 0
  readonly introduced = new Set<number>()
  heardMs = 0

  constructor(entry: RosterEntry) {
    this.entry = entry
  }

  get number(): number {
    return this.entry.number
  }

  /** A mirror: it lacks nothing, and takes over from nobody. */
  get isSender(): boolean {
    return this.entry.state === 'sending'
  }

  get follows(): boolean {
    return this.state === 'joined' || this.state === 'complete'
  }

  /** These blocks came wrong to it; `bytes`: of the file. */
  cameWrong(ranges: readonly RangePair[], bytes: number): void {
    for (const [offset, length] of ranges)
      if (offset + length <= bytes) this.owed.add(offset, length)
  }
}

/** It has not said yet whether it follows. */
export function isOpen({ state }: Survivor): boolean {
  return state === 'dialled' || state === 'asked'
}

export function hasLink({ state }: Survivor): boolean {
  return state !== 'dialled' && state !== 'out'
}

/**
 * Who sends each what came wrong to it: others that hold it verified, each time another one first,
 * since what was wrong may have become so on the way from there.
 */
export function mendsOf(
  following: readonly Survivor[],
  acquaintance: { readonly of: (survivor: Survivor) => readonly Survivor[] },
): SayWish[] {
  return following.flatMap((survivor) => {
    if (survivor.owed.isEmpty) return []
    const others = acquaintance.of(survivor).filter(({ follows }) => follows)
    const first = survivor.mends++ % Math.max(1, others.length)
    const turn = [...others.slice(first), ...others.slice(0, first)]
    return turn.flatMap((holder) => mendsBy(holder, survivor))
  })
}

function mendsBy({ number: member, have }: Survivor, survivor: Survivor): SayWish[] {
  const part = RangeSet.of([...survivor.owed].flatMap((range) => have.present(...range)))
  survivor.owed.subtract(part)
  return slicesOf(part.toArray(), limits.needRanges).map((ranges) => {
    return { type: 'say', member, frame: { type: 'mend', member: survivor.number, ranges } }
  })
}

export function memberOf({ entry }: Survivor, viewer: Survivor): Member {
  const { number, nodeId, site } = entry
  const at = site === undefined ? {} : { site }
  return { number, nodeId, ...placeOf(entry, viewer.entry), ...at }
}

export function placeOf(
  entry: RosterEntry,
  viewer: RosterEntry,
): WayThere & { readonly address: string } {
  return { address: entry.advertise ?? entry.address, ...wayBetween(viewer, entry) }
}
