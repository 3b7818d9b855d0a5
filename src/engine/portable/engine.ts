/**
 * The portable engine: the DataEngine port on node:net and node:fs alone. It is the fallback where
 * the addon does not load, the oracle in tests and the baseline in benchmarks, so it must behave
 * exactly as ports.ts says, at the price of carrying every payload byte through JavaScript.
 *
 * Here calls are checked and given to their transfer (transfer.ts). Events are gathered and handed
 * over once per turn of the loop, never from inside a call.
 */
import type { Socket } from 'node:net'
import xxhash, { type XXHashAPI } from 'xxhash-wasm'
import type { BlockAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type {
  AskSpec,
  AssignSpec,
  ByteRange,
  CutSpec,
  DataEngine,
  DigestSpec,
  EngineCounters,
  EngineEvent,
  EngineListener,
  FeedHandle,
  FeedSpec,
  FileHandle,
  ForgetSpec,
  GrowSpec,
  HashSource,
  HoldSpec,
  RateLimits,
  RouteTarget,
  SendSpec,
  ServeSpec,
  SkipSpec,
  StreamSpec,
  TransferHandle,
  TransferShare,
  TransferStats,
} from '../../ports.js'
import {
  checkBlocks,
  checkFold,
  checkInteger,
  checkRate,
  checkRates,
  checkTargets,
  checkWeight,
  known,
  routeMax,
} from '../checks.js'
import { blake3File, foldBlake3 } from '../hashing/blake3.js'
import { type BlockHashers, createBlockHashers } from '../hashing/block-hash.js'
import { Bridges } from './bridge.js'
import { Budget } from './budget.js'
import { InFeed } from './feed-in.js'
import { OutFeed } from './feed-out.js'
import { FileHashes } from './file-hashes.js'
import { FileTable, HandleSource } from './files.js'
import { Servings } from './serving.js'
import { PortableStorage } from './storage.js'
import {
  checkCut,
  checkDigests,
  checkGrowing,
  checkStored,
  checkStream,
  StreamState,
} from './stream.js'
import { checkFeed, type Shared, Transfer } from './transfer.js'

class PortableEngine implements DataEngine {
  readonly kind = 'portable'
  readonly storage: PortableStorage
  readonly #listener: EngineListener
  readonly #hashes: FileHashes
  readonly #handles = new HandleSource()
  readonly #files = new FileTable(this.#handles)
  readonly #transfers = new Map<TransferHandle, Transfer>()
  readonly #transferOfFeed = new Map<FeedHandle, Transfer>()
  /** Sockets whose descriptors are not closed yet, also those of feeds that are over. */
  readonly #sockets = new Set<Promise<void>>()
  readonly #shared: Shared
  readonly #up = new Budget()
  readonly #down = new Budget()
  readonly #bridges = new Bridges(this.#up.open(), this.#down.open())
  readonly #servings = new Servings(this.#up.open())
  /** Payload of transfers that are closed. */
  #sentBefore = 0
  #receivedBefore = 0
  #events: EngineEvent[] = []
  #shutdown: Promise<void> | undefined

  constructor(listener: EngineListener, xx: XXHashAPI, hashers: BlockHashers) {
    this.#listener = listener
    this.#hashes = new FileHashes(hashers, (bytes) => {
      this.#shared.payloadBytes += bytes
    })
    this.storage = new PortableStorage(this.#files, this.#handles)
    this.#shared = {
      hash: (bytes, seed) => xx.h64Raw(bytes, seed),
      emit: (event) => this.#emit(event),
      subtree: (file, range) => this.#hashes.subtree(file, range),
      payloadBytes: 0,
    }
  }

  openTransfer(): TransferHandle {
    this.#checkOpen()
    const handle = this.#handles.next()
    const transfer = new Transfer(handle, this.#shared, this.#up.open(), this.#down.open())
    this.#transfers.set(handle, transfer)
    return handle
  }

  addStream(handle: TransferHandle, spec: StreamSpec): void {
    const transfer = this.#transfer(handle)
    checkStream(spec)
    if (transfer.streams.has(spec.stream)) {
      throw new TypeError(`stream ${spec.stream} is in the transfer already`)
    }
    const file = spec.file === undefined ? undefined : this.#files.get(spec.file)
    const scratch = spec.scratch === undefined ? undefined : this.#files.get(spec.scratch)
    if (transfer.streams.size >= limits.streamsPerTransfer) throw new FrError('ERR_FR_LIMIT')
    transfer.streams.set(spec.stream, new StreamState(spec, file, scratch))
  }

  adopt(socket: Socket, spec: FeedSpec): FeedHandle {
    const transfer = this.#transfer(spec.transfer)
    checkFeed(socket, spec)
    const feed = transfer.adopt(socket, spec, () => this.#handles.next())
    this.#transferOfFeed.set(feed.handle, transfer)
    feed.start()
    this.#hold(feed.gone())
    return feed.handle
  }

  /** Closing waits for this. */
  #hold(gone: Promise<void>): void {
    const held = gone.finally(() => this.#sockets.delete(held))
    this.#sockets.add(held)
  }

  bridge(a: Socket, b: Socket): void {
    this.#checkOpen()
    this.#hold(this.#bridges.join(a, b))
  }

  async serve(socket: Socket, spec: ServeSpec): Promise<void> {
    this.#checkOpen()
    return this.#servings.serve(this.#files.get(spec.file), socket, spec)
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
    const stream = this.#stream(transfer, spec)
    checkStored(spec, stream)
    checkInteger('route', spec.route, 1, routeMax)
    transfer.raise(stream, spec.offset, spec.offset + spec.length, spec.route)
  }

  hold(handle: TransferHandle, spec: HoldSpec): void {
    const transfer = this.#transfer(handle)
    const stream = this.#stream(transfer, spec)
    checkStored(spec, stream)
    transfer.hold(stream, spec.offset, spec.offset + spec.length)
  }

  skip(handle: FeedHandle, spec: SkipSpec): void {
    const { feed, transfer } = this.#outFeed(handle)
    const stream = this.#stream(transfer, spec)
    checkStored(spec, stream)
    feed.skip(stream, spec.offset, spec.offset + spec.length)
  }

  ask(handle: FeedHandle, spec: AskSpec): void {
    this.#checkOpen()
    const transfer = known('feed', handle, this.#transferOfFeed.get(handle))
    const feed = transfer.feeds.get(handle)
    if (!(feed instanceof InFeed) || !feed.isAsked) throw new TypeError('feed: is not asked')
    const stream = this.#stream(transfer, spec)
    checkStored(spec, stream)
    const { scratch = false, offset, length } = spec
    for (const other of transfer.feeds.values())
      if (other instanceof InFeed) other.asks.withdraw(stream, scratch, offset, offset + length)
    feed.asks.open(stream, scratch, offset, offset + length)
    if (scratch) stream.forgetRepairs(offset, offset + length)
  }

  grow(handle: TransferHandle, spec: GrowSpec): void {
    const transfer = this.#transfer(handle)
    const stream = this.#stream(transfer, spec)
    checkGrowing(stream)
    checkInteger('size', spec.size, 0, limits.growingSpanBytes)
    if (stream.isFinal) throw new TypeError('stream: has its final size')
    transfer.grow(stream, spec.size, spec.isFinal ?? false)
  }

  cut(handle: TransferHandle, spec: CutSpec): void {
    const transfer = this.#transfer(handle)
    const stream = this.#stream(transfer, spec)
    checkCut(spec, stream)
    transfer.cut(stream, spec)
  }

  forget(handle: TransferHandle, spec: ForgetSpec): void {
    const transfer = this.#transfer(handle)
    const stream = this.#stream(transfer, spec)
    checkGrowing(stream)
    checkInteger('before', spec.before, 0)
    if (!stream.passes) transfer.forgetBefore(stream, spec.before)
  }

  send(handle: FeedHandle, spec: SendSpec): void {
    const { feed, transfer } = this.#outFeed(handle)
    const stream = this.#stream(transfer, spec)
    checkStored(spec, stream)
    checkInteger('route', spec.route ?? 0, 0, routeMax)
    if ((spec.route ?? 0) !== 0 && spec.scratch === true) {
      throw new TypeError('route and scratch exclude each other')
    }
    feed.send(stream, spec)
  }

  sendDigests(handle: FeedHandle, spec: DigestSpec): void {
    const { feed, transfer } = this.#outFeed(handle)
    checkDigests(spec, this.#stream(transfer, spec))
    checkInteger('route', spec.route ?? 0, 0, routeMax)
    feed.sendDigests(spec)
  }

  relayDigests(handle: TransferHandle, spec: DigestSpec & { readonly route: number }): void {
    const transfer = this.#transfer(handle)
    const stream = this.#stream(transfer, spec)
    checkDigests(spec, stream)
    checkInteger('route', spec.route, 1, routeMax)
    transfer.relayDigests(stream, spec, spec.route)
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
    this.#sentBefore += transfer.totals.sentBytes
    this.#receivedBefore += transfer.totals.receivedBytes
    for (const feed of transfer.feeds.keys()) this.#transferOfFeed.delete(feed)
    this.#transfers.delete(handle)
    this.#events = this.#events.filter((event) => event.transfer !== handle)
  }

  limit(rates: RateLimits): void {
    this.#checkOpen()
    const { up, down } = checkRates(rates)
    this.#up.setRate(up)
    this.#down.setRate(down)
  }

  limitTransfer(handle: TransferHandle, share: TransferShare): void {
    const transfer = this.#transfer(handle)
    const { up, down } = checkRates(share)
    transfer.limit(up, down, checkWeight(share))
  }

  limitFeeds(handles: readonly FeedHandle[], bytesPerSecond: number | undefined): void {
    this.#checkOpen()
    const rate = checkRate('bytesPerSecond', bytesPerSecond)
    const all = handles.map((handle) => this.#outFeed(handle, true))
    const transfer = all[0]?.transfer
    if (all.some((one) => one.transfer !== transfer))
      throw new TypeError('feed: of another transfer')
    const feeds = all.map(({ feed }) => feed)
    transfer?.limitFeeds(feeds, rate)
  }

  stats(handle: TransferHandle): TransferStats {
    const transfer = this.#transfer(handle)
    return {
      ...transfer.totals,
      feeds: [...transfer.feeds.values()].map((feed) => feed.stats()),
    }
  }

  counters(): EngineCounters {
    const { bytes: servedBytes, size: openServes } = this.#servings
    const { bytes: bridgedBytes, size: openBridges } = this.#bridges
    const seenBytes = this.#shared.payloadBytes + bridgedBytes + servedBytes
    let openFeeds = 0
    let sentBytes = this.#sentBefore
    let receivedBytes = this.#receivedBefore
    for (const transfer of this.#transfers.values()) {
      sentBytes += transfer.totals.sentBytes
      receivedBytes += transfer.totals.receivedBytes
      for (const feed of transfer.feeds.values()) openFeeds += feed.openFlows
    }
    return {
      payloadBytesInJavaScript: seenBytes,
      bytesToJavaScript: seenBytes,
      landingFallbacks: 0,
      sendingFallbacks: 0,
      sentBytes,
      receivedBytes,
      openFeeds,
      openFiles: this.#files.openCount,
      openPipes: 0,
      ...{ openBridges, bridgedBytes, openServes, servedBytes },
      lanes: 0,
    }
  }

  hashSource(handle: FileHandle): HashSource {
    this.#checkOpen()
    return this.#files.get(handle).hashSource
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
    return this.#hashes.blocks(file, range, blockBytes, algorithm)
  }

  /** Node cannot tell what is cached. */
  hashCached(file: FileHandle): undefined {
    this.#checkOpen()
    this.#files.get(file)
  }

  /** A file with holes is refused, too. */
  hashHoles(file: FileHandle): undefined {
    return this.hashCached(file)
  }

  /** Node offers none of the options that would help. */
  tuneControl(): void {}

  foldBlake3(values: Uint8Array, perValue: number): Uint8Array {
    this.#checkOpen()
    checkFold(values, perValue)
    return foldBlake3(values, perValue)
  }

  blake3File(values: Uint8Array): Uint8Array {
    this.#checkOpen()
    return blake3File(values)
  }

  xxh64(bytes: Uint8Array): bigint {
    this.#checkOpen()
    return this.#shared.hash(bytes, 0n)
  }

  shutdown(): Promise<void> {
    this.#shutdown ??= this.#close()
    return this.#shutdown
  }

  async #close(): Promise<void> {
    this.storage.stop()
    this.#bridges.close()
    this.#servings.close()
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

  #stream(transfer: Transfer, spec: { readonly stream: number }): StreamState {
    return known('stream', spec.stream, transfer.stream(spec.stream))
  }

  /** One that takes more to send, unless it may have been finished. */
  #outFeed(handle: FeedHandle, isAny = false): { feed: OutFeed; transfer: Transfer } {
    this.#checkOpen()
    const transfer = known('feed', handle, this.#transferOfFeed.get(handle))
    const feed = transfer.feeds.get(handle)
    if (!(feed instanceof OutFeed)) throw new TypeError('an incoming feed sends nothing')
    if (feed.isFinishing && !isAny) throw new TypeError('the feed is finished')
    return { feed, transfer }
  }
}

/** Makes an engine. The listener gets every event from then on; see ports.ts for the contract. */
export async function createPortableEngine(listener: EngineListener): Promise<DataEngine> {
  const xx = await xxhash()
  return new PortableEngine(listener, xx, await createBlockHashers(xx))
}
