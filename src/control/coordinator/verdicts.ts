/**
 * What the nodes of the exchange say of each other: whom their senders need not wait for, and whose
 * word about what it passes on is false.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import { RelayClaims } from '../dealing/relay-claims.js'
import { firstBadHop } from '../members/blame.js'
import type { Peer } from '../members/peer.js'
import { inOrder, type Peers } from '../members/peers.js'
import type { Frame } from '../messages/types.js'
import type { OriginFaults } from './faults.js'
import type { OriginOutbox } from './outbox.js'

/** What spoils blocks. */
export interface Spoiler {
  readonly relay: Peer
  /** Only on its way to this node; null: whatever it passes on. */
  readonly to: Peer | null
}

/** A relay that is given nothing more to relay, and why. */
export interface Distrusted {
  readonly relay: Peer
  readonly event: string
  readonly text: string
}

export class Verdicts {
  readonly #dealer: Dealer
  readonly #outbox: OriginOutbox
  readonly #peers: Peers
  readonly #claims: RelayClaims
  readonly #faults: OriginFaults
  #claimsMs = 0
  #excluded: ReadonlySet<number> = new Set()
  #last: readonly number[] = []
  #lastDemoted: readonly number[] = []
  readonly #everDemoted = new Set<number>()
  /** Whom each was told to wait for no longer. */
  readonly #lagging = new Map<Peer, string>()

  constructor(
    dealer: Dealer,
    outbox: OriginOutbox,
    peers: Peers,
    faults: OriginFaults,
    relayClaimBytes?: number,
  ) {
    this.#faults = faults
    this.#dealer = dealer
    this.#outbox = outbox
    this.#peers = peers
    this.#claims = new RelayClaims(relayClaimBytes)
  }

  /** Nodes that lag, or that nobody hears from. */
  get excluded(): ReadonlySet<number> {
    return this.#excluded
  }

  get claimsDueMs(): number {
    return this.#claimsMs
  }

  /**
   * Blocks were bad at this node: the log names the hop. Returns what fails by that: the relay that
   * they came through, or only its link to the node.
   */
  wasBad(peer: Peer, { offset, length }: Frame & { type: 'bad' }, nowMs: number): Spoiler | null {
    const { chain } = this.#dealer
    const known = chain.neighbours(peer.node).map((node) => this.#peers.of(node))
    const wasKnown = [peer, ...known].some(({ bad }) => bad.present(offset, length).length > 0)
    peer.bad.add(offset, length)
    const dealt = (node: number): readonly RangePair[] => this.#dealer.dealt(node)
    const { from, to, relay } = firstBadHop(known, peer, [offset, length], dealt)
    const at = `between ${from} and ${to}`
    this.#outbox.note(
      'warn',
      'bad-block',
      peer,
      `offset ${offset}, length ${length}, first bad ${at}`,
    )
    if (wasKnown || relay?.relay !== 'relays') return null
    const mates = chain.mates(relay.node).map((node) => this.#peers.of(node))
    const others = mates.filter((mate) => mate !== peer && mate.isServing)
    if (from === relay.link.address && this.#faults.linkSpoils(relay, peer, others, nowMs))
      return { relay, to: peer }
    const dealtBytes = this.#dealer.dealt(relay.node).reduce((sum, [, bytes]) => sum + bytes, 0)
    const allBytes = chain.heads.reduce((sum, head) => sum + this.#dealer.dealtBytes(head), 0)
    const part = Math.min(1, dealtBytes / Math.max(1, allBytes))
    return this.#faults.spoils(relay, at, mates, part, nowMs) ? { relay, to: null } : null
  }

  /** Relays must not wait for these receivers: they lag, or nobody hears from them. */
  tellExcluded(): void {
    this.#tellDemoted()
    const excluded = this.#dealer.excluded()
    if (excluded === this.#last || excluded.join() === this.#last.join()) return
    const before = this.#excluded
    this.#last = excluded
    this.#excluded = new Set(excluded)
    const { chain } = this.#dealer
    const changed = [...before, ...excluded].filter(
      (node) => before.has(node) !== this.#excluded.has(node),
    )
    const told = new Set(changed.flatMap((node) => [node, ...chain.mates(node)]))
    for (const peer of inOrder([...told].map((node) => this.#peers.of(node)))) {
      if (peer.isServing) this.#tellLagging(peer, excluded)
      const isLagging = this.#excluded.has(peer.node)
      if (peer.lags(isLagging))
        this.#outbox.note('info', isLagging ? 'lags' : 'keeps-up', peer, 'by its senders')
    }
  }

  /** Slow is not dead: it is said once of a node in a sentence, and each time in the log. */
  #tellDemoted(): void {
    const { demoted } = this.#dealer
    if (demoted.join() === this.#lastDemoted.join()) return
    const before = this.#lastDemoted
    this.#lastDemoted = demoted
    for (const node of new Set([...before, ...demoted])) {
      const peer = this.#peers.of(node)
      const isDemoted = demoted.includes(node)
      if (peer.counts.isDemoted === isDemoted) continue
      peer.counts.isDemoted = isDemoted
      const text = isDemoted ? 'too slow a relay' : 'tried as a relay again'
      this.#outbox.note('info', isDemoted ? 'demoted' : 'promoted', peer, text)
      if (!isDemoted || this.#everDemoted.has(node)) continue
      this.#everDemoted.add(node)
      const { address } = peer.link
      const why = 'what it passes on, or nodes behind it do, is far slower than that of the others'
      const said = `${address} was given nothing to relay for a while: ${why}`
      this.#outbox.wish({ type: 'warn', event: 'slow-relay', text: said })
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
  compareClaims(nowMs: number): { readonly cleared: Peer[]; readonly untrue: Distrusted[] } {
    this.#claimsMs = nowMs + limits.relayClaimLookMs
    const [cleared, untrue]: [Peer[], Distrusted[]] = [[], []]
    for (const head of this.#dealer.chain.heads) {
      const peer = this.#peers.of(head)
      const claimedBytes = this.#dealer.claimedBytes(peer.node)
      if (claimedBytes === null || !peer.isServing || peer.relay === 'false') continue
      const verdict = this.#claims.look(peer, claimedBytes, this.#witnesses(peer), nowMs)
      if (verdict === 'cleared') cleared.push(peer)
      if (verdict !== 'false') continue
      const said = `${peer.link.address} says that it passes bytes on to its mates, and does not`
      const text = `${said}: no mate has received any of them; it is given nothing more to relay`
      untrue.push({ relay: peer, event: 'false-relay', text })
    }
    return { cleared, untrue }
  }

  /** Mates that must have received something if this relay passes anything on. */
  #witnesses(relay: Peer): Peer[] {
    return [...relay.counts.feedsTo]
      .filter((node) => node < this.#peers.length)
      .map((node) => this.#peers.of(node))
      .filter(
        (mate) =>
          mate !== relay &&
          mate.phase === 'running' &&
          mate.presence !== 'suspected' &&
          mate.relay !== 'false' &&
          !this.#excluded.has(mate.node) &&
          !mate.lostFrom.has(relay.node),
      )
  }
}
