/**
 * A set of bytes as sorted, disjoint, non-touching half-open spans: the only place that does
 * arithmetic on byte ranges. ranges.ts is the same set by offset and length.
 *
 * Look-ups are binary searches; a change moves the tail of two arrays of numbers. The size depends
 * on the number of gaps, not on the number of bytes.
 */

/** [begin, end) in bytes. */
export type Span = readonly [begin: number, end: number]

export class SpanSet {
  readonly #begins: number[] = []
  readonly #ends: number[] = []
  #bytes = 0

  /** Number of spans. */
  get pieces(): number {
    return this.#begins.length
  }

  /** Bytes in the set. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Adds the bytes, some of which may be there already, and returns the span that now holds them.
   */
  add(begin: number, end: number): Span {
    // Spans that overlap or touch [begin, end) become one.
    const from = this.#firstEndingAtOrAfter(begin)
    let past = from
    let low = begin
    let high = end
    while (past < this.#begins.length && (this.#begins[past] as number) <= end) {
      low = Math.min(low, this.#begins[past] as number)
      high = Math.max(high, this.#ends[past] as number)
      this.#bytes -= (this.#ends[past] as number) - (this.#begins[past] as number)
      past += 1
    }
    if (past === from + 1) {
      // Most often the span before grows.
      this.#begins[from] = low
      this.#ends[from] = high
    } else {
      this.#begins.splice(from, past - from, low)
      this.#ends.splice(from, past - from, high)
    }
    this.#bytes += high - low
    return [low, high]
  }

  /** Removes the bytes; missing ones are ignored. */
  remove(begin: number, end: number): void {
    const from = this.#firstEndingAtOrAfter(begin + 1)
    let past = from
    const rest: Span[] = []
    while (past < this.#begins.length && (this.#begins[past] as number) < end) {
      const low = this.#begins[past] as number
      const high = this.#ends[past] as number
      if (low < begin) rest.push([low, begin])
      if (high > end) rest.push([end, high])
      this.#bytes -= high - low
      past += 1
    }
    if (past === from) return
    this.#begins.splice(from, past - from, ...rest.map(([low]) => low))
    this.#ends.splice(from, past - from, ...rest.map(([, high]) => high))
    for (const [low, high] of rest) this.#bytes += high - low
  }

  /** Removes and returns the first spans, at most `count`. */
  take(count: number): Span[] {
    const ends = this.#ends.splice(0, count)
    return this.#begins.splice(0, count).map((begin, index): Span => {
      const end = ends[index] as number
      this.#bytes -= end - begin
      return [begin, end]
    })
  }

  clear(): void {
    this.#begins.length = 0
    this.#ends.length = 0
    this.#bytes = 0
  }

  /** Parts of [begin, end) that are in the set, in order. */
  present(begin: number, end: number): Span[] {
    const found: Span[] = []
    let at = this.#firstEndingAtOrAfter(begin + 1)
    while (at < this.#begins.length && (this.#begins[at] as number) < end) {
      found.push([
        Math.max(begin, this.#begins[at] as number),
        Math.min(end, this.#ends[at] as number),
      ])
      at += 1
    }
    return found
  }

  /** Parts of [begin, end) that are not in the set, in order. */
  missing(begin: number, end: number): Span[] {
    const gaps: Span[] = []
    let at = begin
    for (const [low, high] of this.present(begin, end)) {
      if (at < low) gaps.push([at, low])
      at = high
    }
    if (at < end) gaps.push([at, end])
    return gaps
  }

  /** First span that ends after `at`, cut to begin no earlier; undefined when there is none. */
  next(at: number): Span | undefined {
    const index = this.#firstEndingAtOrAfter(at + 1)
    if (index === this.#begins.length) return undefined
    return [Math.max(at, this.#begins[index] as number), this.#ends[index] as number]
  }

  *[Symbol.iterator](): Generator<Span> {
    for (const [index, begin] of this.#begins.entries()) yield [begin, this.#ends[index] as number]
  }

  #firstEndingAtOrAfter(at: number): number {
    let low = 0
    let high = this.#ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ends[middle] as number) < at) low = middle + 1
      else high = middle
    }
    return low
  }
}
