/**
 * What each node is told of its part in the push: absolute plans, in the term of this coordinator.
 *
 * Whoever changes who takes part says `changed`. A node is sent its plan when something needs it to
 * be there, and all are sent theirs once everything that follows from one event has been done: many
 * nodes that fail together are one plan for each that is left. What changes often and is short (who
 * lags) is no part of it.
 */
import { limits } from '../../base/limits.js'
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import { inOrder, type Peers } from '../members/peers.js'
import { type WayThere, wayBetween } from '../members/ways.js'
import {
  type EdgeWord,
  type Member,
  originNumber,
  originTerm,
  type PlanFrame,
  type Route,
} from '../messages/types.js'
import type { OriginConfig } from './events.js'
import { Leaders } from './leaders.js'
import type { OriginOutbox } from './outbox.js'
import { Sealing } from './sealing.js'
import { SiteShares } from './site-shares.js'
import { Standbys } from './standbys.js'

/** What a node that takes part is told. */
interface Part {
  readonly routes: readonly Route[]
  readonly avoid: readonly number[]
  /** Null: to the coordinator. */
  readonly reportTo: number | null
}

export class OriginPlans {
  readonly #config: OriginConfig
  readonly #dealer: Dealer
  readonly #outbox: OriginOutbox
  readonly #peers: Peers
  readonly #origin: Member
  readonly sealing: Sealing
  readonly standbys: Standbys
  readonly #shares: SiteShares
  /** What the origin itself keeps to. */
  #paced = '[]'
  readonly leaders: Leaders
  #epoch = 0
  #hasChanged = false
  /** Those who report to somebody else now. */
  #moved: readonly number[] = []
  /** Whom each has to know, or had to. */
  readonly #known = new Map<Peer, Set<number>>()
  /** What each was told last, but for what is new in every plan. */
  readonly #said = new Map<Peer, string>()
  /** Members to whom a node has an edge. */
  readonly #introduced = new Map<Peer, Set<number>>()

  constructor(config: OriginConfig, dealer: Dealer, outbox: OriginOutbox, peers: Peers) {
    this.#config = config
    this.#dealer = dealer
    this.#outbox = outbox
    this.#peers = peers
    this.#shares = new SiteShares(config.sites ?? {}, originNumber, dealer.chain, peers)
    this.leaders = new Leaders(dealer.chain, peers, config.extent)
    this.sealing = new Sealing(config.sites ?? {}, peers)
    const isSealed = (peer: Peer): boolean => this.sealing.isAlways(peer)
    this.standbys = new Standbys(originTerm, peers, outbox, isSealed)
    this.#origin = { number: originNumber, nodeId: config.nodeId }
  }

  /** Who takes part has changed. */
  changed(): void {
    this.#hasChanged = true
  }

  /** Something has changed, and all hear of it now. */
  tellNow(): void {
    this.changed()
    this.tellAll()
  }

  /** Plans are to be told: whatever has changed. */
  get areDue(): boolean {
    return this.#hasChanged
  }

  /** A node has the offer: who it is, and who coordinates. */
  offered(peer: Peer): void {
    this.#send(peer, [this.#origin, memberOf(peer)])
  }

  /** Unless it has it. */
  #tell(peer: Peer): void {
    const { chain } = this.#dealer
    // Whom a running plan names no more is gone for good.
    const known = this.#known.get(peer) ?? new Set([peer.node])
    this.#known.set(peer, known)
    for (const node of [...chain.neighbours(peer.node), ...this.standbys.numbers]) known.add(node)
    const members = [...known]
      .sort((a, b) => a - b)
      .map((node) => this.#peers.of(node))
      .filter((other) => other.isServing)
      .map((other) => memberOf(other, wayBetween(peer.link, other.link)))
    const routes = peer.relay === 'none' ? [] : this.#routesOf(peer)
    const avoid = members.flatMap(({ number }) => (peer.lostFrom.has(number) ? [number] : []))
    const reportTo = this.leaders.of(peer)
    const shares = this.#shares.of(peer.node)
    const said = JSON.stringify([members, routes, avoid, this.standbys.numbers, reportTo, shares])
    if (this.#said.get(peer) === said) return
    this.#said.set(peer, said)
    this.#send(peer, [this.#origin, ...members], { routes, avoid, reportTo })
  }

  /** All whom it concerns have what is new. */
  tellAll(): void {
    if (!this.#hasChanged) return
    this.#hasChanged = false
    const { serving } = this.#peers
    const areStandbysNew = this.standbys.choose(serving)
    const numbers = new Set([...this.#dealer.chain.takeTouched(), ...this.#moved])
    this.#moved = []
    for (const node of numbers) this.#shares.look(this.#peers.of(node))
    for (const member of this.#shares.divide(serving, this.#dealer.shape === 'unicast'))
      if (member !== this.#origin.number) numbers.add(member)
    if (this.#shares.isOn) this.#paceOrigin(serving)
    const touched = [...numbers].map((node) => this.#peers.of(node))
    for (const peer of areStandbysNew ? serving : inOrder(touched))
      if (peer.isServing) this.#tell(peer)
    this.standbys.tellRoster()
  }

  /** Leaders that were not heard of in time are none any more. */
  advance(nowMs: number): void {
    this.#moved = this.leaders.advance(nowMs)
    if (this.#moved.length > 0 || this.#shares.isDue(nowMs)) this.changed()
    this.tellAll()
  }

  /** Who receives has changed, and with it who uses the links between sites. */
  flowChanged(): void {
    if (this.#shares.isOn) this.changed()
  }

  #paceOrigin(serving: Iterable<Peer>): void {
    const sets = this.#shares.of(this.#origin.number).map(({ site, bytesPerSecond }) => {
      const there = [...serving].filter(({ link }) => link.site === site)
      return { members: there.map(({ node }) => node), bytesPerSecond }
    })
    const said = JSON.stringify(sets)
    if (said === this.#paced) return
    this.#paced = said
    this.#outbox.wish({ type: 'pace', sets })
  }

  /** Who only sends is sent nothing by others. */
  #routesOf(peer: Peer): Route[] {
    return this.#dealer.chain.routes(peer.node).flatMap(({ route, to }) => {
      const lacking = to.filter(({ member }) => this.#peers.of(member).isReceiver)
      return lacking.length === 0 ? [] : [{ route, to: lacking }]
    })
  }

  #send(
    peer: Peer,
    members: readonly Member[],
    { routes, avoid, reportTo }: Part = { routes: [], avoid: [], reportTo: null },
  ): void {
    const { strategy, shape, reportMs } = this.#dealer
    const self = this.#origin.number
    const frame: PlanFrame = {
      type: 'plan',
      term: originTerm,
      epoch: ++this.#epoch,
      you: peer.node,
      phase: peer.isServing ? 'running' : 'forming',
      strategy,
      shape,
      members,
      parents: [self],
      routes,
      avoid,
      siteShares: this.#shares.of(peer.node),
      coordinator: self,
      standbys: peer.isServing ? this.standbys.numbers : [],
      reportTo: reportTo ?? self,
      edges: this.#edges(peer, members),
      progressMs: this.#config.progressMs,
      reportMs: this.leaders.isLed(peer.node) ? Math.max(reportMs, limits.groupReportMs) : reportMs,
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
    return strange.map(({ number: member }) => {
      const isSealed = this.sealing.between(peer.node, member)
      return { member, ...edgeOf(peer.node, member), ...(isSealed && { sealed: true as const }) }
    })
  }
}

/** A node as others are told of it. Nobody dials a gateway: there is nothing to be had of it. */
function memberOf(peer: Peer, way: WayThere = {}): Member {
  const { site } = peer.link
  if (peer.role === 'gateway') return { number: peer.node, nodeId: peer.nodeId }
  const address = peer.link.advertise ?? peer.advertise ?? peer.link.address
  const at = site !== undefined && { site }
  return { number: peer.node, nodeId: peer.nodeId, address, ...way, ...at }
}
