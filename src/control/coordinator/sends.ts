/** What the dealer sends becomes lists on feeds, each with the route that it has at its node. */
import type { RangePair } from '../../base/ranges.js'
import type { Dealer, Send } from '../dealing/dealer.js'
import type { Peers } from '../members/peers.js'
import type { OriginFlow } from './flow.js'
import type { OriginOutbox } from './outbox.js'

export class OriginSends {
  readonly #dealer: Dealer
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #flow: OriginFlow
  /** Whom a node that passes bytes on no longer reaches. */
  readonly #unreached = new Map<number, Set<number>>()
  /** By column, those that it does not reach, as its ways are now. */
  readonly #beyond = new Map<number, readonly number[]>()
  /** The newest one when they were looked for: no column goes another way without a newer one. */
  #route = 0

  constructor(dealer: Dealer, peers: Peers, outbox: OriginOutbox, flow: OriginFlow) {
    this.#dealer = dealer
    this.#peers = peers
    this.#outbox = outbox
    this.#flow = flow
  }

  /** Both live, and nothing goes from one to the other. */
  edgeLost(from: number, to: number): void {
    this.#unreached.set(from, (this.#unreached.get(from) ?? new Set()).add(to))
    this.#beyond.clear()
  }

  /** Lists them. True: some of it is for a node to pass on. */
  list(sends: readonly Send[]): boolean {
    for (const send of sends) {
      this.#send(send, this.#routeOf(send))
      if (send.column === undefined) continue
      for (const node of this.#beyondReach(send.column)) {
        const { phase, counts } = this.#peers.of(node)
        if (phase !== 'running') continue
        const { queuedBytes } = counts
        const range: RangePair = [send.offset, send.length]
        for (const past of this.#dealer.handle({ type: 'bypassed', node, range, queuedBytes }))
          this.#send(past, 0)
      }
    }
    return sends.some(({ relay }) => relay)
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
    this.#outbox.wish({ type: 'list', member, ...how, route })
  }

  #routeOf(send: Send): number {
    const { chain } = this.#dealer
    if (send.column !== undefined) return chain.routeOf(send.column)
    return send.relay ? chain.routeFrom(send.node) : 0
  }

  /** Those in groups further down whom this column does not reach; looked for once for its way. */
  #beyondReach(column: number): readonly number[] {
    const { chain } = this.#dealer
    if (this.#route !== chain.newestRoute) this.#beyond.clear()
    this.#route = chain.newestRoute
    const known = this.#beyond.get(column)
    if (known !== undefined) return known
    const beyond = new Set(chain.skipped(column))
    if (this.#unreached.size > 0)
      for (const from of chain.entriesOf(column)) {
        const ends = new Set(chain.endsOf(column, from))
        // What a head does not bring to another one is the dealer's.
        const isHead = chain.isHead(from)
        for (const to of this.#unreached.get(from) ?? [])
          if (ends.has(to) && !(isHead && chain.isHead(to))) beyond.add(to)
      }
    const nodes = [...beyond]
    this.#beyond.set(column, nodes)
    return nodes
  }
}
