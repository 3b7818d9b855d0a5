/**
 * Units on the feed to a relay that are not its to forward: where they are, and how much of them it
 * has received. Positions on the feed count all that was ever listed on it, and only grow.
 */
export class PastUnits {
  /** Bytes of all of them. */
  bytes = 0
  #received = 0
  /** Those that are not received yet; neighbours are one. */
  readonly #runs: { readonly start: number; end: number }[] = []

  add(start: number, length: number): void {
    this.bytes += length
    const last = this.#runs.at(-1)
    if (last?.end === start) last.end += length
    else this.#runs.push({ start, end: start + length })
  }

  /** Bytes of them before a position; later calls never ask for an earlier one. */
  until(position: number): number {
    for (let run = this.#runs[0]; run !== undefined; run = this.#runs[0]) {
      if (run.end > position) return this.#received + Math.max(0, position - run.start)
      this.#received += run.end - run.start
      this.#runs.shift()
    }
    return this.#received
  }
}
