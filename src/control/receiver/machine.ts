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
import { restore } from '../holdings/have.js'
import { type Holdings, StreamLedger } from '../holdings/ledger.js'
import { lostOrigin, refusedFeed } from '../members/causes.js'
import type { Frame, PlanFrame } from '../messages/types.js'
import { NodePulls, needFrames } from '../pulling/pulls.js'
import { BlockHashing } from './block-hashing.js'
import { clampTo, Detours } from './detours.js'
import {
  type NodeCommand,
  type NodeConfig,
  type NodeEvent,
  type NodePhase,
  waitsFor,
} from './events.js'
import { MissingDigests } from './missing-digests.js'
import { Neighbourhood } from './neighbourhood.js'
import { NodeReports, type NodeSample } from './reports.js'
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
  #commands: NodeCommand[] = []
  #seal: string | undefined
  readonly #waits: NodeWaits
  readonly #reports = new NodeReports()
  /** Of the publication, until the coordinator is told of it. */
  #warnings: readonly string[] | undefined
  /** Landed, repairs included, as last seen. */
  #movedBytes = 0
  #copying = 0
  /** The control link is gone: nobody hears this node. */
  #isAlone = false
  /** The origin's feed broke: until when its word about why is waited for. */
  #unfed: { readonly code: FrErrorCode; readonly untilMs: number } | undefined

  constructor(config: NodeConfig, nowMs: number) {
    this.#config = config
    this.#ledger = new StreamLedger(config.bytes, config.blockBytes, config.digestBytes)
    this.#missingDigests = new MissingDigests(this.#ledger)
    this.pulls = new NodePulls(this.#ledger)
    this.#hashing = new BlockHashing(config.blockBytes)
    this.#waits = new NodeWaits(config.silenceMs, nowMs)
  }

  /** The first wishes; call once. */
  start(): NodeCommand[] {
    return [{ type: 'prepare' }]
  }

  get phase(): NodePhase {
    return this.#phase
  }

  get held(): Holdings {
    return this.#ledger
  }

  /** Mates that nobody waits for, by the word of the coordinator. */
  get laggards(): ReadonlySet<number> {
    return this.#reports.laggards
  }

  /** In words, what this transfer waits for; null when nothing. */
  get waitsFor(): string | null {
    const { bytes } = this.#config
    return waitsFor(this.#phase, this.#landed.bytes === bytes, this.#ledger.isVerified)
  }

  handle(event: NodeEvent, nowMs: number): NodeCommand[] {
    if (this.#phase === 'ended') return []
    this.#commands = []
    this.#on(event, nowMs)
    if (!this.#isEnded) this.#advance(nowMs)
    return this.#commands
  }

  /** When `ticked` must come at the latest; null: never. */
  deadlineMs(): number | null {
    if (this.#phase === 'ended') return null
    let at = Math.min(this.#reports.dueAtMs, this.#lostAtMs)
    at = Math.min(at, this.#detours.deadlineMs() ?? at, this.pulls.deadlineMs() ?? at)
    if (this.#isRunning) at = Math.min(at, this.#unfed?.untilMs ?? at)
    at = Math.min(at, this.#hashing.deadlineMs())
    return this.#mayAsk ? Math.min(at, this.#waits.askAtMs) : at
  }

  get #isEnded(): boolean {
    return this.#phase === 'ended'
  }

  get #isRunning(): boolean {
    return this.#phase === 'accepted' || this.#phase === 'receiving'
  }

  get #lostAtMs(): number {
    return this.#isAlone && this.#isDisk ? Number.POSITIVE_INFINITY : this.#waits.lostAtMs
  }

  get #isDisk(): boolean {
    return this.#phase === 'summing' || this.#phase === 'publishing'
  }

  get #mayAsk(): boolean {
    return this.#phase === 'receiving' && this.#seal !== undefined && !this.#ledger.isVerified
  }

  #on(event: NodeEvent, nowMs: number): void {
    switch (event.type) {
      case 'claimed':
        return this.#send({ type: 'claimed' })
      case 'prepared':
        this.#phase = 'accepted'
        // The first report is from before any byte: the rates of this node are counted from it on.
        this.#reports.start(nowMs)
        this.#send({ type: 'accept', have: restore(event.held ?? [], this.#ledger, this.#landed) })
        return this.#greetMates()
      case 'prepareFailed':
        this.#send({ type: 'refuse', code: event.code, text: event.text })
        return this.#end({ code: event.code, text: event.text }, false)
      case 'frameArrived':
        this.#waits.heard(nowMs)
        return this.#onFrame(event.frame, nowMs)
      case 'linkClosed':
        return this.#onLinkClosed(lostOrigin(event.code, event.text))
      case 'outbid':
        if (this.#phase === 'orphaned') this.#fail('ERR_FR_ORIGIN_LOST', 'another transfer comes')
        return
      case 'feedOpened':
        return this.#detours.feedOpened(event.index)
      case 'feedClosed':
        return this.#onFeedClosed(event, nowMs)
      case 'relayClosed':
        if (event.code !== null) this.#lostEdge(event.index, false, event.code)
        return
      case 'landed':
        return this.#onLanded(event, nowMs)
      case 'announced':
        this.#waits.announced(nowMs)
        return this.#judge(this.#ledger.announce(event.offset, event.length, event.digests).bad)
      case 'misannounced':
        // Before the plan nobody answers; later `#askAgain` asks for all that is missing.
        if (this.#phase !== 'receiving') return
        return this.#send(...this.#missingDigests.cameWrong(event.offset, event.length))
      case 'hashed':
        return this.#onHashed(event, nowMs)
      case 'copied':
        this.#copying--
        return this.#ledger.repaired(event.offset, event.length)
      case 'summed':
        return this.#onSummed(event.fileDigest)
      case 'published':
        return this.#onPublished(event.warnings, nowMs)
      case 'storageFailed':
        if (this.#phase === 'complete') return
        return this.#fail(event.code, event.text)
      case 'sampled':
        return this.#onSampled(event.sample, nowMs)
      case 'pullOpened':
      case 'pullClosed':
      case 'pullAnswered':
      case 'pullAsked':
        this.#commands.push(...this.pulls.on(event, nowMs))
        return
      case 'stopped':
        if (this.#phase === 'complete') return this.#end(null, false)
        return this.#fail('ERR_FR_NODE_CLOSED', 'the node is closing')
      case 'relayOpened':
      case 'ticked':
        return
      default:
        return event satisfies never
    }
  }

  #onFrame(frame: Frame, nowMs: number): void {
    switch (frame.type) {
      case 'plan':
        return this.#onPlan(frame, nowMs)
      case 'roster':
      case 'deal':
        return this.#refused(this.neighbours.hold(frame))
      case 'joined':
        // Whoever asked is told by the session.
        return
      case 'detour':
        return this.#onDetour(frame, nowMs)
      case 'lagging':
        return this.#reports.exclude(frame.members)
      case 'seal':
        if (this.#phase !== 'receiving' || this.#seal !== undefined)
          return this.#fail('ERR_FR_PROTOCOL', 'a seal before the plan, or a second one')
        this.#seal = frame.fileDigest
        return this.#waits.moved(nowMs)
      case 'beat':
        return
      case 'finish':
      case 'abort':
        if (this.#phase === 'complete') return this.#end(null, false)
        if (frame.type === 'abort') return this.#end({ code: frame.code, text: frame.text }, false)
        return this.#fail('ERR_FR_PROTOCOL', 'finish before this node was complete')
      default:
        return this.#fail('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}'`)
    }
  }

  #onPlan(plan: PlanFrame, nowMs: number): void {
    if (plan.phase === 'running' && this.#phase === 'preparing')
      return this.#fail('ERR_FR_PROTOCOL', 'a plan that runs before this node has accepted')
    const news = this.neighbours.take(plan, this.#config.originId)
    if ('code' in news) return this.#refused(news)
    this.pulls.met(news.met, plan)
    this.#reports.planned(plan)
    if (news.begins) {
      this.#phase = 'receiving'
      this.#reports.begin(nowMs)
      this.#waits.moved(nowMs)
    }
    this.#greetMates()
    for (const mate of news.dial) this.#commands.push({ type: 'dialMate', mate })
    for (const index of news.gone) this.#commands.push(this.pulls.gone(index, nowMs))
  }

  /** What is stale costs nothing but a word; anything else ends the transfer. */
  #refused(failure: Failure | null): void {
    if (failure === null) return
    if (failure.code !== 'ERR_FR_STALE') return this.#fail(failure.code, failure.text)
    const { term, epoch } = this.neighbours.plan as PlanFrame
    this.#send({ type: 'stale', term, epoch })
  }

  /**
   * Who has all of it needs no coordinator any more. Who receives keeps what it has, and waits as
   * long as for a silent one.
   */
  #onLinkClosed(failure: Failure): void {
    this.#isAlone = true
    if (this.#phase === 'complete') return this.#end(null, false)
    if (this.#isDisk) return
    if (this.#phase !== 'receiving' || failure.code !== 'ERR_FR_ORIGIN_LOST')
      return this.#end(failure, true)
    this.#phase = 'orphaned'
    this.#commands.push({ type: 'log', event: 'orphaned', fields: { text: failure.text } })
  }

  #onDetour({ member, why, ranges }: Frame & { type: 'detour' }, nowMs: number): void {
    const within = clampTo(this.#config.bytes, ranges)
    if (why === 'broken') return this.#detours.add(member, within, nowMs)
    this.pulls.want(this.#ledger.missing(within), nowMs)
  }

  /** Once there is something that a feed can be adopted for. */
  #greetMates(): void {
    if (this.#phase !== 'accepted') return
    for (const mate of this.neighbours.takeGreetings())
      this.#commands.push({ type: 'greetMate', mate })
  }

  #onFeedClosed(event: NodeEvent & { type: 'feedClosed' }, nowMs: number): void {
    const { index, code } = event
    this.#detours.feedClosed(index)
    this.pulls.feedClosed(index, code, nowMs)
    if (code === null || this.#ledger.isVerified) return
    if (!this.neighbours.isParent(index)) return this.#lostEdge(index, true, code)
    // What this node found wrong itself it says at once.
    if (code !== 'ERR_FR_NODE_LOST' && this.#isRunning)
      return this.#fail(code, refusedFeed(event.text))
    // Nearly always the origin has just aborted, and says so on the control link.
    this.#unfed = { code, untilMs: nowMs + limits.drainMs }
  }

  /** A mate that is gone takes its feeds along; the origin has said so, or soon will. */
  #lostEdge(index: number, incoming: boolean, code: FrErrorCode): void {
    if (this.neighbours.isGone(index) || (incoming && this.#ledger.isVerified)) return
    this.#send({ type: 'edgeLost', member: index, incoming, code })
  }

  #onLanded(event: NodeEvent & { type: 'landed' }, nowMs: number): void {
    this.#waits.moved(nowMs)
    this.#hashing.landed(event.scratch, event.offset, event.length, nowMs)
    if (event.scratch) return
    this.#landed.add(event.offset, event.length)
    this.#ledger.land(event.offset, event.length)
    this.pulls.landed(event.offset, event.length, nowMs)
  }

  #onHashed(event: NodeEvent & { type: 'hashed' }, nowMs: number): void {
    this.#waits.moved(nowMs)
    const { scratch, offset, length, digests } = event
    this.#hashing.done(scratch)
    if (!scratch) return this.#judge(this.#ledger.compute(offset, length, digests).bad)
    const verdict = this.#ledger.computeScratch(offset, length, digests)
    for (const [start, bytes] of verdict.verified) {
      this.#copying++
      this.#commands.push({ type: 'copyIn', offset: start, length: bytes })
    }
    this.#judge(verdict.bad)
  }

  /**
   * Blocks whose bytes are wrong: report them and have them sent again, a bounded number of times.
   */
  #judge(runs: readonly RangePair[]): void {
    for (const [offset, length] of runs) {
      this.#send({ type: 'bad', offset, length })
      this.#commands.push({ type: 'log', event: 'bad-block', fields: { offset, length } })
      if (this.#ledger.countTry(offset, length) > limits.repairTries) {
        return this.#fail(
          'ERR_FR_BAD_BLOCK',
          `the block at ${offset} stayed wrong after every repair`,
        )
      }
    }
    this.#repair(RangeSet.of(runs))
  }

  #onSummed(fileDigest: string): void {
    if (this.#phase !== 'summing') return
    if (fileDigest !== this.#seal) {
      return this.#fail(
        'ERR_FR_DIGEST',
        `file digest ${fileDigest} is not the sealed ${this.#seal}`,
      )
    }
    this.#phase = 'publishing'
    this.#commands.push({ type: 'publish' })
  }

  #onPublished(warnings: readonly string[], nowMs: number): void {
    if (this.#phase !== 'publishing') return
    this.#phase = 'complete'
    // The origin may look no further than `complete`: its figures are whole by then.
    this.#reports.hurry(nowMs)
    this.#warnings = warnings
    this.#commands.push({ type: 'sample' })
  }

  #onSampled(sample: NodeSample, nowMs: number): void {
    const movedBytes = sample.landedBytes + sample.scratchBytes
    if (movedBytes !== this.#movedBytes) this.#waits.moved(nowMs)
    this.#movedBytes = movedBytes
    for (const { index, receivedBytes } of sample.incoming)
      this.pulls.received(index, receivedBytes, nowMs)
    const { verifiedBytes, repairedBytes } = this.#ledger
    const { pulled } = this.pulls
    this.#send(...this.#reports.sampled(sample, { verifiedBytes, repairedBytes, pulled }))
    this.#sayComplete()
  }

  /** Whatever follows from the state alone. */
  #advance(nowMs: number): void {
    if (nowMs >= this.#lostAtMs) {
      if (this.#phase === 'complete') return this.#end(null, false)
      return this.#fail('ERR_FR_ORIGIN_LOST', this.#waits.silence(nowMs))
    }
    if (this.#unfed !== undefined && this.#isRunning && nowMs >= this.#unfed.untilMs) {
      return this.#fail(this.#unfed.code, 'the feed from the origin broke')
    }
    const hasAll = this.#landed.bytes === this.#config.bytes
    this.#commands.push(...this.#hashing.start(hasAll, nowMs))
    this.#answerDetours(nowMs)
    if (this.#mayAsk && nowMs >= this.#waits.askAtMs) this.#askAgain(nowMs)
    this.#commands.push(...this.pulls.advance(nowMs))
    if (
      this.#phase === 'receiving' &&
      this.#seal !== undefined &&
      this.#ledger.isVerified &&
      this.#copying === 0
    ) {
      this.#phase = 'summing'
      this.#commands.push({ type: 'sum', digests: this.#ledger.digests })
    }
    if (this.#reports.advance(nowMs)) this.#commands.push({ type: 'sample' })
  }

  #answerDetours(nowMs: number): void {
    for (const detour of this.#detours.due(nowMs)) {
      this.#commands.push({ type: 'closeFeed', index: detour.index })
      this.pulls.want(this.#ledger.missing(detour.ranges), nowMs)
    }
  }

  /** Nothing moves although the origin is there and has hashed all: ask for what is missing. */
  #askAgain(nowMs: number): void {
    const missing = this.#ledger.missing([[0, this.#config.bytes]])
    this.#commands.push({ type: 'log', event: 'asked-again', fields: { bytes: missing.bytes } })
    this.pulls.want(missing, nowMs)
    this.#send(...this.#missingDigests.all())
    const bad = this.#ledger.badRanges()
    if (this.#copying === 0 && this.#hashing.isRepairIdle) this.#repair(bad)
    this.#waits.asked(nowMs)
  }

  /** From the origin: asked for a repair, it also looks whether its file has changed. */
  #repair(ranges: RangeSet): void {
    if (!this.#isEnded) this.#send(...needFrames(true, ranges))
  }

  /** Once, after the last report. */
  #sayComplete(): void {
    const { repairedBytes } = this.#ledger
    const warnings = this.#warnings
    if (warnings === undefined) return
    this.#warnings = undefined
    const fileDigest = this.#seal as string
    const { bytes } = this.#config
    this.#send({ type: 'complete', bytes, repairedBytes, fileDigest, warnings })
    if (this.#isAlone) this.#end(null, false)
  }

  #send(...frames: readonly Frame[]): void {
    if (!this.#isAlone) for (const frame of frames) this.#commands.push({ type: 'send', frame })
  }

  #fail(code: FrErrorCode, text: string): void {
    if (this.#phase === 'preparing') this.#send({ type: 'refuse', code, text })
    else this.#send({ type: 'failed', code, text })
    // What is verified is worth keeping unless the content itself is in doubt.
    const isWorthKeeping = this.#isRunning || this.#phase === 'orphaned'
    this.#end({ code, text }, isWorthKeeping && code !== 'ERR_FR_DIGEST')
  }

  #end(failure: Failure | null, keepPartial: boolean): void {
    this.#phase = 'ended'
    this.#commands.push({ type: 'end', failure, keepPartial })
  }
}
