/**
 * Ranges that the feed of a member will bring no more, and have to come another way.
 *
 * A detour is answered once that feed has ended, so that what it still brought is not asked for
 * twice; after `drainMs` the feed is closed instead. It must never wait longer.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'

export interface DueDetour {
  readonly index: number
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

  feedOpened(index: number): void {
    this.#open.add(index)
  }

  feedClosed(index: number): void {
    this.#open.delete(index)
  }

  add(index: number, ranges: readonly RangePair[], nowMs: number): void {
    const waiting = this.#waiting.get(index) ?? {
      ranges: new RangeSet(),
      untilMs: nowMs + limits.drainMs,
    }
    for (const [offset, length] of ranges) waiting.ranges.add(offset, length)
    this.#waiting.set(index, waiting)
  }

  /** Detours whose feed has ended or has had its time; they are forgotten here. */
  due(nowMs: number): DueDetour[] {
    const due: DueDetour[] = []
    for (const [index, waiting] of this.#waiting) {
      if (this.#open.has(index) && nowMs < waiting.untilMs) continue
      this.#waiting.delete(index)
      this.#open.delete(index)
      due.push({ index, ranges: waiting.ranges })
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
