/**
 * The exchange: what the origin does for the nodes of the plan between the plan and the finish.
 *
 * The idea: all that is known of bytes goes to the dealer as facts, and what it deals is listed on
 * feeds. Digests travel with the nodes that relay anyway; whoever cannot get them that way (a relay
 * lost, a feed broken) is sent them directly. Nothing here decides whether a node lives: that is
 * the machine's (machine.ts), which says who has `left`.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Dealer, DealerFact, Send } from '../dealing/dealer.js'
import { heldBySome } from '../holdings/have.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import { Reach } from '../members/reach.js'
import type { Sample } from '../messages/facts.js'
import type { DetourReason, Frame, Lacking, Role } from '../messages/types.js'
import type { Gap } from '../plan/ways.js'
import { Beyond } from './beyond.js'
import { OriginDigestSends } from './digest-sends.js'
import type { OriginConfig } from './events.js'
import { type OriginFeeds, placeOf } from './feeds.js'
import { OriginFlow } from './flow.js'
import { describeRanges, detourFrames, heldFrames } from './frames.js'
import { Later } from './later.js'
import { OriginNeeds } from './needs.js'
import type { OriginOutbox } from './outbox.js'
import { OriginPlans } from './plans.js'
import { OriginRepairs } from './repairs.js'
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
  readonly #repairs: OriginRepairs
  readonly #sends: OriginSends
  readonly #beyond: Beyond
  readonly #later: Later
  readonly #needs: OriginNeeds
  readonly #digests: OriginDigestSends
  /** Heads of columns on which digests to groups further down may have been lost since then. */
  readonly #losing = new Set<number>()
  /** Those who have left since all were told their plans. */
  #departed: { readonly peer: Peer; readonly mates: readonly Peer[]; gaps: readonly Gap[] }[] = []

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
    this.#sends = new OriginSends(dealer, peers, outbox, this.flow, this.#beyond)
    this.#later = new Later(chain, peers)
    this.#needs = new OriginNeeds(dealer, peers, outbox, ({ node }, ranges, nowMs) =>
      this.#tell({ type: 'needed', node, scratch: false, ranges, nowMs }),
    )
    this.#verdicts = new Verdicts(dealer, outbox, peers, config.relayClaimBytes)
    this.#repairs = new OriginRepairs(config, dealer, peers, outbox)
    const reaches = { reach: this.#reach, beyond: this.#beyond }
    this.#digests = new OriginDigestSends(chain, source, peers, outbox, reaches, this.#verdicts)
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
    const have = new Map(receivers.map((peer) => [peer.node, peer.have]))
    const held = this.#heldBy(receivers)
    const sends = this.#dealer.handle({ type: 'started', nodes, have, mirrors, gateways, nowMs })
    const named = ofRole('receiver')
    const shares = sharesOf(this.#dealer, this.#peers.all, named, this.#config)
    for (const peer of fed) this.#setRelay(peer)
    this.plans.tellNow()
    const whole: RangePair[] = [[0, this.#config.bytes]]
    for (const peer of shape === 'unicast' ? group : slow) this.#digests.owes(peer, whole)
    if (shape !== 'unicast') for (const peer of fed) this.#tellHeld(peer, held)
    this.#list(sends)
    const { receivers: groups, parents, slow: later } = chain
    const plan = { strategy, shape, nodes: named, groups, parents, later, shares }
    this.#outbox.wish({ type: 'announcePlan', plan })
    for (const { offset, length } of [...this.#source.digests.runs(whole)])
      this.hashed(offset, length, nowMs)
    this.#source.start(hashOrder(this.#dealer, nodes, this.#config.bytes))
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
    this.#compare(peer, [0, this.#config.bytes], nowMs)
  }

  /** The data connection to a node is open. `lacking`: it had broken before. */
  fedOut(peer: Peer, lacking: Lacking | undefined, nowMs: number): void {
    peer.fedOut()
    if (lacking !== undefined && peer.phase === 'running') {
      this.#sends.again(peer, lacking)
      this.#digests.resend(peer)
    }
    if (peer.isComparing) this.#compare(peer, [0, this.#config.bytes], nowMs)
  }

  #compare(peer: Peer, range: RangePair, nowMs: number): void {
    if (peer.feed.is !== 'open') return this.#outbox.feed(peer)
    peer.waits('comparing', nowMs)
    this.#digests.send(peer, [range])
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
    const held = this.#heldBy(mates.filter((mate) => mate.isReceiver))
    const missing = RangeSet.of([[0, this.#config.bytes]])
    missing.subtract(peer.have)
    missing.subtract(held)
    for (const mate of mates) {
      if (mate.relay !== 'relays' || mate.presence === 'away') continue
      for (const [offset, length] of this.#dealer.dealt(mate.node)) missing.remove(offset, length)
    }
    this.#enter(peer, nowMs)
    const fact = { node, role, missing: missing.toArray(), nowMs }
    const sends = this.#dealer.handle({ type: 'nodeJoined', ...fact })
    const brought = sends.filter((send) => send.why === 'level')
    const ranges = brought.map(({ offset, length }): RangePair => [offset, length])
    this.#outbox.note('info', 'joined', peer, `the origin lists ${describeRanges(ranges)}`)
    this.#setRelay(peer)
    this.plans.tellNow()
    // It is behind at first, which is not logged.
    if (this.#dealer.excluded().includes(peer.node)) peer.trails('catchingUp')
    this.#verdicts.tellExcluded()
    if (isReceiver) {
      this.#digests.direct(peer, [[0, this.#config.bytes]])
      // What a gateway has passed on it does not have any more: mates have it.
      for (const mate of mates) if (mate.role === 'gateway') this.#detour(peer, mate, 'held')
    }
    this.#tellHeld(peer, held)
    this.#list(sends)
  }

  /** It waits for the group that feeds it, and has the digests meanwhile. */
  #joinLater(peer: Peer, nowMs: number): void {
    this.#enter(peer, nowMs)
    this.#waits(peer)
    this.plans.tellNow()
    this.#digests.direct(peer, [[0, this.#config.bytes]])
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
      const ranges: RangePair[] = [[0, this.#config.bytes]]
      const holder = this.#later.holderFor(peer)
      if (holder !== undefined) this.#tellHeld(peer, RangeSet.of(ranges), holder)
      else this.#tell({ type: 'needed', node: peer.node, scratch: false, ranges, nowMs })
    }
    return due
  }

  reported(peer: Peer, frame: Frame & { type: 'backlog' }, nowMs: number, isOwn: boolean): void {
    if (!peer.isServing || !peer.counts.isNews(frame, isOwn)) return
    const { atMs, landedBytes, receivedBytes, backlogBytes } = frame
    const behind = frame.behind.filter((place) => this.member(place) !== undefined)
    const said = { node: peer.node, atMs, landedBytes, receivedBytes, backlogBytes, behind }
    this.#tell({ type: 'reported', ...said, nowMs })
  }

  counted({ outgoing, atMs }: Sample, nowMs: number): void {
    for (const count of outgoing) {
      const { member: node, rttMs, sentBytes, queuedBytes, unackedBytes } = count
      const peer = this.#peer(node)
      if (!peer.isServing) continue
      this.flow.counted(peer, count)
      this.#needs.counted(count, nowMs)
      const counted = { sentBytes, queuedBytes, unackedBytes, rttMs: rttMs || peer.rttMs }
      this.#tell({ type: 'counted', node, ...counted, atMs, nowMs })
    }
    this.flow.countedAll(atMs)
    this.#tell({ type: 'ticked', nowMs })
    this.#verdicts.tellExcluded()
    if (nowMs >= this.#verdicts.claimsDueMs) this.compareClaims(nowMs)
  }

  /** A node asks for bytes of the file. */
  needed(peer: Peer, frame: Frame & { type: 'need' }, nowMs: number): void {
    const { scratch, ranges } = frame
    this.#outbox.note('info', scratch ? 'repair' : 'need', peer, describeRanges(ranges))
    if (!scratch) this.#digests.direct(peer, ranges)
    if (!scratch) return this.#needs.asked(peer, ranges, nowMs)
    this.#outbox.wish(...this.#source.suspect(ranges))
    const own = this.#repairs.divide(peer, ranges)
    this.#tell({ type: 'needed', node: peer.node, scratch, ranges: own, nowMs })
  }

  /** Blocks were bad at this node. */
  wasBad(peer: Peer, frame: Frame & { type: 'bad' }, nowMs: number): void {
    const spoiler = this.#verdicts.wasBad(peer, frame)
    if (spoiler !== null) this.#distrust(spoiler, nowMs)
  }

  /** A node has bytes and nothing to compare them with. */
  neededDigests(peer: Peer, ranges: readonly RangePair[]): void {
    this.#outbox.note('info', 'need-digests', peer, describeRanges(ranges))
    this.#digests.direct(peer, ranges)
  }

  /** The feed between two nodes is dead although both live. */
  edgeLost(peer: Peer, frame: Frame & { type: 'edgeLost' }): void {
    const mate = this.member(frame.member)
    if (mate === undefined || mate === peer) return
    const [from, to] = frame.incoming ? [mate, peer] : [peer, mate]
    if (to.phase !== 'running' || !from.isServing || to.lostFrom.has(from.node)) return
    this.#reach.lost(from, to, frame.code)
    this.#outbox.note('warn', 'edge-lost', to, `feed from ${from.link.address} (${frame.code})`)
    to.lostFrom.add(from.node)
    this.#tell({ type: 'edgeLost', from: from.node, to: to.node })
    this.#beyond.edgeLost(from.node, to.node)
    const gaps = this.#dealer.chain.cut(from.node, to.node)
    if (gaps.every((gap) => gap.to === to.node)) this.#detour(to, from, 'broken')
    this.#digests.edgeLost(from.node, to)
    if (gaps.length === 0) return
    this.plans.tellNow()
    this.#fill(from, gaps, 'broken', to)
  }

  /** It has all. Returns those whose turn has come. */
  completed(peer: Peer, nowMs: number): Peer[] {
    this.plans.flowChanged()
    this.#needs.completed(peer)
    return this.#feedLater(this.#dealer.chain.below(peer.node), nowMs)
  }

  /**
   * Silent, or no true relay, and still in the exchange: others make good what this node was dealt.
   * Its feeds stay open, so that it goes on when it is heard again. Plans follow with `settled`.
   */
  away(peer: Peer, nowMs: number): void {
    if (!peer.isServing) return
    this.#source.free(peer.node)
    for (const mate of this.#mates(peer)) this.#detour(mate, peer, 'away')
    this.#fill(peer, this.#dealer.chain.avoid(peer.node), 'away')
    this.#needs.left(peer, nowMs)
    this.plans.changed()
  }

  /** It speaks again, and passes on what it was planned to. */
  back(peer: Peer): void {
    if (!peer.isServing || peer.relay === 'false') return
    this.#dealer.chain.back(peer.node)
    this.plans.changed()
  }

  /** Out of the exchange; `settled` says so to the others. Returns those whose turn has come. */
  left(peer: Peer, nowMs: number): Peer[] {
    this.#source.free(peer.node)
    this.flow.left(peer)
    const mates = this.#mates(peer)
    const { chain } = this.#dealer
    const below = chain.below(peer.node)
    const gaps = chain.leave(peer.node)
    this.#tell({ type: 'nodeFailed', node: peer.node, nowMs })
    this.#needs.left(peer, nowMs)
    this.#departed.push({ peer, mates, gaps })
    this.plans.changed()
    // Where nobody else is left they are the tree.
    for (const node of below) {
      const other = this.#peer(node)
      if (other.lag === 'waiting' && chain.isHead(node)) this.#setRelay(other)
    }
    return this.#feedLater(below, nowMs)
  }

  /**
   * Nothing more follows from an event: who is left learns who is gone, and makes good what those
   * were dealt. Those who are complete miss nothing, but must not serve them any longer.
   */
  settled(nowMs: number): void {
    this.plans.advance(nowMs)
    this.plans.standbys.advance(nowMs)
    for (const { peer, mates, gaps } of this.#departed.splice(0)) {
      for (const mate of mates) if (mate.phase === 'running') this.#detour(mate, peer, 'broken')
      this.#fill(peer, gaps, 'broken')
    }
    this.#digests.again(this.#losing)
    this.#losing.clear()
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
    this.#digests.spread(offset, length)
  }

  /** Bytes that an owner of bytes to hash has been sent. */
  sentTo(owner: number): number {
    return this.flow.broughtBytes(owner === anyone ? null : this.#peer(owner))
  }

  #enter(peer: Peer, nowMs: number): void {
    peer.join(nowMs)
    this.#group.set(peer.node, peer)
  }

  /** What others hold, or have coming, of what this node lacks: it asks them. */
  #tellHeld(peer: Peer, held: RangeSet, feeder?: number): void {
    for (const frame of heldFrames(peer, this.#group.values(), held, feeder))
      this.#outbox.say(peer, frame)
  }

  #setRelay(peer: Peer): void {
    if (this.#dealer.mayRelay(peer.node)) peer.relays()
  }

  /** Also when a node is complete: its last report is in, and it takes no further part. */
  compareClaims(nowMs: number): void {
    const { cleared, untrue } = this.#verdicts.compareClaims(nowMs)
    for (const { node } of cleared) this.#tell({ type: 'confirmed', node })
    for (const one of untrue) this.#distrust(one, nowMs)
  }

  /** It stays a receiver. What it said it passed on is dealt again; mates ask for the rest. */
  #distrust({ relay, event, text }: Distrusted, nowMs: number): void {
    relay.losesTrust()
    this.#outbox.wish({ type: 'warn', event, text })
    this.#tell({ type: 'distrusted', node: relay.node, nowMs })
    this.away(relay, nowMs)
  }

  /** Those who are fed by it in its group. */
  #mates(peer: Peer): Peer[] {
    const mates = this.#dealer.chain.matesFedBy(peer.node).map((node) => this.#peer(node))
    return mates.filter((mate) => mate.phase === 'running' && mate.isReceiver)
  }

  /** `gap`: only what flowed there. */
  #detour(to: Peer, from: Peer, why: DetourReason, gap?: Gap): void {
    const ranges = gap ? this.#dealer.along(gap.column) : this.#dealer.dealt(from.node)
    const route = gap && this.#dealer.chain.routeFor(gap)
    for (const one of detourFrames(from, why, ranges, route)) this.#outbox.say(to, one)
    // Digests on their way through the lost relay are lost too: those of its share come directly.
    this.#digests.direct(to, [...RangeSet.of([...ranges, ...from.relayedDigests.toArray()])])
  }

  /** Those who were fed by a node of the group before find elsewhere what it no longer brings. */
  #fill(from: Peer, gaps: readonly Gap[], why: DetourReason, unreached?: Peer): void {
    for (const gap of gaps) {
      const peer = this.#peer(gap.to)
      // Who takes the place of one that is not reached keeps the feed it has, and asks at once.
      const how = unreached === undefined || peer === unreached ? why : 'held'
      if (peer.phase === 'running') this.#detour(peer, from, how, gap)
    }
    for (const { head } of gaps) this.#losing.add(head)
  }

  /** What some of these hold, who are all in one group: the others get it from them. */
  #heldBy(peers: readonly Peer[]): RangeSet {
    return this.#dealer.chain.isOne ? heldBySome(peers) : new RangeSet()
  }

  /** Tells the dealer, and lists what it deals. */
  #tell(fact: DealerFact): void {
    this.#list(this.#dealer.handle(fact))
  }

  #list(sends: readonly Send[]): void {
    if (this.#sends.list(sends)) this.plans.standbys.dealt(sends)
  }

  #peer(node: number): Peer {
    return this.#peers.of(node)
  }
}
