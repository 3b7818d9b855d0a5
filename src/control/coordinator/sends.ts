/** What the dealer sends becomes lists on feeds, each with the route that it has at its node. */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Dealer, DealerFact, Send } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { Lacking } from '../messages/types.js'
import type { Beyond } from './beyond.js'
import type { OriginFlow } from './flow.js'
import { detourFrames } from './frames.js'
import type { OriginOutbox } from './outbox.js'

export class OriginSends {
  readonly #dealer: Dealer
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #flow: OriginFlow
  readonly #beyond: Beyond
  /** What was listed for each node, by route; no repairs. */
  readonly #listed = new Map<number, Map<number, RangeSet>>()
  /** Of a content that grows: nobody is dealt anything before this. */
  floorBytes = 0

  constructor(
    dealer: Dealer,
    peers: Peers,
    outbox: OriginOutbox,
    flow: OriginFlow,
    beyond: Beyond,
  ) {
    this.#beyond = beyond
    this.#dealer = dealer
    this.#peers = peers
    this.#outbox = outbox
    this.#flow = flow
  }

  /** Tells the dealer, and lists what it deals. */
  tell(fact: DealerFact): void {
    this.list(this.#dealer.handle(fact))
  }

  list(sends: readonly Send[]): void {
    for (const send of sends) {
      this.#send(send, this.#routeOf(send))
      if (send.column === undefined) continue
      for (const node of this.#beyond.of(send.column)) {
        const { phase, counts } = this.#peers.of(node)
        if (phase !== 'running') continue
        const { queuedBytes } = counts
        const range: RangePair = [send.offset, send.length]
        for (const past of this.#dealer.handle({ type: 'bypassed', node, range, queuedBytes }))
          this.#send(past, 0)
      }
    }
  }

  #send(send: Send, route: number): void {
    const { node: member, relay, column: _, ...how } = send
    const peer = this.#peers.of(member)
    if (peer.role === 'mirror') {
      const ranges: RangePair[] = [[send.offset, send.length]]
      // It lacks nothing else.
      if (relay) this.#outbox.say(peer, { type: 'passOn', ranges, route })
      return
    }
    this.#flow.listed(peer, send)
    if (!send.scratch) this.#keep(send, route)
    this.#outbox.send(peer, { type: 'list', member, ...how, route })
  }

  /** The connection to a node broke and is open again: what was listed on it and did not come. */
  again(peer: Peer, { ranges: lacks, receivedBytes }: Lacking): void {
    const { node: member } = peer
    this.#flow.lost(peer, receivedBytes)
    const list = (route: number, ranges: readonly RangePair[]): void => {
      for (const [offset, length] of ranges) {
        const how = { route, scratch: false, why: 'answer' } as const
        this.#outbox.wish({ type: 'list', member, offset, length, ...how })
      }
    }
    const { chain } = this.#dealer
    for (const [route, listed] of this.#listed.get(member) ?? []) {
      // What was taken back others pass on.
      const isAll = route === 0 || !chain.isOne
      const dealt = isAll ? listed : RangeSet.of(this.#dealer.dealt(member))
      for (const lack of lacks) {
        for (const part of listed.present(...lack)) {
          list(route, dealt.present(...part))
          list(0, dealt.missing(...part))
        }
      }
    }
  }

  /** Nobody is sent anything before this again, unless it asks. */
  floored(bytes: number): void {
    this.floorBytes = bytes
    this.#dealer.handle({ type: 'floored', bytes })
    for (const routes of this.#listed.values())
      for (const listed of routes.values()) listed.remove(0, bytes)
  }

  /** A node that was left behind asks who has this, or the origin where nobody has. */
  follow(peer: Peer, range: RangePair, group: Iterable<Peer>, nowMs: number): void {
    const hasIt = ({ counts, isServing, presence }: Peer): boolean =>
      isServing && presence !== 'away' && counts.reachedBytes >= range[0] + range[1]
    const holder = [...group].find((other) => other !== peer && other.isReceiver && hasIt(other))
    if (holder === undefined) {
      const how = { node: peer.node, scratch: false, ranges: [range], nowMs }
      return this.tell({ type: 'needed', ...how })
    }
    for (const frame of detourFrames(holder, 'held', [range])) this.#outbox.say(peer, frame)
  }

  #keep({ node, offset, length }: Send, route: number): void {
    const routes = this.#listed.get(node) ?? new Map<number, RangeSet>()
    const listed = routes.get(route) ?? new RangeSet()
    this.#listed.set(node, routes.set(route, listed))
    listed.add(offset, length)
  }

  #routeOf(send: Send): number {
    const { chain } = this.#dealer
    if (send.column !== undefined) return chain.routeOf(send.column)
    return send.relay ? chain.routeFrom(send.node) : 0
  }
}
