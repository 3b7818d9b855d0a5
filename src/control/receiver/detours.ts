/**
 * Ranges that the feed of a member will bring no more, and have to come another way.
 *
 * A detour is answered once that feed has ended, so that what it still brought is not asked for
 * twice; after `drainMs` the feed is closed instead. It must never wait longer.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'

export interface DueDetour {
  readonly member: number
  readonly ranges: RangeSet
}

interface Waiting {
  readonly ranges: RangeSet
  readonly untilMs: number
}

export class Detours {
  /** Members whose feed to this node is open. */
  readonly #open = new Set<number>()
  readonly #waiting = new Map<number, Waiting>()

  fedIn(member: number): void {
    this.#open.add(member)
  }

  unfed(member: number): void {
    this.#open.delete(member)
  }

  add(member: number, ranges: readonly RangePair[], nowMs: number): void {
    const waiting = this.#waiting.get(member) ?? {
      ranges: new RangeSet(),
      untilMs: nowMs + limits.drainMs,
    }
    for (const [offset, length] of ranges) waiting.ranges.add(offset, length)
    this.#waiting.set(member, waiting)
  }

  /** Detours whose feed has ended or has had its time; they are forgotten here. */
  due(nowMs: number): DueDetour[] {
    const due: DueDetour[] = []
    for (const [member, waiting] of this.#waiting) {
      if (this.#open.has(member) && nowMs < waiting.untilMs) continue
      this.#waiting.delete(member)
      this.#open.delete(member)
      due.push({ member, ranges: waiting.ranges })
    }
    return due
  }

  deadlineMs(): number | null {
    if (this.#waiting.size === 0) return null
    return Math.min(...[...this.#waiting.values()].map((waiting) => waiting.untilMs))
  }
}

/** What of these ranges is within a file of this many bytes. */
export function clampTo(bytes: number, ranges: readonly RangePair[]): RangePair[] {
  return ranges
    .map(([offset, length]): RangePair => [offset, Math.min(length, bytes - offset)])
    .filter(([, length]) => length > 0)
}
