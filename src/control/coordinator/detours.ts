/**
 * Who finds elsewhere what somebody brings no more: a node that has left, fell silent or is no
 * relay, or one that lives and does not reach another.
 *
 * The idea: those whom it fed are told what it was dealt (`detour`), ask each other for what they
 * miss of that, and the origin for what none holds. Digests that were under way come directly.
 */
import { RangeSet } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { DetourReason } from '../messages/types.js'
import type { Gap } from '../plan/gaps.js'
import type { OriginDigestSends } from './digest-sends.js'
import { detourFrames } from './frames.js'
import type { OriginOutbox } from './outbox.js'

export class OriginDetours {
  readonly #dealer: Dealer
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #digests: OriginDigestSends
  /** Heads of columns on which digests to groups further down may have been lost since then. */
  readonly #losing = new Set<number>()
  /** Those who have left since all were told their plans. */
  #departed: { readonly peer: Peer; readonly mates: readonly Peer[]; gaps: readonly Gap[] }[] = []

  constructor(dealer: Dealer, peers: Peers, outbox: OriginOutbox, digests: OriginDigestSends) {
    this.#dealer = dealer
    this.#peers = peers
    this.#outbox = outbox
    this.#digests = digests
  }

  /** It brings nothing for now, or is to pass on no more, and is still a member. */
  away(peer: Peer): void {
    for (const mate of this.#mates(peer)) this.around(mate, peer, 'away')
    this.fill(peer, this.#dealer.chain.avoid(peer.node), 'away')
  }

  /** It has left; `settled` says so to the others. Call before the chain and the dealer know. */
  leaves(peer: Peer): (gaps: readonly Gap[]) => void {
    const mates = this.#mates(peer)
    return (gaps) => this.#departed.push({ peer, mates, gaps })
  }

  /**
   * All have their plans: who is left makes good what those who left were dealt. Those who are
   * complete miss nothing, but must not serve them any longer.
   */
  settled(): void {
    for (const { peer, mates, gaps } of this.#departed.splice(0)) {
      for (const mate of mates) if (mate.phase === 'running') this.around(mate, peer, 'broken')
      this.fill(peer, gaps, 'broken')
    }
    this.#digests.again(this.#losing)
    this.#losing.clear()
  }

  /** `gap`: only what flowed there. */
  around(to: Peer, from: Peer, why: DetourReason, gap?: Gap): void {
    const ranges = gap ? this.#dealer.along(gap.column) : this.#dealer.dealt(from.node)
    const route = gap && this.#dealer.chain.routeFor(gap)
    for (const one of detourFrames(from, why, ranges, route)) this.#outbox.say(to, one)
    // Digests on their way through the lost relay are lost too: those of its share come directly.
    this.#digests.direct(to, [...RangeSet.of([...ranges, ...from.relayedDigests.toArray()])])
  }

  /** Those who were fed by a node of the group before find elsewhere what it no longer brings. */
  fill(from: Peer, gaps: readonly Gap[], why: DetourReason, unreached?: Peer): void {
    for (const gap of gaps) {
      const peer = this.#peers.of(gap.to)
      // Who takes the place of one that is not reached keeps the feed it has, and asks at once.
      const how = unreached === undefined || peer === unreached ? why : 'held'
      if (peer.phase === 'running') this.around(peer, from, how, gap)
    }
    for (const { head } of gaps) this.#losing.add(head)
  }

  /** Those who are fed by it in its group. */
  #mates(peer: Peer): Peer[] {
    const mates = this.#dealer.chain.matesFedBy(peer.node).map((node) => this.#peers.of(node))
    return mates.filter((mate) => mate.phase === 'running' && mate.isReceiver)
  }
}
