/**
 * The links of simulated machines. Every feed of a machine shares its uplink, every feed to it its
 * downlink.
 *
 * The idea: an uplink serves its feeds in turn, one chunk at a time, which is as near to equal
 * shares as chunks are small; a downlink serves what arrives in the order of arrival. A feed may
 * have a window of bytes under way, so a slow receiver holds up its own feeds and no others.
 */
import type { Timeline } from './timeline.js'

/** What an uplink serves: something that has a chunk to send now and then. */
export interface Sender {
  /** The bytes of the next chunk, which is begun with this call; 0: nothing may be sent now. */
  begin(): number
  /** The chunk has left. */
  finish(): void
}

export class Uplink {
  bytesPerMs: number
  readonly #timeline: Timeline
  readonly #ring: Sender[] = []
  readonly #waiting = new Set<Sender>()
  #isBusy = false

  constructor(timeline: Timeline, bytesPerMs: number) {
    this.#timeline = timeline
    this.bytesPerMs = bytesPerMs
  }

  change(factor: number): void {
    this.bytesPerMs *= factor
  }

  /** This sender may have something to send. */
  wake(sender: Sender): void {
    if (!this.#waiting.has(sender)) {
      this.#waiting.add(sender)
      this.#ring.push(sender)
    }
    this.#serve()
  }

  #serve(): void {
    while (!this.#isBusy) {
      const sender = this.#ring.shift()
      if (sender === undefined) return
      this.#waiting.delete(sender)
      const bytes = sender.begin()
      if (bytes === 0) continue
      this.#isBusy = true
      this.#timeline.after(bytes / this.bytesPerMs, () => {
        this.#isBusy = false
        sender.finish()
        this.wake(sender)
      })
    }
  }
}

export class Downlink {
  readonly bytesPerMs: number
  readonly #timeline: Timeline
  #freeMs = 0

  constructor(timeline: Timeline, bytesPerMs: number) {
    this.#timeline = timeline
    this.bytesPerMs = bytesPerMs
  }

  /** Bytes have come this far; `arrived` once they are through. */
  carry(bytes: number, arrived: () => void): void {
    const { nowMs } = this.#timeline
    this.#freeMs = Math.max(this.#freeMs, nowMs) + bytes / this.bytesPerMs
    this.#timeline.at(this.#freeMs, arrived)
  }
}
