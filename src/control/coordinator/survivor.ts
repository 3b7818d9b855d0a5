/** A member that is left where the origin is gone, as whoever took over knows it. */
import { RangeSet } from '../../base/ranges.js'
import { type WayThere, wayBetween } from '../members/ways.js'
import type { Member, RosterEntry } from '../messages/types.js'

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
}

/** It has not said yet whether it follows. */
export function isOpen({ state }: Survivor): boolean {
  return state === 'dialled' || state === 'asked'
}

export function hasLink({ state }: Survivor): boolean {
  return state !== 'dialled' && state !== 'out'
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
