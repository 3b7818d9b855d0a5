/**
 * The portable engine: the DataEngine port on node:net and node:fs alone. It is the fallback where
 * the addon does not load, the oracle in tests and the baseline in benchmarks, so it must behave
 * exactly as ports.ts says, at the price of carrying every payload byte through JavaScript.
 *
 * One transfer holds its streams and feeds; feeds work by themselves (portable-feed-in.ts,
 * portable-feed-out.ts) and meet here only when bytes land, when a stream fails and when events
 * are delivered. Events are gathered and handed over once per turn of the loop, never from inside
 * a call.
 */
import type { Socket } from 'node:net'
import xxhash, { type XXHashAPI } from 'xxhash-wasm'
import type { BlockAlgorithm } from '../../base/digests.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type {
  AssignSpec,
  ByteRange,
  DataEngine,
  DigestSpec,
  EngineCounters,
  EngineEvent,
  EngineListener,
  FeedHandle,
  FeedSpec,
  FileHandle,
  HashSource,
  RouteTarget,
  SendSpec,
  StreamSpec,
  TransferHandle,
  TransferStats,
} from '../../ports.js'
import { checkBlocks, checkInteger, checkRange, checkTargets, known, routeMax } from '../checks.js'
import { blake3File } from '../hashing/blake3.js'
import { type BlockHashers, createBlockHashers } from '../hashing/block-hash.js'
import { type Failed, failureWords } from '../system-error.js'
import type { Feed, FeedHost } from './feed.js'
import { InFeed } from './feed-in.js'
import { OutFeed } from './feed-out.js'
import { FileTable, HandleSource } from './files.js'
import type { SeededHash } from './record.js'
import { PortableStorage } from './storage.js'
import { StreamState } from './stream.js'

const uint32Max = 0xffff_ffff
const uint64Max = 0xffff_ffff_ffff_ffffn

/** What the transfers share with the engine. */
interface Shared {
  readonly hash: SeededHash
  readonly emit: (event: EngineEvent) => void
  payloadBytes: number
}

class Transfer implements FeedHost {
  readonly transfer: TransferHandle
  readonly streams = new Map<number, StreamState>()
  readonly feeds = new Map<FeedHandle, Feed>()
  readonly totals = {
    landedBytes: 0,
    holeBytes: 0,
    scratchBytes: 0,
    receivedBytes: 0,
    duplicateBytes: 0,
    sentBytes: 0,
  }
  readonly #shared: Shared
  /** By route: the feeds it goes to, and its number beyond each. */
  readonly #table = new Map<number, Map<OutFeed, number>>()
  #isClosed = false

  constructor(handle: TransferHandle, shared: Shared) {
    this.transfer = handle
    this.#shared = shared
  }

  get hash(): SeededHash {
    return this.#shared.hash
  }

  stream(id: number): StreamState | undefined {
    return this.streams.get(id)
  }

  emit(event: EngineEvent): void {
    if (!this.#isClosed) this.#shared.emit(event)
  }

  countPayload(bytes: number): void {
    this.#shared.payloadBytes += bytes
  }

  landed(stream: StreamState, isScratch: boolean, begin: number, end: number): void {
    this.totals[isScratch ? 'scratchBytes' : 'landedBytes'] += end - begin
    const run = stream.land(isScratch, begin, end)
    if (!isScratch) {
      for (const feed of this.feeds.values()) {
        if (feed instanceof OutFeed) feed.landed(stream, begin, end)
      }
      for (const { begin: low, end: high, route } of stream.routed(begin, end))
        this.#forward(stream, low, high, route)
    }
    if (run === undefined) return
    const [offset, past] = run
    this.emit({
      type: 'landed',
      transfer: this.transfer,
      stream: stream.id,
      scratch: isScratch,
      offset,
      length: past - offset,
    })
  }

  raise(stream: StreamState, begin: number, end: number, route: number): void {
    for (const span of stream.raise(begin, end, route)) this.#forward(stream, ...span, route)
  }

  #forward(stream: StreamState, begin: number, end: number, route: number): void {
    for (const [feed, next] of this.#table.get(route) ?? []) feed.route(stream, begin, end, next)
  }

  forget(handle: FeedHandle): void {
    const feed = this.feeds.get(handle)
    this.feeds.delete(handle)
    if (feed instanceof OutFeed) for (const row of this.#table.values()) row.delete(feed)
  }

  setRoute(route: number, targets: Map<OutFeed, number>): void {
    const before = this.#table.get(route)
    if (targets.size === 0) this.#table.delete(route)
    else this.#table.set(route, targets)
    for (const stream of this.streams.values()) {
      const history = stream.history(route)
      for (const feed of before?.keys() ?? []) {
        if (!targets.has(feed)) feed.leave(stream, route, history)
      }
      for (const [feed, next] of targets) {
        if (before?.has(feed) !== true) feed.enter(stream, route, next, history)
      }
    }
  }

  failStream(stream: StreamState, code: FrErrorCode, failed: Failed): void {
    if (stream.failed) return
    stream.failed = true
    for (const feed of this.feeds.values()) if (feed instanceof OutFeed) feed.forget(stream)
    const { errno } = failed
    const text = failureWords(failed)
    this.emit({ type: 'fileFailed', transfer: this.transfer, stream: stream.id, code, errno, text })
  }

  close(): void {
    this.#isClosed = true
    for (const feed of this.feeds.values()) feed.drop()
    for (const stream of this.streams.values()) {
      stream.failed = true
      stream.forget()
    }
  }
}

class PortableEngine implements DataEngine {
  readonly kind = 'portable'
  readonly storage: PortableStorage
  readonly #listener: EngineListener
  readonly #xx: XXHashAPI
  readonly #hashers: BlockHashers
  readonly #handles = new HandleSource()
  readonly #files = new FileTable(this.#handles)
  readonly #transfers = new Map<TransferHandle, Transfer>()
  readonly #transferOfFeed = new Map<FeedHandle, Transfer>()
  /** Sockets whose descriptors are not closed yet, also those of feeds that are over. */
  readonly #sockets = new Set<Promise<void>>()
  readonly #shared: Shared
  #events: EngineEvent[] = []
  #shutdown: Promise<void> | undefined

  constructor(listener: EngineListener, xx: XXHashAPI, hashers: BlockHashers) {
    this.#listener = listener
    this.#xx = xx
    this.#hashers = hashers
    this.storage = new PortableStorage(this.#files, this.#handles)
    this.#shared = {
      hash: (bytes, seed) => xx.h64Raw(bytes, seed),
      emit: (event) => this.#emit(event),
      payloadBytes: 0,
    }
  }

  openTransfer(): TransferHandle {
    this.#checkOpen()
    const handle = this.#handles.next()
    this.#transfers.set(handle, new Transfer(handle, this.#shared))
    return handle
  }

  addStream(handle: TransferHandle, spec: StreamSpec): void {
    const transfer = this.#transfer(handle)
    checkInteger('stream', spec.stream, 0, uint32Max)
    checkInteger('size', spec.size, 0)
    checkInteger('blockBytes', spec.blockBytes, 1)
    if (transfer.streams.has(spec.stream)) {
      throw new TypeError(`stream ${spec.stream} is in the transfer already`)
    }
    if (spec.file === spec.scratch) throw new TypeError('scratch must be another file than file')
    const file = this.#files.get(spec.file)
    const scratch = spec.scratch === undefined ? undefined : this.#files.get(spec.scratch)
    if (transfer.streams.size >= limits.streamsPerTransfer) throw new FrError('ERR_FR_LIMIT')
    transfer.streams.set(spec.stream, new StreamState(spec, file, scratch))
  }

  adopt(socket: Socket, spec: FeedSpec): FeedHandle {
    const transfer = this.#transfer(spec.transfer)
    if (typeof spec.seed !== 'bigint' || spec.seed < 0n || spec.seed > uint64Max) {
      throw new TypeError('seed must be a bigint from 0 to 2^64 - 1')
    }
    if (spec.direction !== 'in' && spec.direction !== 'out') {
      throw new TypeError(`direction must be 'in' or 'out', not ${String(spec.direction)}`)
    }
    if (socket.readableLength > 0 || socket.writableLength > 0 || socket.connecting) {
      throw new TypeError('socket must be connected, with nothing buffered in either direction')
    }
    if (transfer.feeds.size >= limits.feedsPerTransfer) throw new FrError('ERR_FR_LIMIT')
    const handle = this.#handles.next()
    const feed =
      spec.direction === 'in'
        ? new InFeed(handle, socket, spec.seed, transfer)
        : new OutFeed(handle, socket, spec.seed, transfer)
    transfer.feeds.set(handle, feed)
    this.#transferOfFeed.set(handle, transfer)
    feed.start()
    const gone = feed.gone().then(() => {
      this.#sockets.delete(gone)
    })
    this.#sockets.add(gone)
    return handle
  }

  setRoute(handle: TransferHandle, route: number, targets: readonly RouteTarget[]): void {
    const transfer = this.#transfer(handle)
    checkInteger('route', route, 1, routeMax)
    checkTargets(targets)
    const row = targets.map(({ feed, next }) => {
      const out = known('feed', feed, transfer.feeds.get(feed))
      if (!(out instanceof OutFeed)) throw new TypeError('an incoming feed sends nothing')
      return [out, next] as const
    })
    transfer.setRoute(route, new Map(row))
  }

  assign(handle: TransferHandle, spec: AssignSpec): void {
    const transfer = this.#transfer(handle)
    const stream = known('stream', spec.stream, transfer.stream(spec.stream))
    checkRange(spec, stream.size)
    checkInteger('route', spec.route, 1, routeMax)
    transfer.raise(stream, spec.offset, spec.offset + spec.length, spec.route)
  }

  send(handle: FeedHandle, spec: SendSpec): void {
    const { feed, transfer } = this.#outFeed(handle)
    const stream = known('stream', spec.stream, transfer.stream(spec.stream))
    checkRange(spec, stream.size)
    checkInteger('route', spec.route ?? 0, 0, routeMax)
    if ((spec.route ?? 0) !== 0 && spec.scratch === true) {
      throw new TypeError('route and scratch exclude each other')
    }
    feed.send(stream, spec)
  }

  sendDigests(handle: FeedHandle, spec: DigestSpec): void {
    const { feed, transfer } = this.#outFeed(handle)
    const stream = known('stream', spec.stream, transfer.stream(spec.stream))
    checkRange(spec, stream.size)
    checkInteger('length', spec.length, 1, uint32Max)
    checkInteger('route', spec.route ?? 0, 0, routeMax)
    checkInteger('payload.length', spec.payload.length, 1, limits.recordDigestBytes)
    feed.sendDigests(spec)
  }

  finish(handle: FeedHandle): void {
    this.#outFeed(handle).feed.finish()
  }

  close(handle: FeedHandle): void {
    const transfer = this.#transferOfFeed.get(handle)
    if (transfer === undefined) return
    transfer.feeds.get(handle)?.drop()
    this.#forgetFeed(handle)
    this.#events = this.#events.filter((it) => !(it.type === 'feedClosed' && it.feed === handle))
  }

  closeTransfer(handle: TransferHandle): void {
    if (this.#shutdown !== undefined) return
    const transfer = this.#transfer(handle)
    transfer.close()
    for (const feed of transfer.feeds.keys()) this.#transferOfFeed.delete(feed)
    this.#transfers.delete(handle)
    this.#events = this.#events.filter((event) => event.transfer !== handle)
  }

  stats(handle: TransferHandle): TransferStats {
    const transfer = this.#transfer(handle)
    return {
      ...transfer.totals,
      feeds: [...transfer.feeds.values()].map((feed) => feed.stats()),
    }
  }

  counters(): EngineCounters {
    let openFeeds = 0
    for (const transfer of this.#transfers.values()) {
      for (const feed of transfer.feeds.values()) if (feed.isOpen) openFeeds += 1
    }
    return {
      payloadBytesInJavaScript: this.#shared.payloadBytes,
      bytesToJavaScript: this.#shared.payloadBytes,
      landingFallbacks: 0,
      sendingFallbacks: 0,
      openFeeds,
      openFiles: this.#files.openCount,
      openPipes: 0,
      lanes: 0,
    }
  }

  hashSource(handle: FileHandle): HashSource {
    this.#checkOpen()
    return { kind: 'fd', fd: this.#files.get(handle).fd }
  }

  hashNow(
    handle: FileHandle,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Uint8Array {
    this.#checkOpen()
    const file = this.#files.get(handle)
    checkBlocks(range, blockBytes, algorithm, limits.hashInlineBytes)
    const hasher = known('algorithm', algorithm, this.#hashers[algorithm])
    const bytes = Buffer.allocUnsafe(range.length)
    if (file.readNow(bytes, range.offset) !== bytes.length)
      throw new FrError('ERR_FR_SOURCE_CHANGED')
    this.#shared.payloadBytes += bytes.length
    const digests: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += blockBytes) {
      hasher.start(range.offset + at)
      hasher.update(bytes.subarray(at, at + blockBytes))
      digests.push(hasher.finish())
    }
    return Buffer.concat(digests)
  }

  /** Node cannot tell what is cached. */
  hashCached(file: FileHandle): undefined {
    this.#checkOpen()
    this.#files.get(file)
  }

  /** A file with holes is refused, too. */
  hashHoles(file: FileHandle): undefined {
    this.#checkOpen()
    this.#files.get(file)
  }

  /** Node offers none of the options that would help. */
  tuneControl(): void {}

  blake3File(values: Uint8Array): Uint8Array {
    this.#checkOpen()
    return blake3File(values)
  }

  xxh64(bytes: Uint8Array): bigint {
    this.#checkOpen()
    return this.#xx.h64Raw(bytes, 0n)
  }

  shutdown(): Promise<void> {
    this.#shutdown ??= this.#close()
    return this.#shutdown
  }

  async #close(): Promise<void> {
    this.storage.stop()
    for (const transfer of this.#transfers.values()) transfer.close()
    this.#transfers.clear()
    this.#transferOfFeed.clear()
    this.#events = []
    await Promise.all(this.#sockets)
    await this.storage.shutdown()
    await this.#files.closeAll()
  }

  #emit(event: EngineEvent): void {
    if (this.#shutdown !== undefined) return
    if (this.#events.length === 0) setImmediate(() => this.#deliver())
    this.#events.push(event)
  }

  #deliver(): void {
    const batch = this.#events
    if (batch.length === 0) return
    this.#events = []
    try {
      this.#listener(batch)
    } finally {
      for (const event of batch) if (event.type === 'feedClosed') this.#forgetFeed(event.feed)
    }
  }

  #forgetFeed(handle: FeedHandle): void {
    this.#transferOfFeed.get(handle)?.forget(handle)
    this.#transferOfFeed.delete(handle)
  }

  #checkOpen(): void {
    if (this.#shutdown !== undefined) throw new FrError('ERR_FR_CLOSED')
  }

  #transfer(handle: TransferHandle): Transfer {
    this.#checkOpen()
    return known('transfer', handle, this.#transfers.get(handle))
  }

  #outFeed(handle: FeedHandle): { feed: OutFeed; transfer: Transfer } {
    this.#checkOpen()
    const transfer = known('feed', handle, this.#transferOfFeed.get(handle))
    const feed = transfer.feeds.get(handle)
    if (!(feed instanceof OutFeed)) throw new TypeError('an incoming feed sends nothing')
    if (feed.isFinishing) throw new TypeError('the feed is finished')
    return { feed, transfer }
  }
}

/** Makes an engine. The listener gets every event from then on; see ports.ts for the contract. */
export async function createPortableEngine(listener: EngineListener): Promise<DataEngine> {
  const xx = await xxhash()
  return new PortableEngine(listener, xx, await createBlockHashers(xx))
}
