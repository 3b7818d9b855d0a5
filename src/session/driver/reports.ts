/**
 * What a node reports of its feeds, made from the engine's counters: to the coordinator, which
 * plans by it, and to whoever asks for the state of the node. Counters are copied when asked for;
 * before the transfer is open and after it is closed there is nothing to say.
 */
import { SmoothedRate } from '../../base/rate.js'
import type { Frame } from '../../control/messages/types.js'
import {
  type IncomingCount,
  type NodeCounts,
  type NodeProgress,
  NodeReports,
  type OutgoingCount,
} from '../../control/receiver/reports.js'
import type { FeedHandle, FeedStats, TransferHandle, TransferStats } from '../../ports.js'
import type { Neighbours } from './neighbours.js'
import type { FeedEngine } from './ports.js'

/** People read these rates: they need not follow every report. */
const smoothMs = 500

type Totals = Omit<TransferStats, 'feeds'>

const noTotals: Totals = {
  landedBytes: 0,
  holeBytes: 0,
  scratchBytes: 0,
  receivedBytes: 0,
  duplicateBytes: 0,
  sentBytes: 0,
}

/** One feed to a mate, as `TransferStatus` shows it. */
export interface RelayCount extends OutgoingCount {
  /** The coordinator has said that nobody is to wait for this mate. */
  readonly isLagging: boolean
}

export class FeedReports {
  readonly #engine: FeedEngine
  readonly #neighbours: Neighbours
  readonly #pulledBytes: (index: number, feed: FeedStats) => number
  readonly #isParent: (index: number) => boolean
  readonly #in = new SmoothedRate(smoothMs)
  readonly #out = new SmoothedRate(smoothMs)
  readonly #reports = new NodeReports()
  #transfer: TransferHandle | undefined
  #excluded: ReadonlySet<number> = new Set()

  /**
   * `pulledBytes`: of the bytes that wait on a feed, those that its mate has pulled. `isParent`:
   * whether a member feeds this node by itself.
   */
  constructor(
    engine: FeedEngine,
    neighbours: Neighbours,
    pulledBytes: (index: number, feed: FeedStats) => number,
    isParent: (index: number) => boolean,
  ) {
    this.#engine = engine
    this.#neighbours = neighbours
    this.#pulledBytes = pulledBytes
    this.#isParent = isParent
  }

  opened(transfer: TransferHandle): void {
    this.#transfer = transfer
  }

  closed(): void {
    this.#transfer = undefined
  }

  /** What the engine has counted so far; all 0 before the transfer is open and after its end. */
  get totals(): Totals {
    return this.#stats() ?? noTotals
  }

  /** Bytes of the file and of repairs: grows with whatever lands. */
  get movedBytes(): number {
    const { landedBytes, scratchBytes } = this.totals
    return landedBytes + scratchBytes
  }

  get rateInBytesPerSecond(): number {
    return this.#in.value
  }

  get rateOutBytesPerSecond(): number {
    return this.#out.value
  }

  statsOf(feed: FeedHandle): FeedStats | undefined {
    return this.#stats()?.feeds.find((stats) => stats.feed === feed)
  }

  /** Before a feed is closed, whose counters go with it. */
  count(): void {
    this.#reports.count(this.received())
  }

  /** What the machine knows, with what the engine counts. */
  progress(known: NodeProgress, nowMs: number): Frame | undefined {
    const stats = this.#stats()
    if (stats === undefined) return undefined
    this.#in.add(stats.receivedBytes, nowMs)
    this.#out.add(stats.sentBytes, nowMs)
    return this.#reports.progress(known, this.#counts(stats), nowMs)
  }

  /** Undefined also when it would say what the last one said. */
  backlog(nowMs: number): Frame | undefined {
    const stats = this.#stats()
    return stats && this.#reports.backlog(this.#counts(stats), nowMs)
  }

  /** How far each feed to a mate is behind, in the order of the mates. */
  relays(): RelayCount[] {
    const stats = this.#stats()
    if (stats === undefined) return []
    return this.#outgoing(stats)
      .sort((a, b) => a.index - b.index)
      .map((count) => ({ ...count, isLagging: this.#excluded.has(count.index) }))
  }

  /** Payload that has come on the feeds of the coordinator and of mates. */
  received(): IncomingCount[] {
    return this.#incoming(this.#stats()?.feeds ?? [])
  }

  /** Mates whose backlog does not count. */
  exclude(indices: readonly number[]): void {
    this.#excluded = new Set(indices)
    this.#reports.exclude(indices)
  }

  #stats(): TransferStats | undefined {
    return this.#transfer === undefined ? undefined : this.#engine.stats(this.#transfer)
  }

  #counts(stats: TransferStats): NodeCounts {
    return { ...stats, incoming: this.#incoming(stats.feeds), outgoing: this.#outgoing(stats) }
  }

  #incoming(feeds: readonly FeedStats[]): IncomingCount[] {
    return feeds.flatMap(({ feed, direction, payloadBytes: receivedBytes }) => {
      const member = direction === 'in' ? this.#neighbours.byFeed(feed) : undefined
      if (member === undefined) return []
      const isParent = this.#isParent(member.number)
      return [{ feed, index: member.number, isParent, receivedBytes }]
    })
  }

  #outgoing({ feeds }: TransferStats): OutgoingCount[] {
    return feeds.flatMap((feed) => {
      const member = this.#neighbours.byFeed(feed.feed)
      if (feed.direction !== 'out' || member?.out.state !== 'open' || !member.out.relay) return []
      const { queuedBytes, unackedBytes, payloadBytes: sentBytes } = feed
      const pulledBytes = this.#pulledBytes(member.number, feed)
      return [{ index: member.number, queuedBytes, unackedBytes, sentBytes, pulledBytes }]
    })
  }
}
