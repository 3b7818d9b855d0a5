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
import { type Holdings, StreamLedger } from '../holdings/ledger.js'
import { lostOrigin } from '../members/causes.js'
import type { MemberFact, Sample } from '../messages/facts.js'
import { type Frame, originNumber, type PlanFrame } from '../messages/types.js'
import { NodePulls, needFrames } from '../pulling/pulls.js'
import { BlockHashing } from './block-hashing.js'
import { clampTo, Detours, type Part } from './detours.js'
import { NodeEdges } from './edges.js'
import {
  type NodeConfig,
  type NodeFact,
  type NodePhase,
  type NodeWish,
  waitsFor,
} from './events.js'
import { followPlan } from './follow.js'
import { FoundBlocks, isWorthKeeping } from './found.js'
import { isReport } from './group-reports.js'
import { MissingDigests } from './missing-digests.js'
import { Neighbourhood } from './neighbourhood.js'
import { NodeOutbox } from './outbox.js'
import { NodeReports } from './reports.js'
import { NodeWaits } from './waits.js'

export class NodeMachine {
  readonly pulls: NodePulls
  /** Who else takes part. */
  readonly neighbours = new Neighbourhood()
  readonly #config: NodeConfig
  readonly #ledger: StreamLedger
  readonly #missingDigests: MissingDigests
  readonly #detours = new Detours()
  readonly #hashing: BlockHashing
  readonly #landed = new RangeSet()
  #phase: NodePhase = 'preparing'
  readonly #outbox = new NodeOutbox()
  readonly #found: FoundBlocks
  #seal: string | undefined
  readonly #waits: NodeWaits
  readonly reports = new NodeReports()
  /** Of the publication, until the coordinator is told of it. */
  #warnings: readonly string[] | undefined
  readonly edges: NodeEdges

  constructor(config: NodeConfig, nowMs: number) {
    this.#config = config
    this.#ledger = new StreamLedger(config.bytes, config.blockBytes, config.digestBytes)
    this.#missingDigests = new MissingDigests(this.#ledger)
    this.pulls = new NodePulls(this.#ledger)
    this.#hashing = new BlockHashing(config.blockBytes)
    this.#found = new FoundBlocks(this.#ledger, this.#landed, this.#hashing, this.#outbox)
    this.#waits = new NodeWaits(config.silenceMs, nowMs)
    this.edges = new NodeEdges(config, this.neighbours, this.#outbox)
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
    const lacking = RangeSet.of(this.#landed.missing(0, this.#config.bytes))
    return lacking.compacted(limits.lackRanges)
  }

  /** In words, what this transfer waits for; null when nothing. */
  get waitsFor(): string | null {
    const hasLanded = this.#landed.bytes === this.#config.bytes
    return waitsFor(this.#phase, hasLanded, this.#ledger.isVerified)
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
    let at = Math.min(this.reports.dueAtMs, this.#lostAtMs)
    at = Math.min(at, this.#detours.deadlineMs() ?? at, this.pulls.deadlineMs() ?? at)
    at = Math.min(at, this.edges.dueMs)
    if (this.#hasPlan) at = Math.min(at, this.#hashing.deadlineMs())
    return this.#mayAsk ? Math.min(at, this.#waits.askAtMs) : at
  }

  get #hasPlan(): boolean {
    return this.#phase !== 'preparing' && this.#phase !== 'accepted'
  }

  get #isRunning(): boolean {
    return ['accepted', 'receiving', 'passing'].includes(this.#phase)
  }

  get #lostAtMs(): number {
    return this.#outbox.isAlone && this.#isDisk ? Number.POSITIVE_INFINITY : this.#waits.lostAtMs
  }

  get #isDisk(): boolean {
    return this.#phase === 'summing' || this.#phase === 'publishing'
  }

  get #mayAsk(): boolean {
    return this.#phase === 'receiving' && this.#seal !== undefined && !this.#ledger.isVerified
  }

  #on(fact: NodeFact, nowMs: number): void {
    switch (fact.type) {
      case 'claimed':
        return this.#outbox.say({ type: 'claimed' })
      case 'prepared':
        return this.#found.prepared(fact, nowMs)
      case 'linked':
        this.reports.group.linked(fact.member)
        return this.pulls.linked(fact)
      case 'said':
        return this.#onSaid(fact, nowMs)
      case 'unlinked':
        return this.#onUnlinked(fact, nowMs)
      case 'outbid':
        if (this.#phase === 'orphaned') this.#fail('ERR_FR_ORIGIN_LOST', 'another transfer comes')
        return
      case 'fedIn':
        this.#detours.fedIn(fact.member)
        // Repairs that were on their way are no part of what a node says that it lacks.
        if (this.edges.fedIn(fact.member)) this.#askForRepairs()
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
        return this.#computed(fact)
      case 'copied':
        this.#hashing.copied()
        this.#ledger.repaired(fact.offset, fact.length)
        return this.#hashing.landed('file', fact.offset, fact.length, nowMs)
      case 'summed':
        return this.#onSummed(fact.fileDigest)
      case 'published':
        return this.#onPublished(fact.warnings, nowMs)
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
    this.#waits.heard(nowMs)
    this.#onFrame(frame, nowMs)
  }

  #onFrame(frame: Frame, nowMs: number): void {
    switch (frame.type) {
      case 'plan':
        return this.#onPlan(frame, nowMs)
      case 'roster':
      case 'deal':
        return this.#refused(this.neighbours.hold(frame))
      case 'detour':
        return this.#onDetour(frame, nowMs)
      case 'passOn':
        if (!this.#hasPlan || !this.#ledger.isVerified)
          return this.#fail('ERR_FR_PROTOCOL', 'what is to be passed on is not held')
        this.reports.passesOn(frame.ranges)
        return this.#outbox.wish({ ...frame, type: 'assign' })
      case 'lagging':
        return this.reports.exclude(frame.members)
      case 'seal':
        if (this.#phase === 'passing') return
        if (this.#phase !== 'receiving' || this.#seal !== undefined)
          return this.#fail('ERR_FR_PROTOCOL', 'a seal before the plan, or a second one')
        this.#seal = frame.fileDigest
        return this.#waits.moved(nowMs)
      // Whoever asked for a node to join is told by the session.
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
        return this.#fail('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}'`)
    }
  }

  #onPlan(plan: PlanFrame, nowMs: number): void {
    if (plan.phase === 'running' && this.#phase === 'preparing')
      return this.#fail('ERR_FR_PROTOCOL', 'a plan that runs before this node has accepted')
    const { originId } = this.#config
    const news = followPlan(plan, originId, this, this.edges, this.#outbox, nowMs)
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

  #onUnlinked(fact: MemberFact & { type: 'unlinked' }, nowMs: number): void {
    const { member, code, text } = fact
    if (member === originNumber) return this.#onOrphaned(lostOrigin(code, text))
    if (this.#phase !== 'complete') this.#outbox.warn('pull-closed', { to: member, code, text })
    this.reports.group.unlinked(member)
    this.pulls.unlinked(fact, nowMs)
  }

  /**
   * Who has all of it needs no coordinator any more. Who receives keeps what it has, and waits as
   * long as for a silent one.
   */
  #onOrphaned(failure: Failure): void {
    this.#outbox.isAlone = true
    if (this.#phase === 'complete') return this.#end(null)
    if (this.#isDisk) return
    if (this.#phase !== 'receiving' || failure.code !== 'ERR_FR_ORIGIN_LOST')
      return this.#end(failure)
    this.#phase = 'orphaned'
    this.#outbox.warn('orphaned', { text: failure.text })
  }

  #onDetour(frame: Frame & { type: 'detour' }, nowMs: number): void {
    if (this.#phase === 'passing') return
    const part = { ranges: clampTo(this.#config.bytes, frame.ranges), route: frame.route }
    if (frame.why === 'broken') return this.#detours.add(frame.member, part, nowMs)
    this.#find(part, nowMs)
  }

  /** Has what is missing brought, and passed on: the rest of its blocks may have another route. */
  #find({ ranges, route }: Part, nowMs: number): void {
    const all = [...ranges]
    if (route !== 0 && all.length > 0) this.#outbox.wish({ type: 'assign', ranges: all, route })
    this.pulls.want(this.#ledger.missing(all), nowMs)
  }

  #askForRepairs(): void {
    if (this.#hashing.isRepairIdle) this.#outbox.say(...needFrames(true, this.#ledger.badRanges()))
  }

  #onUnfed(fact: MemberFact & { type: 'unfed' }, nowMs: number): void {
    if (fact.direction === 'in') {
      this.#detours.unfed(fact.member)
      this.pulls.unfed(fact.member, fact.code, nowMs)
      if (this.#ledger.isVerified) return
    }
    const failure = this.edges.unfed(fact, this.#phase === 'complete', nowMs)
    if (failure !== null && this.#isRunning) this.#fail(failure.code, failure.text)
  }

  #onLanded(fact: NodeFact & { type: 'landed' }, nowMs: number): void {
    this.#waits.moved(nowMs)
    const { scratch, offset, length, digests } = fact
    const part = scratch ? 'scratch' : 'file'
    if (!scratch) {
      this.#landed.add(offset, length)
      this.#ledger.land(offset, length)
      this.pulls.landed(offset, length, nowMs)
    }
    if (digests === undefined) this.#hashing.landed(part, offset, length, nowMs)
    else this.#computed({ part, offset, length, digests })
  }

  #onDigests(fact: NodeFact & { type: 'digests' }, nowMs: number): void {
    const { offset, length, digests } = fact
    if (digests === null) {
      // Before the plan nobody answers; later `#askAgain` asks for all that is missing.
      if (this.#phase !== 'receiving') return
      return this.#outbox.say(...this.#missingDigests.cameWrong(offset, length))
    }
    this.#waits.announced(nowMs)
    this.#judge(this.#ledger.announce(offset, length, digests))
  }

  #computed({ part, offset, length, digests }: Omit<NodeFact & { type: 'hashed' }, 'type'>): void {
    if (part !== 'scratch') return this.#judge(this.#ledger.compute(offset, length, digests))
    const verdict = this.#ledger.computeScratch(offset, length, digests)
    this.#outbox.wish(...this.#hashing.copyIn(verdict.verified))
    this.#judge(verdict.bad)
  }

  /**
   * Blocks whose bytes are wrong: report them and have them sent again, a bounded number of times.
   */
  #judge(runs: readonly RangePair[]): void {
    for (const [offset, length] of runs) {
      this.#outbox.say({ type: 'bad', offset, length })
      this.#outbox.warn('bad-block', { offset, length })
      if (this.#ledger.countTry(offset, length) > limits.repairTries) {
        const text = `the block at ${offset} stayed wrong after every repair`
        return this.#fail('ERR_FR_BAD_BLOCK', text)
      }
    }
    // From the origin: asked for a repair, it also looks whether its file has changed.
    this.#outbox.say(...needFrames(true, RangeSet.of(runs)))
  }

  #onSummed(fileDigest: string): void {
    if (this.#phase !== 'summing') return
    const text = `file digest ${fileDigest} is not the sealed ${this.#seal}`
    if (fileDigest !== this.#seal) return this.#fail('ERR_FR_DIGEST', text)
    this.#phase = 'publishing'
    this.#outbox.wish({ type: 'publish' })
  }

  #onPublished(warnings: readonly string[], nowMs: number): void {
    if (this.#phase !== 'publishing') return
    this.#phase = 'complete'
    // The origin may look no further than `complete`: its figures are whole by then.
    this.reports.hurry(nowMs)
    this.#warnings = warnings
    this.#outbox.wish({ type: 'sample' })
  }

  #onSampled(sample: Sample, nowMs: number): void {
    if (this.reports.hasMoved(sample)) this.#waits.moved(nowMs)
    for (const { member, receivedBytes } of sample.incoming)
      this.pulls.received(member, receivedBytes, nowMs)
    const { verifiedBytes, repairedBytes } = this.#ledger
    const known = { verifiedBytes, repairedBytes, pulled: this.pulls.pulled }
    const isLast = this.#warnings !== undefined
    for (const frame of this.reports.sampled(sample, known, isLast))
      for (const to of this.reports.group.route(frame, isLast, nowMs)) this.#outbox.tell(to, frame)
    this.#sayComplete()
  }

  #accept(nowMs: number): void {
    this.#found.accept(nowMs)
    this.#phase = 'accepted'
    // From before any byte: the rates of this node are counted from it on.
    this.reports.start(nowMs)
  }

  /** Whatever follows from the state alone. */
  #advance(nowMs: number): void {
    if (nowMs >= this.#lostAtMs) {
      if (this.#phase === 'complete') return this.#end(null)
      return this.#fail('ERR_FR_ORIGIN_LOST', this.#waits.silence(nowMs))
    }
    const failure = this.edges.advance(this.#ledger.isVerified, nowMs)
    if (failure !== null && this.#isRunning) return this.#fail(failure.code, failure.text)
    if (this.#phase === 'preparing' && this.#found.isDecided) this.#accept(nowMs)
    const hasAll = this.#landed.bytes === this.#config.bytes
    // Nobody repairs what is found bad before the plan.
    if (this.#hasPlan) this.#outbox.wish(...this.#hashing.start(hasAll, nowMs))
    for (const { member, parts } of this.#detours.due(nowMs)) {
      this.#outbox.wish({ type: 'unfeed', member })
      for (const part of parts) this.#find(part, nowMs)
    }
    if (this.#mayAsk && nowMs >= this.#waits.askAtMs) this.#askAgain(nowMs)
    this.#outbox.wish(...this.pulls.advance(nowMs))
    if (
      this.#phase === 'receiving' &&
      this.#seal !== undefined &&
      this.#ledger.isVerified &&
      !this.#hashing.isCopying
    ) {
      this.#phase = 'summing'
      this.#outbox.wish({ type: 'sum', digests: this.#ledger.digests })
    }
    if (this.reports.advance(nowMs)) this.#outbox.wish({ type: 'sample' })
    this.#outbox.say(...this.reports.group.advance(nowMs))
  }

  /** Nothing moves although the origin is there and has hashed all: ask for what is missing. */
  #askAgain(nowMs: number): void {
    const missing = this.#ledger.missing([[0, this.#config.bytes]])
    this.#outbox.warn('asked-again', { bytes: missing.bytes })
    this.pulls.want(missing, nowMs)
    this.#outbox.say(...this.#missingDigests.all())
    this.#askForRepairs()
    this.#waits.asked(nowMs)
  }

  /** Once, after the last report. */
  #sayComplete(): void {
    const warnings = this.#warnings
    if (warnings === undefined) return
    this.#warnings = undefined
    const { repairedBytes, size: bytes } = this.#ledger
    const fileDigest = this.#seal as string
    this.#outbox.say({ type: 'complete', bytes, repairedBytes, fileDigest, warnings })
    if (this.#outbox.isAlone) this.#end(null)
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
