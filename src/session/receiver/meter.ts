/** Rates of a transfer in and out, from the engine's counters, smoothed over about a second. */
import type { TransferStats } from '../../ports.js'

export class FlowMeter {
  #sinceMs: number | undefined
  #last = { receivedBytes: 0, sentBytes: 0 }
  /** Bytes a second of payload. */
  rateIn = 0
  rateOut = 0

  count({ receivedBytes, sentBytes }: TransferStats, nowMs: number): void {
    if (this.#sinceMs !== undefined && nowMs > this.#sinceMs) {
      const seconds = (nowMs - this.#sinceMs) / 1000
      this.rateIn = (this.rateIn + (receivedBytes - this.#last.receivedBytes) / seconds) / 2
      this.rateOut = (this.rateOut + (sentBytes - this.#last.sentBytes) / seconds) / 2
    }
    this.#last = { receivedBytes, sentBytes }
    this.#sinceMs = nowMs
  }
}
