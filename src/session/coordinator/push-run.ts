/**
 * One push, carried out: the machine decides (control/coordinator/machine.ts), this file does.
 *
 * Ownership: a run owns its engine transfer, links and feeds, and gives them back when it ends,
 * after every hash task that reads the source has come back. The source, the engine and the pool
 * belong to the caller.
 */

import { randomBytes } from 'node:crypto'
import { hexOf } from '../../base/bytes.js'
import { detectionOf } from '../../base/detection.js'
import { digestBytesOf } from '../../base/digests.js'
import { type Failure, FrError } from '../../base/errors.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { both, requireBlockASecond } from '../../base/rate-limits.js'
import { type BlockBytes, blockBytesAt } from '../../base/sections.js'
import { awakeMs, nowMs } from '../../base/time/awake.js'
import { type DigestRun, runsOf } from '../../control/coordinator/digests.js'
import type { OriginFact } from '../../control/coordinator/events.js'
import { Extent } from '../../control/coordinator/extent.js'
import { OriginMachine } from '../../control/coordinator/machine.js'
import { forecasts, type Planning, shapeOf } from '../../control/dealing/planning.js'
import { dealerOf } from '../../control/dealing/strategies.js'
import type { Peer } from '../../control/members/peer.js'
import {
  type Frame,
  type NodeOutcome,
  type NodeSettled,
  originNumber,
  type Role,
} from '../../control/messages/types.js'
import { limited } from '../../control/plan/limited.js'
import type { Forecast, LinkSpeeds, NodeLink, PlanMade } from '../../control/plan/plan.js'
import { refuseFeeds, refuseRelays } from '../../control/plan/refusals.js'
import { broughtTo } from '../../control/view/brought.js'
import {
  lagOf,
  type Progress,
  type PushFacts,
  type PushResult,
  planView,
  pushView,
  resultView,
} from '../../control/view/push-view.js'
import { nodePrimitives } from '../../net/crypto.js'
import type { DataEngine, HashPool, SourceFile, TransferHandle } from '../../ports.js'
import { paginate } from '../../protocol/manifest.js'
import { type Edge, edgeOf } from '../../protocol/ticket.js'
import { Contents } from '../driver/contents.js'
import { type CallerWish, CoordinatorSession } from '../driver/coordinator.js'
import type { EngineRouter } from '../router.js'
import { processClock, SocketNet } from '../sockets.js'
import { GrowingWork } from './growing-work.js'
import { entryOf, PushSource } from './push-source.js'
import type { KnownContent, PushHooks, PushSpec } from './push-spec.js'
import { TracedMachine } from './traced-machine.js'

export class PushRun {
  readonly #spec: PushSpec
  readonly #engine: DataEngine
  readonly #router: EngineRouter
  readonly #hooks: PushHooks
  readonly #source: SourceFile
  readonly #blockBytes: BlockBytes
  readonly #machine: OriginMachine
  readonly #session: CoordinatorSession
  readonly #work: PushSource
  readonly #growing: GrowingWork | undefined
  readonly #transfer: TransferHandle
  readonly #adding = new Map<number, (failure: Failure | null) => void>()
  #adds = 0
  readonly #tasks = new Set<Promise<unknown>>()
  readonly #startMs = nowMs()
  readonly #traced: TracedMachine | undefined
  #forecast: Forecast = { boundSeconds: null, predictedSeconds: null, limiting: null }
  #settle: (failure: Failure | null) => void = () => {}
  #crash: (error: unknown) => void = () => {}
  /** It has ended, for whatever reason: nobody can be added any more. */
  #isOver = false
  readonly #warnings: string[] = []
  /** All edges of this push come from it; nobody else learns it. */
  readonly #edgeSeed = new Uint8Array(randomBytes(32))
  /** As they were announced, by node. */
  readonly #outcomes = new Map<number, NodeOutcome>()

  constructor(
    engine: DataEngine,
    router: EngineRouter,
    pool: HashPool,
    source: SourceFile,
    spec: PushSpec,
    hooks: PushHooks,
  ) {
    this.#engine = engine
    this.#router = router
    this.#source = source
    this.#spec = spec
    this.#hooks = hooks
    this.#blockBytes = spec.growing ? 'sections' : blockBytesFor(source.size)
    const blockBytes = blockBytesAt(0, this.#blockBytes)
    requireBlockASecond(both(spec.share ?? {}, spec.ownRates ?? {}), blockBytes)
    for (const { bytesPerSecond } of spec.groups?.siteLinks ?? [])
      requireBlockASecond({ upBytesPerSecond: bytesPerSecond }, blockBytes)
    const { connectMs, retries, rejoinMs, silenceMs, timeoutMs, minRateBytesPerSecond } = spec
    const { allowAdd, wait } = spec
    const nodes = spec.nodes.map((link) => this.#shared(link))
    const { detection } = spec
    const ends = { silenceMs, detection, timeoutMs, minRateBytesPerSecond }
    const wishes = { nodes, connectMs, retries, rejoinMs, allowAdd, wait, ...ends }
    const config = {
      nodeId: spec.dialler.self.nodeId,
      edgeOf: (member: number, other: number) => {
        const { id, secret } = this.#edge(member, other)
        return { id, secret: hexOf(secret) }
      },
      isSealed: spec.dialler.self.seal !== undefined,
      extent: new Extent(source.size, this.#blockBytes),
      dataBytes: source.dataBytes,
      digestBytes: digestBytesOf(spec.algorithm),
      ...(spec.known && { known: knownRuns(spec.known, source.size) }),
      ...wishes,
      seed: Number.parseInt(spec.transfer.slice(0, 8), 16),
      progressMs: limits.progressMs,
      ...(spec.groups && { sites: spec.groups }),
    }
    const others = (spec.mirrors?.length ?? 0) + (spec.relays?.length ?? 0)
    // As if there were much of what grows: nobody knows how much will come.
    const least = spec.growing ? limits.growingPlanBytes : 0
    const shape = shapeOf(spec.shape, this.#planning(nodes, least), others)
    refuseFeeds(shape, nodes.length + others, spec.groups?.originFeeds)
    const mirrors = shape === 'group' ? spec.mirrors : undefined
    const gateways = shape === 'group' ? spec.relays : undefined
    const hasRelays = spec.relays !== undefined && spec.relays.length > 0
    if (hasRelays) refuseRelays(shape)
    if (hasRelays && shape === 'unicast')
      this.warn(`no relay has a part in this push: its shape is ${shape}`)
    this.#machine = new OriginMachine(
      { ...config, ...(mirrors && { mirrors }), ...(gateways && { gateways }) },
      dealerOf(
        spec.strategy,
        shape,
        source.size,
        blockBytes,
        { origin: this.#origin, nodes: () => this.#machine.peers.map((peer) => peer.usable) },
        source.holes.map(({ offset, length }): RangePair => [offset, length]),
        spec.groups,
        spec.demoteBelow,
        spec.dealtTo,
      ),
      awakeMs(),
    )
    const post = (event: OriginFact): void => this.#session.post(event)
    const warn = (text: string): void => this.warn(text)
    const format = { algorithm: spec.algorithm, blockBytes }
    this.#work = new PushSource(engine, pool, source, format, post, warn)
    if (spec.growing !== undefined)
      this.#growing = new GrowingWork(engine, pool, source.file, spec.growing, post)
    const { failMs: unackedMs } = detection ?? detectionOf({}, silenceMs)
    // What a gateway has passed on it cannot send again.
    this.#transfer = engine.openTransfer(gateways ? {} : { unackedMs })
    engine.limitTransfer(this.#transfer, spec.share ?? {})
    router.route(this.#transfer, (events) => this.#session.onEngine(events))
    engine.addStream(this.#transfer, {
      stream: 0,
      file: source.file,
      size: source.size,
      blockBytes,
      ...(spec.growing && { growing: true as const }),
      complete: true,
      sparse: source.dataBytes < source.size,
    })
    this.#traced = hooks.trace && new TracedMachine(this.#machine, hooks.trace)
    this.#session = this.#sessionOver()
  }

  #sessionOver(): CoordinatorSession {
    const { dialler, transfer, silenceMs, signer, algorithm, known, places } = this.#spec
    const engine = this.#engine
    const { name, contentId, coded, growing, only } = this.#spec
    const own = hexOf(signer.publicKey)
    const isSigned = known !== undefined && 'signed' in known
    const author = isSigned ? known.author : own
    const about = { ...(coded && { coded }), ...(growing && { growing: true as const }) }
    const entry = entryOf(this.#source, { name, contentId, author, only, ...about })
    const [blockBytes, size] = [this.#blockBytes, growing ? limits.growingSpanBytes : entry.size]
    const manifest = paginate([entry], signer)
    const ports = {
      clock: processClock,
      net: new SocketNet(
        dialler,
        engine,
        { transfer, from: () => originNumber, isOrigin: true, only },
        () => this.#transfer,
      ),
      engine,
      ...(places && { places }),
      flows: this.#spec.share?.flows,
      edgeTo: (node: number) => this.#edge(node, originNumber),
      author: signer,
      signed: isSigned ? known.signed.map((run) => ({ stream: 0, ...run })) : [],
      contents: new Contents([{ ...entry, algorithm, blockBytes, size }]),
      offer: (planned: boolean, role: Role): Frame[] => {
        const { noClobber, strict, share, detection, tree, keep, beside } = this.#spec
        const fileDigest = known?.fileDigest ?? this.#machine.fileDigest
        const wishes = {
          transfer,
          digest: algorithm,
          noClobber,
          strict,
          silenceMs,
          planned,
          fileDigest,
          role,
          ...(share && { share }),
          ...(detection && { detection }),
          ...(tree && { tree }),
          ...(keep !== undefined && { keep }),
          ...(beside && { beside }),
        }
        const offer = { ...wishes, author: own, ...manifest.summary }
        return [{ type: 'offer', ...offer }, ...manifest.pages]
      },
      execute: (wish: CallerWish) => this.#execute(wish),
      crashed: (error: unknown) => this.#crash(error),
    }
    const shown = this.#traced ?? this.#machine
    return new CoordinatorSession(this.#machine, this.#transfer, silenceMs, ports, shown)
  }

  #edge(...ends: [number, number]): Edge {
    return edgeOf(nodePrimitives, this.#edgeSeed, ends)
  }

  /** Resolves when every node has its outcome and everything is closed; rejects with an FrError. */
  async run(): Promise<PushResult> {
    const ended = new Promise<Failure | null>((resolve, reject) => {
      this.#settle = resolve
      this.#crash = (cause) =>
        reject(new FrError('ERR_FR_INTERNAL', `defect: ${String(cause)}`, { cause }))
    })
    this.#session.start()
    this.#growing?.listen((bytes, isFinal) => this.#session.grew(bytes, isFinal))
    let failure: Failure | null
    try {
      failure = await ended
    } finally {
      this.#traced?.close()
      await this.#release()
    }
    if (failure !== null) throw new FrError(failure.code, failure.text)
    return resultView(this.#machine, this.#outcomes, (seconds) => this.#facts(seconds))
  }

  /** A sentence for the result, once; at most `limits.warningsPerPush` of them. */
  warn(text: string): void {
    if (this.#warnings.length < limits.warningsPerPush && !this.#warnings.includes(text))
      this.#warnings.push(text)
  }

  cancel(text: string): void {
    this.#session.post({ type: 'stopped', text })
  }

  /** Resolves when the node has joined; rejects with the FrError that says why it has not. */
  async add(link: NodeLink): Promise<void> {
    const request = this.#adds++
    const failure = this.#isOver
      ? pushIsOver
      : await new Promise<Failure | null>((resolve) => {
          this.#adding.set(request, resolve)
          this.#session.post({ type: 'nodeAdded', request, link: this.#shared(link) })
        })
    if (failure !== null) throw new FrError(failure.code, failure.text, { node: link.address })
  }

  progress(): Progress {
    return pushView(this.#machine, this.#facts(this.#seconds))
  }

  #execute(wish: CallerWish): void {
    switch (wish.type) {
      case 'hash':
        return this.#track((this.#growing ?? this.#work).hash(wish))
      case 'cut':
        return this.#growing && this.#track(this.#growing.cut(wish))
      case 'index':
        return this.#track(this.#work.index(wish))
      case 'checkSource':
        return this.#growing ? this.#growing.check() : this.#track(this.#work.check())
      case 'sum':
        return this.#sum(wish.digests)
      case 'announcePlan':
        return this.#announcePlan(wish.plan)
      case 'announceOutcome':
        return this.#announceOutcome(wish.member, wish.outcome)
      case 'answerAdd':
        this.#adding.get(wish.request)?.(wish.failure)
        this.#adding.delete(wish.request)
        return
      case 'note':
        return this.#note(wish)
      case 'warn':
        this.#spec.log({
          level: 'warn',
          event: wish.event,
          fields: { transfer: this.#spec.transfer, text: wish.text },
        })
        return this.warn(wish.text)
      case 'end':
        this.#machine.flow.sent(this.#session.sentBytes, nowMs())
        if (wish.failure?.code === 'ERR_FR_SOURCE_CHANGED') this.#hooks.changed?.()
        return this.#settle(wish.failure)
      default:
        return wish satisfies never
    }
  }

  #sum(digests: Uint8Array): void {
    const fileDigest = (this.#growing ?? this.#work).sum(digests)
    if (this.#spec.known === undefined) this.#hooks.summed?.(fileDigest, digests)
  }

  #announcePlan(plan: PlanMade): void {
    const links = this.#machine.peers.map((peer) => peer.usable)
    const planning = this.#planning(plan.nodes.map((node) => links[node] as NodeLink))
    const { forecast, shapes } = forecasts(this.#machine.shape, planning)
    this.#forecast = forecast
    const { transfer, growing } = this.#spec
    const view = planView(transfer, plan, links, planning.file, forecast, shapes)
    this.#hooks.plan({ ...view, ...(growing && { growing: true }) })
  }

  #planning(nodes: readonly NodeLink[], leastBytes = 0): Planning {
    const { strategy, groups = {}, relays: gateways, dealtTo } = this.#spec
    const bytes = Math.max(this.#source.size, leastBytes)
    const dataBytes = Math.max(this.#source.dataBytes, leastBytes)
    const file = { bytes, dataBytes, blockBytes: blockBytesAt(0, this.#blockBytes) }
    const isDealtWhole = dealtTo !== undefined
    const known = { strategy, file, origin: this.#origin, nodes, groups, isDealtWhole }
    return { ...known, ...(gateways && { gateways }) }
  }

  #announceOutcome(peer: number, { applied, ...settled }: NodeSettled): void {
    const { peers } = this.#machine
    const brought = broughtTo(peers[peer] as Peer, peers)
    const told = { seconds: this.#seconds, servedBy: null, ...lagOf(this.#machine, peer) }
    const outcome = { ...settled, ...brought, ...told }
    this.#outcomes.set(peer, outcome)
    const level = outcome.status === 'complete' ? 'info' : 'warn'
    const { node, status, reason } = outcome
    const seconds = Math.round(outcome.seconds * 1000) / 1000
    const fields = { transfer: this.#spec.transfer, node, seconds, reason }
    this.#spec.log({ level, event: `node-${status}`, fields })
    if (applied !== undefined) this.#hooks.applied?.(node, applied)
    this.#hooks.outcome(outcome)
  }

  /** Since the start, by the clock that people look at. */
  get #seconds(): number {
    return (nowMs() - this.#startMs) / 1000
  }

  /** What the push may use of this link. */
  #shared(link: NodeLink): NodeLink {
    return limited(link, this.#spec.share ?? {})
  }

  get #origin(): LinkSpeeds {
    const { originUplinkBytesPerSecond: uplink, share = {}, ownRates = {} } = this.#spec
    return limited(
      uplink === undefined ? {} : { uplinkBytesPerSecond: uplink },
      both(share, ownRates),
    )
  }

  #facts(seconds: number): PushFacts {
    const { boundSeconds } = this.#forecast
    const growth = this.#spec.growing?.growth
    return {
      transfer: this.#spec.transfer,
      bytes: growth?.bytes ?? this.#source.size,
      dataBytes: growth?.bytes ?? this.#source.dataBytes,
      seconds,
      boundSeconds: growth ? null : boundSeconds,
      originBytesSent: this.#session.sentBytes,
      originSite: this.#spec.groups?.site ?? null,
      warnings: this.#warnings,
    }
  }

  async #release(): Promise<void> {
    this.#isOver = true
    // Nothing is told of a source that grows from here on.
    const read = this.#growing?.end()
    for (const answer of this.#adding.values()) answer(pushIsOver)
    const released = new Promise<void>((resolve) => this.#session.release(resolve))
    this.#router.forget(this.#transfer)
    this.#engine.closeTransfer(this.#transfer)
    await released
    await read
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
  }

  #track(task: Promise<unknown>): void {
    this.#tasks.add(task)
    task.finally(() => this.#tasks.delete(task))
  }

  #address(node: number): string {
    return (this.#machine.peers[node] as Peer).link.address
  }

  #note({ level, event, member, fields }: CallerWish & { type: 'note' }): void {
    const { transfer } = this.#spec
    const about = member === undefined ? { transfer } : { transfer, node: this.#address(member) }
    this.#spec.log({ level, event, fields: { ...about, ...fields } })
  }
}

function knownRuns(known: KnownContent, bytes: number): DigestRun[] {
  if ('digests' in known) return runsOf(known.digests, bytes, blockBytesFor(bytes))
  return known.signed.map(({ offset, length, payload }) => {
    return { offset, length, digests: payload.subarray(limits.digestHeadBytes) }
  })
}

const pushIsOver: Failure = { code: 'ERR_FR_NO_TRANSFER', text: 'the push is over' }
