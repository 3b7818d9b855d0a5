/**
 * A simulated data connection: what is listed goes out in order, a chunk at a time as the uplink
 * has room and the window allows, and arrives a latency later through the receiver's downlink;
 * digests overtake what is still listed. A feed that breaks delivers what was under way, the last
 * chunk in part.
 */
import type { Downlink, Sender, Uplink } from './links.js'
import type { Random } from './random.js'
import type { Timeline } from './timeline.js'

export interface SimChunk {
  readonly offset: number
  readonly length: number
  readonly route: number
  readonly scratch: boolean
}

export interface SimDigests {
  readonly offset: number
  readonly length: number
  readonly route: number
  readonly payload: Uint8Array
}

/** What the receiver is told. */
export interface FeedReceiver {
  readonly landed: (chunk: SimChunk, isWrong: boolean) => void
  readonly announced: (record: SimDigests) => void
  readonly closed: () => void
}

export interface FeedPath {
  readonly from: number
  readonly to: number
  readonly uplink: Uplink
  readonly downlink: Downlink
  readonly latencyMs: number
  readonly chunkBytes: number
  /** What may be under way at first; acknowledged bytes add to it (TCP's slow start). */
  readonly firstBytes: number
  /** When what is on the path at this time is carried: then, or after an outage. */
  readonly clearMs: (nowMs: number) => number
  /** Whether a chunk arrives with bytes that are not the source's. */
  readonly isWrong: (chunk: SimChunk) => boolean
}

/** Bytes that may be under way at least; more where the path holds more. */
const windowBytesMin = 128 * 1024

export class SimFeed implements Sender {
  isOpen = true
  queuedBytes = 0
  sentBytes = 0
  unackedBytes = 0
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #path: FeedPath
  readonly #listed: SimChunk[] = []
  #receiver: FeedReceiver | undefined
  #senderClosed = (): void => {}
  #begun: SimChunk | undefined
  #stalledUntilMs = 0
  /** The congestion window in slow start, which no loss ends: acknowledged bytes add to it. */
  #congestionBytes: number

  constructor(timeline: Timeline, random: Random, path: FeedPath) {
    this.#timeline = timeline
    this.#random = random
    this.#path = path
    this.#congestionBytes = path.firstBytes
  }

  get from(): number {
    return this.#path.from
  }

  get to(): number {
    return this.#path.to
  }

  get rttMs(): number {
    return 2 * this.#path.latencyMs
  }

  receives(receiver: FeedReceiver): void {
    this.#receiver = receiver
  }

  /** `closed`: the sender is told that the feed is. */
  sends(closed: () => void): void {
    this.#senderClosed = closed
  }

  /** The receiver notices that it is closed; what is still under way is lost. */
  endReceiver(): void {
    const receiver = this.#receiver
    this.#receiver = undefined
    receiver?.closed()
  }

  endSender(): void {
    this.#senderClosed()
  }

  list(chunk: SimChunk): void {
    if (!this.isOpen) return
    this.queuedBytes += chunk.length
    const last = this.#listed.at(-1)
    const touches =
      last !== undefined &&
      last.offset + last.length === chunk.offset &&
      last.route === chunk.route &&
      last.scratch === chunk.scratch
    if (touches) {
      this.#listed[this.#listed.length - 1] = { ...last, length: last.length + chunk.length }
    } else this.#listed.push(chunk)
    this.#path.uplink.wake(this)
  }

  digests(record: SimDigests): void {
    if (this.isOpen) this.#arrive(0, () => this.#receiver?.announced(record))
  }

  /** What is on the wire may still arrive, unless the receiver has closed as well. */
  close(): void {
    this.isOpen = false
  }

  /** Nothing goes out for this long. */
  stall(forMs: number): void {
    this.#stalledUntilMs = this.#timeline.nowMs + forMs
    if (Number.isFinite(forMs)) this.#timeline.after(forMs, () => this.#path.uplink.wake(this))
  }

  begin(): number {
    const next = this.#listed[0]
    const { nowMs } = this.#timeline
    if (next === undefined || !this.isOpen || nowMs < this.#stalledUntilMs) return 0
    const clearMs = this.#path.clearMs(nowMs)
    if (clearMs > nowMs) {
      this.stall(clearMs - nowMs)
      return 0
    }
    const { uplink, latencyMs, chunkBytes } = this.#path
    const windowBytes = Math.max(windowBytesMin, uplink.bytesPerMs * (2 * latencyMs + 10))
    if (this.unackedBytes >= Math.min(windowBytes, this.#congestionBytes)) return 0
    const length = Math.min(next.length, chunkBytes)
    this.#begun = { ...next, length }
    if (length === next.length) this.#listed.shift()
    else {
      const rest = { offset: next.offset + length, length: next.length - length }
      this.#listed[0] = { ...next, ...rest }
    }
    this.queuedBytes -= length
    this.sentBytes += length
    this.unackedBytes += length
    return length
  }

  finish(): void {
    const begun = this.#begun as SimChunk
    const length = this.isOpen ? begun.length : this.#random.integer(0, begun.length)
    if (length === 0) return
    this.#arrive(length, () => {
      const chunk = { ...begun, length }
      this.#receiver?.landed(chunk, this.#path.isWrong(chunk))
      this.#timeline.after(this.#path.latencyMs, () => {
        this.unackedBytes -= begun.length
        this.#congestionBytes += begun.length
        this.#path.uplink.wake(this)
      })
    })
  }

  #arrive(bytes: number, run: () => void): void {
    const { latencyMs, downlink, clearMs } = this.#path
    const arrived = (): void => {
      const { nowMs } = this.#timeline
      const atMs = clearMs(nowMs)
      if (atMs > nowMs) this.#timeline.at(atMs, arrived)
      else downlink.carry(bytes, run)
    }
    this.#timeline.after(latencyMs, arrived)
  }
}
