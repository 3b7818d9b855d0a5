/**
 * A simulated data connection: what is listed goes out in order, a chunk at a time as the uplink
 * has room and the window allows, and arrives a latency later through the receiver's downlink;
 * digests overtake what is still listed. A feed that breaks delivers what was under way, the last
 * chunk in part.
 */
import type { DigestPlace } from '../protocol/digest-record.js'
import type { Downlink, Sender, Uplink } from './links.js'
import type { Random } from './random.js'
import type { Timeline } from './timeline.js'

export interface SimChunk {
  readonly offset: number
  readonly length: number
  readonly relay: boolean
  readonly scratch: boolean
}

export interface SimDigests {
  readonly place: DigestPlace
  readonly relay: boolean
  readonly payload: Uint8Array
}

export interface FeedEnds {
  readonly landed: (chunk: SimChunk) => void
  readonly announced: (record: SimDigests) => void
}

export interface FeedPath {
  readonly uplink: Uplink
  readonly downlink: Downlink
  readonly latencyMs: number
  readonly chunkBytes: number
  /** When what is on the path at this time is carried: then, or after an outage. */
  readonly clearMs: (nowMs: number) => number
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
  readonly #ends: FeedEnds
  readonly #listed: SimChunk[] = []
  #begun: SimChunk | undefined
  #stalledUntilMs = 0

  constructor(timeline: Timeline, random: Random, path: FeedPath, ends: FeedEnds) {
    this.#timeline = timeline
    this.#random = random
    this.#path = path
    this.#ends = ends
  }

  list(chunk: SimChunk): void {
    if (!this.isOpen) return
    this.queuedBytes += chunk.length
    const last = this.#listed.at(-1)
    const touches =
      last !== undefined &&
      last.offset + last.length === chunk.offset &&
      last.relay === chunk.relay &&
      last.scratch === chunk.scratch
    if (touches) {
      this.#listed[this.#listed.length - 1] = { ...last, length: last.length + chunk.length }
    } else this.#listed.push(chunk)
    this.#path.uplink.wake(this)
  }

  digests(record: SimDigests): void {
    if (this.isOpen) this.#arrive(0, () => this.#ends.announced(record))
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
    if (this.unackedBytes >= windowBytes) return 0
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
      this.#ends.landed({ ...begun, length })
      this.#timeline.after(this.#path.latencyMs, () => {
        this.unackedBytes -= begun.length
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
