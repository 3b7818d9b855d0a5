/**
 * The sending end of a feed: file -> record -> socket, one record of at most 256 KiB at a time.
 *
 * Digests go first (they are small and verification waits for them), the caller's before those that
 * routes bring; then listed ranges in their order and bytes of routes, which take turns. Listed
 * bytes that have not landed yet wait in a set per stream and join the queue as they land. A record
 * is read from the file before its header is written, so a failing source never cuts a record. Two
 * record buffers: one is read into while the socket takes the other, which is all the memory a
 * flow holds. Each flow has one read in the thread pool at a time, and the pool is first come,
 * first served: feeds go round robin record by record.
 */
import type { Socket } from 'node:net'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type Span, SpanSet } from '../../base/spans.js'
import type { DigestSpec, FeedHandle, FeedStats, SendSpec } from '../../ports.js'
import { asFrError } from '../checks.js'
import { type Account, Toll } from './budget.js'
import { type DigestLog, DigestQueue } from './digests.js'
import { Feed, type FeedHost, type FeedKeys } from './feed.js'
import { type Awaited, type Flags, type Had, keep, type Piece, Pieces } from './pieces.js'
import { encodeRecordHeader, type RecordHeader, recordHeaderBytes } from './record.js'
import { Sealing } from './seal.js'
import type { StreamState } from './stream.js'
import { runsOf, zerosAhead } from './zeros.js'

const recordBytes = 256 * 1024
const buffersPerFlow = 2

export class OutFeed extends Feed {
  override readonly direction = 'out'
  /** Whose lists these are. */
  readonly #lists: OutFeed
  readonly #flows: OutFeed[] = [this]
  #isFinishing = false
  #endSent = false
  readonly #digests = new DigestQueue()
  readonly #pieces = new Pieces()
  readonly #awaited: Awaited[] = []
  readonly #had: Had[] = []
  /** What its receiver has: no history brings it. */
  readonly #skipped = new Map<StreamState, SpanSet>()
  /** Bytes that are stored nowhere and not handed to the system yet; undefined: none. */
  #passingBytes: number | undefined
  #isRunning = false
  /** What it may send together with other feeds; undefined: nothing more limits it. */
  #link: Account | undefined
  readonly #toll = new Toll()
  #freeBuffers: Buffer[] = []
  #buffers = 0
  #whenBufferFree: (() => void) | undefined
  readonly #sealing: Sealing | undefined

  /** `first`: see Feed. */
  constructor(handle: FeedHandle, socket: Socket, keys: FeedKeys, host: FeedHost, first?: OutFeed) {
    super(handle, socket, keys, host, first)
    if (keys.seal !== undefined) this.#sealing = new Sealing(keys.seal)
    this.#lists = first ?? this
    if (first !== undefined) first.#flows.push(this)
  }

  get isFinishing(): boolean {
    return this.#isFinishing
  }

  override stats(): FeedStats {
    let queuedBytes = this.#pieces.bytes + this.counts.inFlight + (this.#passingBytes ?? 0)
    for (const { bytes } of this.#awaited) queuedBytes += bytes.bytes
    return {
      feed: this.handle,
      direction: 'out',
      payloadBytes: this.counts.payload,
      queuedBytes,
      unackedBytes: 0,
      rttMs: 0,
      duplicateBytes: 0,
      records: this.counts.records,
      flows: this.flows,
    }
  }

  send(stream: StreamState, spec: SendSpec): void {
    if (!this.isOpen || stream.failed) return
    const flags = { route: spec.route ?? 0, scratch: spec.scratch ?? false }
    const { ready, missing } = stream.split(spec.offset, spec.offset + spec.length)
    let pieces = this.#pieces.listed + ready.length + missing.length
    for (const { bytes } of this.#awaited) pieces += bytes.pieces
    if (pieces > limits.listedRanges) throw new FrError('ERR_FR_INBOX_FULL')
    for (const [begin, end] of ready) this.#pieces.list(stream, flags, begin, end)
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
        this.#pieces.list(stream, awaited, low, high)
      }
    }
    this.wake()
  }

  /** Queues bytes that a route brings, unless the feed is finishing. */
  route(stream: StreamState, begin: number, end: number, next: number): void {
    if (!this.isOpen || this.#isFinishing || stream.failed) return
    this.#pieces.route(stream, begin, end, next)
    this.wake()
  }

  /** The receiver has these bytes already. */
  skip(stream: StreamState, begin: number, end: number): void {
    const bytes = this.#skipped.get(stream) ?? new SpanSet()
    this.#skipped.set(stream, bytes)
    if (Math.max(begin, stream.line) < end) bytes.add(Math.max(begin, stream.line), end)
  }

  /** This feed enters the table of the route: it gets the history that it has not had. */
  enter(stream: StreamState, route: number, next: number, whole: readonly Span[]): void {
    const skipped = this.#skipped.get(stream)
    const history = skipped ? whole.flatMap((span) => skipped.missing(...span)) : whole
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

  /** Nothing is known any more of bytes before this. */
  forgetBefore(stream: StreamState, before: number): void {
    this.#skipped.get(stream)?.remove(0, before)
    for (const had of this.#had) if (had.stream === stream) had.bytes.remove(0, before)
  }

  /** The stream failed: nothing more of it can be sent. */
  forget(stream: StreamState): void {
    this.#pieces.forget(stream)
    keep(this.#awaited, (awaited) => awaited.stream !== stream)
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
    this.#link?.pay(recordHeaderBytes + bytes)
    const front = Buffer.allocUnsafe(recordHeaderBytes)
    this.#write(front, header, body, () => {
      this.counts.payload += bytes
      this.host.totals.sentBytes += bytes
      void this.#passed()
    })
  }

  /** What passes is paid for before more is taken. */
  async #passed(): Promise<void> {
    if (this.#link !== undefined) this.#link.pay(-(await this.#link.take(1)))
    this.#passingBytes = undefined
    this.host.lookAgain()
  }

  get link(): Account | undefined {
    return this.#link
  }

  limit(link: Account | undefined): void {
    this.#link = link
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
    if (isClean) this.done()
    else this.over('ERR_FR_NODE_LOST', brokenErrno)
  }

  protected override onOver(): void {
    this.#whenBufferFree?.()
    this.#freeBuffers = []
    this.host.lookAgain()
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
    for (const flow of this.#flows) flow.#wake()
  }

  override start(): void {
    super.start()
    // Something may wait on the others.
    if (this.#lists !== this) this.#wake()
  }

  #wake(): void {
    if (this.#isRunning || !this.isOpen || this.#endSent) return
    this.#isRunning = true
    void this.#run()
  }

  async #run(): Promise<void> {
    while (this.isOpen) {
      const buffer = await this.#buffer()
      if (buffer === undefined) break
      const most = await this.#mayMove()
      const lists = this.#lists
      const digests = most > 0 ? lists.#digests.take() : undefined
      const hasRoom = most > 0 && digests === undefined
      const piece = hasRoom ? lists.#pieces.next(most - recordHeaderBytes) : undefined
      if (digests !== undefined) this.#writeDigests(buffer, digests)
      else if (piece !== undefined) await this.#writePiece(buffer, piece)
      else {
        this.#toll.settle(0)
        this.#freeBuffers.push(buffer)
        // It came meanwhile, and has to be asked for.
        if (this.#hasWork) continue
        if (lists.#isAllSent) this.#end()
        break
      }
    }
    this.#isRunning = false
  }

  /**
   * Bytes that the next record may have, with its header; waits where a limit says so. 0: there was
   * nothing to ask for.
   */
  async #mayMove(): Promise<number> {
    const { link } = this.#lists
    const accounts = link === undefined ? [this.host.up] : [link, this.host.up]
    const want = recordHeaderBytes + recordBytes
    if (!accounts.some(({ isPaced }) => isPaced)) return want
    if (!this.#hasWork) return 0
    return Math.max(recordHeaderBytes + 1, await this.#toll.take(accounts, want))
  }

  get #hasWork(): boolean {
    return this.#lists.#pieces.isDue || this.#lists.#digests.isDue
  }

  /** Its lists are empty, and stay so. */
  get #isAllSent(): boolean {
    return this.#isFinishing && this.#awaited.every(({ bytes }) => bytes.pieces === 0)
  }

  /** A buffer of one record; waits while the socket holds them all. Undefined: the feed is over. */
  async #buffer(): Promise<Buffer | undefined> {
    while (this.isOpen && this.#freeBuffers.length === 0 && this.#buffers === buffersPerFlow) {
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

  async #writePiece(buffer: Buffer, piece: Piece): Promise<void> {
    const { stream, begin, end, route, scratch } = piece
    const length = end - begin
    const payload = buffer.subarray(recordHeaderBytes, recordHeaderBytes + length)
    this.counts.inFlight += length
    const isRead = await this.#read(stream, payload, begin)
    if (!isRead) {
      this.#toll.settle(0)
      this.counts.inFlight -= length
      this.#freeBuffers.push(buffer)
      return
    }
    const settled = () => {
      this.counts.inFlight -= length
      this.#freeBuffers.push(buffer)
      this.#whenBufferFree?.()
    }
    const runs = stream.sparse && !scratch ? runsOf(payload) : [[0, length, false] as const]
    const isAllHole = runs.length === 1 && runs[0]?.[2] === true
    const more = isAllHole ? await this.#holeBehind(buffer, piece) : 0
    const data = runs.reduce((sum, [from, to, isHole]) => sum + (isHole ? 0 : to - from), 0)
    this.#toll.settle(runs.length * recordHeaderBytes + data)
    for (const [i, [from, to, isHole]] of runs.entries()) {
      const kind = isHole ? 'hole' : 'payload'
      const place = {
        stream: stream.id,
        offset: begin + from,
        length: to - from + more,
        digestBytes: 0,
      }
      const header: RecordHeader = { kind, route, scratch, ...place }
      // Only the first has its place for a header right before it.
      const front = i === 0 ? buffer : Buffer.allocUnsafe(recordHeaderBytes)
      const body = isHole ? [] : [payload.subarray(from, to)]
      this.#write(front, header, body, () => {
        if (!isHole) {
          this.counts.payload += to - from
          this.host.totals.sentBytes += to - from
        }
        if (i === runs.length - 1) settled()
      })
    }
  }

  /**
   * A hole is as long as it is, however little a limit lets a record have: takes what follows it in
   * the queue off that, too, and returns how much.
   */
  async #holeBehind(buffer: Buffer, piece: Piece): Promise<number> {
    const pieces = this.#lists.#pieces
    const length = Math.min(pieces.behind(piece), recordBytes)
    const ahead = buffer.subarray(recordHeaderBytes, recordHeaderBytes + length)
    if (length === 0 || !(await this.#read(piece.stream, ahead, piece.end))) return 0
    return pieces.takeBehind(piece, zerosAhead(ahead))
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
    this.#toll.settle(recordHeaderBytes + spec.payload.length)
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
      this.counts.records += 1
      accepted()
    }
    const [part] = body
    const isBehind =
      part?.buffer === front.buffer && part.byteOffset === front.byteOffset + recordHeaderBytes
    const parts = isBehind
      ? [front.subarray(0, recordHeaderBytes + bytes)]
      : [front.subarray(0, recordHeaderBytes), ...body]
    this.#put(parts, done)
  }

  #put(parts: Buffer[], done?: (error?: Error | null) => void): void {
    const all = this.#sealing?.seal(parts) ?? parts
    const last = all.pop() as Buffer
    this.socket.cork()
    for (const one of all) this.socket.write(one)
    this.socket.write(last, done)
    this.socket.uncork()
  }

  #end(): void {
    const header = Buffer.alloc(recordHeaderBytes)
    const kind = 'end'
    const fields = { route: 0, scratch: false, stream: 0, offset: 0, length: 0, digestBytes: 0 }
    encodeRecordHeader(header, { kind, ...fields }, this.seed, this.host.hash)
    this.#endSent = true
    this.#put([header])
    this.socket.end()
  }
}
