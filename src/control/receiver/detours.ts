/**
 * Ranges that the feed of a member will bring no more, and have to come another way.
 *
 * A detour is answered once that feed has ended, so that what it still brought is not asked for
 * twice; after `drainMs` the feed is closed instead. It must never wait longer.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'

/** Ranges, and the route with which what is missing of them is passed on. */
export interface Part {
  readonly ranges: Iterable<RangePair>
  readonly route: number
}

export interface DueDetour {
  readonly member: number
  readonly parts: readonly Part[]
}

interface Waiting {
  /** By route. */
  readonly parts: Map<number, RangeSet>
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

  add(member: number, { ranges, route }: Part, nowMs: number): void {
    const waiting: Waiting = this.#waiting.get(member) ?? {
      parts: new Map(),
      untilMs: nowMs + limits.drainMs,
    }
    this.#waiting.set(member, waiting)
    const wanted = waiting.parts.get(route) ?? new RangeSet()
    if (waiting.parts.size < limits.routesPerPlan) waiting.parts.set(route, wanted)
    for (const [offset, length] of ranges) wanted.add(offset, length)
  }

  /** Detours whose feed has ended or has had its time; they are forgotten here. */
  due(nowMs: number): DueDetour[] {
    const due: DueDetour[] = []
    for (const [member, waiting] of this.#waiting) {
      if (this.#open.has(member) && nowMs < waiting.untilMs) continue
      this.#waiting.delete(member)
      this.#open.delete(member)
      due.push({ member, parts: [...waiting.parts].map(([route, ranges]) => ({ route, ranges })) })
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
