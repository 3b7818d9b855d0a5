/**
 * The exchange: what the origin does for the nodes of the plan between the plan and the finish.
 *
 * The idea: all that is known of bytes goes to the dealer as facts, and what it deals is listed on
 * feeds. Digests travel with the nodes that relay anyway; whoever cannot get them that way (a relay
 * lost, a feed broken) is sent them directly. Nothing here decides whether a node lives: that is
 * the machine's (machine.ts), which says who has `left`.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import { commonOf, heldBySome } from '../holdings/have.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import { Reach } from '../members/reach.js'
import type { Sample } from '../messages/facts.js'
import type { Frame, Lacking, Role } from '../messages/types.js'
import { OriginAnswers } from './answers.js'
import { Beyond } from './beyond.js'
import { OriginDetours } from './detours.js'
import { OriginDigestSends } from './digest-sends.js'
import { OriginEdges } from './edges.js'
import type { OriginConfig } from './events.js'
import { OriginFaults } from './faults.js'
import { type OriginFeeds, placeOf } from './feeds.js'
import { groupsOf, OriginFillers } from './fillers.js'
import { OriginFlow } from './flow.js'
import { describeRanges, heldFrames } from './frames.js'
import { Later } from './later.js'
import type { OriginOutbox } from './outbox.js'
import { OriginPlans } from './plans.js'
import { OriginSends } from './sends.js'
import { anyone, hashOrder, sharesOf } from './shares.js'
import type { OriginSource } from './source.js'
import { type Distrusted, Verdicts } from './verdicts.js'

export class OriginExchange {
  readonly #config: OriginConfig
  readonly #dealer: Dealer
  readonly #source: OriginSource
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly flow: OriginFlow
  readonly plans: OriginPlans
  readonly #group = new Map<number, Peer>()
  readonly #reach = new Reach()
  readonly #verdicts: Verdicts
  readonly sends: OriginSends
  readonly #beyond: Beyond
  readonly #later: Later
  readonly #fillers: OriginFillers
  readonly digests: OriginDigestSends
  readonly #detours: OriginDetours
  readonly #edges: OriginEdges
  readonly answers: OriginAnswers
  readonly faults: OriginFaults

  constructor(
    config: OriginConfig,
    dealer: Dealer,
    source: OriginSource,
    peers: Peers,
    outbox: OriginOutbox,
  ) {
    this.#config = config
    this.#dealer = dealer
    this.#source = source
    this.#peers = peers
    this.#outbox = outbox
    this.flow = new OriginFlow(dealer, peers)
    this.plans = new OriginPlans(config, dealer, outbox, peers)
    const { chain } = dealer
    this.#beyond = new Beyond(chain)
    this.sends = new OriginSends(dealer, peers, outbox, this.flow, this.#beyond)
    this.#later = new Later(chain, peers)
    this.#fillers = new OriginFillers(config.extent, dealer, outbox)
    this.faults = new OriginFaults(outbox)
    this.#verdicts = new Verdicts(dealer, outbox, peers, this.faults, config.relayClaimBytes)
    const reaches = { reach: this.#reach, beyond: this.#beyond }
    const { extent } = config
    const told = [reaches, this.#verdicts, extent] as const
    this.digests = new OriginDigestSends(chain, source, peers, outbox, ...told)
    this.#detours = new OriginDetours(dealer, peers, outbox, this.digests)
    const { sends, digests } = this
    this.answers = new OriginAnswers(extent, dealer, source, peers, outbox, sends, digests)
    const { plans, faults } = this
    const ways = { sends, digests, detours: this.#detours, plans, faults }
    this.#edges = new OriginEdges({ chain, peers, outbox, ...reaches, ...ways })
  }

  /** Those who take part, or did; empty before the plan. */
  get group(): Iterable<Peer> {
    return this.#group.values()
  }

  get isPlanned(): boolean {
    return this.#group.size > 0
  }

  member(node: number): Peer | undefined {
    return this.#group.get(node)
  }

  /** When the dealer wants to look at the feeds; null: when it suits. */
  deadlineMs(): number | null {
    return this.#dealer.deadlineMs()
  }

  /** Makes the plan with these nodes, tells them, and begins. */
  start(group: readonly Peer[], nowMs: number): void {
    for (const peer of group) this.#enter(peer, nowMs)
    const { chain, strategy, shape } = this.#dealer
    const ofRole = (role: Role): number[] =>
      group.flatMap((peer) => (peer.role === role ? [peer.node] : []))
    const [mirrors, gateways] = [new Set(ofRole('mirror')), new Set(ofRole('gateway'))]
    chain.start(group.map(placeOf), mirrors, gateways)
    const slow = group.filter((peer) => chain.isSecondary(peer.node))
    for (const peer of slow) this.#waits(peer, 'it is slow: ')
    const fed = group.filter((peer) => !chain.isSecondary(peer.node))
    const nodes = fed.map((peer) => peer.node)
    const receivers = fed.filter((peer) => peer.isReceiver)
    const have = new Map(receivers.map((peer) => [peer.node, peer.had.ranges]))
    const groups = groupsOf(chain, receivers)
    const leftOut = this.#fillers.start(groups)
    const isGrowing = !this.#config.extent.isFinal
    const start = { nodes, have, leftOut, mirrors, gateways, isGrowing, nowMs }
    const sends = this.#dealer.handle({ type: 'started', ...start })
    const named = ofRole('receiver')
    const shares = sharesOf(this.#dealer, this.#peers.all, named, this.#config)
    for (const peer of fed) this.#setRelay(peer, nowMs)
    this.plans.tellNow()
    const whole: RangePair[] = [this.#config.extent.whole]
    for (const peer of shape === 'unicast' ? group : slow) this.digests.owesAll(peer)
    for (const one of groups) {
      // What is dealt comes without being asked for.
      const held = commonOf([heldBySome(one.map(({ had }) => had)), leftOut])
      for (const peer of one) this.#tellHeld(peer, held, one)
    }
    this.sends.list(sends)
    const { receivers: planned, parents, slow: later } = chain
    const plan = { strategy, shape, nodes: named, groups: planned, parents, later, shares }
    this.#outbox.wish({ type: 'announcePlan', plan })
    for (const { offset, length } of [...this.#source.digests.runs(whole)])
      this.hashed(offset, length, nowMs)
    this.#source.start(hashOrder(this.#dealer, nodes, this.#config.extent.bytes))
  }

  /** A node is linked: it is told of the file, of itself and of this side. */
  offer(peer: Peer, feeds: OriginFeeds): void {
    this.#outbox.wish({ type: 'offer', member: peer.node, planned: this.isPlanned })
    if (feeds.isForeseen(peer.node)) this.#outbox.feed(peer)
    this.plans.offered(peer)
  }

  /** A node has blocks that may be of this content: all digests come to it before the plan. */
  compares(peer: Peer, nowMs: number): void {
    peer.waits('comparing', nowMs)
    this.#source.hashAhead()
    this.#compare(peer, this.#config.extent.whole, nowMs)
  }

  /** The data connection to a node is open. `lacking`: it had broken before. */
  fedOut(peer: Peer, lacking: Lacking | undefined, nowMs: number): void {
    peer.fedOut()
    if (lacking !== undefined && peer.phase === 'running') {
      this.sends.again(peer, lacking)
      this.digests.resend(peer)
    }
    if (peer.isComparing) this.#compare(peer, this.#config.extent.whole, nowMs)
  }

  #compare(peer: Peer, range: RangePair, nowMs: number): void {
    if (peer.feed.is !== 'open') return this.#outbox.feed(peer)
    peer.waits('comparing', nowMs)
    this.digests.send(peer, [range])
  }

  /**
   * A node that is ready while the exchange runs: its mates relay to it what they were dealt
   * before, too. The rest the origin brings, and all digests: what mates pass on before they know
   * of it would not reach it.
   */
  join(peer: Peer, nowMs: number): void {
    const { chain } = this.#dealer
    const { node, role, isReceiver } = peer
    chain.join(placeOf(peer), role)
    if (chain.isSecondary(node)) return this.#joinLater(peer, nowMs)
    const mates = chain.mates(node).map((node) => this.#peer(node))
    const near = mates.filter((mate) => mate.isReceiver)
    const held = heldBySome(near.map(({ had }) => had))
    const missing = RangeSet.of([this.#config.extent.whole])
    missing.subtract(peer.had.ranges)
    missing.subtract(held)
    missing.remove(0, this.sends.floorBytes)
    for (const mate of mates) {
      if (mate.relay !== 'relays' || mate.presence === 'away') continue
      for (const [offset, length] of this.#dealer.dealt(mate.node)) missing.remove(offset, length)
    }
    this.#enter(peer, nowMs)
    this.#fillers.joins(peer, near)
    const fact = { node, role, missing: missing.toArray(), nowMs }
    const sends = this.#dealer.handle({ type: 'nodeJoined', ...fact })
    const brought = sends.filter((send) => send.why === 'level')
    const ranges = brought.map(({ offset, length }): RangePair => [offset, length])
    this.#outbox.note('info', 'joined', peer, `the origin lists ${describeRanges(ranges)}`)
    this.#setRelay(peer, nowMs)
    this.plans.tellNow()
    // It is behind at first, which is not logged.
    if (this.#dealer.excluded().includes(peer.node)) peer.trails('catchingUp')
    this.#verdicts.tellExcluded()
    if (isReceiver) {
      this.digests.directAll(peer)
      // What a gateway has passed on it does not have any more: mates have it.
      for (const mate of mates)
        if (mate.role === 'gateway') this.#detours.around(peer, mate, 'held')
    }
    this.#tellHeld(peer, held, near)
    this.sends.list(sends)
  }

  /** It waits for the group that feeds it, and has the digests meanwhile. */
  #joinLater(peer: Peer, nowMs: number): void {
    this.#enter(peer, nowMs)
    this.#waits(peer)
    this.plans.tellNow()
    this.digests.directAll(peer)
    this.#feedLater([peer.node], nowMs)
  }

  #waits(peer: Peer, why = ''): void {
    peer.trails('waiting')
    this.#outbox.note('info', 'joined', peer, `${why}others bring it all, once they have all`)
  }

  /** Those of these whose turn has come are told to ask for what they lack. */
  #feedLater(nodes: readonly number[], nowMs: number): Peer[] {
    const due = this.#later.due(nodes)
    if (due.length > 0) this.plans.flowChanged()
    for (const peer of due) {
      peer.trails('none')
      peer.moved(nowMs)
      const ranges: RangePair[] = [this.#config.extent.whole]
      const holder = this.#later.holderFor(peer)
      const all = RangeSet.of(ranges)
      if (holder !== undefined) this.#tellHeld(peer, all, this.group, holder)
      else this.sends.tell({ type: 'needed', node: peer.node, scratch: false, ranges, nowMs })
    }
    return due
  }

  reported(peer: Peer, frame: Frame & { type: 'backlog' }, nowMs: number, isOwn: boolean): void {
    if (!peer.isServing || !peer.counts.isNews(frame, isOwn)) return
    const { atMs, landedBytes, receivedBytes, backlogBytes } = frame
    const behind = frame.behind.filter((place) => this.member(place) !== undefined)
    const said = { node: peer.node, atMs, landedBytes, receivedBytes, backlogBytes, behind }
    this.sends.tell({ type: 'reported', ...said, nowMs })
  }

  counted({ outgoing, atMs }: Sample, nowMs: number): void {
    for (const count of outgoing) {
      const { member: node, rttMs, sentBytes, queuedBytes, unackedBytes } = count
      const peer = this.#peer(node)
      if (!peer.isServing) continue
      this.flow.counted(peer, count, nowMs)
      this.answers.needs.counted(count, nowMs)
      const counted = { sentBytes, queuedBytes, unackedBytes, rttMs: rttMs || peer.rttMs }
      this.sends.tell({ type: 'counted', node, ...counted, atMs, nowMs })
    }
    this.flow.countedAll(atMs)
    this.sends.tell({ type: 'ticked', nowMs })
    this.#verdicts.tellExcluded()
    if (nowMs >= this.#verdicts.claimsDueMs) this.compareClaims(nowMs)
  }

  /** Blocks were bad at this node. */
  wasBad(peer: Peer, frame: Frame & { type: 'bad' }, nowMs: number): void {
    const { relay, to = null } = this.#verdicts.wasBad(peer, frame, nowMs) ?? {}
    if (to !== null && relay !== undefined) this.#edges.avoid(relay, to)
    else if (relay !== undefined) this.#rest(relay, nowMs)
  }

  /** The feed between two nodes is dead although both live, or open again. */
  edge(peer: Peer, frame: Frame & { type: 'edgeLost' | 'edgeBack' }, nowMs: number): void {
    const mate = this.member(frame.member)
    if (mate === undefined || mate === peer) return
    const [from, to] = frame.incoming ? [mate, peer] : [peer, mate]
    if (frame.type === 'edgeLost') this.#edges.lost(from, to, peer, frame.code, nowMs)
    else this.#edges.back(from, to, peer)
  }

  /** All that it has filled is verified. */
  whole(peer: Peer): void {
    this.#fillers.whole(peer)
  }

  /** It has all. Returns those whose turn has come. */
  completed(peer: Peer, nowMs: number): Peer[] {
    this.plans.flowChanged()
    this.answers.needs.completed(peer)
    return this.#feedLater(this.#dealer.chain.below(peer.node), nowMs)
  }

  /**
   * Silent for so long that others do its work: one that is so too often rests as a relay. Returns
   * the others of its group that are suspected: of several in one place that say nothing there is
   * one cause, and nobody of them takes its place.
   */
  fellSilent(peer: Peer, nowMs: number): Peer[] {
    if (this.faults.fellSilent(peer, nowMs)) this.#rest(peer, nowMs)
    else this.away(peer, nowMs)
    if (!peer.isServing || this.#dealer.chain.isOne) return []
    const mates = this.#dealer.chain.mates(peer.node).map((node) => this.#peer(node))
    return mates.filter(({ presence }) => presence === 'suspected')
  }

  /**
   * Silent, or no true relay, and still in the exchange: others make good what this node was dealt.
   * Its feeds stay open, so that it goes on when it is heard again. Plans follow with `settled`.
   */
  away(peer: Peer, nowMs: number): void {
    if (!peer.isServing) return
    this.#source.free(peer.node)
    this.#detours.away(peer)
    this.answers.needs.left(peer, nowMs)
    this.plans.changed()
  }

  /** It speaks again, and passes on what it was planned to. */
  back(peer: Peer): void {
    if (!peer.isServing || peer.relay === 'false' || peer.relay === 'rests') return
    this.#dealer.chain.back(peer.node)
    this.plans.changed()
  }

  /** Out of the exchange; `settled` says so to the others. Returns those whose turn has come. */
  left(peer: Peer, nowMs: number): Peer[] {
    this.#source.free(peer.node)
    this.flow.left(peer)
    const departs = this.#detours.leaves(peer)
    const { chain } = this.#dealer
    const below = chain.below(peer.node)
    const gaps = chain.leave(peer.node)
    this.sends.tell({ type: 'nodeFailed', node: peer.node, nowMs })
    this.answers.needs.left(peer, nowMs)
    departs(gaps)
    this.#fillers.left(peer)
    this.plans.changed()
    // Where nobody else is left they are the tree.
    for (const node of below) {
      const other = this.#peer(node)
      if (other.lag === 'waiting' && chain.isHead(node)) this.#setRelay(other, nowMs)
    }
    return this.#feedLater(below, nowMs)
  }

  /** Nothing more follows from an event: who is left learns who is gone. */
  settled(nowMs: number): void {
    this.#retry(nowMs)
    this.plans.advance(nowMs)
    this.#detours.settled()
  }

  /** What is worth a sentence about the whole push, now that it is over. */
  ended(): void {
    const text = this.#reach.summary([...this.#group.values()])
    if (text !== null) this.#outbox.wish({ type: 'warn', event: 'nodes-unreachable', text })
  }

  /** The digests of a run are known. */
  hashed(offset: number, length: number, nowMs: number): void {
    for (const peer of this.#peers.comparing) this.#compare(peer, [offset, length], nowMs)
    if (!this.isPlanned) return
    this.digests.spread(offset, length)
  }

  /** Bytes that an owner of bytes to hash has been sent. */
  sentTo(owner: number): number {
    return this.flow.broughtBytes(owner === anyone ? null : this.#peer(owner))
  }

  #enter(peer: Peer, nowMs: number): void {
    peer.join(nowMs)
    this.#group.set(peer.node, peer)
  }

  /** What some of these hold, or have coming, of what this node lacks: it asks them. */
  #tellHeld(peer: Peer, held: RangeSet, group: Iterable<Peer>, feeder?: number): void {
    for (const frame of heldFrames(peer, group, held, feeder)) this.#outbox.say(peer, frame)
  }

  #setRelay(peer: Peer, nowMs: number): void {
    if (!this.#dealer.mayRelay(peer.node)) return
    peer.relays()
    // What an earlier attempt of it did counts.
    if (this.faults.isFailed('node', peer.link.address)) this.#rest(peer, nowMs)
  }

  /** It stays a receiver, and passes on nothing until it is tried again. */
  #rest(relay: Peer, nowMs: number): void {
    relay.relaysAs('rests')
    this.sends.tell({ type: 'rested', node: relay.node, isResting: true, nowMs })
    this.away(relay, nowMs)
  }

  /** What has failed has its next chance. */
  #retry(nowMs: number): void {
    for (const [kind, name, to] of this.faults.retried(nowMs)) {
      if (kind === 'link') this.#edges.retry(name, to)
      if (kind !== 'node') continue
      for (const peer of this.#peers.at(name)) {
        if (peer.relay !== 'rests') continue
        peer.relaysAs('relays')
        this.#outbox.note('info', 'relay-retried', peer, 'it is given something to relay again')
        this.sends.tell({ type: 'rested', node: peer.node, isResting: false, nowMs })
        if (peer.presence !== 'away') this.back(peer)
      }
    }
  }

  /** Also when a node is complete: its last report is in, and it takes no further part. */
  compareClaims(nowMs: number): void {
    const { cleared, untrue } = this.#verdicts.compareClaims(nowMs)
    for (const { node } of cleared) this.sends.tell({ type: 'confirmed', node })
    for (const one of untrue) this.#distrust(one, nowMs)
  }

  /** It stays a receiver. What it said it passed on is dealt again; mates ask for the rest. */
  #distrust({ relay, event, text }: Distrusted, nowMs: number): void {
    relay.relaysAs('false')
    this.#outbox.wish({ type: 'warn', event, text })
    this.sends.tell({ type: 'distrusted', node: relay.node, nowMs })
    this.away(relay, nowMs)
  }

  #peer(node: number): Peer {
    return this.#peers.of(node)
  }
}
