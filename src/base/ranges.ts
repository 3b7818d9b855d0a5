/**
 * Sets of bytes as sorted, disjoint, non-touching half-open ranges.
 *
 * The control plane describes all payload by such sets, and in practice they are a handful of long
 * runs. `compacted` bounds their number by covering too much: harmless for asking for bytes again,
 * never allowed for claims.
 */
import { type Span, SpanSet } from './spans.js'

/** [offset, length] in bytes, half-open; in a list sorted, disjoint and not touching. */
export type RangePair = readonly [offset: number, length: number]

export class RangeSet {
  readonly #spans = new SpanSet()

  static of(ranges: Iterable<RangePair>): RangeSet {
    const set = new RangeSet()
    for (const [offset, length] of ranges) set.add(offset, length)
    return set
  }

  /** Sum of the lengths of all ranges. */
  get bytes(): number {
    return this.#spans.bytes
  }

  get isEmpty(): boolean {
    return this.#spans.bytes === 0
  }

  add(offset: number, length: number): void {
    if (length > 0) this.#spans.add(offset, offset + length)
  }

  remove(offset: number, length: number): void {
    if (length > 0) this.#spans.remove(offset, offset + length)
  }

  subtract(other: RangeSet): void {
    for (const [offset, length] of other) this.remove(offset, length)
  }

  /** True when every byte of the range is in the set, and for an empty range. */
  contains(offset: number, length: number): boolean {
    if (length <= 0) return true
    const span = this.#spans.next(offset)
    return span !== undefined && span[0] <= offset && span[1] >= offset + length
  }

  /** Parts of the range that are in the set. */
  present(offset: number, length: number): RangePair[] {
    return length > 0 ? this.#spans.present(offset, offset + length).map(pairOf) : []
  }

  /** Parts of the range that are not in the set. */
  missing(offset: number, length: number): RangePair[] {
    return length > 0 ? this.#spans.missing(offset, offset + length).map(pairOf) : []
  }

  first(): RangePair | undefined {
    const span = this.#spans.next(0)
    return span === undefined ? undefined : pairOf(span)
  }

  /** Removes and returns the first ranges, at most `count`. */
  take(count: number): RangePair[] {
    return this.#spans.take(count).map(pairOf)
  }

  clear(): void {
    this.#spans.clear()
  }

  *[Symbol.iterator](): IterableIterator<RangePair> {
    for (const span of this.#spans) yield pairOf(span)
  }

  toArray(): RangePair[] {
    return [...this]
  }

  /** At most `maxRanges` ranges that cover the set, made by closing the smallest gaps. */
  compacted(maxRanges: number): RangePair[] {
    const all = this.toArray()
    const surplus = all.length - maxRanges
    if (surplus <= 0) return all
    const gaps = all.slice(1).map((range, i) => ({ i: i + 1, gap: range[0] - endOf(all[i]) }))
    gaps.sort((a, b) => a.gap - b.gap || a.i - b.i)
    const closed = new Set(gaps.slice(0, surplus).map((entry) => entry.i))
    const merged: RangePair[] = []
    for (const [i, range] of all.entries()) {
      const last = merged.at(-1)
      if (last !== undefined && closed.has(i)) {
        merged[merged.length - 1] = [last[0], range[0] + range[1] - last[0]]
      } else merged.push(range)
    }
    return merged
  }
}

function pairOf([begin, end]: Span): RangePair {
  return [begin, end - begin]
}

function endOf(range: RangePair | undefined): number {
  return range === undefined ? 0 : range[0] + range[1]
}

/** The same in order, at most so many together: for frames that take no more. */
export function slicesOf(ranges: readonly RangePair[], most: number): RangePair[][] {
  const slices: RangePair[][] = []
  for (let at = 0; at < ranges.length; at += most) slices.push(ranges.slice(at, at + most))
  return slices
}
