/**
 * How much of this thread may go into hashing: what a bucket holds that fills at a steady rate.
 *
 * The idea: handing a run to a worker costs more than hashing it here (a thread to start, a message
 * each way, a cold cache), until this thread would do little else. At the rate below hashing takes
 * about a tenth of it.
 */
import { MIB } from '../base/limits.js'

const bytesPerMs = MIB
const burstBytes = 64 * MIB

export class HashBudget {
  #bytes = burstBytes
  #filledMs = 0

  /** Whether these bytes may be hashed here; if so, they are paid for. */
  take(bytes: number, nowMs: number): boolean {
    const filled = this.#bytes + (nowMs - this.#filledMs) * bytesPerMs
    this.#bytes = Math.min(burstBytes, filled)
    this.#filledMs = nowMs
    if (bytes > this.#bytes) return false
    this.#bytes -= bytes
    return true
  }
}
