/**
 * The links of simulated machines. Every feed of a machine shares its uplink, every feed to it its
 * downlink.
 *
 * The idea: an uplink serves its feeds in turn, one chunk at a time, which is as near to equal
 * shares as chunks are small; those that go first come before the others, as in the engine. A
 * downlink serves what arrives in the order of arrival. A feed may have a window of bytes under
 * way, so a slow receiver holds up its own feeds and no others.
 */
import type { Timeline } from './timeline.js'

/** What an uplink serves: something that has a chunk to send now and then. */
export interface Sender {
  /** It is served before those that do not go first. */
  readonly isFirst: boolean
  /** It stands in the line of its uplink, which alone sets this. */
  isWaiting: boolean
  /** The bytes of the next chunk, which is begun with this call; 0: nothing may be sent now. */
  begin(): number
  /** The chunk has left. */
  finish(): void
}

export class Uplink {
  bytesPerMs: number
  /** What has left, or is leaving. */
  sentBytes = 0
  readonly #timeline: Timeline
  readonly #first: Sender[] = []
  readonly #ring: Sender[] = []
  /** Whose chunk is leaving; one of a sender that goes first interrupts that of another. */
  #served: Sender | undefined
  #firstServed: Sender | undefined
  /** For how long what is leaving has been interrupted. */
  #heldMs = 0

  constructor(timeline: Timeline, bytesPerMs: number) {
    this.#timeline = timeline
    this.bytesPerMs = bytesPerMs
  }

  change(factor: number): void {
    this.bytesPerMs *= factor
  }

  /** This sender may have something to send. While a chunk of it leaves, that one comes first. */
  wake(sender: Sender): void {
    const isServed = sender === this.#served || sender === this.#firstServed
    if (!sender.isWaiting && !isServed) {
      sender.isWaiting = true
      if (sender.isFirst) this.#first.push(sender)
      else this.#ring.push(sender)
    }
    this.#serve()
  }

  #serve(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      next.isWaiting = false
      const bytes = next.begin()
      if (bytes === 0) continue
      this.sentBytes += bytes
      const ms = bytes / this.bytesPerMs
      if (next.isFirst) {
        this.#firstServed = next
        if (this.#served !== undefined) this.#heldMs += ms
        this.#timeline.after(ms, this.#firstLeft)
      } else {
        this.#served = next
        this.#timeline.after(ms, this.#left)
      }
    }
  }

  /** Whose turn it is, out of its line; undefined: nobody's. */
  #next(): Sender | undefined {
    if (this.#firstServed !== undefined) return undefined
    if (this.#first.length > 0) return this.#first.shift()
    return this.#served === undefined ? this.#ring.shift() : undefined
  }

  readonly #firstLeft = (): void => {
    const sender = this.#firstServed as Sender
    this.#firstServed = undefined
    sender.finish()
    this.wake(sender)
  }

  readonly #left = (): void => {
    if (this.#heldMs > 0) {
      const heldMs = this.#heldMs
      this.#heldMs = 0
      return this.#timeline.after(heldMs, this.#left)
    }
    const sender = this.#served as Sender
    this.#served = undefined
    sender.finish()
    this.wake(sender)
  }
}

export class Downlink {
  readonly bytesPerMs: number
  #freeMs = 0

  constructor(bytesPerMs: number) {
    this.bytesPerMs = bytesPerMs
  }

  /**
   * The first of these bytes come at this time, and none that come later have been spoken of. When
   * the last are through, as far as it goes.
   */
  carry(bytes: number, atMs: number): number {
    this.#freeMs = Math.max(this.#freeMs, atMs) + bytes / this.bytesPerMs
    return this.#freeMs
  }
}
