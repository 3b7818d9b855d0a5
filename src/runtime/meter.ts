/** Rates of a transfer in and out, from the engine's counters, smoothed over about a second. */
import type { FeedHandle, TransferStats } from '../ports.js'

export class FlowMeter {
  #sinceMs: number | undefined
  #seen = new Map<FeedHandle, number>()
  rateIn = 0
  rateOut = 0
  /** Payload sent so far, also by feeds that are closed, as last counted. */
  sentBytes = 0

  count(stats: TransferStats, nowMs: number): void {
    const moved = { in: 0, out: 0 }
    const seen = new Map<FeedHandle, number>()
    for (const { feed, direction, payloadBytes } of stats.feeds) {
      moved[direction] += payloadBytes - (this.#seen.get(feed) ?? 0)
      seen.set(feed, payloadBytes)
    }
    this.#seen = seen
    this.sentBytes += moved.out
    if (this.#sinceMs !== undefined && nowMs > this.#sinceMs) {
      const seconds = (nowMs - this.#sinceMs) / 1000
      this.rateIn = (this.rateIn + moved.in / seconds) / 2
      this.rateOut = (this.rateOut + moved.out / seconds) / 2
    }
    this.#sinceMs = nowMs
  }
}
