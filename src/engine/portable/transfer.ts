/**
 * One transfer of the portable engine: its streams, its feeds, and the tables of its routes. Feeds
 * work by themselves (feed-in.ts, feed-out.ts) and meet here only when bytes land, when something
 * is passed on and when a stream fails.
 */
import type { Socket } from 'node:net'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Span } from '../../base/spans.js'
import type {
  ByteRange,
  DigestSpec,
  EngineEvent,
  FeedHandle,
  FeedSpec,
  TransferHandle,
} from '../../ports.js'
import { asFrError, checkSeal, known } from '../checks.js'
import { type Failed, failureWords } from '../system-error.js'
import { type Account, Budget } from './budget.js'
import { RelayedDigests } from './digests.js'
import type { Feed, FeedHost, Taker } from './feed.js'
import { InFeed } from './feed-in.js'
import { OutFeed } from './feed-out.js'
import type { OpenFile } from './files.js'
import type { SeededHash } from './record.js'
import type { StreamState } from './stream.js'

/** What the transfers share with the engine. */
export interface Shared {
  readonly hash: SeededHash
  readonly emit: (event: EngineEvent) => void
  /** The BLAKE3 subtree value of these bytes, at most a block; throws as reading does. */
  readonly subtree: (file: OpenFile, range: ByteRange) => Uint8Array
  payloadBytes: number
}

const uint64Max = 0xffff_ffff_ffff_ffffn

/** Throws TypeError for what cannot be a feed. */
export function checkFeed(socket: Socket, { seed, seal, direction }: FeedSpec): void {
  if (typeof seed !== 'bigint' || seed < 0n || seed > uint64Max) {
    throw new TypeError('seed must be a bigint from 0 to 2^64 - 1')
  }
  checkSeal(seal)
  if (direction !== 'in' && direction !== 'out')
    throw new TypeError(`direction must be 'in' or 'out', not ${String(direction)}`)
  if (socket.readableLength > 0 || socket.writableLength > 0 || socket.connecting) {
    throw new TypeError('socket must be connected, with nothing buffered in either direction')
  }
}

/** Throws unless the feed can have this connection as one more flow. */
function checkFlow(feed: Feed, socket: Socket, direction: 'in' | 'out'): void {
  if (feed.direction !== direction) throw new TypeError('beside: of the other direction')
  if (socket.destroyed) throw new FrError('ERR_FR_NODE_LOST')
  if (feed.flows >= limits.flowsPerFeed) throw new FrError('ERR_FR_LIMIT')
}

export class Transfer implements FeedHost {
  readonly transfer: TransferHandle
  readonly up: Account
  readonly down: Account
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
  readonly #digests = new RelayedDigests()
  /** What limits some of the feeds together. */
  readonly #links = new Set<Account>()
  /** Feeds that wait for others to take what they bring. */
  readonly #waiting: (() => void)[] = []
  #isClosed = false

  constructor(handle: TransferHandle, shared: Shared, up: Account, down: Account) {
    this.transfer = handle
    this.#shared = shared
    this.up = up
    this.down = down
  }

  /** A new feed, or one more flow of one. Throws TypeError, FrError. */
  adopt(socket: Socket, spec: FeedSpec, newHandle: () => FeedHandle): Feed {
    const { beside, direction, isAsked = false } = spec
    const first = beside === undefined ? undefined : known('beside', beside, this.feeds.get(beside))
    if (first === undefined && this.feeds.size >= limits.feedsPerTransfer)
      throw new FrError('ERR_FR_LIMIT')
    if (first !== undefined) checkFlow(first, socket, direction)
    const handle = first?.handle ?? newHandle()
    const feed =
      direction === 'in'
        ? new InFeed(handle, socket, spec, this, isAsked, first as InFeed | undefined)
        : new OutFeed(handle, socket, spec, this, first as OutFeed | undefined)
    if (first === undefined) this.feeds.set(handle, feed)
    return feed
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
    for (const span of stream.fresh(isScratch, begin, end)) this.#land(stream, isScratch, ...span)
  }

  hold(stream: StreamState, begin: number, end: number): void {
    if (stream.failed) return
    for (const [low, high] of stream.hold(begin, end)) {
      this.totals.landedBytes += high - low
      this.#offer(stream, low, high)
    }
    this.#answerCut(stream)
  }

  #land(stream: StreamState, isScratch: boolean, begin: number, end: number): void {
    this.totals[isScratch ? 'scratchBytes' : 'landedBytes'] += end - begin
    const runs = stream.land(isScratch, begin, end)
    if (!isScratch) this.#offer(stream, begin, end)
    for (const run of runs) this.#tell(stream, isScratch, run)
    if (!isScratch) this.#answerCut(stream)
  }

  #tell(stream: StreamState, scratch: boolean, [offset, past]: Span, digests?: Uint8Array): void {
    this.emit({
      ...{ type: 'landed', transfer: this.transfer, stream: stream.id, scratch },
      ...{ offset, length: past - offset },
      ...(digests !== undefined && { digests }),
    })
  }

  /** More of a stream may come, or it ends here. */
  grow(stream: StreamState, size: number, isFinal: boolean): void {
    if (isFinal) {
      const { last, goneBytes } = stream.finish(size)
      this.totals.landedBytes -= goneBytes
      for (const feed of this.feeds.values()) if (feed instanceof InFeed) feed.ended(stream)
      if (last !== undefined) this.#tell(stream, false, last)
    } else {
      stream.grow(size)
    }
    this.lookAgain()
  }

  cut(stream: StreamState, { offset, length }: ByteRange): void {
    if (stream.failed) return
    stream.cut = { offset, length }
    this.#answerCut(stream)
  }

  #answerCut(stream: StreamState): void {
    const { cut } = stream
    if (cut === undefined || stream.failed) return
    const end = cut.offset + cut.length
    if (stream.split(cut.offset, end).missing.length > 0) return
    stream.cut = undefined
    try {
      this.#tell(stream, false, [cut.offset, end], this.#shared.subtree(stream.source, cut))
    } catch (error) {
      const { code, errno = 0 } = asFrError(error)
      this.failStream(stream, code, { what: 'read', errno })
    }
  }

  forgetBefore(stream: StreamState, before: number): void {
    const line = stream.forgetBefore(before)
    this.#digests.forget(stream.id, line)
    for (const feed of this.feeds.values()) {
      if (feed instanceof InFeed) feed.asks.forget(stream, line)
      else if (feed instanceof OutFeed) feed.forgetBefore(stream, line)
    }
  }

  /** Waits until a stream may have bytes up to here, or ends, or that has taken too long. */
  async room(stream: StreamState, end: number, isWorth: () => boolean): Promise<boolean> {
    if (end <= stream.size || !stream.isOpen) return isWorth()
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.lookAgain()
    }, limits.beyondMs)
    while (isWorth() && !isLate && end > stream.size && stream.isOpen)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    clearTimeout(timer)
    return isWorth()
  }

  /** Bytes are in the file now: to whoever waits for them, and where their routes lead. */
  #offer(stream: StreamState, begin: number, end: number): void {
    for (const feed of this.feeds.values()) {
      if (feed instanceof OutFeed) feed.landed(stream, begin, end)
    }
    for (const { begin: low, end: high, route } of stream.routed(begin, end))
      this.#forward(stream, low, high, route)
  }

  raise(stream: StreamState, begin: number, end: number, route: number): void {
    for (const span of stream.raise(begin, end, route)) this.#forward(stream, ...span, route)
  }

  #forward(stream: StreamState, begin: number, end: number, route: number): void {
    for (const [feed, next] of this.#table.get(route) ?? []) feed.route(stream, begin, end, next)
  }

  relayDigests(stream: StreamState, spec: DigestSpec, route: number): void {
    this.#digests.add(spec, route, stream)
    for (const feed of this.#table.get(route)?.keys() ?? []) feed.wake()
  }

  async takers(route: number, isWorth: () => boolean): Promise<readonly Taker[] | undefined> {
    while (isWorth()) {
      const row = this.#table.get(route)
      const to = [...(row ?? [])].filter(([feed]) => feed.isOpen && !feed.isFinishing)
      if (row !== undefined && to.every(([feed]) => feed.isReady))
        return to.map(([feed, next]) => ({ feed, next }))
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return undefined
  }

  lookAgain(): void {
    for (const look of this.#waiting.splice(0)) look()
  }

  forget(handle: FeedHandle): void {
    const feed = this.feeds.get(handle)
    this.feeds.delete(handle)
    if (feed instanceof OutFeed) for (const row of this.#table.values()) row.delete(feed)
  }

  setRoute(route: number, targets: Map<OutFeed, number>): void {
    const before = this.#table.get(route)
    // What is passed on waits for a table, and one without targets is a table.
    const passes = [...this.streams.values()].some((stream) => stream.passes)
    if (targets.size === 0 && !passes) this.#table.delete(route)
    else this.#table.set(route, targets)
    this.lookAgain()
    for (const feed of before?.keys() ?? []) if (!targets.has(feed)) feed.unfollow(route)
    for (const [feed, next] of targets) feed.follow(route, next, this.#digests.log(route))
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

  /** Rates of its own, 0: none, and its weight against other transfers. */
  limit(up: number, down: number, weight: number): void {
    for (const [account, ownRate] of [
      [this.up, up],
      [this.down, down],
    ] as const) {
      Object.assign(account, { ownRate, weight })
      account.bound()
    }
  }

  /** These send no more than that together; 0: nothing more limits them. */
  limitFeeds(feeds: readonly OutFeed[], rate: number): void {
    const known = feeds.find(({ link }) => link !== undefined)?.link
    const link = rate === 0 ? undefined : (known ?? new Budget().open())
    if (link !== undefined) {
      this.#links.add(link)
      link.ownRate = rate
      link.bound()
    }
    for (const feed of feeds) feed.limit(link)
  }

  close(): void {
    this.#isClosed = true
    for (const account of [this.up, this.down, ...this.#links]) account.close()
    for (const feed of this.feeds.values()) feed.drop()
    for (const stream of this.streams.values()) {
      stream.failed = true
      stream.forget()
    }
  }
}
