/**
 * What a reception says of itself, from the engine's counters: how much has landed, how fast bytes
 * go in and out, how far its feeds to mates are behind. Counters are copied when asked for; before
 * the transfer is open and after it is closed there is nothing to say.
 */
import { Backlog } from '../control/backlog.js'
import { Heard } from '../control/heard.js'
import type { NodeCommand } from '../control/node-events.js'
import type { Frame } from '../control/types.js'
import type { DataEngine, FeedStats, TransferHandle, TransferStats } from '../ports.js'
import { nowMs } from './awake.js'
import { FlowMeter } from './meter.js'
import type { ReceptionFeeds } from './reception-feeds.js'

/** One feed of a node to a mate. */
export interface RelayView {
  /** HOST:PORT of the mate. */
  readonly node: string
  /** Listed and not accepted by the socket. */
  readonly queuedBytes: number
  /** Accepted and not acknowledged by the mate. */
  readonly unackedBytes: number
  /** The origin has said that nobody is to wait for this mate. */
  readonly isLagging: boolean
}

export class ReceptionReports {
  readonly #engine: DataEngine
  readonly #feeds: ReceptionFeeds
  readonly #bytes: number
  readonly #backlog = new Backlog()
  readonly #meter = new FlowMeter()
  readonly #heard = new Heard()
  #transfer: TransferHandle | undefined
  #excluded: ReadonlySet<number> = new Set()

  /** `bytes`: of the file. */
  constructor(engine: DataEngine, feeds: ReceptionFeeds, bytes: number) {
    this.#engine = engine
    this.#feeds = feeds
    this.#bytes = bytes
  }

  opened(transfer: TransferHandle): void {
    this.#transfer = transfer
  }

  closed(): void {
    this.#transfer = undefined
  }

  /** Of the file and of repairs. */
  get landedBytes(): number {
    return this.#stats()?.landedBytes ?? 0
  }

  get rateInBytesPerSecond(): number {
    return this.#meter.rateIn
  }

  get rateOutBytesPerSecond(): number {
    return this.#meter.rateOut
  }

  /** What the machine knows, with what the engine counts. */
  progress(known: NodeCommand & { type: 'report' }): Frame | undefined {
    const stats = this.#stats()
    if (stats === undefined) return undefined
    this.#meter.count(stats, nowMs())
    const mates = this.#mates(stats, ({ queuedBytes, unackedBytes }) => {
      return { queuedBytes, unackedBytes }
    })
    const landedBytes = Math.min(stats.landedBytes, this.#bytes)
    const { sentBytes } = this.#meter
    const { verifiedBytes, repairedBytes, pulled } = known
    const bytes = { landedBytes, verifiedBytes, repairedBytes, sentBytes }
    const heard = this.#heard.since(this.#feeds.received(stats.feeds))
    return { type: 'progress', ...bytes, mates, heard, pulled }
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
    const landedBytes = Math.min(stats.landedBytes, this.#bytes)
    const fromOrigin = stats.feeds.find((feed) => feed.feed === this.#feeds.originFeed)
    const receivedBytes = fromOrigin?.payloadBytes ?? 0
    const taken = { atMs: Math.round(now), landedBytes, receivedBytes }
    const report = { ...taken, ...this.#backlog.report(mates, now) }
    return this.#backlog.isWorthSending(report, now) ? { type: 'backlog', ...report } : undefined
  }

  /** How far each feed to a mate is behind, in the order of the mates. */
  relays(): RelayView[] {
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
  received(): { index: number; receivedBytes: number }[] {
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
