/**
 * What both directions of a feed share: the socket taken over from the session, the counters, and
 * the one way out. States: open -> over (event sent, or dropped without one); nothing leaves
 * `over`. The socket is destroyed on that edge, and no listener but the feed's own ever sees it
 * after adoption.
 *
 * A feed has one connection, or several (ports.ts): its flows. The first of them stands for the
 * feed; each other one is an object of the same class with a socket and a record of its own, and
 * counts, takes and ends where the first one does.
 */
import type { Socket } from 'node:net'
import type { FrErrorCode } from '../../base/errors.js'
import type { EngineEvent, FeedHandle, FeedStats, TransferHandle } from '../../ports.js'
import { errnoOf } from '../checks.js'
import type { Failed } from '../system-error.js'
import type { Account } from './budget.js'
import type { RecordHeader, SeededHash } from './record.js'
import type { StreamState } from './stream.js'

/** An outgoing feed that is given bytes as they come. */
export interface Taker {
  readonly next: number
  readonly feed: { pass(header: RecordHeader, body: readonly Buffer[]): void }
}

/** What a feed needs of the transfer it belongs to. */
export interface FeedHost {
  readonly transfer: TransferHandle
  readonly hash: SeededHash
  /** What this transfer may send and receive. */
  readonly up: Account
  readonly down: Account
  stream(id: number): StreamState | undefined
  /** Bytes are in the file: report completed blocks, send what waited for them. */
  landed(stream: StreamState, isScratch: boolean, begin: number, end: number): void
  /** Bytes without a route get this one; those in the file are passed on. */
  raise(stream: StreamState, begin: number, end: number, route: number): void
  /**
   * Who is to get what comes with this route of a stream without a file, and under which numbers,
   * once each of them can take it. Undefined: `isWorth` no more.
   */
  takers(route: number, isWorth: () => boolean): Promise<readonly Taker[] | undefined>
  /** Waits until a stream may have bytes up to here, a while at most; false: `isWorth` no more. */
  room(stream: StreamState, end: number, isWorth: () => boolean): Promise<boolean>
  /** Something has changed for what waits for `takers` or `room`. */
  lookAgain(): void
  failStream(stream: StreamState, code: FrErrorCode, failed: Failed): void
  /** Counters of the transfer that outlive its feeds. */
  readonly totals: {
    holeBytes: number
    receivedBytes: number
    duplicateBytes: number
    sentBytes: number
  }
  /** Payload bytes that were in JavaScript memory. */
  countPayload(bytes: number): void
  emit(event: EngineEvent): void
}

/** What both ends of a connection know of it. */
export interface FeedKeys {
  readonly seed: bigint
  /** See FeedSpec. */
  readonly seal?: Uint8Array | undefined
}

interface FeedCounts {
  payload: number
  records: number
  duplicate: number
  /** Taken off the lists, and not accepted by a socket yet. */
  inFlight: number
}

export abstract class Feed {
  abstract readonly direction: 'in' | 'out'
  readonly handle: FeedHandle
  protected readonly host: FeedHost
  protected readonly socket: Socket
  protected readonly seed: bigint
  /** Of all flows. */
  protected readonly counts: FeedCounts
  /** Undefined: this is the first flow. */
  readonly #first: Feed | undefined
  /** Of the first one: the others, ended or not. */
  readonly #beside: Feed[] = []
  /** The peer has ended this flow as it should. */
  #isDone = false
  /** What the system said when the connection broke. */
  protected brokenErrno = 0
  #isOpen = true

  /** `first`: of the feed that this is one more flow of. */
  constructor(handle: FeedHandle, socket: Socket, keys: FeedKeys, host: FeedHost, first?: Feed) {
    this.handle = handle
    this.socket = socket
    this.seed = keys.seed
    this.host = host
    this.#first = first
    this.counts = first?.counts ?? { payload: 0, records: 0, duplicate: 0, inFlight: 0 }
    if (first !== undefined) first.#beside.push(this)
  }

  /** Connections that it has had. */
  get flows(): number {
    return 1 + this.#beside.length
  }

  protected get allFlows(): readonly Feed[] {
    return [this, ...this.#beside]
  }

  get openFlows(): number {
    return this.allFlows.filter(({ isOpen }) => isOpen).length
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  abstract stats(): FeedStats
  protected abstract onBytes(chunk: Buffer): void
  /** The peer has half-closed. */
  protected abstract onEnd(): void
  /** The socket is gone, by an error or after both sides ended. */
  protected abstract onGone(): void
  /** Lets go of whatever waits; called once, on the edge to `over`. */
  protected onOver(): void {}

  /** Takes the socket over. To be called once the subclass is constructed. */
  start(): void {
    const { socket } = this
    if (this.#first?.isOpen === false) return this.drop()
    socket.removeAllListeners()
    socket.setTimeout(0)
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      this.brokenErrno = errnoOf(error)
    })
    socket.on('close', () => this.#isOpen && this.onGone())
    socket.on('data', (chunk: Buffer) => this.#isOpen && this.onBytes(chunk))
    socket.on('end', () => this.#isOpen && this.onEnd())
    // A connection that broke before it came here: its events are over, so nothing would report it.
    if (socket.destroyed || socket.readableEnded) this.over('ERR_FR_NODE_LOST', 0)
    else socket.resume()
  }

  /** The peer has ended this flow as it should: the feed is over with the last of them. */
  protected done(): void {
    this.#isDone = true
    const first = this.#first ?? this
    if ([first, ...first.#beside].every((flow) => flow.#isDone)) first.over(null, 0)
  }

  /** Ends the feed, with all its flows, with its last event. */
  protected over(code: FrErrorCode | null, errno: number): void {
    if (!this.#isOpen) return
    if (this.#first !== undefined) return this.#first.over(code, errno)
    this.drop()
    const { host, handle } = this
    host.emit({ type: 'feedClosed', transfer: host.transfer, feed: handle, code, errno })
  }

  /** Ends the feed without a word. Idempotent. */
  drop(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.socket.destroy()
    this.onOver()
    for (const flow of this.#beside) flow.drop()
  }

  /** Resolves when the descriptor of the socket is closed. */
  gone(): Promise<void> {
    if (this.socket.closed) return Promise.resolve()
    return new Promise((resolve) => this.socket.once('close', () => resolve()))
  }
}
