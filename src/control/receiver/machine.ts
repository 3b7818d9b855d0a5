/**
 * One transfer at one receiving node.
 *
 * The idea: bytes land by themselves (the engine), digests arrive beside them; this machine holds
 * the ledger of both, has landed blocks hashed, asks again for what is bad or was lost with a mate,
 * and publishes once everything is verified and the origin has sealed the file digest. Every wait
 * ends: the origin's silence fails the transfer, missing bytes are asked for again.
 *
 * It must never publish before `isVerified` and an equal sealed digest, and never after a failure.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { GrowingLedger } from '../holdings/growing-ledger.js'
import type { Holdings, Ledger } from '../holdings/ledger.js'
import { lostOrigin } from '../members/causes.js'
import type { MemberFact, Sample } from '../messages/facts.js'
import { type Frame, originNumber, type PlanFrame } from '../messages/types.js'
import { NodePulls } from '../pulling/pulls.js'
import { BlockHashing } from './block-hashing.js'
import { Completion } from './completion.js'
import { NodeEdges } from './edges.js'
import {
  hasPlan,
  isDisk,
  isRunning,
  type NodeConfig,
  type NodeFact,
  type NodePhase,
  type NodeWish,
} from './events.js'
import { followPlan } from './follow.js'
import { FoundBlocks, isWorthKeeping } from './found.js'
import { isReport } from './group-reports.js'
import { Growing, ledgerOf } from './growing.js'
import { MissingDigests } from './missing-digests.js'
import { Neighbourhood } from './neighbourhood.js'
import { NodeOutbox } from './outbox.js'
import { type LostLink, Presence } from './presence.js'
import { NodeReports } from './reports.js'
import { Seal } from './seal.js'
import { Seeking } from './seeking.js'
import { Takeover } from './takeover.js'
import { Verifying } from './verifying.js'
import { NodeWaits } from './waits.js'
import { waitsFor } from './waits-for.js'

export class NodeMachine {
  readonly pulls: NodePulls
  /** Who else takes part. */
  readonly neighbours = new Neighbourhood()
  readonly takeover: Takeover
  readonly seal = new Seal()
  readonly #config: NodeConfig
  readonly #ledger: Ledger
  /** Of a content that is still written. */
  readonly #growing: Growing | undefined
  readonly #missingDigests: MissingDigests
  readonly #seeking: Seeking
  readonly #hashing: BlockHashing
  readonly #landed = new RangeSet()
  #phase: NodePhase = 'preparing'
  readonly #outbox = new NodeOutbox()
  readonly #found: FoundBlocks
  readonly #verifying: Verifying
  /** Who coordinates. */
  #coordinatorId: string
  readonly #waits: NodeWaits
  readonly reports = new NodeReports()
  readonly #completion: Completion
  readonly edges: NodeEdges
  readonly #presence: Presence

  constructor(config: NodeConfig, nowMs: number) {
    this.#config = config
    const { blockBytes } = config
    this.#ledger = ledgerOf(config)
    if (this.#ledger instanceof GrowingLedger)
      this.#growing = new Growing(this.#ledger, this.#outbox)
    this.takeover = new Takeover(this.neighbours, this.#growing !== undefined)
    this.#missingDigests = new MissingDigests(this.#ledger)
    this.pulls = new NodePulls(this.#ledger, blockBytes, config)
    this.#seeking = new Seeking(this.#ledger, this.pulls, this.#missingDigests, this.#outbox)
    this.#hashing = new BlockHashing(blockBytes)
    this.#found = new FoundBlocks(this.#ledger, this.#landed, this.#hashing, this.#outbox)
    this.#waits = new NodeWaits(config.silenceMs, nowMs)
    this.#coordinatorId = config.originId
    this.edges = new NodeEdges(config, this.neighbours, this.#outbox)
    this.#presence = new Presence(this.#outbox, this.#waits, this.takeover, this.edges)
    this.#completion = new Completion(this.#ledger, this.seal)
    const fail = this.#fail.bind(this)
    this.#verifying = new Verifying(this.#ledger, this.#hashing, this.#outbox, fail, this.#growing)
  }

  /** The first wishes; call once. */
  start(): NodeWish[] {
    return [{ type: 'prepare' }]
  }

  get phase(): NodePhase {
    return this.#phase
  }

  get held(): Holdings {
    return this.#ledger
  }

  /** What has not landed in whole blocks, or a little more; a gateway has nothing. */
  get lacks(): RangePair[] {
    return this.#found.lacking.compacted(limits.lackRanges)
  }

  /** In words, what this transfer waits for; null when nothing. */
  get waitsFor(): string | null {
    return waitsFor(this.#phase, this.#hasLanded, this.#ledger.isVerified, this)
  }

  get #hasLanded(): boolean {
    return this.#landed.bytes === this.#ledger.wholeOf(this.#ledger.size)
  }

  handle(fact: NodeFact, nowMs: number): NodeWish[] {
    if (this.#phase === 'ended') return []
    this.#on(fact, nowMs)
    if ((this.#phase as NodePhase) !== 'ended') this.#advance(nowMs)
    return this.#outbox.take()
  }

  /** When `due` must come at the latest; null: never. */
  deadlineMs(): number | null {
    if (this.#phase === 'ended') return null
    let at = Math.min(
      this.reports.dueAtMs,
      this.#presence.lostAtMs(this.#phase),
      this.takeover.dueMs,
    )
    at = Math.min(at, this.#seeking.deadlineMs() ?? at, this.pulls.deadlineMs() ?? at)
    at = Math.min(at, this.edges.dueMs, this.#presence.goneAtMs, this.#found.dueMs)
    if (hasPlan(this.#phase))
      at = Math.min(at, this.#hashing.deadlineMs(), this.#growing?.dueMs ?? at)
    return this.#mayAsk ? Math.min(at, this.#waits.askAtMs) : at
  }

  get #mayAsk(): boolean {
    const isDue = this.seal.isHeard || this.#growing?.isBehind === true
    return this.#phase === 'receiving' && isDue && !this.#ledger.isVerified
  }

  #on(fact: NodeFact, nowMs: number): void {
    switch (fact.type) {
      case 'claimed':
        return this.#outbox.say({ type: 'claimed' })
      case 'prepared':
        return this.#found.prepared(fact, nowMs)
      case 'linked':
        this.reports.group.linked(fact.member)
        this.pulls.linked(fact)
        return this.#seeking.linked(fact.member)
      case 'said':
        return this.#onSaid(fact, nowMs)
      case 'unlinked':
        return this.#onUnlinked(fact, nowMs)
      case 'linkBroke':
        return this.#presence.broke(fact.text, nowMs)
      case 'linkBack':
        return this.#onReturned()
      case 'succeeded':
        return this.#onSucceeded(fact, nowMs)
      case 'outbid':
        if (this.#phase === 'orphaned' || (this.#mayAsk && this.takeover.isFollowing))
          this.#fail('ERR_FR_ORIGIN_LOST', 'another transfer comes')
        return
      case 'fedIn':
        this.#seeking.detours.fedIn(fact.member)
        // Repairs that were on their way are no part of what a node says that it lacks.
        if (this.edges.fedIn(fact.member)) this.#verifying.askAgain()
        return
      case 'unfed':
        return this.#onUnfed(fact, nowMs)
      case 'fedOut':
        return this.edges.fedOut(fact.member, nowMs)
      case 'landed':
        return this.#onLanded(fact, nowMs)
      case 'digests':
        return this.#onDigests(fact, nowMs)
      case 'hashed':
        this.#waits.moved(nowMs)
        this.#hashing.done(fact.part)
        return this.#verifying.computed(fact)
      case 'filled':
        return this.#found.copied(fact, nowMs)
      case 'copied':
        return this.#verifying.copied(fact.offset, fact.length, nowMs)
      case 'summed':
        return this.#onSummed(fact.fileDigest)
      case 'published':
        return this.#onPublished(fact, nowMs)
      case 'fileFailed':
        if (this.#phase === 'complete') return
        return this.#fail(fact.code, fact.text)
      case 'sampled':
        return this.#onSampled(fact.sample, nowMs)
      case 'stopped':
        if (this.#phase === 'complete') return this.#end(null)
        return this.#fail('ERR_FR_NODE_CLOSED', fact.text)
      case 'lookUpBegan':
      case 'lookUpEnded':
      case 'due':
        return
      default:
        return fact satisfies never
    }
  }

  #onSaid({ member, frame }: MemberFact & { type: 'said' }, nowMs: number): void {
    if (member !== originNumber) {
      if (isReport(frame)) return this.reports.group.take(member, frame, nowMs)
      return this.#outbox.wish(...this.pulls.said(member, frame, nowMs))
    }
    if (this.#outbox.isAlone) this.#onReturned()
    this.#waits.heard(nowMs)
    this.#onFrame(frame, nowMs)
  }

  #onFrame(frame: Frame, nowMs: number): void {
    switch (frame.type) {
      case 'plan':
        return this.#onPlan(frame, nowMs)
      case 'roster':
        return this.#refused(this.neighbours.hold(frame))
      case 'detour':
        if (this.#phase === 'passing') return
        return this.#seeking.detour(frame, this.takeover.isFollowing, nowMs)
      case 'indexed':
        return this.#found.indexed(frame)
      case 'passOn':
        if (!hasPlan(this.#phase) || !this.#ledger.isVerified)
          return this.#fail('ERR_FR_PROTOCOL', 'what is to be passed on is not held')
        this.reports.passesOn(frame.ranges)
        return this.#outbox.wish({ ...frame, type: 'assign' })
      case 'mend':
        return this.#verifying.mend(frame)
      case 'lagging':
        return this.reports.exclude(frame.members)
      case 'seal':
        return this.#onSeal(frame.fileDigest, nowMs)
      case 'joined':
      case 'beat':
        return
      case 'finish':
      case 'abort':
        if (this.#phase === 'complete') return this.#end(null)
        if (frame.type === 'abort') return this.#end({ code: frame.code, text: frame.text })
        if (this.#phase === 'passing') return this.#end(null)
        return this.#fail('ERR_FR_PROTOCOL', 'finish before this node was complete')
      default:
        if (hasPlan(this.#phase) && this.#growing?.told(frame) === true) return
        return this.#fail('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}'`)
    }
  }

  #onPlan(plan: PlanFrame, nowMs: number): void {
    if (plan.phase === 'running' && this.#phase === 'preparing')
      return this.#fail('ERR_FR_PROTOCOL', 'a plan that runs before this node has accepted')
    const news = followPlan(plan, this.#coordinatorId, this, this.edges, this.#outbox, nowMs)
    if ('code' in news || !news.begins) return 'code' in news ? this.#refused(news) : undefined
    this.#phase = this.#config.isGateway ? 'passing' : 'receiving'
    this.reports.begin(nowMs)
    this.#waits.moved(nowMs)
  }

  /** What is stale costs nothing but a word; anything else ends the transfer. */
  #refused(failure: Failure | null): void {
    if (failure === null) return
    if (failure.code !== 'ERR_FR_STALE') return this.#fail(failure.code, failure.text)
    const { term, epoch } = this.neighbours.plan as PlanFrame
    this.#outbox.say({ type: 'stale', term, epoch })
  }

  /** Whoever takes over after the origin says what is known of the seal, and may say it again. */
  #onSeal(fileDigest: string | null, nowMs: number): void {
    if (this.#phase === 'passing') return
    const isFirst = this.#phase === 'receiving' && !this.seal.isHeard
    if (!isFirst && !this.takeover.isFollowing)
      return this.#fail('ERR_FR_PROTOCOL', 'a seal before the plan, or a second one')
    this.seal.hear(fileDigest)
    this.#waits.moved(nowMs)
  }

  #onUnlinked(fact: MemberFact & { type: 'unlinked' }, nowMs: number): void {
    const { member, code, text } = fact
    if (member === originNumber) return this.#onOrphaned(lostOrigin(code, text), 'ended', nowMs)
    if (this.#phase !== 'complete') this.#outbox.warn('pull-closed', { to: member, code, text })
    this.reports.group.unlinked(member)
    this.pulls.unlinked(fact, nowMs)
  }

  /**
   * Who receives keeps what it has, and waits as long as for a silent one; so does who has all and
   * may be asked for it.
   */
  #onOrphaned(failure: Failure, link: LostLink, nowMs: number): void {
    this.#presence.lost(link, nowMs)
    if (this.#phase === 'complete') return this.neighbours.hasMates ? undefined : this.#end(null)
    if (isDisk(this.#phase)) return
    if (this.#phase !== 'receiving' || failure.code !== 'ERR_FR_ORIGIN_LOST')
      return this.#end(failure)
    this.#phase = 'orphaned'
    this.#outbox.warn('orphaned', { text: failure.text })
  }

  #onReturned(): void {
    this.#presence.returned()
    if (this.#phase === 'orphaned') this.#phase = 'receiving'
  }

  #onSucceeded({ term, nodeId }: NodeFact & { type: 'succeeded' }, nowMs: number): void {
    this.#presence.follows(term, nowMs)
    this.#coordinatorId = nodeId
    this.#onReturned()
    this.#outbox.note('follows', { term: term.counter, member: term.member })
    this.#outbox.say(this.takeover.holds(this.#ledger, this.seal.digest, nowMs))
    // Repairs that the last coordinator was asked for may never come.
    this.#verifying.askAgain()
    if (this.#phase === 'complete') this.#outbox.say(this.#completion.frame())
  }

  #onUnfed(fact: MemberFact & { type: 'unfed' }, nowMs: number): void {
    if (fact.direction === 'in') {
      this.edges.left(fact.member, fact.code)
      this.#seeking.detours.unfed(fact.member)
      this.pulls.unfed(fact.member, fact.code, nowMs)
      if (this.#ledger.isVerified) return
    }
    const failure = this.edges.unfed(fact, this.#phase === 'complete', nowMs)
    if (failure !== null && isRunning(this.#phase)) this.#fail(failure.code, failure.text)
  }

  #onLanded(fact: NodeFact & { type: 'landed' }, nowMs: number): void {
    this.#waits.moved(nowMs)
    const { scratch, offset, length } = fact
    if (!scratch) {
      this.#landed.add(offset, this.#ledger.wholeOf(offset + length) - offset)
      this.pulls.landed(offset, length, nowMs)
    }
    this.#verifying.landed(fact, nowMs)
  }

  #onDigests(fact: NodeFact & { type: 'digests' }, nowMs: number): void {
    const { offset, length, digests } = fact
    if (digests === null) {
      // Before the plan nobody answers; later `#askAgain` asks for all that is missing.
      if (this.#phase !== 'receiving') return
      return this.#outbox.say(...this.#missingDigests.cameWrong(offset, length))
    }
    this.#waits.announced(nowMs)
    this.#verifying.announced({ ...fact, digests })
  }

  #onSummed(fileDigest: string): void {
    if (this.#phase !== 'summing') return
    const fault = this.seal.compare(fileDigest)
    if (fault !== null) return this.#fail('ERR_FR_DIGEST', fault)
    this.#phase = 'publishing'
    this.#outbox.wish({ type: 'publish' })
  }

  #onPublished({ type: _, ...told }: NodeFact & { type: 'published' }, nowMs: number): void {
    if (this.#phase !== 'publishing') return
    this.#phase = 'complete'
    // The origin may look no further than `complete`: its figures are whole by then.
    this.reports.hurry(nowMs)
    this.#completion.published(told)
    this.#outbox.wish({ type: 'sample' })
  }

  #onSampled(sample: Sample, nowMs: number): void {
    if (this.reports.hasMoved(sample)) this.#waits.moved(nowMs)
    for (const { member, receivedBytes } of sample.incoming)
      this.pulls.received(member, receivedBytes, nowMs)
    const { verifiedBytes, repairedBytes } = this.#ledger
    const known = { verifiedBytes, repairedBytes, pulled: this.pulls.pulled }
    const isLast = this.#completion.isDue
    for (const frame of this.reports.sampled(sample, known, isLast))
      for (const to of this.reports.group.route(frame, isLast, nowMs)) this.#outbox.tell(to, frame)
    // Once, after the last report.
    if (!isLast) return
    this.#outbox.say(this.#completion.frame())
    // A node that is complete stays for mates that may ask.
    if (this.#outbox.isAlone && !this.neighbours.hasMates) this.#end(null)
  }

  /** Whatever follows from the state alone. */
  #advance(nowMs: number): void {
    const gone = this.#presence.gone(this.#phase, nowMs)
    const hasNobody = this.#outbox.isAlone || !this.neighbours.hasMates
    const isOver = gone?.link === 'silent' && hasNobody
    if (isOver && this.#phase === 'complete') return this.#end(null)
    if (isOver) return this.#fail(gone.failure.code, gone.failure.text)
    if (gone !== null) this.#onOrphaned(gone.failure, gone.link, nowMs)
    if ((this.#phase as NodePhase) === 'ended') return
    const term = this.takeover.take(nowMs)
    if (term !== undefined) this.#outbox.wish({ type: 'takeOver', term })
    const failure = this.edges.advance(this.#ledger.isVerified, nowMs)
    if (failure !== null && isRunning(this.#phase)) return this.#fail(failure.code, failure.text)
    if (this.#phase === 'preparing' && this.#found.advance(nowMs)) {
      this.#phase = 'accepted'
      // From before any byte: the rates of this node are counted from it on.
      this.reports.start(nowMs)
    }
    // Nobody repairs what is found bad before the plan.
    if (hasPlan(this.#phase)) {
      this.#outbox.wish(...this.#hashing.start(this.#hasLanded, nowMs))
      this.#growing?.advance(nowMs)
    }
    this.#seeking.advance(nowMs)
    this.#verifying.advance()
    this.#found.tellWhole()
    if (this.#mayAsk && nowMs >= this.#waits.askAtMs) {
      this.#seeking.again(nowMs)
      this.#verifying.askAgain()
      this.#waits.asked(nowMs)
    }
    this.#outbox.wish(...this.pulls.advance(nowMs))
    if (
      (this.#phase === 'receiving' || this.#phase === 'orphaned') &&
      this.seal.isHeard &&
      this.#ledger.isVerified &&
      !this.#hashing.isCopying
    ) {
      this.#phase = 'summing'
      this.#outbox.wish({ type: 'sum', digests: this.#ledger.digests })
    }
    if (this.reports.advance(nowMs)) this.#outbox.wish({ type: 'sample' })
    this.#outbox.say(...this.reports.group.advance(nowMs))
    this.#outbox.say(...this.takeover.news(this.#ledger, this.seal.digest, nowMs))
  }

  #fail(code: FrErrorCode, text: string): void {
    if (this.#phase === 'preparing') this.#outbox.say({ type: 'refuse', code, text })
    else this.#outbox.say({ type: 'failed', code, text })
    this.#end({ code, text })
  }

  #end(failure: Failure | null): void {
    this.#phase = 'ended'
    this.#outbox.wish({ type: 'end', failure, keepPartial: isWorthKeeping(failure) })
  }
}
