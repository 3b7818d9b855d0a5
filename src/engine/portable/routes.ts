/**
 * Which route each byte of a stream has: sorted, disjoint runs, as many as there are gaps and
 * changes. The first route of a byte counts.
 */
import type { Span } from '../../base/spans.js'

/** [begin, end) in bytes, and their route. */
export interface RoutedRun {
  readonly begin: number
  readonly end: number
  readonly route: number
}

export class RouteMap {
  readonly #runs: RoutedRun[] = []

  get runs(): number {
    return this.#runs.length
  }

  /** Gives the bytes of [begin, end) that have no route this one, and returns them. */
  raise(begin: number, end: number, route: number): Span[] {
    const fresh: Span[] = []
    let at = begin
    for (const run of this.inside(begin, end)) {
      if (at < run.begin) fresh.push([at, run.begin])
      at = run.end
    }
    if (at < end) fresh.push([at, end])
    for (const [low, high] of fresh) this.#add(low, high, route)
    return fresh
  }

  /** The runs of [begin, end), in order. */
  inside(begin: number, end: number): RoutedRun[] {
    const found: RoutedRun[] = []
    for (let i = this.#firstEndingAfter(begin); i < this.#runs.length; i++) {
      const run = this.#runs[i] as RoutedRun
      if (run.begin >= end) break
      const { route } = run
      found.push({ begin: Math.max(begin, run.begin), end: Math.min(end, run.end), route })
    }
    return found
  }

  /** The runs of this route, in order. */
  of(route: number): RoutedRun[] {
    return this.#runs.filter((run) => run.route === route)
  }

  /** Bytes before this have no route any more. */
  forget(before: number): void {
    const first = this.#firstEndingAfter(before)
    this.#runs.splice(0, first)
    const [run] = this.#runs
    if (run !== undefined && run.begin < before) this.#runs[0] = { ...run, begin: before }
  }

  /** The bytes have no route. Neighbours of the same route become one run. */
  #add(begin: number, end: number, route: number): void {
    const at = this.#firstEndingAfter(begin)
    const [before, after] = [this.#runs[at - 1], this.#runs[at]]
    const joinsBefore = before?.end === begin && before.route === route
    const joinsAfter = after?.begin === end && after.route === route
    const from = joinsBefore ? at - 1 : at
    this.#runs.splice(from, (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), {
      begin: joinsBefore ? before.begin : begin,
      end: joinsAfter ? after.end : end,
      route,
    })
  }

  #firstEndingAfter(at: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#runs[middle] as RoutedRun).end <= at) low = middle + 1
      else high = middle
    }
    return low
  }
}
