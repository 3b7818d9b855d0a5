/**
 * One push, seen from the origin.
 *
 * The idea: bring every node to `ready` or out, make the plan, list everything the dealer deals,
 * hash beside it, and from then on only react: to needs, to broken edges, to nodes that die. A
 * node's fate never stops the others. Only the source failing or the caller cancelling ends it all.
 *
 * It must never wait without an end: links and answers have time limits, silence fails a node, and
 * so does a node at which nothing moves although it is alive.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Dealer } from '../dealing/dealer.js'
import { brokenFeed, causeOf } from '../members/causes.js'
import { isPossible } from '../members/counts.js'
import type { Peer } from '../members/peer.js'
import { inOrder, Peers } from '../members/peers.js'
import type { Frame, ProgressFrame, Strategy, Term } from '../messages/types.js'
import { Agenda } from './agenda.js'
import { type ArrivalFrame, Arrivals } from './arrivals.js'
import { Beats } from './beats.js'
import { BrokenFeeds } from './broken-feeds.js'
import { isReport, type OriginConfig, type OriginFact, type OriginWish } from './events.js'
import { OriginExchange } from './exchange.js'
import { OriginFeeds } from './feeds.js'
import type { OriginFlow } from './flow.js'
import { type Need, needFault } from './frames.js'
import { OriginGrowth } from './growth.js'
import { OriginIndex } from './indexing.js'
import { OriginJoins } from './joins.js'
import { OriginLimits } from './limits.js'
import { OriginOutbox } from './outbox.js'
import { addMirrors, dialsOf, peersOf } from './places.js'
import { OriginRejoins } from './rejoins.js'
import { OriginRetries } from './retries.js'
import { OriginSource } from './source.js'
import { SourceFacts } from './source-facts.js'
import { OriginStart } from './start.js'
import { Supersession } from './supersession.js'
import { PeerWatch } from './watch.js'

const never = Number.POSITIVE_INFINITY

export class OriginMachine {
  readonly #config: OriginConfig
  readonly #peers: Peers
  readonly #watch: PeerWatch
  readonly #source: OriginSource
  readonly #sourceFacts: SourceFacts
  readonly exchange: OriginExchange
  /** Of a content that is still written. */
  readonly growth: OriginGrowth | undefined
  readonly #outbox = new OriginOutbox()
  readonly #joins: OriginJoins
  readonly #retries: OriginRetries
  readonly #rejoins: OriginRejoins
  readonly supersession: Supersession
  readonly #limits: OriginLimits
  readonly #start: OriginStart
  readonly #index: OriginIndex
  readonly #arrivals: Arrivals
  readonly #agenda: Agenda
  readonly #beats: Beats
  readonly feeds: OriginFeeds
  readonly #broken: BrokenFeeds
  readonly strategy: Strategy
  readonly shape: Dealer['shape']
  #countMs = never
  #isEnded = false

  constructor(config: OriginConfig, dealer: Dealer, nowMs: number) {
    this.#config = config
    const most = dealer.shape === 'group' ? limits.nodesPerGroup : limits.nodesPerPush
    this.#joins = new OriginJoins(this.#outbox, config.allowAdd === true, most)
    this.strategy = dealer.strategy
    this.shape = dealer.shape
    this.#peers = new Peers(peersOf(config, nowMs))
    this.feeds = new OriginFeeds(dealer, this.#peers.all)
    this.#source = new OriginSource(config)
    if (config.known !== undefined) addMirrors(config, this.#peers, nowMs)
    else if (config.mirrors !== undefined) this.#source.hashAhead()
    this.#watch = new PeerWatch(config)
    this.#limits = new OriginLimits(config, nowMs)
    this.#retries = new OriginRetries(config, this.#peers, this.#outbox, this.#joins)
    this.#rejoins = new OriginRejoins(config, this.#peers)
    this.supersession = new Supersession(this.#peers, this.#outbox)
    this.exchange = new OriginExchange(config, dealer, this.#source, this.#peers, this.#outbox)
    const about = [this.#source, this.#peers, this.#outbox, this.exchange] as const
    if (!config.extent.isFinal) this.growth = new OriginGrowth(config.extent, ...about, nowMs)
    this.#sourceFacts = new SourceFacts(config, ...about, this.growth)
    this.#index = new OriginIndex(config, this.#outbox)
    this.#arrivals = new Arrivals(config, this.exchange, this.#index)
    this.#start = new OriginStart(this.#peers, this.exchange, this.#joins, config.extent)
    this.#agenda = new Agenda(this.#peers, this.#watch, this.#limits)
    this.#beats = new Beats(this.#peers)
    this.#broken = new BrokenFeeds(config, this.#peers, this.exchange, this.#outbox)
  }

  /** The first wishes; call once. */
  start(): OriginWish[] {
    return dialsOf(this.#peers.all)
  }

  get peers(): readonly Peer[] {
    return this.#peers.all
  }

  get fileDigest(): string | null {
    return this.#source.fileDigest ?? null
  }

  get flow(): OriginFlow {
    return this.exchange.flow
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  handle(fact: OriginFact, nowMs: number): OriginWish[] {
    if (this.#isEnded) return []
    this.#on(fact, nowMs)
    const isDone = isReport(fact) && this.#isOrdinary(fact.member, nowMs)
    if (!this.#isEnded && (!isDone || this.exchange.plans.areDue)) this.#advance(nowMs)
    return this.#outbox.take()
  }

  /** When `due` must come at the latest; null: never. */
  deadlineMs(): number | null {
    if (this.#isEnded) return null
    const leadMs = Math.min(this.exchange.plans.leaders.dueMs, this.growth?.dueMs ?? never)
    const startMs = Math.min(this.#start.deadlineMs, this.#rejoins.dueMs)
    const watchMs = Math.min(this.#agenda.deadlineMs(), startMs, leadMs)
    const dealMs = this.exchange.deadlineMs() ?? never
    const at = Math.min(watchMs, this.#countMs, this.#beats.dueMs, this.#broken.dueMs, dealMs)
    return Number.isFinite(at) ? at : null
  }

  /** A node has reported; true where nothing follows from it for the push as a whole. */
  #isOrdinary(node: number, nowMs: number): boolean {
    const [peer, { phase }] = [this.#peer(node), this.#peer(node)]
    if (phase === 'running') this.#judge(peer, nowMs)
    return phase === 'running' && peer.phase === 'running'
  }

  #on(fact: OriginFact, nowMs: number): void {
    switch (fact.type) {
      case 'lookUpBegan':
      case 'lookUpEnded':
        return this.#peer(fact.member).lookUp(fact.type === 'lookUpBegan', nowMs)
      case 'linked':
        return this.#onLinked(this.#peer(fact.member), fact, nowMs)
      case 'unlinked': {
        const peer = this.#peer(fact.member)
        peer.unlinked()
        if (fact.code === 'ERR_FR_ONLY') return this.#out(peer, 'refused', fact, nowMs)
        const { code, text } = causeOf(fact, peer.feed.is === 'cut' ? peer.feed.failure : undefined)
        if (this.#retries.redials(peer, { code, text }, nowMs)) return
        return this.#lose(peer, code, text, nowMs)
      }
      case 'linkBroke':
      case 'linkBack':
        return this.#broken.link(this.#peer(fact.member), fact, nowMs)
      case 'fedOut':
        return this.#broken.fedOut(this.#peer(fact.member), fact.lacking, nowMs)
      case 'unfed':
        return this.#onUnfed(this.#peer(fact.member), fact, nowMs)
      case 'said':
        return this.#onFrame(this.#peer(fact.member), fact.frame, nowMs)
      case 'hashed':
      case 'summed':
      case 'grew':
      case 'cutMade':
      case 'sourceChecked':
      case 'sourceFailed':
      case 'fileFailed': {
        const failure = this.#sourceFacts.heard(fact, nowMs)
        return failure === null ? undefined : this.#abortAll(failure.code, failure.text)
      }
      case 'indexed':
        return this.#index.indexed(fact, nowMs)
      case 'sampled':
        return this.exchange.counted(fact.sample, nowMs)
      case 'nodeAdded':
        return this.#joins.add({ by: null, ...fact }, fact.link, this.#peers, nowMs)
      case 'stopped':
        return this.#abortAll('ERR_FR_ABORTED', fact.text)
      case 'fedIn':
      case 'due':
        return
      default:
        return fact satisfies never
    }
  }

  #onLinked(peer: Peer, fact: OriginFact & { type: 'linked' }, nowMs: number): void {
    if (peer.phase !== 'connecting') return
    peer.linked(this.#config.isSealed ? { ...fact, sealed: true } : fact, nowMs)
    const twin = this.#peers.twinOf(peer)
    if (twin !== undefined) {
      const text = `${peer.link.address} and ${twin.link.address} are the same node`
      return this.#out(peer, 'refused', { code: 'ERR_FR_SAME_NODE', text }, nowMs)
    }
    this.#beats.linked(nowMs)
    this.exchange.offer(peer, this.feeds)
  }

  #onUnfed(peer: Peer, fact: OriginFact & { type: 'unfed' }, nowMs: number): void {
    const failure = brokenFeed(fact.code, fact.text)
    if (failure.code === 'ERR_FR_SOURCE_CHANGED') this.#abortAll(failure.code, failure.text)
    else if (peer.hasLink) this.#broken.unfed(peer, failure, nowMs)
    else this.#lose(peer, failure.code, failure.text, nowMs)
  }

  /** `isOwn`: it came from the node itself, and not from its leader. */
  #onFrame(peer: Peer, frame: Frame, nowMs: number, isOwn = true): void {
    if (!peer.hasLink) return
    this.#watch.heard(peer, nowMs)
    switch (frame.type) {
      case 'claimed':
      case 'compares':
      case 'index':
      case 'fills':
      case 'accept':
        return this.#onArrival(peer, frame, nowMs)
      case 'whole':
        return this.exchange.whole(peer)
      case 'refuse':
        return this.#refused(peer, frame, nowMs)
      case 'progress':
        return this.#onProgress(peer, frame, nowMs, isOwn)
      case 'need':
      case 'needDigests':
      case 'bad':
        return this.#onNeed(peer, frame, nowMs)
      case 'backlog':
        return this.exchange.reported(peer, frame, nowMs, isOwn)
      case 'reports':
        for (const [from, report] of this.exchange.plans.leaders.heard(peer, frame, nowMs))
          this.#onFrame(from, report, nowMs, false)
        return
      case 'edgeLost':
      case 'edgeBack':
        return this.exchange.edge(peer, frame, nowMs)
      case 'missed':
        return this.#watch.missed(this.exchange.member(frame.member), peer, this.#outbox)
      case 'stale':
        return this.#onStale(peer, frame.term, nowMs)
      case 'reached':
        if (peer.phase !== 'running' || this.growth?.reached(peer, frame.bytes, nowMs)) return
        return this.#lose(peer, 'ERR_FR_PROTOCOL', 'it has reached what there is not', nowMs)
      case 'join': {
        const asker = { by: peer, request: frame.request }
        return this.#joins.add(asker, frame.node, this.#peers, nowMs)
      }
      case 'complete':
        return this.#onComplete(peer, frame, nowMs)
      case 'failed':
        return this.#lose(peer, frame.code, frame.text, nowMs)
      default:
        return this.#lose(peer, 'ERR_FR_PROTOCOL', `unexpected frame '${frame.type}'`, nowMs)
    }
  }

  /** Whoever follows another coordinator is offered the file again, and answers after that. */
  #onStale(peer: Peer, term: Term, nowMs: number): void {
    const failure = { code: 'ERR_FR_STALE', text: 'it follows a newer plan' } as const
    const isOther = this.supersession.hears(term)
    if (isOther && peer.isDeciding) return peer.waits('elsewhere', nowMs)
    if (peer.phase !== 'complete') this.#out(peer, 'failed', failure, nowMs, !isOther)
  }

  #onArrival(peer: Peer, frame: ArrivalFrame, nowMs: number): void {
    const failure = this.#arrivals.said(peer, frame, nowMs)
    if (failure !== null) return this.#lose(peer, failure.code, failure.text, nowMs)
    if (frame.type === 'accept') this.#watch.begin(peer, nowMs)
  }

  #onProgress(peer: Peer, frame: ProgressFrame, nowMs: number, isOwn: boolean): void {
    if (!isPossible(frame, this.#config.extent.bytes))
      return this.#lose(peer, 'ERR_FR_PROTOCOL', 'a report that cannot be true', nowMs)
    if (!peer.counts.isNews(frame, isOwn)) return
    this.exchange.plans.leaders.spoke(peer, nowMs)
    this.flow.reported(peer, frame)
    if (peer.counts.report(frame, nowMs)) peer.moved(nowMs)
    for (const { member } of frame.received) {
      const mate = this.exchange.member(member)
      if (mate !== undefined && mate !== peer) this.#watch.heardOf(mate, nowMs, this.#outbox)
    }
  }

  /** What a node lacks, or found bad. */
  #onNeed(peer: Peer, frame: Need, nowMs: number): void {
    if (peer.phase !== 'running') return
    const fault = needFault(frame, this.#config.extent)
    if (fault !== null) return this.#lose(peer, 'ERR_FR_PROTOCOL', fault, nowMs)
    if (frame.type === 'need') this.exchange.answers.needed(peer, frame, nowMs)
    else if (frame.type === 'bad') this.exchange.wasBad(peer, frame, nowMs)
    else this.exchange.answers.neededDigests(peer, frame.ranges)
  }

  #onComplete(peer: Peer, frame: Frame & { type: 'complete' }, nowMs: number): void {
    if (peer.phase !== 'running') return
    if (frame.fileDigest !== this.#source.fileDigest || frame.bytes !== this.#config.extent.bytes)
      return this.#lose(peer, 'ERR_FR_DIGEST', 'it is complete with another file digest', nowMs)
    this.exchange.compareClaims(nowMs)
    this.#outbox.announce(peer, peer.completes(frame, this.fileDigest))
    for (const one of this.exchange.completed(peer, nowMs)) this.#sourceFacts.sealTo(one)
  }

  /** Whatever follows from the state and the time alone. */
  #advance(nowMs: number): void {
    this.#limits.look(this.#peers, this.#source.fileDigest !== undefined, nowMs)
    const judged = this.#agenda.take(nowMs)
    for (const peer of judged) this.#judge(peer, nowMs)
    this.#retries.advance(judged, nowMs)
    for (const peer of this.#rejoins.overdue(nowMs)) {
      const failure = this.#watch.overdue(peer, nowMs) ?? (peer.failure as Failure)
      this.#out(peer, 'failed', failure, nowMs, true)
    }
    if (!this.exchange.isPlanned) {
      if (this.#start.advance(nowMs)) this.#begun(nowMs)
    } else for (const peer of inOrder(this.#peers.ready)) this.#join(peer, nowMs)
    this.#broken.advance(nowMs)
    if (this.#beats.dueMs <= nowMs)
      for (const peer of this.#beats.take(nowMs)) this.#outbox.say(peer, { type: 'beat' })
    if (Math.min(this.#countMs, this.exchange.deadlineMs() ?? this.#countMs) <= nowMs) {
      this.#countMs = nowMs + limits.countMs
      this.#outbox.wish({ type: 'sample' })
    }
    this.exchange.settled(nowMs)
    this.growth?.advance(nowMs)
    this.#outbox.wish(...this.#index.more())
    this.#outbox.wish(...this.#source.more((owner) => this.exchange.sentTo(owner)))
    if (this.#peers.unsettled.size === 0) this.#finish()
  }

  /** The plan is made. All may have been read for nodes that had something to compare. */
  #begun(nowMs: number): void {
    this.#countMs = nowMs
    for (const peer of this.exchange.group) {
      this.growth?.joins(peer, nowMs)
      this.#sourceFacts.sealTo(peer)
    }
  }

  #judge(peer: Peer, nowMs: number): void {
    const failure = this.#watch.failure(peer, nowMs)
    if (failure !== null) return this.#lose(peer, failure.code, failure.text, nowMs)
    const limit = this.#limits.failure(peer, nowMs)
    if (limit !== null) return this.#out(peer, 'failed', limit, nowMs, true)
    const before = peer.presence
    if (this.#watch.mark(peer, nowMs, this.#outbox))
      this.#watch.awayWith(this.exchange.fellSilent(peer, nowMs))
    else if (before === 'away' && peer.presence !== 'away') this.exchange.back(peer)
  }

  /** Another push writes the name: before a byte is sent this one has it everywhere or nowhere. */
  #refused(peer: Peer, { code, text }: Frame & { type: 'refuse' }, nowMs: number): void {
    if (peer.phase === 'complete') return this.#lose(peer, code, text, nowMs)
    const isTaken = code === 'ERR_FR_BUSY' && peer.isClaiming
    const late = isTaken ? `${text}; this push was under way at other nodes already` : text
    const failure = { code, text: late }
    if (!isTaken || this.exchange.isPlanned) return this.#out(peer, 'refused', failure, nowMs)
    if (this.#config.wait === true) return this.#abortAll(code, text)
    for (const open of this.#retries.end()) this.#out(open, 'refused', { code, text }, nowMs)
  }

  #join(peer: Peer, nowMs: number): void {
    this.exchange.join(peer, nowMs)
    this.growth?.joins(peer, nowMs)
    this.#sourceFacts.sealTo(peer)
    this.#joins.settled(peer, null)
    if (peer.isReturned)
      this.#outbox.note('info', 'rejoined', peer, `holds ${peer.had.have.bytes} bytes`)
  }

  /** The node is lost: it gets its outcome, and what it was to relay goes another way. */
  #lose(peer: Peer, code: FrErrorCode, text: string, nowMs: number): void {
    if (peer.phase === 'out' || (peer.phase === 'complete' && !this.#watch.isWatched(peer))) return
    if (peer.phase !== 'complete') return this.#out(peer, 'failed', { code, text }, nowMs)
    this.#outbox.note('warn', 'left', peer, `${code}: ${text}`)
    this.#leave(peer, nowMs)
  }

  /** `isFinal`: no attempt follows, also where it waits for its next one. */
  #out(
    peer: Peer,
    status: 'failed' | 'refused',
    failure: Failure,
    nowMs: number,
    isFinal = false,
  ): void {
    const { phase, hasLink } = peer
    const sinceMs = this.exchange.faults.ended(peer, failure.code, nowMs)
    if (isFinal || !peer.isReceiver || !this.#retries.returns(peer, failure, nowMs, sinceMs)) {
      this.#outbox.announce(peer, peer.fails(status, failure, isFinal ? peer.failure : undefined))
      this.#joins.settled(peer, failure)
    }
    if (hasLink) this.#outbox.say(peer, { type: 'abort', ...failure })
    if (phase === 'running') this.#leave(peer, nowMs)
    else if (phase !== 'out') this.#drop(peer)
  }

  #leave(peer: Peer, nowMs: number): void {
    this.#drop(peer)
    for (const later of this.exchange.left(peer, nowMs)) this.#sourceFacts.sealTo(later)
  }

  #drop(peer: Peer): void {
    peer.unlinked()
    this.#watch.forget(peer)
    this.#outbox.wish({ type: 'hangUp', member: peer.node })
  }

  #finish(): void {
    for (const peer of inOrder(this.#peers.linked)) {
      const isDone =
        peer.phase === 'complete' || (peer.role === 'gateway' && peer.phase === 'running')
      if (isDone) this.#outbox.say(peer, { type: 'finish' })
      else this.#outbox.say(peer, { type: 'abort', code: 'ERR_FR_ABORTED', text: 'all is sent' })
      this.#drop(peer)
    }
    this.exchange.ended()
    this.#isEnded = true
    this.#outbox.wish({ type: 'end', failure: null })
  }

  #abortAll(code: FrErrorCode, text: string): void {
    this.#joins.end({ code, text })
    for (const peer of this.#peers.all) {
      if (peer.hasLink) this.#outbox.say(peer, { type: 'abort', code, text })
      if (peer.phase !== 'out') this.#drop(peer)
    }
    this.#isEnded = true
    this.#outbox.wish({ type: 'end', failure: { code, text } })
  }

  #peer(node: number): Peer {
    return this.#peers.of(node)
  }
}
