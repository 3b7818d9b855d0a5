/**
 * Looks at the engine's counters of a transfer at a node: for its machine, which reports and plans
 * by them, and for whoever asks for the state of the node. Before the transfer is open and after it
 * is closed there is nothing to see.
 */
import { SmoothedRate } from '../../base/rate.js'
import type { IncomingCount, NodeSample, OutgoingCount } from '../../control/receiver/reports.js'
import type { FeedHandle, FeedStats, TransferHandle, TransferStats } from '../../ports.js'
import type { Neighbours } from './neighbours.js'
import type { FeedEngine } from './ports.js'

/** People read these rates: they need not follow every sample. */
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

export class Samples {
  readonly #engine: FeedEngine
  readonly #neighbours: Neighbours
  readonly #pulledBytes: (index: number, feed: FeedStats) => number
  readonly #isParent: (index: number) => boolean
  readonly #in = new SmoothedRate(smoothMs)
  readonly #out = new SmoothedRate(smoothMs)
  #transfer: TransferHandle | undefined

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

  get rateInBytesPerSecond(): number {
    return this.#in.value
  }

  get rateOutBytesPerSecond(): number {
    return this.#out.value
  }

  statsOf(feed: FeedHandle): FeedStats | undefined {
    return this.#stats()?.feeds.find((stats) => stats.feed === feed)
  }

  take(nowMs: number): NodeSample | undefined {
    const stats = this.#stats()
    if (stats === undefined) return undefined
    this.#in.add(stats.receivedBytes, nowMs)
    this.#out.add(stats.sentBytes, nowMs)
    const { feeds, ...totals } = stats
    const [incoming, outgoing] = [this.#incoming(feeds), this.#outgoing(feeds)]
    return { atMs: nowMs, ...totals, incoming, outgoing }
  }

  /** How far each feed to a mate is behind, in the order of the mates. */
  relays(): OutgoingCount[] {
    return this.#outgoing(this.#stats()?.feeds ?? []).sort((a, b) => a.index - b.index)
  }

  #stats(): TransferStats | undefined {
    return this.#transfer === undefined ? undefined : this.#engine.stats(this.#transfer)
  }

  #incoming(feeds: readonly FeedStats[]): IncomingCount[] {
    return feeds.flatMap(({ feed, direction, payloadBytes: receivedBytes }) => {
      const member = direction === 'in' ? this.#neighbours.byFeed(feed) : undefined
      if (member === undefined) return []
      const isParent = this.#isParent(member.number)
      return [{ feed, index: member.number, isParent, receivedBytes }]
    })
  }

  #outgoing(feeds: readonly FeedStats[]): OutgoingCount[] {
    return feeds.flatMap((feed) => {
      const member = this.#neighbours.byFeed(feed.feed)
      if (feed.direction !== 'out' || member?.out.state !== 'open' || !member.out.relay) return []
      const { queuedBytes, unackedBytes, payloadBytes: sentBytes } = feed
      const pulledBytes = this.#pulledBytes(member.number, feed)
      return [{ index: member.number, queuedBytes, unackedBytes, sentBytes, pulledBytes }]
    })
  }
}
