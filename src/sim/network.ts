/**
 * The network between simulated machines: how fast each link is, how long a message is on its way,
 * and which data connections are open. An outage holds up what is on its path.
 *
 * The network knows nothing of the machines at its ends: it tells them what arrives and which
 * connections break.
 */
import { originNumber } from '../control/messages/types.js'
import { type SimChunk, type SimDigests, SimFeed } from './feed.js'
import { Downlink, Uplink } from './links.js'
import { Outages } from './outages.js'
import { Random } from './random.js'
import type { EdgeScenario, Scenario } from './scenario.js'
import type { Timeline } from './timeline.js'

/** The origin's number among the hosts. */
export const originIndex = originNumber

/** Of the origin first, then of the nodes. */
function rowOf(host: number): number {
  return host === originIndex ? 0 : host + 1
}

export interface NetworkEnds {
  landed(chunk: SimChunk, from: number, to: number): void
  announced(record: SimDigests, to: number): void
  /** The feed broke, and its receiver notices. */
  receiverCut(from: number, to: number): void
  /** The feed broke, and its sender notices. */
  senderCut(from: number, to: number): void
}

export class Network {
  readonly #scenario: Scenario
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #ends: NetworkEnds
  readonly #outages: Outages
  readonly #feeds = new Map<string, SimFeed>()
  readonly #originFeeds: SimFeed[] = []
  /** Of the origin first, then of the nodes. */
  readonly #uplinks: readonly Uplink[]
  readonly #downlinks: readonly Downlink[]

  constructor(scenario: Scenario, timeline: Timeline, random: Random, ends: NetworkEnds) {
    this.#scenario = scenario
    this.#timeline = timeline
    this.#random = random
    this.#ends = ends
    this.#outages = new Outages(scenario.outages, new Random(scenario.seed ^ 0x0a17))
    const uplinks = scenario.nodes.map((node) => node.uplinkBytesPerMs)
    this.#uplinks = [scenario.originUplinkBytesPerMs, ...uplinks].map(
      (bytesPerMs) => new Uplink(timeline, bytesPerMs),
    )
    const downlinks = scenario.nodes.map((node) => node.downlinkBytesPerMs)
    this.#downlinks = downlinks.map((bytesPerMs) => new Downlink(timeline, bytesPerMs))
  }

  /** Payload that has left the origin. */
  get originBytes(): number {
    return this.#originFeeds.reduce((sum, feed) => sum + feed.sentBytes, 0)
  }

  edge(from: number, to: number): EdgeScenario {
    return this.#scenario.edges[rowOf(from)]?.[to] as EdgeScenario
  }

  /** The feed of this path that is open, or breaks just now. */
  feed(from: number, to: number): SimFeed | undefined {
    return this.#feeds.get(keyOf(from, to))
  }

  changeUplink(node: number, factor: number): void {
    this.#uplinks[node + 1]?.change(factor)
  }

  /** A message on its way: in order, and when the path is clear. */
  travel(direction: string, from: number, to: number, run: () => void): void {
    const { latencyMs } = to === originIndex ? this.edge(to, from) : this.edge(from, to)
    const { nowMs } = this.#timeline
    const sentMs = this.#outages.clearMs('words', from, to, nowMs)
    const clearMs = this.#outages.clearMs('words', from, to, Math.max(nowMs + latencyMs, sentMs))
    this.#timeline.travel(direction, clearMs - nowMs, run)
  }

  open(from: number, to: number): SimFeed {
    const key = keyOf(from, to)
    const edge = this.edge(from, to)
    const path = {
      uplink: this.#uplinks[rowOf(from)] as Uplink,
      downlink: this.#downlinks[to] as Downlink,
      latencyMs: edge.latencyMs,
      chunkBytes: this.#scenario.chunkBytes,
      clearMs: (nowMs: number) => this.#outages.clearMs('bytes', from, to, nowMs),
    }
    const feed: SimFeed = new SimFeed(this.#timeline, this.#random, path, {
      landed: (chunk) => {
        if (this.#feeds.get(key) === feed) this.#ends.landed(chunk, from, to)
      },
      announced: (record) => {
        if (this.#feeds.get(key) === feed) this.#ends.announced(record, to)
      },
    })
    this.#feeds.set(key, feed)
    if (from === originIndex) this.#originFeeds.push(feed)
    // Troubles of an edge strike its first feed, not the one that a pull opens after them.
    const { breaksAtMs, stallAtMs, stallMs } = edge
    if (this.#timeline.nowMs > Math.max(breaksAtMs ?? 0, stallAtMs ?? 0)) return feed
    if (stallAtMs !== null) this.#timeline.at(stallAtMs, () => feed.stall(stallMs))
    if (breaksAtMs !== null) this.#timeline.at(breaksAtMs, () => this.cut(from, to))
    return feed
  }

  close(from: number, to: number): void {
    this.feed(from, to)?.close()
    this.#feeds.delete(keyOf(from, to))
  }

  /** The feed breaks: both ends notice, each in its own time. */
  cut(from: number, to: number): void {
    const feed = this.feed(from, to)
    if (feed === undefined || !feed.isOpen) return
    feed.close()
    const { latencyMs } = this.edge(from, to)
    this.#timeline.after(latencyMs * 2, () => {
      this.#feeds.delete(keyOf(from, to))
      this.#ends.receiverCut(from, to)
    })
    this.#timeline.after(this.#random.between(0, 100), () => this.#ends.senderCut(from, to))
  }

  /** Nothing leaves this node any more, and no connection breaks. */
  stallFrom(node: number): void {
    for (const to of this.#scenario.nodes.keys())
      this.feed(node, to)?.stall(Number.POSITIVE_INFINITY)
  }
}

function keyOf(from: number, to: number): string {
  return `${from}>${to}`
}
