/**
 * How fast a total grows, smoothed: each look counts by the part of `overMs` it covers, so looks
 * that are far apart follow at once and frequent ones do not shake. For the best rate that was
 * seen see control/members/observed.ts.
 */

/** Looks closer together than this measure the clock. */
const leastMs = 10

export class SmoothedRate {
  /** Units a second; 0 before the second look. */
  value = 0
  readonly #overMs: number
  #atMs: number | undefined
  #total = 0

  constructor(overMs: number) {
    this.#overMs = overMs
  }

  /** The total, read at `atMs`. A total that has fallen counts as standing still. */
  add(total: number, atMs: number): void {
    if (this.#atMs !== undefined) {
      const elapsedMs = atMs - this.#atMs
      if (elapsedMs < leastMs) return
      const now = (Math.max(0, total - this.#total) / elapsedMs) * 1000
      this.value += Math.min(1, elapsedMs / this.#overMs) * (now - this.value)
    }
    this.#atMs = atMs
    this.#total = total
  }
}
