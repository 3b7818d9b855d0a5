/**
 * What the nodes of the exchange say of each other: whom their senders need not wait for, and whose
 * word about what it passes on is false.
 */
import { limits } from '../../base/limits.js'
import type { Dealer } from '../dealing/dealer.js'
import { RelayClaims } from '../dealing/relay-claims.js'
import type { Peer } from '../members/peer.js'
import type { OriginOutbox } from './outbox.js'

export class Verdicts {
  readonly #dealer: Dealer
  readonly #outbox: OriginOutbox
  readonly #group: readonly Peer[]
  readonly #claims: RelayClaims
  #claimsMs = 0
  #excluded: readonly number[] = []
  /** Whom each was told to wait for no longer. */
  readonly #lagging = new Map<Peer, string>()

  /** `group`: those who take part, or did. */
  constructor(
    dealer: Dealer,
    outbox: OriginOutbox,
    group: readonly Peer[],
    relayClaimBytes?: number,
  ) {
    this.#dealer = dealer
    this.#outbox = outbox
    this.#group = group
    this.#claims = new RelayClaims(relayClaimBytes)
  }

  /** Nodes that lag, or that nobody hears from. */
  get excluded(): readonly number[] {
    return this.#excluded
  }

  get claimsDueMs(): number {
    return this.#claimsMs
  }

  /** Relays must not wait for these receivers: they lag, or nobody hears from them. */
  tellExcluded(): void {
    const excluded = this.#dealer.excluded()
    if (excluded.join() === this.#excluded.join()) return
    this.#excluded = excluded
    for (const peer of this.#group) {
      if (peer.isServing) this.#tellLagging(peer, excluded)
      const isLagging = excluded.includes(peer.node)
      if (peer.lags(isLagging))
        this.#outbox.note('info', isLagging ? 'lags' : 'keeps-up', peer, 'by its senders')
    }
  }

  /** Of its own group: whom it feeds in the next one it always waits for. */
  #tellLagging(peer: Peer, excluded: readonly number[]): void {
    const group = new Set([peer.node, ...this.#dealer.chain.mates(peer.node)])
    const members = excluded.filter((node) => group.has(node))
    if (members.join() === (this.#lagging.get(peer) ?? '')) return
    this.#lagging.set(peer, members.join())
    this.#outbox.say(peer, { type: 'lagging', members })
  }

  /**
   * What relays say they pass on, against what their mates say they receive: whose word holds, and
   * who is no true relay.
   */
  compareClaims(nowMs: number): { readonly cleared: Peer[]; readonly untrue: Peer[] } {
    this.#claimsMs = nowMs + limits.relayClaimLookMs
    const [cleared, untrue]: [Peer[], Peer[]] = [[], []]
    for (const peer of this.#group) {
      const claimedBytes = this.#dealer.claimedBytes(peer.node)
      if (claimedBytes === null || !peer.isServing || peer.relay === 'false') continue
      const verdict = this.#claims.look(peer, claimedBytes, this.#witnesses(peer), nowMs)
      if (verdict === 'cleared') cleared.push(peer)
      if (verdict === 'false') untrue.push(peer)
    }
    return { cleared, untrue }
  }

  /** Mates that must have received something if this relay passes anything on. */
  #witnesses(relay: Peer): Peer[] {
    return this.#group.filter(
      (mate) =>
        mate !== relay &&
        mate.phase === 'running' &&
        mate.presence !== 'suspected' &&
        mate.relay !== 'false' &&
        !this.#excluded.includes(mate.node) &&
        relay.counts.feedsTo.has(mate.node) &&
        !mate.lostFrom.has(relay.node),
    )
  }
}
