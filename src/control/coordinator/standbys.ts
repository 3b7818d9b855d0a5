/**
 * Who may take over from this coordinator, and what they are told so that they can: the roster, as
 * it changes, and the deal, at most every limits.dealMs. Both are absolute values. A member that is
 * a standby stays one for as long as it takes part.
 */
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { DealFrame, RosterEntry, RosterFrame, Term } from '../messages/types.js'
import type { OriginOutbox } from './outbox.js'

export class Standbys {
  /** As it was sent last. */
  roster: RosterFrame | undefined
  deal: DealFrame | undefined
  readonly #dealer: Dealer
  readonly #peers: readonly Peer[]
  readonly #outbox: OriginOutbox
  readonly #term: Term
  #chosen: readonly Peer[] = []
  #epoch = 0
  #hasNewDeal = false
  #dealMs = 0

  constructor(term: Term, dealer: Dealer, peers: readonly Peer[], outbox: OriginOutbox) {
    this.#term = term
    this.#dealer = dealer
    this.#peers = peers
    this.#outbox = outbox
  }

  /** Those of them that take part, and the first of the others. */
  choose(serving: readonly Peer[]): void {
    const kept = this.#chosen.filter((peer) => peer.isServing)
    const others = serving.filter((peer) => !kept.includes(peer))
    this.#chosen = [...kept, ...others].slice(0, limits.standbys)
  }

  get numbers(): readonly number[] {
    return this.#chosen.map(({ node }) => node)
  }

  /** They have their plans, which name them: now they hear who else there is. */
  tellRoster(): void {
    const entries = this.#peers.map(entryOf)
    this.roster = { type: 'roster', term: this.#term, epoch: ++this.#epoch, entries }
    for (const peer of this.#chosen) this.#outbox.say(peer, this.roster)
    // Who is new among them has no deal.
    this.dealt()
  }

  /** Something was dealt. */
  dealt(): void {
    this.#hasNewDeal = true
  }

  advance(nowMs: number): void {
    if (!this.#hasNewDeal || nowMs < this.#dealMs || this.#chosen.length === 0) return
    this.#hasNewDeal = false
    this.#dealMs = nowMs + limits.dealMs
    const members = this.#peers.filter((peer) => this.#dealer.dealtBytes(peer.node) > 0)
    const most = Math.floor(limits.dealRanges / Math.max(1, members.length))
    const shares = members.map(({ node }) => {
      const ranges = RangeSet.of(this.#dealer.dealt(node)).compacted(most)
      return { member: node, ranges }
    })
    this.deal = { type: 'deal', term: this.#term, epoch: ++this.#epoch, shares }
    for (const peer of this.#chosen) this.#outbox.say(peer, this.deal)
  }
}

function entryOf(peer: Peer): RosterEntry {
  const { node: number, nodeId, link, isServing, phase } = peer
  const advertise = link.advertise ?? peer.advertise
  return {
    number,
    nodeId,
    address: link.address,
    ...(advertise === undefined ? {} : { advertise }),
    ...(link.site === undefined ? {} : { site: link.site }),
    // A mirror is nobody's receiver.
    state: peer.isMirror
      ? 'out'
      : isServing
        ? phase === 'complete'
          ? 'complete'
          : 'running'
        : stateOf(peer),
  }
}

function stateOf({ phase }: Peer): 'coming' | 'out' {
  return phase === 'out' || phase === 'complete' ? 'out' : 'coming'
}
