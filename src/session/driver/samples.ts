/**
 * Looks at the engine's counters of a transfer: for the machine, which reports and plans by them,
 * and for whoever asks how far the transfer is. Before the transfer is open there is nothing to
 * see; after it is closed its last totals stay.
 */
import { SmoothedRate } from '../../base/rate.js'
import type { IncomingCount, OutgoingCount, Sample } from '../../control/messages/facts.js'
import { originNumber } from '../../control/messages/types.js'
import type { FeedHandle, FeedStats, TransferHandle, TransferStats } from '../../ports.js'
import type { Neighbour, Neighbours } from './neighbours.js'
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
  readonly #pulledBytes: (member: number, feed: FeedStats) => number
  readonly #isParent: (member: number) => boolean
  readonly #in = new SmoothedRate(smoothMs)
  readonly #out = new SmoothedRate(smoothMs)
  /** What connections that are closed have brought, by member. */
  readonly #before = new Map<number, number>()
  #transfer: TransferHandle | undefined
  #last: Totals = noTotals
  #feeds: readonly FeedStats[] = []

  /**
   * `pulledBytes`: of the bytes that wait on a feed, those that its mate has pulled. `isParent`:
   * whether a member feeds this side by itself.
   */
  constructor(
    engine: FeedEngine,
    neighbours: Neighbours,
    pulledBytes: (member: number, feed: FeedStats) => number,
    isParent: (member: number) => boolean,
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
    const stats = this.#stats()
    if (stats !== undefined) {
      this.#last = stats
      for (const { member, receivedBytes } of this.#incoming(stats.feeds))
        this.#before.set(member, receivedBytes)
    }
    this.#transfer = undefined
  }

  /** As of the last sample. */
  get feeds(): readonly FeedStats[] {
    return this.#feeds
  }

  /** What the engine has counted so far. */
  get totals(): Totals {
    return this.#stats() ?? this.#last
  }

  get rateInBytesPerSecond(): number {
    return this.#in.value
  }

  get rateOutBytesPerSecond(): number {
    return this.#out.value
  }

  /** Payload that came from the origin itself. */
  get directBytes(): number {
    const incoming = this.#incoming(this.#stats()?.feeds ?? [])
    return incoming.find(({ member }) => member === originNumber)?.receivedBytes ?? 0
  }

  /** Payload that the data connections of a member have brought. */
  receivedFrom({ number, fedBy }: Neighbour): number {
    const open = fedBy.state === 'open' ? this.statsOf(fedBy.feed) : undefined
    return (this.#before.get(number) ?? 0) + (open?.payloadBytes ?? 0)
  }

  /** A data connection that comes in is closed now; its counters go with it. */
  ends(feed: FeedHandle): void {
    const member = this.#neighbours.byFeed(feed)
    if (member !== undefined) this.#before.set(member.number, this.receivedFrom(member))
  }

  statsOf(feed: FeedHandle): FeedStats | undefined {
    return this.#stats()?.feeds.find((stats) => stats.feed === feed)
  }

  take(nowMs: number): Sample | undefined {
    const stats = this.#stats()
    if (stats === undefined) return undefined
    this.#in.add(stats.receivedBytes, nowMs)
    this.#out.add(stats.sentBytes, nowMs)
    const { feeds, ...totals } = stats
    this.#feeds = feeds
    const [incoming, outgoing] = [this.#incoming(feeds), this.#outgoing(feeds)]
    return { atMs: nowMs, ...totals, incoming, outgoing }
  }

  /** How far each feed to a mate is behind, in the order of the mates. */
  relays(): OutgoingCount[] {
    return this.#outgoing(this.#stats()?.feeds ?? []).sort((a, b) => a.member - b.member)
  }

  #stats(): TransferStats | undefined {
    return this.#transfer === undefined ? undefined : this.#engine.stats(this.#transfer)
  }

  #incoming(feeds: readonly FeedStats[]): IncomingCount[] {
    const brought = new Map(this.#before)
    for (const { feed, direction, payloadBytes } of feeds) {
      const member = direction === 'in' ? this.#neighbours.byFeed(feed)?.number : undefined
      if (member !== undefined) brought.set(member, (brought.get(member) ?? 0) + payloadBytes)
    }
    return [...brought].map(([member, receivedBytes]) => {
      return { member, isParent: this.#isParent(member), receivedBytes }
    })
  }

  #outgoing(feeds: readonly FeedStats[]): OutgoingCount[] {
    return feeds.flatMap((feed) => {
      const member = this.#neighbours.byFeed(feed.feed)
      if (feed.direction !== 'out' || member?.out.state !== 'open' || !member.out.isWished)
        return []
      const { queuedBytes, unackedBytes, rttMs, payloadBytes } = feed
      const sentBytes = member.out.lacking.receivedBytes + payloadBytes
      const pulledBytes = this.#pulledBytes(member.number, feed)
      return [{ member: member.number, queuedBytes, unackedBytes, rttMs, sentBytes, pulledBytes }]
    })
  }
}
