/**
 * What a reception says of itself, from the engine's counters: how much has landed, how fast bytes
 * go in and out, how far its feeds to mates are behind. Counters are copied when asked for; before
 * the transfer is open and after it is closed there is nothing to say.
 */
import { SmoothedRate } from '../../base/rate.js'
import { nowMs } from '../../base/time/awake.js'
import type { Frame } from '../../control/messages/types.js'
import type { NodeCommand } from '../../control/receiver/events.js'
import {
  type IncomingCount,
  type NodeCounts,
  NodeReports,
  type OutgoingCount,
} from '../../control/receiver/reports.js'
import type { DataEngine, TransferHandle, TransferStats } from '../../ports.js'
import type { ReceptionFeeds } from './feeds.js'
import type { RelayStatus } from './transfer-status.js'

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

export class ReceptionReports {
  readonly #engine: DataEngine
  readonly #feeds: ReceptionFeeds
  readonly #in = new SmoothedRate(smoothMs)
  readonly #out = new SmoothedRate(smoothMs)
  readonly #reports = new NodeReports()
  #transfer: TransferHandle | undefined
  #excluded: ReadonlySet<number> = new Set()

  constructor(engine: DataEngine, feeds: ReceptionFeeds) {
    this.#engine = engine
    this.#feeds = feeds
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

  /** Before a feed is closed, whose counters go with it. */
  count(): void {
    this.#reports.count(this.received())
  }

  get rateInBytesPerSecond(): number {
    return this.#in.value
  }

  get rateOutBytesPerSecond(): number {
    return this.#out.value
  }

  /** What the machine knows, with what the engine counts. */
  progress(known: NodeCommand & { type: 'report' }): Frame | undefined {
    const stats = this.#stats()
    if (stats === undefined) return undefined
    const now = nowMs()
    this.#in.add(stats.receivedBytes, now)
    this.#out.add(stats.sentBytes, now)
    return this.#reports.progress(known, this.#counts(stats), now)
  }

  /** Undefined also when it would say what the last one said. */
  backlog(): Frame | undefined {
    const stats = this.#stats()
    return stats && this.#reports.backlog(this.#counts(stats), nowMs())
  }

  /** How far each feed to a mate is behind, in the order of the mates. */
  relays(): RelayStatus[] {
    const stats = this.#stats()
    if (stats === undefined) return []
    return this.#outgoing(stats)
      .sort((a, b) => a.index - b.index)
      .map(({ index, queuedBytes, unackedBytes }) => {
        const node = this.#feeds.addressOf(index) ?? String(index)
        return { node, queuedBytes, unackedBytes, isLagging: this.#excluded.has(index) }
      })
  }

  /** Payload that has come on the feeds of the origin and of mates. */
  received(): IncomingCount[] {
    return this.#feeds.received(this.#stats()?.feeds ?? [])
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
    const incoming = this.#feeds.received(stats.feeds)
    return { ...stats, incoming, outgoing: this.#outgoing(stats) }
  }

  #outgoing(stats: TransferStats): OutgoingCount[] {
    return stats.feeds.flatMap((feed) => {
      const index = this.#feeds.relays.indexOf(feed.feed)
      if (index === undefined) return []
      const { queuedBytes, unackedBytes, payloadBytes: sentBytes } = feed
      const pulledBytes = this.#feeds.pulls.queuedBytes(index, feed)
      return [{ index, queuedBytes, unackedBytes, sentBytes, pulledBytes }]
    })
  }
}
