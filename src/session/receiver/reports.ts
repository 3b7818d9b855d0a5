/**
 * What a reception says of itself, from the engine's counters: how much has landed, how fast bytes
 * go in and out, how far its feeds to mates are behind. Counters are copied when asked for; before
 * the transfer is open and after it is closed there is nothing to say.
 */
import { SmoothedRate } from '../../base/rate.js'
import { nowMs } from '../../base/time/awake.js'
import { ReceivedBytes } from '../../control/holdings/mate-bytes.js'
import type { Frame } from '../../control/messages/types.js'
import { Backlog } from '../../control/receiver/backlog.js'
import type { NodeCommand } from '../../control/receiver/events.js'
import type {
  DataEngine,
  FeedHandle,
  FeedStats,
  TransferHandle,
  TransferStats,
} from '../../ports.js'
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
  readonly #backlog = new Backlog()
  readonly #in = new SmoothedRate(smoothMs)
  readonly #out = new SmoothedRate(smoothMs)
  readonly #received = new ReceivedBytes()
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
    this.#received.count(this.received())
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
    const mates = this.#mates(stats, ({ queuedBytes, unackedBytes }) => {
      return { queuedBytes, unackedBytes }
    })
    const { landedBytes, holeBytes, sentBytes, receivedBytes, duplicateBytes } = stats
    const counted = { landedBytes, holeBytes, sentBytes, receivedBytes, duplicateBytes }
    const { verifiedBytes, repairedBytes, pulled } = known
    this.#received.count(this.#feeds.received(stats.feeds))
    const received = this.#received.news()
    const verified = { verifiedBytes, repairedBytes, pulled }
    return { type: 'progress', atMs: Math.round(now), ...counted, ...verified, mates, received }
  }

  /** Undefined also when it would say what the last one said. */
  backlog(): Frame | undefined {
    const stats = this.#stats()
    if (stats === undefined) return undefined
    const now = nowMs()
    const mates = this.#mates(stats, (feed, index) => {
      const { unackedBytes, payloadBytes: sentBytes } = feed
      // What mates have pulled is no part of what this node was dealt to relay.
      const queuedBytes = feed.queuedBytes - this.#feeds.pulls.queuedBytes(index, feed)
      return { queuedBytes, unackedBytes, sentBytes }
    })
    const { landedBytes } = stats
    const fromOrigin = stats.feeds.find((feed) => feed.feed === this.#feeds.originFeed)
    const receivedBytes = fromOrigin?.payloadBytes ?? 0
    const taken = { atMs: Math.round(now), landedBytes, receivedBytes }
    const report = { ...taken, ...this.#backlog.report(mates, now) }
    return this.#backlog.isWorthSending(report, now) ? { type: 'backlog', ...report } : undefined
  }

  /** How far each feed to a mate is behind, in the order of the mates. */
  relays(): RelayStatus[] {
    const stats = this.#stats()
    if (stats === undefined) return []
    const mates = this.#mates(stats, ({ queuedBytes, unackedBytes }) => {
      return { queuedBytes, unackedBytes }
    })
    return mates
      .sort((a, b) => a.index - b.index)
      .map(({ index, ...bytes }) => {
        const node = this.#feeds.addressOf(index) ?? String(index)
        return { node, ...bytes, isLagging: this.#excluded.has(index) }
      })
  }

  /** Payload that has come on the feeds of mates. */
  received(): { feed: FeedHandle; index: number; receivedBytes: number }[] {
    return this.#feeds.received(this.#stats()?.feeds ?? [])
  }

  /** Mates whose backlog does not count. */
  exclude(indices: readonly number[]): void {
    this.#excluded = new Set(indices)
    this.#backlog.exclude(indices)
  }

  #stats(): TransferStats | undefined {
    return this.#transfer === undefined ? undefined : this.#engine.stats(this.#transfer)
  }

  #mates<T>(
    stats: TransferStats,
    told: (feed: FeedStats, index: number) => T,
  ): ({ index: number } & T)[] {
    return stats.feeds.flatMap((feed) => {
      const index = this.#feeds.relays.indexOf(feed.feed)
      return index === undefined ? [] : [{ index, ...told(feed, index) }]
    })
  }
}
