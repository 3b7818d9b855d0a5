/**
 * Sets of bytes as sorted, disjoint, non-touching half-open ranges.
 *
 * The idea: everything the control plane says about payload is a set of ranges, and in practice
 * these sets are a handful of long runs. Two parallel arrays and a binary search are enough. A set
 * never grows with the number of bytes, only with the number of gaps; `compacted` bounds even that
 * where covering too much is harmless (asking for bytes again), and must never be used for claims.
 */

/** [offset, length] in bytes, half-open; in a list sorted, disjoint and not touching. */
export type RangePair = readonly [offset: number, length: number]

export class RangeSet {
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  #bytes = 0

  static of(ranges: Iterable<RangePair>): RangeSet {
    const set = new RangeSet()
    for (const [offset, length] of ranges) set.add(offset, length)
    return set
  }

  /** Sum of the lengths. */
  get bytes(): number {
    return this.#bytes
  }

  /** Number of ranges. */
  get count(): number {
    return this.#starts.length
  }

  get isEmpty(): boolean {
    return this.#starts.length === 0
  }

  add(offset: number, length: number): void {
    if (length <= 0) return
    let start = offset
    let end = offset + length
    // Every range that overlaps or touches [start, end) melts into it.
    const from = firstAtLeast(this.#ends, start)
    let to = from
    while (to < this.#starts.length && at(this.#starts, to) <= end) {
      start = Math.min(start, at(this.#starts, to))
      end = Math.max(end, at(this.#ends, to))
      this.#bytes -= at(this.#ends, to) - at(this.#starts, to)
      to++
    }
    this.#starts.splice(from, to - from, start)
    this.#ends.splice(from, to - from, end)
    this.#bytes += end - start
  }

  remove(offset: number, length: number): void {
    if (length <= 0) return
    const end = offset + length
    const from = firstAbove(this.#ends, offset)
    let to = from
    const starts: number[] = []
    const ends: number[] = []
    while (to < this.#starts.length && at(this.#starts, to) < end) {
      const s = at(this.#starts, to)
      const e = at(this.#ends, to)
      this.#bytes -= e - s
      if (s < offset) this.#keep(starts, ends, s, offset)
      if (e > end) this.#keep(starts, ends, end, e)
      to++
    }
    this.#starts.splice(from, to - from, ...starts)
    this.#ends.splice(from, to - from, ...ends)
  }

  subtract(other: RangeSet): void {
    for (const [offset, length] of other) this.remove(offset, length)
  }

  /** True when every byte of the range is in the set; an empty range always is. */
  contains(offset: number, length: number): boolean {
    if (length <= 0) return true
    const i = firstAbove(this.#ends, offset)
    return (
      i < this.#starts.length &&
      at(this.#starts, i) <= offset &&
      at(this.#ends, i) >= offset + length
    )
  }

  /** The parts of the range that are in the set. */
  present(offset: number, length: number): RangePair[] {
    const end = offset + length
    const found: RangePair[] = []
    for (let i = firstAbove(this.#ends, offset); i < this.#starts.length; i++) {
      const s = Math.max(at(this.#starts, i), offset)
      const e = Math.min(at(this.#ends, i), end)
      if (s >= end) break
      if (e > s) found.push([s, e - s])
    }
    return found
  }

  /** The parts of the range that are not in the set. */
  missing(offset: number, length: number): RangePair[] {
    const gaps: RangePair[] = []
    let cursor = offset
    for (const [start, bytes] of this.present(offset, length)) {
      if (start > cursor) gaps.push([cursor, start - cursor])
      cursor = start + bytes
    }
    if (cursor < offset + length) gaps.push([cursor, offset + length - cursor])
    return gaps
  }

  first(): RangePair | undefined {
    if (this.isEmpty) return undefined
    return [at(this.#starts, 0), at(this.#ends, 0) - at(this.#starts, 0)]
  }

  /** Takes the first ranges out, at most so many. */
  take(count: number): RangePair[] {
    const ends = this.#ends.splice(0, count)
    return this.#starts.splice(0, count).map((start, i): RangePair => {
      const length = at(ends, i) - start
      this.#bytes -= length
      return [start, length]
    })
  }

  clear(): void {
    this.#starts.length = 0
    this.#ends.length = 0
    this.#bytes = 0
  }

  *[Symbol.iterator](): IterableIterator<RangePair> {
    for (let i = 0; i < this.#starts.length; i++) {
      yield [at(this.#starts, i), at(this.#ends, i) - at(this.#starts, i)]
    }
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

  #keep(starts: number[], ends: number[], start: number, end: number): void {
    starts.push(start)
    ends.push(end)
    this.#bytes += end - start
  }
}

function endOf(range: RangePair | undefined): number {
  return range === undefined ? 0 : range[0] + range[1]
}

function at(values: readonly number[], index: number): number {
  return values[index] as number
}

/** Index of the first value >= bound. */
function firstAtLeast(values: readonly number[], bound: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at(values, middle) < bound) low = middle + 1
    else high = middle
  }
  return low
}

/** Index of the first value > bound. */
function firstAbove(values: readonly number[], bound: number): number {
  return firstAtLeast(values, bound + 1)
}
