/**
 * A simulated data connection: what is listed goes out in order, a chunk at a time as the uplink
 * has room and the window allows, and arrives a latency later through the receiver's downlink;
 * digests overtake what is still listed. A feed that breaks delivers what was under way, the last
 * chunk in part.
 *
 * A chunk stands for bytes that flow. With `cutsThrough` its receiver is told of it as soon as it
 * can pass it on at full speed and never run dry, so that a hop costs a latency and not a chunk.
 */
import type { Downlink, Sender, Uplink } from './links.js'
import type { Random } from './random.js'
import type { Timeline } from './timeline.js'

export interface SimChunk {
  readonly offset: number
  readonly length: number
  readonly route: number
  readonly scratch: boolean
  /** These bytes are not the source's. */
  readonly isSpoiled?: boolean
}

/** The rest of a chunk that has been listed. */
type Listed = { -readonly [Name in keyof SimChunk]: SimChunk[Name] }

export interface SimDigests {
  readonly offset: number
  readonly length: number
  readonly route: number
  readonly payload: Uint8Array
}

/** What the receiver is told. */
export interface FeedReceiver {
  /** It may be passed on, and will have landed when its last byte is wanted. */
  readonly arrives?: (chunk: SimChunk) => void
  readonly landed: (chunk: SimChunk, isWrong: boolean) => void
  readonly announced: (record: SimDigests) => void
  readonly closed: () => void
}

export interface FeedPath {
  readonly from: number
  readonly to: number
  readonly uplink: Uplink
  readonly downlink: Downlink
  /** The link between their sites, before the downlink. */
  readonly between: Downlink | undefined
  /** Of the receiver, by which it passes on what arrives. */
  readonly onward: Uplink
  readonly latencyMs: number
  /** What comes on top of it, another time for each chunk; what is sent later comes later. */
  readonly jitterMs: () => number
  readonly chunkBytes: number
  /** What may be under way at first; acknowledged bytes add to it (TCP's slow start). */
  readonly firstBytes: number
  readonly cutsThrough: boolean
  /** All paths to the receiver are alike and never held up: what leaves first comes first. */
  readonly isEven: boolean
  /** When what is on the path at this time is carried: then, or after an outage. */
  readonly clearMs: (nowMs: number) => number
  /** The same for what is acknowledged. */
  readonly heardMs: (nowMs: number) => number
  /** Whether a chunk arrives with bytes that are not the source's. */
  readonly isWrong: (chunk: SimChunk) => boolean
}

/** Bytes that may be under way at least; more where the path holds more. */
const windowBytesMin = 128 * 1024

interface Acknowledged {
  readonly atMs: number
  readonly bytes: number
}

export class SimFeed implements Sender {
  isOpen = true
  queuedBytes = 0
  sentBytes = 0
  isFirst = false
  isWaiting = false
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #path: FeedPath
  readonly #listed: Listed[] = []
  #unackedBytes = 0
  readonly #acks: Acknowledged[] = []
  /** When what was sent last arrives, and is known to have arrived. */
  #arrivesMs = 0
  #ackMs = 0
  /** The window is full: the next acknowledgement wakes it. */
  #isFull = false
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

  get unackedBytes(): number {
    const { nowMs } = this.#timeline
    for (let ack = this.#acks[0]; ack !== undefined && ack.atMs <= nowMs; ack = this.#acks[0]) {
      this.#unackedBytes -= ack.bytes
      this.#congestionBytes += ack.bytes
      this.#acks.shift()
    }
    return this.#unackedBytes
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

  /** The bytes of the chunk go out under this route. */
  list({ offset, length, scratch, isSpoiled = false }: SimChunk, route: number): void {
    if (!this.isOpen) return
    this.queuedBytes += length
    const last = this.#listed.at(-1)
    const touches =
      last !== undefined &&
      last.offset + last.length === offset &&
      last.route === route &&
      last.scratch === scratch &&
      last.isSpoiled === isSpoiled
    if (touches) last.length += length
    else this.#listed.push({ offset, length, route, scratch, isSpoiled })
    this.#path.uplink.wake(this)
  }

  digests(record: SimDigests): void {
    if (!this.isOpen) return
    // Where paths are even, what is under way has been spoken of: records come ahead of it.
    if (this.#path.isEven)
      return this.#timeline.after(this.#path.latencyMs, () => this.#receiver?.announced(record))
    this.#arrive(0, (atMs) => this.#timeline.at(atMs, () => this.#receiver?.announced(record)))
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
    if (this.unackedBytes >= Math.min(windowBytes, this.#congestionBytes)) {
      this.#isFull = true
      this.#wakeOnAck()
      return 0
    }
    const length = Math.min(next.length, chunkBytes)
    if (length === next.length) {
      this.#begun = next
      this.#listed.shift()
    } else {
      this.#begun = { ...next, length }
      next.offset += length
      next.length -= length
    }
    this.queuedBytes -= length
    this.sentBytes += length
    this.#unackedBytes += length
    if (this.#path.cutsThrough) this.#flow(this.#begun, nowMs + length / uplink.bytesPerMs)
    return length
  }

  finish(): void {
    if (this.#path.cutsThrough) return
    const begun = this.#begun as SimChunk
    const length = this.isOpen ? begun.length : this.#random.integer(0, begun.length)
    if (length > 0) this.#arrive(length, (throughMs) => this.#land(begun, length, throughMs))
  }

  /** The first bytes leave now, the last at `leftMs`. */
  #flow(chunk: SimChunk, leftMs: number): void {
    const { latencyMs, onward } = this.#path
    const arrives = (throughMs: number): void => {
      const landsMs = Math.max(throughMs, leftMs + latencyMs)
      if (chunk.route !== 0)
        this.#timeline.at(landsMs - chunk.length / onward.bytesPerMs, () =>
          this.#receiver?.arrives?.(chunk),
        )
      this.#land(chunk, chunk.length, landsMs)
    }
    if (this.#path.isEven) arrives(this.#carry(chunk.length, this.#timeline.nowMs + latencyMs))
    else this.#arrive(chunk.length, arrives)
  }

  #carry(bytes: number, atMs: number): number {
    return this.#path.downlink.carry(bytes, atMs)
  }

  #land(begun: SimChunk, length: number, atMs: number): void {
    this.#timeline.at(atMs, () => {
      const chunk = length === begun.length ? begun : { ...begun, length }
      this.#receiver?.landed(chunk, this.#path.isWrong(chunk))
      const heardMs = this.#path.heardMs(this.#timeline.nowMs + this.#path.latencyMs)
      this.#acks.push({ atMs: Math.max(heardMs, this.#ackMs), bytes: begun.length })
      this.#ackMs = Math.max(heardMs, this.#ackMs)
      if (this.#isFull) this.#wakeOnAck()
    })
  }

  #wakeOnAck(): void {
    const [ack] = this.#acks
    if (ack === undefined) return
    this.#isFull = false
    this.#timeline.at(ack.atMs, () => this.#path.uplink.wake(this))
  }

  /** `arrived`: when the last of these bytes would be through, if they all were there. */
  #arrive(bytes: number, arrived: (throughMs: number) => void): void {
    const { latencyMs, jitterMs, clearMs, between } = this.#path
    const look = (): void => {
      const { nowMs } = this.#timeline
      const atMs = clearMs(nowMs)
      if (atMs > nowMs) this.#timeline.at(atMs, look)
      else if (between !== undefined) this.#cross(bytes, between, arrived)
      else arrived(this.#carry(bytes, nowMs))
    }
    this.#arrivesMs = Math.max(this.#arrivesMs, this.#timeline.nowMs + latencyMs + jitterMs())
    this.#timeline.at(this.#arrivesMs, look)
  }

  /** The downlink takes these bytes as the link between the sites gives them. */
  #cross(bytes: number, between: Downlink, arrived: (throughMs: number) => void): void {
    const timeline = this.#timeline
    const acrossMs = between.carry(bytes, timeline.nowMs)
    timeline.at(acrossMs - bytes / between.bytesPerMs, () =>
      arrived(Math.max(acrossMs, this.#carry(bytes, timeline.nowMs))),
    )
  }
}
