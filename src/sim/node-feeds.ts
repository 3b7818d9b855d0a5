/**
 * The data connections of a simulated node: who may open one, what is relayed on those to mates,
 * and what mates that ask are served. It does what session/receiver/feeds.ts does.
 */
import type { FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import type { Frame, Mate } from '../control/messages/types.js'
import type { FeedFill } from '../control/pulling/holder.js'
import { type HeldRequest, Serving } from '../control/pulling/serving.js'
import type { NodeCommand, NodeEvent } from '../control/receiver/events.js'
import { KeptDigests } from '../control/receiver/kept-digests.js'
import type { Neighbourhood } from '../control/receiver/neighbourhood.js'
import type { IncomingCount, NodeCounts } from '../control/receiver/reports.js'
import { Senders } from '../control/receiver/senders.js'
import type { SimRecords } from './codec.js'
import type { SimChunk, SimDigests, SimFeed } from './feed.js'
import { originIndex } from './network.js'
import type { SimPulls } from './pulls.js'
import type { Timeline } from './timeline.js'

/** The node id of a place; the origin has one as well. */
export function idOf(place: number): string {
  return place === originIndex ? 'f'.repeat(32) : String(place).padStart(32, '0')
}

function fillOf({ sentBytes, queuedBytes }: SimFeed): FeedFill {
  return { payloadBytes: sentBytes, queuedBytes }
}

/** What a node needs of the network around it. */
export interface SimNet {
  readonly timeline: Timeline
  /** The frame travels to the origin. */
  toOrigin(node: number, frame: Frame): void
  /** The node closed its control link. */
  linkClosedByNode(node: number): void
  /** A relay feed that is opened later can open at once, unless the handshake takes longer. */
  greetMate(from: number, mate: Mate): void
  /** Opens a relay feed; later `relayOpened` or `relayClosed`. */
  dialMate(from: number, mate: Mate): void
  /** This end of the feed closes it. */
  closeFeed(from: number, to: number): void
  readonly pulls: SimPulls
  readonly records: SimRecords
  /** The origin has given this node up. */
  isOut(node: number): boolean
  /** The origin is connected to this node, and has not given it up. */
  isMember(node: number): boolean
  isArrivalWrong(): boolean
  /** Something holds up what was listed: an asker may take it for lost. */
  readonly isSlow: boolean
}

/** The node whose connections they are. */
interface Owner {
  readonly node: number
  readonly runs: boolean
  post(event: NodeEvent): void
  isAsking(index: number): boolean
  /** All of it is verified. */
  holds(range: RangePair): boolean
}

export class NodeFeeds {
  readonly senders: Senders
  readonly relays = new Map<number, SimFeed>()
  readonly #net: SimNet
  readonly #owner: Owner
  readonly #neighbours: Neighbourhood
  /** From then on it tells the origin that it relays, and does not. */
  readonly #deceivesAtMs: number
  readonly #pullFeeds = new Map<number, SimFeed>()
  readonly #serving = new Serving()
  /** Senders that this node has not heard of. */
  readonly #strangers: (() => void)[] = []
  readonly #relayed: SimChunk[] = []
  /** What was relayed once is not relayed again, also where it had landed before. */
  readonly #relayedOnce = new RangeSet()
  readonly #keptDigests = new KeptDigests<SimDigests>()
  /** Payload by the index of its sender. */
  readonly #received = new Map<number, number>()
  #duplicateBytes = 0

  constructor(net: SimNet, owner: Owner, neighbours: Neighbourhood, deceivesAtMs: number) {
    this.#net = net
    this.#owner = owner
    this.#deceivesAtMs = deceivesAtMs
    this.#neighbours = neighbours
    this.senders = new Senders(neighbours)
  }

  get incoming(): IncomingCount[] {
    return [...this.#received].map(([index, receivedBytes]) => {
      const isParent = this.#neighbours.isParent(index)
      return { feed: index, index, isParent, receivedBytes }
    })
  }

  get counts(): Omit<NodeCounts, 'landedBytes' | 'holeBytes'> {
    const { incoming } = this
    const { nowMs } = this.#net.timeline
    const outgoing = [...this.relays].map(([index, feed]) => {
      const { queuedBytes, unackedBytes, sentBytes } = feed
      const pulledBytes = this.#serving.queuedBytes(index, fillOf(feed), nowMs)
      return { index, queuedBytes, unackedBytes, sentBytes, pulledBytes }
    })
    return {
      sentBytes: outgoing.reduce((sum, feed) => sum + feed.sentBytes, 0),
      receivedBytes: incoming.reduce((sum, feed) => sum + feed.receivedBytes, 0),
      duplicateBytes: this.#duplicateBytes,
      incoming,
      outgoing,
    }
  }

  // --- connections that come in ---

  /**
   * Somebody dials place `to` on this channel, and is told whether it is welcome: at once, or when
   * this node has heard of it or has waited for long enough.
   */
  dialledBy(
    from: number,
    to: number,
    channel: 'data' | 'pull',
    told: (isWelcome: boolean) => void,
    untilMs: number = this.#net.timeline.nowMs + limits.earlyDataMs,
  ): void {
    const isAsked = this.#owner.isAsking(from)
    const isPull = channel === 'pull'
    const welcome = isPull
      ? this.senders.expectsPull(from, idOf(from), to)
      : this.senders.expects(from, to, isAsked)
    if (welcome === null && this.#net.timeline.nowMs < untilMs) {
      this.#strangers.push(() => this.dialledBy(from, to, channel, told, untilMs))
      return this.#net.timeline.at(untilMs, () => this.#lookAtStrangers())
    }
    if (welcome === true && !isPull) this.senders.coming(from)
    told(welcome === true)
  }

  #lookAtStrangers(): void {
    for (const look of this.#strangers.splice(0)) look()
  }

  /** The data connection of a sender that is welcome did not come to be. */
  missed(from: number): void {
    this.senders.missed(from)
  }

  /** The data connection of this sender is open. */
  opened(from: number): void {
    this.senders.opened(from)
    this.#owner.post({ type: 'feedOpened', index: from })
  }

  /** The machine has taken a plan. */
  introduced(): void {
    if (this.#neighbours.isRunning) this.#keptDigests.planned()
    this.#lookAtStrangers()
  }

  close(index: number): void {
    this.senders.closed(index)
    this.#net.closeFeed(index, this.#owner.node)
  }

  // --- what comes on them ---

  landed(chunk: SimChunk, from: number, duplicateBytes: number): void {
    this.#received.set(from, (this.#received.get(from) ?? 0) + chunk.length)
    this.#duplicateBytes += duplicateBytes
    if (!chunk.relay || this.#deceives) return
    for (const [offset, length] of this.#relayedOnce.missing(chunk.offset, chunk.length)) {
      this.#relayedOnce.add(offset, length)
      const passed = { offset, length, relay: false, scratch: false }
      this.#relayed.push(passed)
      for (const feed of this.relays.values()) feed.list(passed)
    }
  }

  announce(record: SimDigests): void {
    if (!this.#owner.runs) return
    const { place, payload } = record
    const { offset, length } = place
    const digests = this.#net.records.read(place, payload)
    if (record.relay && !this.#deceives) {
      const passed = { ...record, relay: false }
      this.#keptDigests.keep(passed, offset, payload.length)
      for (const feed of this.relays.values()) feed.digests(passed)
    }
    this.#owner.post({ type: 'announced', offset, length, digests })
  }

  // --- connections to mates ---

  dial(mate: Mate): void {
    this.#keptDigests.dialling(mate.number)
    this.#net.dialMate(this.#owner.node, mate)
  }

  relayOpened(index: number, feed: SimFeed): void {
    this.relays.set(index, feed)
    this.#listWaiting(index, feed)
    for (const record of this.#keptDigests.records) feed.digests(record)
    for (const chunk of this.#relayed) feed.list(chunk)
    this.#keptDigests.settled(index)
    this.#owner.post({ type: 'relayOpened', index })
  }

  pullFeedOpened(index: number, feed: SimFeed): void {
    this.#pullFeeds.set(index, feed)
    this.#listWaiting(index, feed)
  }

  pullFeedFailed(index: number): void {
    for (const { request } of this.#serving.failed(index))
      this.#refuse(index, request, 'ERR_FR_UNREACHABLE')
  }

  relayClosed(index: number): void {
    this.#keptDigests.settled(index)
    if (this.#serving.closed(index)) this.#net.pulls.openFeed(this.#owner.node, index)
  }

  serve({ index, request, ranges }: NodeCommand & { type: 'serve' }): void {
    const feed = [this.relays.get(index), this.#pullFeeds.get(index)].find((one) => one?.isOpen)
    const opening = this.#keptDigests.isDialling(index) ? 'opening' : undefined
    const { nowMs } = this.#net.timeline
    const held = { request, ranges }
    const verdict = this.#serving.asked(index, held, feed ? fillOf(feed) : opening, nowMs)
    switch (verdict) {
      case 'full':
        // What was listed has not been sent; the asker may think it is lost.
        if (!this.#net.isSlow) throw new Error('an honest node asks for too much')
        return this.#refuse(index, request, 'ERR_FR_LIMIT')
      case 'nothing':
        return this.#promise(index, held, 0)
      case 'list':
        return this.#list(index, feed as SimFeed, held)
      case 'open':
        return this.#net.pulls.openFeed(this.#owner.node, index)
      case 'wait':
        return
      default:
        return verdict satisfies never
    }
  }

  #refuse(index: number, request: number, code: FrErrorCode): void {
    const refusal = { type: 'pullRefused', request, code, text: '' } as const
    this.#net.pulls.answer(this.#owner.node, index, refusal)
  }

  #listWaiting(index: number, feed: SimFeed): void {
    for (const held of this.#serving.opened(index)) this.#list(index, feed, held)
  }

  #list(index: number, feed: SimFeed, held: HeldRequest): void {
    const { queuedBytes } = feed
    if (!held.ranges.every((range) => this.#owner.holds(range)))
      throw new Error(`node ${this.#owner.node} promises node ${index} what it does not hold`)
    for (const [offset, length] of held.ranges)
      feed.list({ offset, length, relay: false, scratch: false })
    this.#promise(index, held, queuedBytes)
  }

  #promise(index: number, held: HeldRequest, backlogBytes: number): void {
    this.#net.pulls.answer(this.#owner.node, index, { type: 'holding', ...held, backlogBytes })
  }

  closeRelay(index: number): void {
    if (this.#net.isMember(index))
      throw new Error(`node ${this.#owner.node} closes its connection to node ${index}, a member`)
    this.relays.get(index)?.close()
    this.relays.delete(index)
  }

  /** The mate takes no part any more. */
  gone(index: number): void {
    this.#serving.gone(index)
    this.#pullFeeds.get(index)?.close()
    this.#pullFeeds.delete(index)
    this.#net.pulls.hangUp(this.#owner.node, index)
  }

  /** The origin says that all is over, after it has said who is gone. */
  checkFarewells(): void {
    for (const [index, feed] of this.relays)
      if (feed.isOpen && this.#net.isOut(index))
        throw new Error(`node ${this.#owner.node} still serves node ${index}, which is gone`)
  }

  end(): void {
    for (const feed of [...this.relays.values(), ...this.#pullFeeds.values()]) feed.close()
    this.#net.pulls.ended(this.#owner.node)
  }

  get #deceives(): boolean {
    return this.#net.timeline.nowMs >= this.#deceivesAtMs
  }
}
