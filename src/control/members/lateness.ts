/**
 * How late the signs of life of one peer have come lately: what limits of silence grow by.
 *
 * The idea: a peer that promises a word every so often and keeps it in bursts is not gone: its
 * words wait in queues, or its processor is busy. The largest recent delay counts, and words that
 * come make it be forgotten, by half in a few seconds; silence does not. A silence that counted as
 * an absence is an outage, not lateness: the caller leaves it out, otherwise each outage would
 * double the next limit.
 */
const halfLifeMs = 5_000

export class Lateness {
  readonly #everyMs: number
  #lateMs = 0

  /** `everyMs`: how often a word is promised. */
  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** The lateness to reckon with, in milliseconds. */
  get ms(): number {
    return this.#lateMs
  }

  /** A word came this long after the one before. */
  heard(gapMs: number): void {
    const rest = this.#lateMs * 0.5 ** (gapMs / halfLifeMs)
    this.#lateMs = Math.max(gapMs - this.#everyMs, rest < 1 ? 0 : rest)
  }
}
