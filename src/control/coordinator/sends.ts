/** What the dealer sends becomes lists on feeds, each with the route that it has at its node. */
import type { RangePair } from '../../base/ranges.js'
import type { Dealer, Send } from '../dealing/dealer.js'
import type { Peers } from '../members/peers.js'
import type { Beyond } from './beyond.js'
import type { OriginFlow } from './flow.js'
import type { OriginOutbox } from './outbox.js'

export class OriginSends {
  readonly #dealer: Dealer
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #flow: OriginFlow
  readonly #beyond: Beyond

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

  /** Lists them. True: some of it is for a node to pass on. */
  list(sends: readonly Send[]): boolean {
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
    this.#outbox.send(peer, { type: 'list', member, ...how, route })
  }

  #routeOf(send: Send): number {
    const { chain } = this.#dealer
    if (send.column !== undefined) return chain.routeOf(send.column)
    return send.relay ? chain.routeFrom(send.node) : 0
  }
}
