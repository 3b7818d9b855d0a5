/**
 * Blocks that came wrong, and who is asked to send them again. They land in scratch and are copied
 * in once they are right. One holder is asked at a time, another one each time where there is one.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'

export class Repairs {
  readonly #unitBytes: number
  /** Wrong, and asked of nobody. */
  readonly #open = new RangeSet()
  readonly #asked = new RangeSet()
  #member: number | null = null
  /** What has landed from whom is asked now; it is forgotten when another one is asked. */
  readonly #landed = new RangeSet()
  #dueMs = 0
  /** Who was asked last, and with what result nobody knows. */
  #last = 0

  constructor(blockBytes: number) {
    this.#unitBytes = Math.max(limits.pullUnitBytes, blockBytes)
  }

  /** Who is asked now. */
  get member(): number | null {
    return this.#member
  }

  get dueMs(): number {
    return this.#member === null ? Number.POSITIVE_INFINITY : this.#dueMs
  }

  get isIdle(): boolean {
    return this.#open.isEmpty && this.#member === null
  }

  add(offset: number, length: number): void {
    this.#asked.remove(offset, length)
    this.#open.add(offset, length)
    this.#settle()
  }

  /** These are right now, or on their way into the file. */
  came(offset: number, length: number): void {
    this.#asked.remove(offset, length)
    this.#open.remove(offset, length)
    this.#settle()
  }

  /** Bytes have come from whoever is asked. */
  landed(offset: number, length: number): void {
    if (this.#member !== null) this.#landed.add(offset, length)
  }

  /** The number of who brought this block; 0: of nobody alone. */
  broughtBy(offset: number, length: number): number {
    return this.#landed.contains(offset, length) ? this.#last : 0
  }

  /** Its time is over, or it is gone. */
  giveUp(): void {
    for (const [offset, length] of this.#asked) this.#open.add(offset, length)
    this.#asked.clear()
    this.#settle()
  }

  /** What to ask of which of these holders; undefined: nothing now. */
  ask(able: readonly number[], nowMs: number): { member: number; ranges: RangePair[] } | undefined {
    if (this.#member !== null || this.#open.isEmpty || able.length === 0) return undefined
    const member = able.find((number) => number > this.#last) ?? (able[0] as number)
    this.#last = member
    this.#landed.clear()
    const ranges: RangePair[] = []
    let room = this.#unitBytes
    for (const [offset, length] of this.#open) {
      if (room === 0 || ranges.length === limits.needRanges) break
      const bytes = Math.min(length, room)
      ranges.push([offset, bytes])
      room -= bytes
    }
    for (const [offset, length] of ranges) {
      this.#open.remove(offset, length)
      this.#asked.add(offset, length)
    }
    this.#member = member
    const slowMs = this.#unitBytes / limits.pullSlowBytesPerMs
    this.#dueMs = nowMs + limits.fetchRepairMs + slowMs
    return { member, ranges }
  }

  #settle(): void {
    if (this.#asked.isEmpty) this.#member = null
  }
}
