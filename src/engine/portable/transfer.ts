/**
 * One transfer of the portable engine: its streams, its feeds, and the tables of its routes. Feeds
 * work by themselves (feed-in.ts, feed-out.ts) and meet here only when bytes land, when something
 * is passed on and when a stream fails.
 */
import type { Socket } from 'node:net'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { DigestSpec, EngineEvent, FeedHandle, FeedSpec, TransferHandle } from '../../ports.js'
import { known } from '../checks.js'
import { type Failed, failureWords } from '../system-error.js'
import { type Account, Budget } from './budget.js'
import { RelayedDigests } from './digests.js'
import type { Feed, FeedHost, Taker } from './feed.js'
import { InFeed } from './feed-in.js'
import { OutFeed } from './feed-out.js'
import type { SeededHash } from './record.js'
import type { StreamState } from './stream.js'

/** What the transfers share with the engine. */
export interface Shared {
  readonly hash: SeededHash
  readonly emit: (event: EngineEvent) => void
  payloadBytes: number
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
  }

  #land(stream: StreamState, isScratch: boolean, begin: number, end: number): void {
    this.totals[isScratch ? 'scratchBytes' : 'landedBytes'] += end - begin
    const run = stream.land(isScratch, begin, end)
    if (!isScratch) this.#offer(stream, begin, end)
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
    this.#digests.add(spec, route, Math.ceil(stream.size / stream.blockBytes))
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
