/**
 * The network between simulated machines: how fast each link is, how long a message is on its way,
 * and which data connections are open. An outage holds up what is on its path.
 *
 * The network knows nothing of the machines at its ends.
 */
import { limits } from '../base/limits.js'
import { originNumber } from '../control/messages/types.js'
import { type SimChunk, SimFeed } from './feed.js'
import { Downlink, Uplink } from './links.js'
import { Outages } from './outages.js'
import { Random } from './random.js'
import type { EdgeScenario, Resets, Scenario } from './scenario.js'
import { SiteLinks } from './site-links.js'
import type { Timeline } from './timeline.js'

/** The origin's number among the hosts. */
export const originIndex = originNumber

/** Of the origin first, then of the nodes. */
export function rowOf(host: number): number {
  return host === originIndex ? 0 : host + 1
}

export class Network {
  readonly #scenario: Scenario
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #isWrong: (from: number, chunk: SimChunk) => boolean
  readonly #outages: Outages
  /** The newest of each path. */
  readonly #feeds = new Map<string, SimFeed>()
  readonly #originFeeds: SimFeed[] = []
  /** How often a connection broke while both its ends lived. */
  resets = 0
  /** Of the origin first, then of the nodes. */
  readonly #uplinks: readonly Uplink[]
  readonly #downlinks: readonly Downlink[]
  readonly #sites: SiteLinks
  readonly #siteLinks: readonly Downlink[]

  /** `isWrong`: whether a chunk that is sent from there is not the source's when it arrives. */
  constructor(
    scenario: Scenario,
    timeline: Timeline,
    random: Random,
    isWrong: (from: number, chunk: SimChunk) => boolean,
  ) {
    this.#scenario = scenario
    this.#timeline = timeline
    this.#random = random
    this.#isWrong = isWrong
    this.#outages = new Outages(scenario.outages, new Random(scenario.seed ^ 0x0a17))
    const uplinks = scenario.nodes.map((node) => node.uplinkBytesPerMs)
    this.#uplinks = [scenario.originUplinkBytesPerMs, ...uplinks].map(
      (bytesPerMs) => new Uplink(timeline, bytesPerMs),
    )
    const downlinks = scenario.nodes.map((node) => node.downlinkBytesPerMs)
    this.#downlinks = downlinks.map((bytesPerMs) => new Downlink(bytesPerMs))
    this.#sites = new SiteLinks(scenario.wish ?? {}, scenario.links ?? [])
    this.#siteLinks = this.#sites.bytesPerSecond.map((rate) => new Downlink(rate / 1000))
  }

  /** Payload that has left the origin. */
  get originBytes(): number {
    return this.#originFeeds.reduce((sum, feed) => sum + feed.sentBytes, 0)
  }

  /** Bytes that have left each uplink, the origin's first. */
  get sentBytes(): number[] {
    return this.#uplinks.map(({ sentBytes }) => sentBytes)
  }

  edge(from: number, to: number): EdgeScenario {
    return this.#scenario.edges[rowOf(from)]?.[to] as EdgeScenario
  }

  changeUplink(node: number, factor: number): void {
    this.#uplinks[node + 1]?.change(factor)
  }

  /** When the last answer of a connection is there that takes so long to open. */
  opensMs(from: number, to: number, takesMs: number): number {
    const clearMs = (atMs: number): number => {
      const thereMs = this.#outages.clearMs('words', from, to, atMs)
      return this.#outages.clearMs('words', to, from, thereMs)
    }
    return clearMs(clearMs(this.#timeline.nowMs) + takesMs)
  }

  /** A message on its way: in order, and when the path is clear. */
  travel(direction: string, from: number, to: number, run: () => void): void {
    const edge = to === originIndex ? this.edge(to, from) : this.edge(from, to)
    const takesMs = edge.latencyMs + this.#jitterMs(edge)
    const { nowMs } = this.#timeline
    const sentMs = this.#outages.clearMs('words', from, to, nowMs)
    const clearMs = this.#outages.clearMs('words', from, to, Math.max(nowMs + takesMs, sentMs))
    this.#timeline.travel(direction, clearMs - nowMs, run)
  }

  /** What comes on top of the latency, another time for each message. */
  #jitterMs({ jitterMs = 0 }: EdgeScenario): number {
    return jitterMs === 0 ? 0 : this.#random.between(0, jitterMs)
  }

  open(from: number, to: number): SimFeed {
    const edge = this.edge(from, to)
    const feed = new SimFeed(this.#timeline, this.#random, {
      from,
      to,
      uplink: this.#uplinks[rowOf(from)] as Uplink,
      downlink: this.#downlinks[to] as Downlink,
      between: this.#siteLinks[this.#sites.between(rowOf(from), rowOf(to)) ?? -1],
      onward: this.#uplinks[to + 1] as Uplink,
      latencyMs: edge.latencyMs,
      jitterMs: () => this.#jitterMs(edge),
      chunkBytes: this.#scenario.chunkBytes,
      firstBytes: this.#scenario.firstBytes ?? Number.POSITIVE_INFINITY,
      cutsThrough: this.#scenario.cutsThrough ?? false,
      isEven: this.#scenario.isEven ?? false,
      clearMs: (nowMs) => this.#outages.clearMs('bytes', from, to, nowMs),
      heardMs: (nowMs) => this.#outages.clearMs('bytes', to, from, nowMs),
      isWrong: (chunk) => chunk.isSpoiled === true || this.#isWrong(from, chunk),
    })
    this.#feeds.set(keyOf(from, to), feed)
    if (from === originIndex) this.#originFeeds.push(feed)
    // Troubles of an edge strike its first feed, not the one that a pull opens after them.
    const { breaksAtMs, stallAtMs, stallMs } = edge
    if (this.#timeline.nowMs > Math.max(breaksAtMs ?? 0, stallAtMs ?? 0)) return feed
    if (stallAtMs !== null) this.#timeline.at(stallAtMs, () => this.#silence(feed, stallMs))
    if (breaksAtMs !== null) this.#timeline.at(breaksAtMs, () => this.#cut(feed))
    return feed
  }

  /** Nothing passes on it for so long; a system ends it where it waits for too long to send. */
  #silence(feed: SimFeed, forMs: number): void {
    feed.stall(forMs)
    const look = (leftMs: number): void => {
      // What a gateway has passed on it cannot send again: its connections are waited for.
      const isLong = leftMs > limits.awayMs && !this.#scenario.nodes.some((one) => one.isGateway)
      if (!isLong) return
      this.#timeline.after(limits.awayMs, () => {
        if (!feed.isOpen) return
        if (feed.queuedBytes > 0) this.#cut(feed)
        else look(leftMs - limits.awayMs)
      })
    }
    look(forMs)
  }

  /** One end closes the feed; the other notices. */
  hangUp(feed: SimFeed): void {
    if (!feed.isOpen) return
    feed.close()
    this.#timeline.after(this.edge(feed.from, feed.to).latencyMs, () => {
      feed.endReceiver()
      feed.endSender()
    })
  }

  /** The feeds to and from this host break, because its process died. */
  killed(host: number): void {
    for (const feed of this.#feeds.values())
      if (feed.from === host || feed.to === host) this.#cut(feed)
  }

  /** One of the open connections of these kinds, or the only one that is meant, breaks. */
  reset({ kinds, edge }: Resets): void {
    const open = [...this.#feeds.values()].filter(
      ({ from, to, isOpen }) =>
        isOpen &&
        (edge === undefined || (from === edge[0] && to === edge[1])) &&
        kinds.includes(from === originIndex ? 'feed' : 'edge'),
    )
    if (open.length === 0) return
    this.resets++
    this.#cut(this.#random.pick(open))
  }

  /** The feed breaks: both ends notice, each in its own time. */
  #cut(feed: SimFeed): void {
    if (!feed.isOpen) return
    feed.close()
    const { latencyMs } = this.edge(feed.from, feed.to)
    this.#timeline.after(latencyMs * 2, () => feed.endReceiver())
    this.#timeline.after(this.#random.between(0, 100), () => feed.endSender())
  }

  /** Nothing leaves this node any more, and no connection breaks. */
  stallFrom(node: number): void {
    for (const feed of this.#feeds.values())
      if (feed.from === node) feed.stall(Number.POSITIVE_INFINITY)
  }
}

function keyOf(from: number, to: number): string {
  return `${from}>${to}`
}
