/** What the dealer sends becomes lists on feeds, each with the route that it has at its node. */
import type { RangePair } from '../../base/ranges.js'
import type { Dealer, Send } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { OriginFlow } from './flow.js'
import type { OriginOutbox } from './outbox.js'

export class OriginSends {
  readonly #dealer: Dealer
  readonly #peers: readonly Peer[]
  readonly #outbox: OriginOutbox
  readonly #flow: OriginFlow
  /** Whom a node that passes bytes on no longer reaches. */
  readonly #unreached = new Map<number, Set<number>>()

  constructor(dealer: Dealer, peers: readonly Peer[], outbox: OriginOutbox, flow: OriginFlow) {
    this.#dealer = dealer
    this.#peers = peers
    this.#outbox = outbox
    this.#flow = flow
  }

  /** Both live, and nothing goes from one to the other. */
  edgeLost(from: number, to: number): void {
    this.#unreached.set(from, (this.#unreached.get(from) ?? new Set()).add(to))
  }

  /** Lists them. True: some of it is for a node to pass on. */
  list(sends: readonly Send[]): boolean {
    for (const send of sends) {
      this.#send(send, this.#routeOf(send))
      if (!send.relay) continue
      for (const node of this.#beyondReach(send.node))
        this.#send({ ...send, node, relay: false, why: 'bypass' }, 0)
    }
    return sends.some(({ relay }) => relay)
  }

  #send(send: Send, route: number): void {
    const { node: member, relay, ...how } = send
    const peer = this.#peers[member] as Peer
    const { counts, isMirror } = peer
    if (isMirror) {
      const ranges: RangePair[] = [[send.offset, send.length]]
      // It lacks nothing else.
      if (relay) this.#outbox.say(peer, { type: 'passOn', ranges, route })
      return
    }
    counts.listedBytes += send.length
    counts.queuedBytes += send.length
    this.#flow.listed(send)
    this.#outbox.wish({ type: 'list', member, ...how, route })
  }

  #routeOf({ node, relay, why }: Send): number {
    const { chain, shape } = this.#dealer
    if (relay) return chain.routeOf(node)
    return shape === 'chain' && (why === 'everybody' || why === 'hole') ? chain.spreadRoute : 0
  }

  /** Those in groups further down whom the column of this head does not reach. */
  #beyondReach(head: number): number[] {
    const { chain } = this.#dealer
    const beyond = new Set(chain.skipped(head))
    if (this.#unreached.size > 0) {
      const [, ...further] = chain.columnOf(head)
      for (const from of further) {
        const mates = new Set(chain.mates(from))
        for (const to of this.#unreached.get(from) ?? []) if (mates.has(to)) beyond.add(to)
      }
    }
    return [...beyond].filter((node) => this.#peers[node]?.phase === 'running')
  }
}
