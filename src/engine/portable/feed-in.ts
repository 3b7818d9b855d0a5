/**
 * The receiving end of a feed: socket -> inbox -> file.
 *
 * Chunks from the socket wait in an inbox of bounded size; one loop takes them out, record by
 * record, and writes what is new with as few calls as the chunks allow. While it writes, the inbox
 * fills; when it is full the socket is not read, and TCP tells the sender. Bytes that have landed
 * before are dropped and counted. Whatever was received before the connection broke still lands.
 */
import type { Socket } from 'node:net'
import { limits } from '../../base/limits.js'
import type { Span } from '../../base/spans.js'
import type { FeedHandle, FeedStats } from '../../ports.js'
import { asFrError } from '../checks.js'
import { Asks } from './asks.js'
import { Feed, type FeedHost, type FeedKeys } from './feed.js'
import { decodeRecordHeader, isIntact, type RecordHeader, recordHeaderBytes } from './record.js'
import { Opening } from './seal.js'
import type { StreamState } from './stream.js'

/** The socket is not read while this much waits; as much again may be on its way to the file. */
const inboxBytes = 384 * 1024
/** The same of the rate of a transfer that is limited: what is read is beyond the limit's reach. */
const inboxSeconds = 0.01

/** Bytes in the order they came, in the chunks they came in. */
class Inbox {
  #chunks: Buffer[] = []
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  /** The next `count` bytes, which must be there, without copying them. */
  take(count: number): Buffer[] {
    const taken: Buffer[] = []
    let left = count
    let whole = 0
    while (left > 0) {
      const chunk = this.#chunks[whole] as Buffer
      if (chunk.length > left) {
        taken.push(chunk.subarray(0, left))
        this.#chunks[whole] = chunk.subarray(left)
        left = 0
      } else {
        taken.push(chunk)
        left -= chunk.length
        whole += 1
      }
    }
    this.#chunks.splice(0, whole)
    this.#bytes -= count
    return taken
  }
}

interface OpenRecord {
  readonly header: RecordHeader
  readonly stream: StreamState
  /** Next byte of the stream (payload) or of the digests. */
  at: number
  left: number
  readonly digests: Buffer | undefined
}

export class InFeed extends Feed {
  override readonly direction = 'in'
  readonly isAsked: boolean
  readonly asks: Asks
  readonly #inbox = new Inbox()
  #record: OpenRecord | undefined
  #hasEnded = false
  #isSocketDone = false
  readonly #opening: Opening | undefined
  /** What came last was not sealed by the peer. */
  #isSpoilt = false
  #isRunning = false
  /** Of what is in the inbox, from its front on, came when nothing limited this transfer. */
  #freeBytes = 0

  /** `first`: see Feed. */
  constructor(
    handle: FeedHandle,
    socket: Socket,
    keys: FeedKeys,
    host: FeedHost,
    isAsked: boolean,
    first?: InFeed,
  ) {
    super(handle, socket, keys, host, first)
    if (keys.seal !== undefined) this.#opening = new Opening(keys.seal)
    this.isAsked = first?.isAsked ?? isAsked
    this.asks = first?.asks ?? new Asks()
  }

  override stats(): FeedStats {
    return {
      feed: this.handle,
      direction: 'in',
      payloadBytes: this.counts.payload,
      queuedBytes: 0,
      unackedBytes: 0,
      rttMs: 0,
      duplicateBytes: this.counts.duplicate,
      records: this.counts.records,
      flows: this.flows,
    }
  }

  protected override onBytes(chunk: Buffer): void {
    if (this.#opening === undefined) return this.#take(chunk)
    if (this.#isSpoilt) return
    if (this.#opening.came(chunk, (opened) => this.#take(opened))) return
    this.#isSpoilt = true
    this.#isSocketDone = true
    this.socket.pause()
    this.#wake()
  }

  #take(chunk: Buffer): void {
    this.#inbox.push(chunk)
    if (!this.host.down.isPaced) this.#freeBytes = this.#inbox.bytes
    if (this.#inbox.bytes >= this.#inboxBytes) this.socket.pause()
    this.#wake()
  }

  protected override onEnd(): void {
    this.#isSocketDone = true
    this.#wake()
  }

  protected override onGone(): void {
    this.#isSocketDone = true
    this.host.lookAgain()
    this.#wake()
  }

  protected override onOver(): void {
    this.host.lookAgain()
  }

  get #inboxBytes(): number {
    const { rate } = this.host.down
    return rate === 0 ? inboxBytes : Math.min(inboxBytes, Math.ceil(rate * inboxSeconds))
  }

  #wake(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run()
  }

  async #run(): Promise<void> {
    while (this.isOpen && (await this.#step())) {
      if (this.#inbox.bytes < this.#inboxBytes && this.socket.isPaused()) this.socket.resume()
    }
    this.#isRunning = false
    if (!this.isOpen || !this.#isSocketDone) return
    if (this.#isSpoilt) this.over('ERR_FR_SPOILT', 0)
    else if (this.#hasEnded && this.brokenErrno === 0) this.done()
    else this.over('ERR_FR_NODE_LOST', this.brokenErrno)
  }

  /** Takes one header, or the payload that is there. False: more bytes are needed first. */
  async #step(): Promise<boolean> {
    if (this.#inbox.bytes === 0) return false
    const record = this.#record
    if (record !== undefined) {
      const count = await this.#mayTake(Math.min(record.left, this.#inbox.bytes))
      if (count === 0 || !this.isOpen) return false
      const bytes = this.#inbox.take(count)
      if (record.digests === undefined) await this.#land(record, bytes, count)
      else this.#collect(record, bytes)
      return true
    }
    if (this.#hasEnded) {
      this.over('ERR_FR_PROTOCOL', 0)
      return false
    }
    if (this.#inbox.bytes < recordHeaderBytes) return false
    this.host.down.pay(recordHeaderBytes - this.#takeFree(recordHeaderBytes))
    const bytes = Buffer.concat(this.#inbox.take(recordHeaderBytes))
    const header = decodeRecordHeader(bytes, this.seed, this.host.hash)
    if (header !== null && !(await this.#room(header))) return false
    if (header !== null && this.#begin(header)) {
      if (header.kind === 'hole') await this.#hole(header)
      return true
    }
    const isSpoilt = header === null && !isIntact(bytes, this.seed, this.host.hash)
    this.over(isSpoilt ? 'ERR_FR_SPOILT' : 'ERR_FR_PROTOCOL', 0)
    return false
  }

  /** How many of these bytes may leave the inbox now; they are paid with that. */
  async #mayTake(there: number): Promise<number> {
    const { down } = this.host
    const free = this.#takeFree(there)
    return free > 0 || !down.isPaced ? free || there : down.take(there)
  }

  /** How many of the next bytes cost nothing. */
  #takeFree(count: number): number {
    const free = Math.min(count, this.#freeBytes)
    this.#freeBytes -= free
    return free
  }

  /** What lies beyond a stream that grows may fit it soon. False: the connection is over. */
  async #room({ kind, stream, offset, length }: RecordHeader): Promise<boolean> {
    const of = kind === 'end' ? undefined : this.host.stream(stream)
    const isWorth = (): boolean => this.isOpen && this.brokenErrno === 0
    return of === undefined || this.host.room(of, offset + length, isWorth)
  }

  /** A stream has ended: the rest of a record that goes beyond is no part of it. */
  ended(stream: StreamState): void {
    for (const flow of this.allFlows) {
      const record = flow instanceof InFeed ? flow.#record : undefined
      const isCut = record?.stream === stream && record.digests === undefined
      if (isCut && record.at + record.left > stream.size) this.over('ERR_FR_PROTOCOL', 0)
    }
  }

  /** False: the record does not fit the transfer. */
  #begin(header: RecordHeader): boolean {
    if (header.kind === 'end') {
      this.#hasEnded = true
      this.counts.records += 1
      return true
    }
    const stream = this.host.stream(header.stream)
    if (stream === undefined || header.offset > stream.size - header.length) return false
    if (header.scratch && !stream.hasScratch) return false
    if (header.length === 0 && !(stream.growing && header.offset === 0)) return false
    this.counts.records += 1
    if (header.kind === 'hole') return true
    const isPayload = header.kind === 'payload'
    this.#record = {
      header,
      stream,
      at: isPayload ? header.offset : 0,
      left: isPayload ? header.length : header.digestBytes,
      digests: isPayload ? undefined : Buffer.alloc(header.digestBytes),
    }
    return true
  }

  async #hole(header: RecordHeader): Promise<void> {
    const stream = this.host.stream(header.stream) as StreamState
    if (stream.passes) await this.#pass(header, [], header.offset, header.length)
    else this.#landHole(stream, header)
  }

  /** Bytes of a record go to whom they are for. Where nobody is, false. */
  async #pass(
    header: RecordHeader,
    body: readonly Buffer[],
    offset: number,
    length: number,
  ): Promise<boolean> {
    const { route } = header
    const isWorth = (): boolean => this.isOpen && this.brokenErrno === 0
    const { up } = this.host
    const paid = up.isPaced ? await up.take(1) : 0
    const to = route === 0 ? [] : await this.host.takers(route, isWorth)
    for (const { feed, next } of to ?? [])
      feed.pass({ ...header, offset, length, route: next }, body)
    const each = recordHeaderBytes + body.reduce((sum, part) => sum + part.length, 0)
    up.pay((to ?? []).length * each - paid)
    return to === undefined || to.length > 0
  }

  /** A partial is sparse and no byte lands twice, so the zeros are there already. */
  #landHole(stream: StreamState, { offset, length, route }: RecordHeader): void {
    if (stream.failed) return
    for (const [low, high] of this.#welcome(stream, false, offset, offset + length)) {
      this.host.raise(stream, low, high, route)
      for (const [begin, end] of stream.claim(false, low, high)) {
        this.host.totals.holeBytes += end - begin
        this.host.landed(stream, false, begin, end)
      }
    }
    this.#boundPieces(stream)
  }

  /** Of these bytes, those that may land; bytes that nobody asked for end the feed. */
  #welcome(stream: StreamState, isScratch: boolean, begin: number, end: number): readonly Span[] {
    if (!this.isAsked) return [[begin, end]]
    const welcome = this.asks.welcome(stream, isScratch, begin, end)
    if (welcome === undefined) this.over('ERR_FR_PROTOCOL', 0)
    return welcome ?? []
  }

  async #land(record: OpenRecord, bytes: Buffer[], count: number): Promise<void> {
    const { stream, header } = record
    const begin = record.at
    record.at += count
    record.left -= count
    if (record.left === 0) this.#record = undefined
    this.counts.payload += count
    this.host.totals.receivedBytes += count
    this.host.countPayload(count)
    if (stream.failed) return
    if (stream.passes) {
      if (await this.#pass(header, bytes, begin, count)) return
      this.counts.duplicate += count
      this.host.totals.duplicateBytes += count
      return
    }
    const { scratch } = header
    const welcome = this.#welcome(stream, scratch, begin, begin + count)
    const fresh = welcome.flatMap(([low, high]) => {
      this.host.raise(stream, low, high, header.route)
      return stream.claim(scratch, low, high)
    })
    const duplicate = fresh.reduce((left, [low, high]) => left - (high - low), count)
    this.counts.duplicate += duplicate
    this.host.totals.duplicateBytes += duplicate
    for (const [low, high] of fresh) {
      // During the last write the stream may have failed, or the transfer been closed.
      if (stream.failed) return
      try {
        await stream.file(scratch).write(cut(bytes, low - begin, high - begin), low)
      } catch (error) {
        const { code, errno = 0 } = asFrError(error)
        this.host.failStream(stream, code, { what: 'write', errno })
        return
      }
      // Another one was asked for this repair during the write; it begins anew.
      if (scratch && this.isAsked && !this.#isOpen(stream, low, high)) continue
      this.host.landed(stream, scratch, low, high)
      // Each ask of a repair is for one.
      if (scratch) this.asks.withdraw(stream, true, low, high)
    }
    this.#boundPieces(stream)
  }

  #isOpen(stream: StreamState, low: number, high: number): boolean {
    const spans = this.asks.welcome(stream, true, low, high) ?? []
    return spans.length === 1 && spans[0]?.[0] === low && spans[0][1] === high
  }

  #boundPieces(stream: StreamState): void {
    if (stream.pieces > limits.landedPieces) this.over('ERR_FR_LIMIT', 0)
  }

  #collect(record: OpenRecord, bytes: Buffer[]): void {
    const { header, stream } = record
    const digests = record.digests as Buffer
    for (const chunk of bytes) {
      record.at += chunk.copy(digests, record.at)
      record.left -= chunk.length
    }
    if (record.left > 0) return
    this.#record = undefined
    if (stream.failed) return
    this.host.emit({
      type: 'digests',
      transfer: this.host.transfer,
      feed: this.handle,
      stream: stream.id,
      offset: header.offset,
      length: header.length,
      route: header.route,
      payload: digests,
    })
  }
}

/** Bytes [begin, end) of the chunks laid end to end. */
function cut(chunks: readonly Buffer[], begin: number, end: number): Buffer[] {
  const parts: Buffer[] = []
  let at = 0
  for (const chunk of chunks) {
    const low = Math.max(begin - at, 0)
    const high = Math.min(end - at, chunk.length)
    if (low < high) parts.push(chunk.subarray(low, high))
    at += chunk.length
  }
  return parts
}
