/**
 * A simulated data connection: what is listed goes out in order, a chunk at a time at the feed's
 * rate, and arrives a latency later; digests overtake what is still listed. A feed that breaks
 * delivers what was under way, the last chunk in part.
 */
import type { Random } from './random.js'
import type { Timeline } from './timeline.js'

export interface SimChunk {
  readonly offset: number
  readonly length: number
  readonly relay: boolean
  readonly scratch: boolean
}

export interface SimDigests {
  readonly offset: number
  readonly length: number
  readonly relay: boolean
  readonly digests: Uint8Array
}

export interface FeedEnds {
  readonly landed: (chunk: SimChunk) => void
  readonly announced: (record: SimDigests) => void
}

export class SimFeed {
  isOpen = true
  queuedBytes = 0
  sentBytes = 0
  /** Nothing goes out before this time. */
  stalledUntilMs = 0
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #bytesPerMs: number
  readonly #latencyMs: number
  readonly #chunkBytes: number
  readonly #ends: FeedEnds
  readonly #listed: SimChunk[] = []
  #isSending = false
  #arrivedMs = 0

  constructor(
    timeline: Timeline,
    random: Random,
    link: { readonly bytesPerMs: number; readonly latencyMs: number; readonly chunkBytes: number },
    ends: FeedEnds,
  ) {
    this.#timeline = timeline
    this.#random = random
    this.#bytesPerMs = link.bytesPerMs
    this.#latencyMs = link.latencyMs
    this.#chunkBytes = link.chunkBytes
    this.#ends = ends
  }

  list(chunk: SimChunk): void {
    if (!this.isOpen) return
    this.#listed.push(chunk)
    this.queuedBytes += chunk.length
    this.#send()
  }

  digests(record: SimDigests): void {
    if (this.isOpen) this.#arrive(() => this.#ends.announced(record))
  }

  /** What is on the wire may still arrive, unless the receiver has closed as well. */
  close(): void {
    this.isOpen = false
  }

  #send(): void {
    if (this.#isSending || !this.isOpen) return
    const next = this.#listed.shift()
    if (next === undefined) return
    const length = Math.min(next.length, this.#chunkBytes)
    if (length < next.length) {
      this.#listed.unshift({ ...next, offset: next.offset + length, length: next.length - length })
    }
    this.#isSending = true
    const waitMs = Math.max(0, this.stalledUntilMs - this.#timeline.nowMs)
    this.#timeline.after(waitMs + length / this.#bytesPerMs, () => {
      this.#isSending = false
      const isCut = !this.isOpen
      const sent = isCut ? this.#random.integer(0, length) : length
      this.queuedBytes -= length
      this.sentBytes += sent
      if (sent > 0) this.#arrive(() => this.#ends.landed({ ...next, length: sent }))
      this.#send()
    })
  }

  #arrive(run: () => void): void {
    this.#arrivedMs = Math.max(this.#arrivedMs, this.#timeline.nowMs + this.#latencyMs)
    this.#timeline.at(this.#arrivedMs, run)
  }
}
