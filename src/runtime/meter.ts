/** Rates of a transfer in and out, from the engine's counters, smoothed over about a second. */
import type { TransferStats } from '../ports.js'

export class FlowMeter {
  #sinceMs: number | undefined
  #inBytes = 0
  #outBytes = 0
  rateIn = 0
  rateOut = 0

  count(stats: TransferStats, nowMs: number): void {
    let inBytes = 0
    let outBytes = 0
    for (const feed of stats.feeds) {
      if (feed.direction === 'in') inBytes += feed.payloadBytes
      else outBytes += feed.payloadBytes
    }
    if (this.#sinceMs !== undefined && nowMs > this.#sinceMs) {
      const seconds = (nowMs - this.#sinceMs) / 1000
      // A feed that closed takes its counter along: that is no negative rate.
      this.rateIn = (this.rateIn + Math.max(0, inBytes - this.#inBytes) / seconds) / 2
      this.rateOut = (this.rateOut + Math.max(0, outBytes - this.#outBytes) / seconds) / 2
    }
    this.#sinceMs = nowMs
    this.#inBytes = inBytes
    this.#outBytes = outBytes
  }
}
