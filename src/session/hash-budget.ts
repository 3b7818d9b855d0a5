/**
 * How much of this thread may go into hashing: what a bucket holds that fills at a steady rate.
 *
 * The idea: handing a run to a worker costs more than hashing it here (a thread to start, a message
 * each way, a cold cache), until this thread would do little else. At the rate below hashing takes
 * about a tenth of it.
 */
import type { DigestAlgorithm } from '../base/digests.js'
import { MIB } from '../base/limits.js'

/** In bytes of the cheapest. */
const bytesPerMs = MIB
const burstBytes = 64 * MIB
/** What a byte costs, read and hashed, as a multiple of the cheapest (docs/experiments.md). */
const costs = {
  native: { xxh64: 1, blake3: 2, sha256: 7 },
  portable: { xxh64: 4, blake3: 20, sha256: 9 },
} as const

export class HashBudget {
  readonly #cost: number
  #bytes = burstBytes
  #filledMs = 0

  constructor(engine: keyof typeof costs, algorithm: DigestAlgorithm) {
    this.#cost = costs[engine][algorithm]
  }

  /** Whether these bytes may be hashed here; if so, they are paid for. */
  take(bytes: number, nowMs: number): boolean {
    const filled = this.#bytes + (nowMs - this.#filledMs) * bytesPerMs
    this.#bytes = Math.min(burstBytes, filled)
    this.#filledMs = nowMs
    const cost = bytes * this.#cost
    if (cost > this.#bytes) return false
    this.#bytes -= cost
    return true
  }
}
