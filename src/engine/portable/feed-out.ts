/**
 * The sending end of a feed: file -> record -> socket, one record of at most 256 KiB at a time.
 *
 * Digests go first (they are small and verification waits for them), the caller's before those that
 * routes bring; then listed ranges in their order and bytes of routes, which take turns. Listed
 * bytes that have not landed yet wait in a set per stream and join the queue as they land. A record
 * is read from the file before its header is written, so a failing source never cuts a record. Two
 * record buffers: one is read into while the socket takes the other, which is all the memory a
 * feed holds. Each feed has one read in the thread pool at a time, and the pool is first come,
 * first served: feeds go round robin record by record.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type Span, SpanSet } from '../../base/spans.js'
import type { DigestSpec, FeedStats, SendSpec } from '../../ports.js'
import { asFrError } from '../checks.js'
import { type DigestLog, DigestQueue } from './digests.js'
import { Feed } from './feed.js'
import { encodeRecordHeader, type RecordHeader, recordHeaderBytes } from './record.js'
import type { StreamState } from './stream.js'
import { runsOf } from './zeros.js'

const recordBytes = 256 * 1024
const buffersPerFeed = 2

interface Flags {
  readonly route: number
  readonly scratch: boolean
}

interface Piece extends Flags {
  readonly stream: StreamState
  begin: number
  end: number
}

/** Listed bytes of one stream, with one set of flags, that have not landed yet. */
interface Awaited extends Flags {
  readonly stream: StreamState
  readonly bytes: SpanSet
}

/** Bytes of one stream that routes brought, to be sent under one number. */
interface RouteQueue {
  readonly stream: StreamState
  readonly next: number
  readonly bytes: SpanSet
  /** Where the last record ended: sending goes on from there as long as it can. */
  at: number
}

/** What a route brought before this feed left its table. */
interface Had {
  readonly stream: StreamState
  readonly route: number
  readonly bytes: SpanSet
}

export class OutFeed extends Feed {
  override readonly direction = 'out'
  #isFinishing = false
  #endSent = false
  readonly #digests = new DigestQueue()
  readonly #listed: Piece[] = []
  #listedBytes = 0
  readonly #awaited: Awaited[] = []
  readonly #routed: RouteQueue[] = []
  readonly #had: Had[] = []
  #isRoutedNext = false
  #inFlightBytes = 0
  /** Bytes that are stored nowhere and not handed to the system yet; undefined: none. */
  #passingBytes: number | undefined
  #isRunning = false
  /** What a limit lets the next record have is paid already. */
  #isCharged = false
  #freeBuffers: Buffer[] = []
  #buffers = 0
  #whenBufferFree: (() => void) | undefined

  get isFinishing(): boolean {
    return this.#isFinishing
  }

  override stats(): FeedStats {
    let queuedBytes = this.#listedBytes + this.#inFlightBytes + (this.#passingBytes ?? 0)
    for (const { bytes } of this.#awaited) queuedBytes += bytes.bytes
    for (const { bytes } of this.#routed) queuedBytes += bytes.bytes
    return {
      feed: this.handle,
      direction: 'out',
      payloadBytes: this.payloadBytes,
      queuedBytes,
      unackedBytes: 0,
      rttMs: 0,
      duplicateBytes: 0,
      records: this.records,
    }
  }

  send(stream: StreamState, spec: SendSpec): void {
    if (!this.isOpen || stream.failed) return
    const flags = { route: spec.route ?? 0, scratch: spec.scratch ?? false }
    const { ready, missing } = stream.split(spec.offset, spec.offset + spec.length)
    let pieces = this.#listed.length + ready.length + missing.length
    for (const { bytes } of this.#awaited) pieces += bytes.pieces
    if (pieces > limits.listedRanges) throw new FrError('ERR_FR_INBOX_FULL')
    for (const [begin, end] of ready) this.#list(stream, flags, begin, end)
    for (const [begin, end] of missing) this.#awaitedOf(stream, flags).bytes.add(begin, end)
    this.wake()
  }

  sendDigests(spec: DigestSpec): void {
    if (!this.isOpen) return
    this.#digests.add(spec)
    this.wake()
  }

  finish(): void {
    this.#isFinishing = true
    this.#digests.finish()
    this.wake()
  }

  /** Bytes landed in the main file of a stream: awaited ones can be sent. */
  landed(stream: StreamState, begin: number, end: number): void {
    if (!this.isOpen) return
    for (const awaited of this.#awaited) {
      if (awaited.stream !== stream) continue
      for (const [low, high] of awaited.bytes.present(begin, end)) {
        awaited.bytes.remove(low, high)
        this.#list(stream, awaited, low, high)
      }
    }
    this.wake()
  }

  /** Queues bytes that a route brings, unless the feed is finishing. */
  route(stream: StreamState, begin: number, end: number, next: number): void {
    if (!this.isOpen || this.#isFinishing || stream.failed) return
    let queue = this.#routed.find((one) => one.stream === stream && one.next === next)
    if (queue === undefined) {
      queue = { stream, next, bytes: new SpanSet(), at: 0 }
      this.#routed.push(queue)
    }
    queue.bytes.add(begin, end)
    this.wake()
  }

  /** This feed enters the table of the route: it gets the history that it has not had. */
  enter(stream: StreamState, route: number, next: number, history: readonly Span[]): void {
    const index = this.#had.findIndex((one) => one.stream === stream && one.route === route)
    const had = index < 0 ? undefined : this.#had.splice(index, 1)[0]?.bytes
    for (const span of history) {
      for (const part of had?.missing(...span) ?? [span]) this.route(stream, ...part, next)
    }
  }

  /** This feed leaves the table of the route. */
  leave(stream: StreamState, route: number, history: readonly Span[]): void {
    const bytes = new SpanSet()
    for (const span of history) bytes.add(...span)
    this.#had.push({ stream, route, bytes })
  }

  /** Digest records of the route are sent under this number, all that this feed has not had. */
  follow(route: number, next: number, log: DigestLog): void {
    if (this.#isFinishing) return
    this.#digests.follow(route, next, log)
    this.wake()
  }

  unfollow(route: number): void {
    this.#digests.leave(route)
  }

  /** The stream failed: nothing more of it can be sent. */
  forget(stream: StreamState): void {
    keep(this.#routed, (queue) => queue.stream !== stream)
    keep(this.#awaited, (awaited) => awaited.stream !== stream)
    keep(this.#listed, (piece) => piece.stream !== stream)
    this.#listedBytes = this.#listed.reduce((sum, piece) => sum + piece.end - piece.begin, 0)
    this.wake()
  }

  /** What came has been handed to the system. */
  get isReady(): boolean {
    return this.#passingBytes === undefined
  }

  /** Sends bytes that are stored nowhere; `isReady` before. */
  pass(header: RecordHeader, body: readonly Buffer[]): void {
    if (!this.isOpen || this.#endSent) return
    const bytes = body.reduce((sum, part) => sum + part.length, 0)
    this.#passingBytes = bytes
    const front = Buffer.allocUnsafe(recordHeaderBytes)
    this.#write(front, header, body, () => {
      this.payloadBytes += bytes
      this.host.totals.sentBytes += bytes
      this.#passingBytes = undefined
      this.host.lookAgain()
    })
  }

  protected override onBytes(): void {
    this.over('ERR_FR_PROTOCOL', 0)
  }

  protected override onEnd(): void {
    // After our `end` the socket closes by itself once both directions are done.
    if (!this.#endSent) this.over('ERR_FR_NODE_LOST', 0)
  }

  protected override onGone(): void {
    const { socket, brokenErrno } = this
    const isClean =
      this.#endSent && brokenErrno === 0 && socket.writableFinished && socket.readableEnded
    this.over(isClean ? null : 'ERR_FR_NODE_LOST', brokenErrno)
  }

  protected override onOver(): void {
    this.#whenBufferFree?.()
    this.#freeBuffers = []
    this.host.lookAgain()
  }

  #list(stream: StreamState, flags: Flags, begin: number, end: number): void {
    this.#listedBytes += end - begin
    const last = this.#listed.at(-1)
    const isContinued =
      last !== undefined &&
      last.stream === stream &&
      last.end === begin &&
      last.route === flags.route &&
      last.scratch === flags.scratch
    if (isContinued) last.end = end
    else this.#listed.push({ stream, route: flags.route, scratch: flags.scratch, begin, end })
  }

  #awaitedOf(stream: StreamState, { route, scratch }: Flags): Awaited {
    let awaited = this.#awaited.find(
      (one) => one.stream === stream && one.route === route && one.scratch === scratch,
    )
    if (awaited === undefined) {
      awaited = { stream, route, scratch, bytes: new SpanSet() }
      this.#awaited.push(awaited)
    }
    return awaited
  }

  /** There may be something to send. */
  wake(): void {
    if (this.#isRunning || !this.isOpen || this.#endSent) return
    this.#isRunning = true
    void this.#run()
  }

  async #run(): Promise<void> {
    while (this.isOpen) {
      const buffer = await this.#buffer()
      if (buffer === undefined) break
      const most = await this.#mayMove()
      const digests = this.#digests.take()
      const piece = digests === undefined ? this.#nextPiece(most - recordHeaderBytes) : undefined
      const bytes = digests?.payload.length ?? (piece && piece.end - piece.begin)
      this.#settle(most, bytes)
      if (digests !== undefined) this.#writeDigests(buffer, digests)
      else if (piece !== undefined) await this.#writePiece(buffer, piece)
      else {
        this.#freeBuffers.push(buffer)
        if (this.#isFinishing && this.#awaited.every(({ bytes }) => bytes.pieces === 0)) this.#end()
        break
      }
    }
    this.#isRunning = false
  }

  /** Bytes that the next record may have, with its header; waits where a limit says so. */
  async #mayMove(): Promise<number> {
    const { up } = this.host
    if (!up.isPaced || !this.#hasWork) return recordHeaderBytes + recordBytes
    this.#isCharged = true
    return Math.max(recordHeaderBytes + 1, await up.take(recordHeaderBytes + recordBytes))
  }

  /** Pays for what goes beyond what was taken, and gives back what does not go. */
  #settle(taken: number, bytes: number | undefined): void {
    const moved = bytes === undefined ? 0 : recordHeaderBytes + bytes
    this.host.up.pay(this.#isCharged ? moved - taken : moved)
    this.#isCharged = false
  }

  get #hasWork(): boolean {
    const isRouted = this.#routed.some(({ bytes }) => bytes.pieces > 0)
    return this.#listed.length > 0 || isRouted || this.#digests.isDue
  }

  /** A buffer of one record; waits while the socket holds them all. Undefined: the feed is over. */
  async #buffer(): Promise<Buffer | undefined> {
    while (this.isOpen && this.#freeBuffers.length === 0 && this.#buffers === buffersPerFeed) {
      await new Promise<void>((resolve) => {
        this.#whenBufferFree = resolve
      })
    }
    if (!this.isOpen) return undefined
    const free = this.#freeBuffers.pop()
    if (free !== undefined) return free
    this.#buffers += 1
    return Buffer.allocUnsafeSlow(recordHeaderBytes + recordBytes)
  }

  /** Takes the next bytes to send off the queues, at most `most` of them. */
  #nextPiece(most: number): Piece | undefined {
    const isRoutedTurn = this.#isRoutedNext
    this.#isRoutedNext = !isRoutedTurn
    return isRoutedTurn
      ? (this.#nextRouted(most) ?? this.#nextListed(most))
      : (this.#nextListed(most) ?? this.#nextRouted(most))
  }

  #nextListed(most: number): Piece | undefined {
    const first = this.#listed[0]
    if (first === undefined) return undefined
    const begin = first.begin
    const end = Math.min(first.end, begin + most)
    first.begin = end
    if (end === first.end) this.#listed.shift()
    this.#listedBytes -= end - begin
    return { ...first, begin, end }
  }

  #nextRouted(most: number): Piece | undefined {
    for (const queue of this.#routed) {
      const span = queue.bytes.next(queue.at) ?? queue.bytes.next(0)
      if (span === undefined) continue
      const begin = span[0]
      const end = Math.min(span[1], begin + most)
      queue.bytes.remove(begin, end)
      queue.at = end
      return { stream: queue.stream, route: queue.next, scratch: false, begin, end }
    }
    return undefined
  }

  async #writePiece(buffer: Buffer, piece: Piece): Promise<void> {
    const { stream, begin, end, route, scratch } = piece
    const length = end - begin
    const payload = buffer.subarray(recordHeaderBytes, recordHeaderBytes + length)
    this.#inFlightBytes += length
    const isRead = await this.#read(stream, payload, begin)
    if (!isRead) {
      this.#inFlightBytes -= length
      this.#freeBuffers.push(buffer)
      return
    }
    const settled = () => {
      this.#inFlightBytes -= length
      this.#freeBuffers.push(buffer)
      this.#whenBufferFree?.()
    }
    const runs = stream.sparse && !scratch ? runsOf(payload) : [[0, length, false] as const]
    for (const [i, [from, to, isHole]] of runs.entries()) {
      const kind = isHole ? 'hole' : 'payload'
      const place = { stream: stream.id, offset: begin + from, length: to - from, digestBytes: 0 }
      const header: RecordHeader = { kind, route, scratch, ...place }
      // Only the first has its place for a header right before it.
      const front = i === 0 ? buffer : Buffer.allocUnsafe(recordHeaderBytes)
      const body = isHole ? [] : [payload.subarray(from, to)]
      this.#write(front, header, body, () => {
        if (!isHole) {
          this.payloadBytes += to - from
          this.host.totals.sentBytes += to - from
        }
        if (i === runs.length - 1) settled()
      })
    }
  }

  /** False: nothing to send, the stream has failed. */
  async #read(stream: StreamState, into: Buffer, offset: number): Promise<boolean> {
    if (stream.failed) return false
    try {
      if ((await stream.source.read(into, offset)) === into.length) return !stream.failed
      // Fewer bytes than the stream has: somebody made the file shorter.
      this.host.failStream(stream, 'ERR_FR_SOURCE_CHANGED', { errno: 0 })
    } catch (error) {
      const { code, errno = 0 } = asFrError(error)
      this.host.failStream(stream, code, { what: 'read', errno })
    }
    return false
  }

  #writeDigests(buffer: Buffer, spec: DigestSpec): void {
    buffer.set(spec.payload, recordHeaderBytes)
    const header: RecordHeader = {
      kind: 'digests',
      route: spec.route ?? 0,
      scratch: false,
      stream: spec.stream,
      offset: spec.offset,
      length: spec.length,
      digestBytes: spec.payload.length,
    }
    const body = buffer.subarray(recordHeaderBytes, recordHeaderBytes + spec.payload.length)
    this.#write(buffer, header, [body], () => {
      this.#freeBuffers.push(buffer)
      this.#whenBufferFree?.()
    })
  }

  /** `front` begins with the room of the header; a body that follows it there is one write. */
  #write(front: Buffer, header: RecordHeader, body: readonly Buffer[], accepted: () => void): void {
    if (!this.isOpen) return
    encodeRecordHeader(front, header, this.seed, this.host.hash)
    const bytes = body.reduce((sum, part) => sum + part.length, 0)
    if (header.kind === 'payload') this.host.countPayload(bytes)
    const done = (error?: Error | null): void => {
      if (error !== undefined && error !== null) return
      this.records += 1
      accepted()
    }
    const [part] = body
    const isBehind =
      part?.buffer === front.buffer && part.byteOffset === front.byteOffset + recordHeaderBytes
    const parts = isBehind
      ? [front.subarray(0, recordHeaderBytes + bytes)]
      : [front.subarray(0, recordHeaderBytes), ...body]
    const last = parts.pop() as Buffer
    this.socket.cork()
    for (const one of parts) this.socket.write(one)
    this.socket.write(last, done)
    this.socket.uncork()
  }

  #end(): void {
    const header = Buffer.alloc(recordHeaderBytes)
    const kind = 'end'
    const fields = { route: 0, scratch: false, stream: 0, offset: 0, length: 0, digestBytes: 0 }
    encodeRecordHeader(header, { kind, ...fields }, this.seed, this.host.hash)
    this.#endSent = true
    this.socket.end(header)
  }
}

function keep<T>(list: T[], isKept: (item: T) => boolean): void {
  const kept = list.filter(isKept)
  list.length = 0
  for (const item of kept) list.push(item)
}
