/**
 * Smoothed rate at which a total grows. Each reading counts by the share of `overMs` that it
 * covers, so distant readings take effect at once and frequent ones do not make the rate jump. For
 * the best rate seen, see control/members/observed.ts.
 */

/** Readings closer together than this would measure the clock. */
const leastMs = 10

export class SmoothedRate {
  /** Units per second; 0 before the second reading. */
  value = 0
  readonly #overMs: number
  #atMs: number | undefined
  #total = 0

  constructor(overMs: number) {
    this.#overMs = overMs
  }

  /** Takes the total as read at `atMs`. A total that has fallen counts as unchanged. */
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
