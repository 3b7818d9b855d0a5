/**
 * The native engine: the DataEngine port on the addon. Numbers go down, batches of numbers come
 * up, sockets are handed over by descriptor. No payload byte enters JavaScript here.
 */
import type { Socket } from 'node:net'
import { availableParallelism } from 'node:os'
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
  FeedStats,
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
  TransferOptions,
  TransferShare,
  TransferStats,
} from '../../ports.js'
import {
  checkBlocks,
  checkInteger,
  checkRate,
  checkRates,
  checkSeal,
  checkTargets,
  checkWeight,
} from '../checks.js'
import {
  type Addon,
  algorithmNumber,
  eventNumbers,
  fromNative,
  loadAddon,
  type NativeEngine,
} from './addon.js'
import { decodeEvent } from './events.js'
import { serve } from './serving.js'
import { NativeStorage } from './storage.js'

const totalsNumbers = 6
const statsNumbers = 12

export interface NativeEngineOptions {
  /** Native threads; default one per core. */
  lanes?: number
  /**
   * TCP congestion control of data connections; default: cubic or reno on loopback, else the
   * system's.
   */
  congestion?: string
}

/**
 * Rejects with ERR_FR_ENGINE where the addon does not load, and with ERR_FR_LIMIT where the system
 * gives no descriptors or threads.
 */
export async function createNativeEngine(
  listener: EngineListener,
  options: NativeEngineOptions = {},
): Promise<DataEngine> {
  return new AddonEngine(loadAddon(), listener, options)
}

class AddonEngine implements DataEngine {
  readonly kind = 'native'
  readonly storage: NativeStorage
  readonly #addon: Addon
  readonly #engine: NativeEngine
  readonly #listener: EngineListener
  readonly #congestion: string
  #bytesToJavaScript = 0
  #isClosed = false

  constructor(addon: Addon, listener: EngineListener, options: NativeEngineOptions) {
    this.#addon = addon
    this.#listener = listener
    this.#congestion = options.congestion ?? process.env.FR_CONGESTION ?? ''
    const lanes = options.lanes ?? availableParallelism()
    try {
      this.#engine = new addon.Engine(lanes, (numbers, bytes) => this.#deliver(numbers, bytes))
    } catch (error) {
      throw fromNative(error)
    }
    this.storage = new NativeStorage(this.#engine)
  }

  #deliver(numbers: Float64Array, bytes: Uint8Array): void {
    this.#bytesToJavaScript += numbers.byteLength + bytes.byteLength
    const events: EngineEvent[] = []
    for (let at = 0; at < numbers.length; at += eventNumbers) {
      const record = numbers.subarray(at, at + eventNumbers)
      const sideAt = record[eventNumbers - 2] ?? 0
      const side = bytes.subarray(sideAt, sideAt + (record[eventNumbers - 1] ?? 0))
      const event = decodeEvent(record, side)
      if (event !== undefined) events.push(event)
      else this.storage.settle(record, side)
    }
    if (events.length > 0 && !this.#isClosed) this.#listener(events)
  }

  #call<T>(call: (engine: NativeEngine) => T): T {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    try {
      return call(this.#engine)
    } catch (error) {
      throw fromNative(error)
    }
  }

  openTransfer(options: TransferOptions = {}): TransferHandle {
    const { unackedMs = limits.silenceMs + limits.connectionGraceMs, dir = 0 } = options
    return this.#call((engine) => engine.openTransfer(unackedMs, dir))
  }

  addStream(transfer: TransferHandle, spec: StreamSpec): void {
    const { stream, size, blockBytes, complete, sparse = false } = spec
    this.#call((engine) => {
      // 0 is the addon's word for "none".
      const file = spec.file === undefined ? 0 : this.storage.file(spec.file)
      const scratch = spec.scratch === undefined ? 0 : this.storage.file(spec.scratch)
      const kind = spec.hashes && algorithmNumber[spec.hashes]
      engine.addStream(
        ...([transfer, stream, file, scratch, size, blockBytes, complete, sparse] as const),
        ...([spec.growing === true, kind] as const),
      )
    })
  }

  adopt(socket: Socket, spec: FeedSpec): FeedHandle {
    checkFeed(spec)
    if (socket.readableLength > 0) throw new TypeError('socket: holds bytes that were not read')
    const fd = descriptorOf(socket)
    const { transfer, direction, seed, isAsked = false, beside = 0, seal } = spec
    const isOut = direction === 'out'
    const feed = this.#call((engine) =>
      engine.adopt(fd, transfer, isOut, seed, this.#congestion, isAsked, beside, seal),
    )
    // The addon works on a duplicate: closing ours leaves the connection alone.
    socket.destroy()
    return feed
  }

  bridge(a: Socket, b: Socket): void {
    const both = [a, b]
    if (both.some(({ readableLength }) => readableLength > 0))
      throw new TypeError('socket: holds bytes that were not read')
    this.#call((engine) => engine.bridge(descriptorOf(a), descriptorOf(b)))
    for (const socket of both) socket.destroy()
  }

  async serve(socket: Socket, spec: ServeSpec): Promise<void> {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    return serve(this.#engine, this.storage, descriptorOf, socket, spec)
  }

  tuneControl(socket: Socket): void {
    const fd = descriptorOf(socket)
    if (fd >= 0) this.#addon.tuneControl(fd)
  }

  setRoute(transfer: TransferHandle, route: number, targets: readonly RouteTarget[]): void {
    checkTargets(targets)
    const numbers = targets.flatMap(({ feed, next, first }) => [feed, next, first ? 1 : 0])
    this.#call((engine) => engine.setRoute(transfer, route, Float64Array.from(numbers)))
  }

  assign(transfer: TransferHandle, spec: AssignSpec): void {
    const { stream, offset, length, route } = spec
    this.#call((engine) => engine.assign(transfer, stream, offset, length, route))
  }

  hold(transfer: TransferHandle, spec: HoldSpec): void {
    const { stream, offset, length } = spec
    this.#call((engine) => engine.hold(transfer, stream, offset, length))
  }

  skip(feed: FeedHandle, spec: SkipSpec): void {
    const { stream, offset, length } = spec
    this.#call((engine) => engine.skip(feed, stream, offset, length))
  }

  ask(feed: FeedHandle, spec: AskSpec): void {
    const { stream, offset, length, scratch = false } = spec
    this.#call((engine) => engine.ask(feed, stream, offset, length, scratch))
  }

  grow(transfer: TransferHandle, { stream, size, isFinal = false }: GrowSpec): void {
    this.#call((engine) => engine.grow(transfer, stream, size, isFinal))
  }

  cut(transfer: TransferHandle, { stream, offset, length }: CutSpec): void {
    this.#call((engine) => engine.cut(transfer, stream, offset, length))
  }

  forget(transfer: TransferHandle, { stream, before }: ForgetSpec): void {
    this.#call((engine) => engine.forget(transfer, stream, before))
  }

  send(feed: FeedHandle, spec: SendSpec): void {
    const { stream, offset, length, route = 0, scratch = false } = spec
    if (route !== 0 && scratch) throw new TypeError('route and scratch exclude each other')
    this.#call((engine) => engine.send(feed, stream, offset, length, route, scratch))
  }

  sendDigests(feed: FeedHandle, spec: DigestSpec): void {
    const { stream, offset, length, route = 0, payload } = spec
    this.#call((engine) => engine.sendDigests(feed, stream, offset, length, route, payload))
  }

  relayDigests(transfer: TransferHandle, spec: DigestSpec & { readonly route: number }): void {
    const { stream, offset, length, route, payload } = spec
    this.#call((engine) => engine.relayDigests(transfer, stream, offset, length, route, payload))
  }

  finish(feed: FeedHandle): void {
    this.#call((engine) => engine.finish(feed))
  }

  close(feed: FeedHandle): void {
    if (!this.#isClosed && feed > 0 && Number.isSafeInteger(feed)) this.#engine.close(feed)
  }

  closeTransfer(transfer: TransferHandle): void {
    if (!this.#isClosed) this.#call((engine) => engine.closeTransfer(transfer))
  }

  limit(rates: RateLimits): void {
    const { up, down } = checkRates(rates)
    this.#call((engine) => engine.limit(up, down))
  }

  limitTransfer(transfer: TransferHandle, share: TransferShare): void {
    const { up, down } = checkRates(share)
    const weight = checkWeight(share)
    this.#call((engine) => engine.limitTransfer(transfer, up, down, weight))
  }

  limitFeeds(feeds: readonly FeedHandle[], bytesPerSecond: number | undefined): void {
    const rate = checkRate('bytesPerSecond', bytesPerSecond)
    this.#call((engine) => engine.limitFeeds(Float64Array.from(feeds), rate))
  }

  stats(transfer: TransferHandle): TransferStats {
    const numbers = this.#call((engine) => engine.stats(transfer))
    const feeds: FeedStats[] = []
    for (let at = totalsNumbers; at < numbers.length; at += statsNumbers) {
      const row = numbers.subarray(at, at + statsNumbers)
      const [feed = 0, out = 0, payload = 0, queued = 0, unacked = 0, roundTrip = 0] = row
      const [duplicate = 0, records = 0, flows = 1, queue = 0] = row.subarray(6)
      const [retransmits = 0, windowLimited = 0] = row.subarray(10)
      const held = { retransmits, windowLimitedMs: windowLimited / 1000 }
      feeds.push({
        feed,
        direction: out === 1 ? 'out' : 'in',
        payloadBytes: payload,
        queuedBytes: queued,
        unackedBytes: unacked,
        rttMs: roundTrip / 1000,
        duplicateBytes: duplicate,
        records,
        flows,
        ...(roundTrip > 0 && { path: { queueMs: queue / 1000, ...held } }),
      })
    }
    const [landed = 0, hole = 0, scratch = 0, received = 0, dropped = 0, sent = 0] = numbers
    return {
      landedBytes: landed,
      holeBytes: hole,
      scratchBytes: scratch,
      receivedBytes: received,
      duplicateBytes: dropped,
      sentBytes: sent,
      feeds,
    }
  }

  counters(): EngineCounters {
    const numbers = this.#engine.counters()
    const [landing = 0, sending = 0, feeds = 0, pipes = 0, lanes = 0] = numbers
    const [sent = 0, received = 0, bridges = 0, bridged = 0] = numbers.subarray(5)
    const [serves = 0, served = 0, files = 0] = numbers.subarray(9)
    return {
      // No call and no event of the addon carries payload; the next line is what shows it.
      payloadBytesInJavaScript: 0,
      bytesToJavaScript: this.#bytesToJavaScript,
      landingFallbacks: landing,
      sendingFallbacks: sending,
      sentBytes: sent,
      receivedBytes: received,
      openFeeds: feeds,
      openFiles: files,
      openPipes: pipes,
      openBridges: bridges,
      bridgedBytes: bridged,
      openServes: serves,
      servedBytes: served,
      lanes,
    }
  }

  hashSource(file: FileHandle): HashSource {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    return { kind: 'native', file: this.storage.file(file) }
  }

  hashNow(
    file: FileHandle,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Uint8Array {
    return this.#hash(file, range, blockBytes, algorithm, false) as Uint8Array
  }

  hashCached(
    file: FileHandle,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Uint8Array | undefined {
    return this.#hash(file, range, blockBytes, algorithm, true)
  }

  hashHoles(
    handle: FileHandle,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Uint8Array | undefined {
    checkBlocks(range, blockBytes, algorithm, limits.hashHolesBytes)
    const { offset, length } = range
    const kind = algorithmNumber[algorithm]
    return this.#call(() =>
      this.#addon.hashHoles(this.storage.file(handle), offset, length, blockBytes, kind),
    )
  }

  #hash(
    handle: FileHandle,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
    cachedOnly: boolean,
  ): Uint8Array | undefined {
    checkBlocks(range, blockBytes, algorithm, limits.hashInlineBytes)
    const { offset, length } = range
    const kind = algorithmNumber[algorithm]
    return this.#call(() =>
      this.#addon.hashBlocks(
        this.storage.file(handle),
        offset,
        length,
        blockBytes,
        kind,
        cachedOnly,
      ),
    )
  }

  foldBlake3(values: Uint8Array, perValue: number): Uint8Array {
    return this.#call(() => this.#addon.foldBlake3(values, perValue))
  }

  blake3File(values: Uint8Array): Uint8Array {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    return this.#addon.blake3File(values)
  }

  xxh64(bytes: Uint8Array): bigint {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    return this.#addon.xxh64(bytes)
  }

  async shutdown(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#engine.shutdown()
    this.storage.close()
  }
}

/** -1 for a connection that is gone. */
function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as { _handle: { fd?: number } | null })._handle
  return socket.destroyed ? -1 : (handle?.fd ?? -1)
}

const seedMax = 0xffff_ffff_ffff_ffffn

function checkFeed(spec: FeedSpec): void {
  const { direction, seed, beside, seal } = spec
  checkSeal(seal)
  if (beside !== undefined) checkInteger('beside', beside, 1, 0xffff_ffff)
  if (direction !== 'in' && direction !== 'out')
    throw new TypeError(`direction: ${String(direction)}`)
  if (typeof seed !== 'bigint' || seed < 0n || seed > seedMax) {
    throw new TypeError('seed: not an unsigned 64-bit bigint')
  }
}
