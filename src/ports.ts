/**
 * The interfaces between the sessions and what they are handed: the engine that moves bytes, the
 * storage that holds them, the pool that hashes them. Two engines implement them
 * (engine/native/engine.ts, engine/portable/engine.ts) and one conformance suite runs against both.
 *
 * Ownership: a handle is a small positive integer that is never reused within one engine. Calls
 * that return nothing are fire and forget: they never block, throw TypeError on misuse (unknown or
 * closed handle, value out of range) and report every operational outcome as an event.
 * All offsets and lengths are bytes, safe integers; ranges are half-open.
 *
 * What both engines hold to beyond the signatures (test/engine/conformance.test.ts):
 * - They are made by `await createNativeEngine(listener)` and
 *   `await createPortableEngine(listener)`. The listener is never called from inside a call into
 *   the engine.
 * - A feed that broke stays a valid handle until the listener has returned from the batch that
 *   holds its `feedClosed`; until then calls on it do nothing. After that, and after `close`, they
 *   throw.
 * - `send` throws FrError ERR_FR_INBOX_FULL when limits.listedRanges ranges of its caller wait on a
 *   feed, `sendDigests` when limits.digestQueueBytes of payload do. What routes list counts for
 *   neither, however many pieces a history has.
 * - out feed: `feedClosed` with code null comes when the peer has closed its side after our `end`
 *   record. EOF before that is ERR_FR_NODE_LOST; a byte from the receiver is ERR_FR_PROTOCOL.
 * - in feed: EOF before an `end` record is ERR_FR_NODE_LOST; a byte after it is ERR_FR_PROTOCOL.
 * - A byte gets the first route that it came with or was assigned, and keeps it. It is passed on
 *   when it has *landed* and has a route, to each feed of that route's table once: those that
 *   enter the table later start with what has landed so far. A route without a table waits for
 *   one. After `finish` a feed is passed on nothing more; listed ranges still wait to land.
 * - Digest records that are passed on go ahead of payload, to each feed of the table once, also to
 *   those that enter it later. Their bytes are kept once for all feeds; one that takes nothing
 *   costs no memory.
 * - In scratch a byte lands once until its block is whole; the block is then reported and open
 *   again, so that the next repair of it can land and is reported again.
 * - `route` and `scratch` exclude each other, on the wire too; a hole or digest record is never
 *   `scratch`. Holes count as landed bytes, not as payload. `end` has nothing but its kind.
 * - A header whose check is wrong is ERR_FR_SPOILT.
 * - A scratch record for a stream without scratch file is ERR_FR_PROTOCOL.
 * - A stream without a file stores nothing: what comes with a route goes to the feeds that stand
 *   in the table then, as it arrives, in records of other lengths; it counts as received and
 *   sent, never as landed. They go in lock-step: more is taken off a connection once each of them
 *   has handed on what it had, so the slowest holds back the others and the sender. Before the
 *   table of its route is set a record waits, with all behind it; without targets it is dropped
 *   as duplicate, and so is what has no route. A feed that breaks, on either side, breaks no
 *   other. Digest records are handled as for any stream.
 * - After `fileFailed` records of that stream are drained uncounted, what is listed of it is
 *   dropped, and the feeds go on where they can (a feed cut in mid-record closes with the same
 *   code).
 * - `adopt` of a connection that is already gone is a feed that closes with ERR_FR_NODE_LOST.
 * - A feed may have several connections (`beside`), limits.flowsPerFeed at most (ERR_FR_LIMIT):
 *   `adopt` returns its handle again, and throws ERR_FR_NODE_LOST for a connection that is gone
 *   already. What is listed goes on whichever has room, record by record, in no order between them;
 *   what arrives on any of them is the feed's. Limits and counters are of all of them, and so is
 *   the end: one that breaks, or breaks a rule, closes the feed; a clean end is that of the last.
 *   What a stream without a file passes on takes the first connection only.
 * - From `shutdown` on calls throw (storage: reject with) FrError ERR_FR_CLOSED, but closing calls
 *   do nothing, `tuneControl` stays a hint and `counters` still answers.
 */
import type { BlockAlgorithm } from './base/digests.js'
import type { FrErrorCode } from './base/errors.js'
import type { RateLimits, TransferShare } from './base/rate-limits.js'
import type { GrowingEngine } from './ports/growing.js'
import type { FeedHandle, TransferHandle } from './ports/handles.js'
import type { HashSource } from './ports/hashing.js'
import type { ServingEngine } from './ports/serving.js'
import type { ByteRange, DataDirHandle, FileHandle, Storage } from './ports/storage.js'

export type * from './ports/entries.js'
export type * from './ports/growing.js'
export type * from './ports/handles.js'
export type * from './ports/hashing.js'
export type * from './ports/serving.js'
export type * from './ports/storage.js'
export type { RateLimits, TransferShare }

/** A connected net.Socket of Node. */
export interface EngineSocket {
  destroy(): unknown
}

/** Facts the engine reports, in order per transfer. Batches arrive on the loop's thread. */
export type EngineEvent =
  /** Whole blocks became complete in the file (or in its scratch); each block once per target.
   *  `offset` is block aligned; the run ends on a block border or at the end of the file. */
  | {
      readonly type: 'landed'
      readonly transfer: TransferHandle
      readonly stream: number
      readonly scratch: boolean
      readonly offset: number
      readonly length: number
      /** Of these blocks, where the engine has hashed them as the stream's `hashes` allows. */
      readonly digests?: Uint8Array
    }
  /**
   * A digest record came on an incoming feed, to be passed on by `relayDigests` if it has a route.
   * `payload` is what `sendDigests` was given.
   */
  | {
      readonly type: 'digests'
      readonly transfer: TransferHandle
      readonly feed: FeedHandle
      readonly stream: number
      readonly offset: number
      readonly length: number
      readonly route: number
      readonly payload: Uint8Array
    }
  /** Last event of a feed. `code` null: the peer finished at a record border, nothing is missing
   *  that was announced. The engine has closed the socket. Not sent for feeds closed by `close`. */
  | {
      readonly type: 'feedClosed'
      readonly transfer: TransferHandle
      readonly feed: FeedHandle
      readonly code: FrErrorCode | null
      readonly errno: number
    }
  /**
   * Reading or writing the file failed; the stream takes and gives nothing more. Once per stream.
   */
  | {
      readonly type: 'fileFailed'
      readonly transfer: TransferHandle
      readonly stream: number
      readonly code: FrErrorCode
      readonly errno: number
      /** The operation and the system's words, without a path; may be empty. */
      readonly text: string
    }

export interface TransferOptions {
  /**
   * How long connections live on which nothing is acknowledged, and some round trips longer, where
   * the system lets us say so; a receiver that takes nothing acknowledges. Default:
   * limits.silenceMs and limits.connectionGraceMs.
   */
  readonly unackedMs?: number
  /** Where its files are: what hangs there holds up no transfer of another disk. A hint. */
  readonly dir?: DataDirHandle
}

export interface StreamSpec {
  readonly stream: number
  /** Absent: nothing is stored, and nothing can be sent, held, asked for or assigned. */
  readonly file?: FileHandle
  /** Where repairs land: a second file of the same size and offsets. Absent at the origin. */
  readonly scratch?: FileHandle
  readonly size: number
  readonly blockBytes: number
  /** `size` is what may come so far, and blocks are sections (ports/growing.ts). */
  readonly growing?: true
  /** True: every byte is there already (origin, mirror). False: nothing has landed yet. */
  readonly complete: boolean
  /** It most likely has holes: nothing is allocated ahead of what lands. A hint. */
  readonly sparse?: boolean
  /** The engine may hash what lands with this before it reports it, while it is in the cache. */
  readonly hashes?: BlockAlgorithm
}

export interface FeedSpec {
  readonly transfer: TransferHandle
  /** out: this side sends records. in: this side receives them. One direction per connection. */
  readonly direction: 'in' | 'out'
  /** Seeds the check of every record header on this connection; both ends derive the same value. */
  readonly seed: bigint
  /** in: only bytes that this feed was asked for (`ask`) land. Default: whatever it brings. */
  readonly isAsked?: boolean
  /** A feed of this transfer and direction: the connection is one more flow of it. */
  readonly beside?: FeedHandle
  /**
   * All bytes of the connection are sealed by AES-256-GCM under this secret (32 bytes of key, 4 of
   * salt), which no other connection ever has. ERR_FR_UNSUPPORTED where the process has no OpenSSL.
   * What does not open ends the feed with ERR_FR_SPOILT.
   */
  readonly seal?: Uint8Array
}

/** Bytes that an `isAsked` feed is to bring. */
export interface AskSpec {
  readonly stream: number
  readonly offset: number
  readonly length: number
  readonly scratch?: boolean
}

/** Where bytes of a route go from here. */
export interface RouteTarget {
  /** An outgoing feed of the transfer. */
  readonly feed: FeedHandle
  /** The route that the bytes have at the receiver; 0: they stay there. */
  readonly next: number
  /**
   * The feed is served before those that are not `first`, as long as its connection takes bytes.
   * A hint.
   */
  readonly first?: boolean
}

/** Gives bytes a route, landed or not, unless they have one. */
export interface AssignSpec {
  readonly stream: number
  readonly offset: number
  readonly length: number
  /** 1..65,535 */
  readonly route: number
}

/** Bytes of a stream that the receiver of a feed has. */
export interface SkipSpec {
  readonly stream: number
  readonly offset: number
  readonly length: number
}

/** Bytes of a stream that are in its file. */
export interface HoldSpec {
  readonly stream: number
  readonly offset: number
  readonly length: number
}

export interface SendSpec {
  readonly stream: number
  readonly offset: number
  readonly length: number
  /** The receiver passes these bytes on as its table says of this route; 0 or absent: nowhere. */
  readonly route?: number
  /** The bytes land in the receiver's scratch file, because a block there was bad. */
  readonly scratch?: boolean
}

export interface DigestSpec {
  readonly stream: number
  /** The bytes the digests cover. */
  readonly offset: number
  readonly length: number
  readonly route?: number
  /** Opaque to the engine, at most limits.recordDigestBytes. */
  readonly payload: Uint8Array
}

/** Counters of one feed since it was adopted. */
export interface FeedStats {
  readonly feed: FeedHandle
  readonly direction: 'in' | 'out'
  /** out: payload bytes the socket has accepted. in: payload bytes taken from the socket. */
  readonly payloadBytes: number
  /** out: payload bytes listed but not yet accepted by the socket. */
  readonly queuedBytes: number
  /** out: bytes accepted but not yet acknowledged by the peer's kernel, where the system tells. */
  readonly unackedBytes: number
  /** out: the shortest round trip of late, where the system tells; 0: not known. */
  readonly rttMs: number
  /** in: payload bytes dropped: they had landed before, or another feed is asked for them. */
  readonly duplicateBytes: number
  readonly records: number
  /** Connections that it has had, the first and those `beside` it. */
  readonly flows: number
  /** out: what holds it back on its way, where the system tells. */
  readonly path?: PathStats
}

/** Of all flows of an outgoing feed, since it was adopted. */
export interface PathStats {
  /**
   * What queues on the way add to the shortest round trip now; of several flows, of the one that
   * waits least.
   */
  readonly queueMs: number
  /** Segments that were sent again. */
  readonly retransmits: number
  /** How long receive windows have held flows back, in sum. */
  readonly windowLimitedMs: number
}

export interface TransferStats {
  /** Bytes of files that are there, each once: payload that landed, holes, and what is held. */
  readonly landedBytes: number
  /** Of `landedBytes`, what landed as holes. */
  readonly holeBytes: number
  /** Payload bytes that landed in scratch files; each repair of a block counts. */
  readonly scratchBytes: number
  /** Payload bytes taken from sockets, also by feeds that are closed. */
  readonly receivedBytes: number
  /** Of `receivedBytes`, dropped because the range had landed before. */
  readonly duplicateBytes: number
  /** Payload bytes that sockets have accepted, also of feeds that are closed. */
  readonly sentBytes: number
  /** Feeds that are open, or whose `feedClosed` the listener is just being told. */
  readonly feeds: readonly FeedStats[]
}

/** Process-wide counters of an engine; what the kernel refused is visible here. */
export interface EngineCounters {
  /** Payload bytes that passed through JavaScript memory: 0 on the native engine. */
  readonly payloadBytesInJavaScript: number
  /**
   * Every byte the engine has handed to JavaScript: events, digests, and payload if there is any.
   */
  readonly bytesToJavaScript: number
  /** Times the engine fell back from splice to recv+pwrite, and from pipe to sendfile. */
  readonly landingFallbacks: number
  readonly sendingFallbacks: number
  /** Payload of all transfers, also of those that are closed. */
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Connections of all feeds. */
  readonly openFeeds: number
  readonly openFiles: number
  readonly openPipes: number
  /** Pairs of connections that are joined, and bytes they have carried so far, both ways. */
  readonly openBridges: number
  readonly bridgedBytes: number
  /** Answers on their way to connections of the host's, and bytes of all of them so far. */
  readonly openServes: number
  readonly servedBytes: number
  readonly lanes: number
}

export interface DataEngine extends GrowingEngine, ServingEngine {
  readonly kind: 'native' | 'portable'
  readonly storage: Storage
  openTransfer(options?: TransferOptions): TransferHandle
  addStream(transfer: TransferHandle, spec: StreamSpec): void
  /** Takes the connection over. The socket object is destroyed or owned by the engine from here;
   *  the caller must have stopped reading, with nothing buffered and nothing left to write. */
  adopt(socket: EngineSocket, spec: FeedSpec): FeedHandle
  /**
   * Joins two connections: what either brings goes out on the other, and so does its end, until
   * both have ended or one breaks. Takes both over as `adopt` does. Throws ERR_FR_LIMIT beyond
   * limits.bridgesPerNode, ERR_FR_NODE_LOST for one that is gone; then both stay the caller's.
   */
  bridge(a: EngineSocket, b: EngineSocket): void
  /**
   * Makes a control connection fit to carry heartbeats beside bulk data. A hint; stays the
   * caller's.
   */
  tuneControl(socket: EngineSocket): void
  /** Replaces the table of a route (1..65,535); without targets nothing is passed on. */
  setRoute(transfer: TransferHandle, route: number, targets: readonly RouteTarget[]): void
  assign(transfer: TransferHandle, spec: AssignSpec): void
  /**
   * These bytes are in the file already: they count as landed from here on. No event tells of
   * blocks that are whole by this, and they are not hashed; a block of which more has to land is
   * reported once that has. What arrives of these bytes is dropped as duplicate. They get no route
   * by this; one that they have passes them on.
   */
  hold(transfer: TransferHandle, spec: HoldSpec): void
  /**
   * The receiver of this outgoing feed has these bytes: what has landed before the feed enters the
   * table of a route is sent on it without them. Neither `send` nor what lands later is touched.
   */
  skip(feed: FeedHandle, spec: SkipSpec): void
  /**
   * These bytes may land from this `isAsked` feed, and from no other such feed of the transfer from
   * here on. What a feed brings of bytes that it was asked for before, and another one since, is
   * dropped as duplicate; a byte that it was never asked for ends it with ERR_FR_PROTOCOL. In
   * scratch each ask lets a byte land once, and what had landed of blocks that are not whole there
   * is forgotten, so a repair comes from one feed.
   */
  ask(feed: FeedHandle, spec: AskSpec): void
  /** Lists a range for sending. At a node, bytes not landed yet are sent as they land. */
  send(feed: FeedHandle, spec: SendSpec): void
  sendDigests(feed: FeedHandle, spec: DigestSpec): void
  /**
   * Passes a digest record on as the table of its route says, now and to feeds that enter the table
   * later. The caller has verified it: the first record of a place (offset, length) stands for it,
   * each later one of that place and route is dropped, unless the stream grows and the payload is
   * another one. So is what is beyond
   * limits.relayedDigestBytesPerBlock, or comes while the engine is far behind.
   */
  relayDigests(transfer: TransferHandle, spec: DigestSpec & { readonly route: number }): void
  /** Half-closes once everything listed has been sent; the peer sees a clean end. */
  finish(feed: FeedHandle): void
  /** Drops the connection at once, without an event. Unknown feeds are ignored. */
  close(feed: FeedHandle): void
  /** Closes every feed of the transfer without events and forgets its streams (not the files). */
  closeTransfer(transfer: TransferHandle): void
  /**
   * What all transfers together may move, from now on. Replaces the last word. In no second, from
   * the first on, is more moved than the rate and a burst of 25 ms of it; transfers share by their
   * weights, and nobody keeps a share that it does not use. Rates are whole numbers.
   */
  limit(rates: RateLimits): void
  /** The same of one transfer, within the rates of the engine. */
  limitTransfer(transfer: TransferHandle, share: TransferShare): void
  /**
   * What these outgoing feeds of one transfer may send together, from now on, within the limits of
   * the transfer and in the same way; undefined: nothing more limits them. Each is in one such set
   * at most: the last word counts. A set that gets another rate keeps what it owes.
   */
  limitFeeds(feeds: readonly FeedHandle[], bytesPerSecond: number | undefined): void
  stats(transfer: TransferHandle): TransferStats
  counters(): EngineCounters
  /** What a hash worker needs to read this file. Structured-cloneable. */
  hashSource(file: FileHandle): HashSource
  /**
   * Digests of the blocks in the range, at once, on this thread; at most limits.hashInlineBytes.
   * XXH64 has seed 0 and 8 bytes, big-endian. For `blake3` the range begins at a multiple of
   * blockBytes, a power of two of 1 KiB or more; for `blake3-file` it is the whole file.
   */
  hashNow(
    file: FileHandle,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Uint8Array
  /**
   * The same of what is in the page cache already, waiting for no disk; undefined when not all of
   * it is there or this cannot be told.
   */
  hashCached(
    file: FileHandle,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Uint8Array | undefined
  /**
   * The same of a range in which the file holds no data, which is not read; undefined when there is
   * some, or this cannot be told. At most limits.hashHolesBytes.
   */
  hashHoles(
    file: FileHandle,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Uint8Array | undefined
  /** The BLAKE3 hash of a file from the values of its blocks; of an empty file from none. */
  blake3File(values: Uint8Array): Uint8Array
  /** XXH64 of a small buffer, seed 0. */
  xxh64(bytes: Uint8Array): bigint
  /** Idempotent. Every feed is dropped, every file closed, every thread joined. */
  shutdown(): Promise<void>
}

export type EngineListener = (events: readonly EngineEvent[]) => void
