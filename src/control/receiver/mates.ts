/**
 * What a node knows about its mates: who is gone, whose feed is open, which detours wait.
 *
 * A detour (the origin's word that the feed from a mate will bring nothing more) is answered once
 * that feed has ended, so that what it still brought is not asked for twice; after `drainMs` it is
 * closed instead. It must never wait longer.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Mate } from '../messages/types.js'

export interface DueDetour {
  readonly index: number
  readonly ranges: RangeSet
}

interface Waiting {
  readonly ranges: RangeSet
  readonly untilMs: number
}

export class NodeMates {
  readonly #self: number
  readonly #known: Set<number>
  #expected: readonly Mate[] | undefined
  readonly #gone = new Set<number>()
  readonly #open = new Set<number>()
  readonly #waiting = new Map<number, Waiting>()

  constructor(self: number) {
    this.#self = self
    this.#known = new Set([self])
  }

  /** Whom the plan will most likely name. False: it was said before. */
  expect(mates: readonly Mate[]): boolean {
    if (this.#expected !== undefined) return false
    this.#expected = mates.filter((mate) => mate.index !== this.#self)
    return true
  }

  get expected(): readonly Mate[] {
    return this.#expected ?? []
  }

  /** False: this place in the push is taken. */
  introduce(index: number): boolean {
    if (this.#known.has(index)) return false
    this.#known.add(index)
    return true
  }

  gone(index: number): void {
    this.#gone.add(index)
  }

  isGone(index: number): boolean {
    return this.#gone.has(index)
  }

  feedOpened(index: number): void {
    this.#open.add(index)
  }

  feedClosed(index: number): void {
    this.#open.delete(index)
  }

  detour(index: number, ranges: readonly RangePair[], nowMs: number): void {
    const waiting = this.#waiting.get(index) ?? {
      ranges: new RangeSet(),
      untilMs: nowMs + limits.drainMs,
    }
    for (const [offset, length] of ranges) waiting.ranges.add(offset, length)
    this.#waiting.set(index, waiting)
  }

  /** Detours whose feed has ended or has had its time; they are forgotten here. */
  dueDetours(nowMs: number): DueDetour[] {
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
