/**
 * What each node is told of its part in the push: absolute plans, in the term of this coordinator.
 *
 * Whoever changes who takes part says `changed`. A node is sent its plan when something needs it to
 * be there, and all are sent theirs once everything that follows from one event has been done: many
 * nodes that fail together are one plan for each that is left. What changes often and is short (who
 * lags) is no part of it.
 */
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { EdgeWord, Member, PlanFrame, Route, Term } from '../messages/types.js'
import type { OriginConfig } from './events.js'
import type { OriginOutbox } from './outbox.js'
import { Standbys } from './standbys.js'
import { termOf } from './succession.js'

/** The one route of a group. */
const groupRoute = 1

export class OriginPlans {
  readonly #config: OriginConfig
  readonly #dealer: Dealer
  readonly #outbox: OriginOutbox
  /** Those who take part, or did. */
  readonly #group: readonly Peer[]
  readonly #origin: Member
  readonly #term: Term
  readonly standbys: Standbys
  #epoch = 0
  /** How often what plans say has changed, and the last of these that all were told of. */
  #changes = 0
  #toldChanges = 0
  readonly #told = new Map<Peer, number>()
  #serving: readonly Peer[] = []
  #members: readonly Member[] = []
  /** Members to whom a node has an edge. */
  readonly #introduced = new Map<Peer, Set<number>>()

  constructor(
    config: OriginConfig,
    dealer: Dealer,
    outbox: OriginOutbox,
    peers: readonly Peer[],
    group: readonly Peer[],
  ) {
    this.#config = config
    this.#dealer = dealer
    this.#outbox = outbox
    this.#group = group
    this.#term = termOf(config)
    this.standbys = new Standbys(this.#term, dealer, peers, outbox)
    this.#origin = { number: this.#term.member, nodeId: config.nodeId }
  }

  /** Who takes part has changed. */
  changed(): void {
    this.#changes++
    this.#serving = this.#group.filter((peer) => peer.isServing)
    this.standbys.choose(this.#serving.filter((peer) => !peer.isMirror))
    this.#members = [this.#origin, ...this.#serving.map(memberOf)]
  }

  /** A node has the offer: who it is, and who coordinates. */
  offered(peer: Peer): void {
    this.#send(peer, [this.#origin, memberOf(peer)], [])
  }

  /** One who takes part needs its plan now, unless it has it. */
  tell(peer: Peer): void {
    if (this.#told.get(peer) === this.#changes) return
    this.#told.set(peer, this.#changes)
    this.#send(peer, this.#members, peer.relay === 'none' ? [] : groupRoutes(peer, this.#serving))
  }

  /** All who take part have what is new. */
  tellAll(): void {
    if (this.#toldChanges === this.#changes) return
    this.#toldChanges = this.#changes
    for (const peer of this.#serving) this.tell(peer)
    this.standbys.tellRoster()
  }

  #send(peer: Peer, members: readonly Member[], routes: readonly Route[]): void {
    const { strategy, shape, reportMs } = this.#dealer
    const self = this.#origin.number
    const frame: PlanFrame = {
      type: 'plan',
      term: this.#term,
      epoch: ++this.#epoch,
      you: peer.node,
      phase: peer.isServing ? 'running' : 'forming',
      strategy,
      shape,
      members,
      parents: [self],
      routes,
      coordinator: self,
      standbys: peer.isServing ? this.standbys.numbers : [],
      reportTo: self,
      edges: this.#edges(peer, members),
      progressMs: this.#config.progressMs,
      reportMs,
    }
    this.#outbox.say(peer, frame)
  }

  /** What the node proves itself by to these others, once each. */
  #edges(peer: Peer, members: readonly Member[]): EdgeWord[] {
    const { edgeOf } = this.#config
    if (edgeOf === undefined) return []
    const known = this.#introduced.get(peer) ?? new Set([peer.node])
    this.#introduced.set(peer, known)
    const strange = members.filter(({ number }) => !known.has(number))
    for (const { number } of strange) known.add(number)
    return strange.map(({ number }) => ({ member: number, ...edgeOf(peer.node, number) }))
  }
}

/** Bytes go to every mate that may lack them, and end there. */
function groupRoutes(peer: Peer, group: readonly Peer[]): Route[] {
  const mates = group.filter((mate) => mate !== peer && !mate.isMirror)
  const to = mates.map(({ node }) => ({ member: node, next: 0 }))
  return to.length === 0 ? [] : [{ route: groupRoute, to }]
}

/** A node as others are told of it. */
function memberOf(peer: Peer): Member {
  const { site } = peer.link
  const address = peer.link.advertise ?? peer.advertise ?? peer.link.address
  const at = site === undefined ? {} : { site }
  return { number: peer.node, nodeId: peer.nodeId, address, ...at }
}
