/** How often something may happen: a number at once, and so many a second after that. */
export class Allowance {
  readonly #burst: number
  readonly #perMs: number
  #left: number
  #atMs: number

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst
    this.#perMs = perSecond / 1_000
    this.#left = burst
    this.#atMs = nowMs
  }

  /** False: not now. */
  take(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.#atMs)
    this.#left = Math.min(this.#burst, this.#left + passedMs * this.#perMs)
    this.#atMs = Math.max(this.#atMs, nowMs)
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
