/**
 * Whether a reader takes what it has asked for fast enough: a connection that takes a byte now and
 * then is never idle, and holds a place and an open file for as long as it likes.
 *
 * The idea: the engine sends a piece at a time, and a piece has the time that it takes at the least
 * rate. Readers that take pieces at once get larger ones, so few are needed.
 */
import { doorLimits } from '../../base/door-limits.js'

export interface Piece {
  readonly bytes: number
  readonly withinMs: number
}

export class Pace {
  readonly #least: number
  #bytes: number = doorLimits.paceBytes

  /** Bytes per second. */
  constructor(least: number = doorLimits.leastBytesPerSecond) {
    this.#least = least
  }

  /** Of what is left. */
  next(left: number): Piece {
    const bytes = Math.min(left, this.#bytes)
    return { bytes, withinMs: Math.max(doorLimits.idleMs, (bytes / this.#least) * 1_000) }
  }

  /** The system has taken a piece in this time. */
  took(ms: number): void {
    const { paceBytes, paceBytesMax, promptMs } = doorLimits
    this.#bytes = ms > promptMs ? paceBytes : Math.min(paceBytesMax, 2 * this.#bytes)
  }
}
