/**
 * One push, carried out: the machine decides (control/origin.ts), this file does.
 *
 * Ownership: a run owns its engine transfer, links and feeds, and gives them back when it ends,
 * after every hash task that reads the source has come back. The source, the engine and the pool
 * belong to the caller.
 */
import type { Failure } from '../control/node-events.js'
import { OriginMachine } from '../control/origin.js'
import type { FeedCount, OriginCommand, OriginEvent, PlanMade } from '../control/origin-events.js'
import type { Peer } from '../control/peer.js'
import type { Forecast, NodeLink } from '../control/plan.js'
import { dealerOf, forecastOf, shapeOf } from '../control/strategies.js'
import type { NodeOutcome, RangePair } from '../control/types.js'
import { FrError } from '../errors.js'
import { blockBytesFor, limits } from '../limits.js'
import type { DataEngine, EngineEvent, HashPool, SourceFile, TransferHandle } from '../ports.js'
import { originDigestKey } from '../protocol/digest-record.js'
import { type ManifestPage, type ManifestSummary, paginate } from '../protocol/manifest.js'
import { requireAddress } from './address.js'
import { nowMs } from './awake.js'
import { dialController } from './connect.js'
import { nodePrimitives } from './crypto.js'
import { dialControl, dialData } from './dial.js'
import { asFrError } from './failures.js'
import { digestBytesOf } from './file-digest.js'
import type { Key } from './keys.js'
import { Loop } from './loop.js'
import {
  type Progress,
  type PushFacts,
  type PushResult,
  planView,
  pushView,
  resultView,
} from './origin-view.js'
import { entryOf, PushSource } from './push-source.js'
import type { PushHooks, PushSpec } from './push-spec.js'
import { Remote } from './remote.js'
import type { EngineRouter } from './router.js'
import { TracedMachine } from './traced-machine.js'
import { wholeXxh64 } from './xxh64.js'

export class PushRun {
  readonly #spec: PushSpec
  readonly #engine: DataEngine
  readonly #router: EngineRouter
  readonly #hooks: PushHooks
  readonly #source: SourceFile
  readonly #blockBytes: number
  readonly #machine: OriginMachine
  readonly #loop: Loop<OriginEvent, OriginCommand>
  readonly #work: PushSource
  readonly #transfer: TransferHandle
  /** By node; those of added nodes behind the others. */
  readonly #remotes: Remote[]
  readonly #adding = new Map<number, (failure: Failure | null) => void>()
  #adds = 0
  readonly #pages: readonly ManifestPage[]
  readonly #summary: ManifestSummary
  readonly #originKey: Uint8Array
  readonly #dialling = dialController()
  readonly #tasks = new Set<Promise<unknown>>()
  readonly #closing: Promise<void>[] = []
  readonly #startMs = nowMs()
  readonly #traced: TracedMachine | undefined
  #forecast: Forecast = { boundSeconds: null, predictedSeconds: null, limiting: null }
  #settle: (failure: Failure | null) => void = () => {}
  #crash: (error: unknown) => void = () => {}
  /** It has ended, for whatever reason: nobody can be added any more. */
  #isOver = false
  #isReleased = false
  readonly #warnings: string[] = []
  /** Payload sent by all feeds there ever were, as last counted. */
  #sentBytes = 0

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
    this.#blockBytes = blockBytesFor(source.size)
    this.#originKey = originDigestKey(
      nodePrimitives,
      (spec.dialler.keys[0] as Key).bytes,
      spec.transfer,
    )
    const { pages, summary } = paginate([entryOf(source, spec.name)], wholeXxh64(engine))
    this.#pages = pages
    this.#summary = summary
    const { nodes, connectMs, retries, silenceMs, allowAdd, timeoutMs, minRateBytesPerSecond } =
      spec
    const { wait } = spec
    const ends = { silenceMs, timeoutMs, minRateBytesPerSecond }
    const wishes = { nodes, connectMs, retries, allowAdd, wait, ...ends }
    const config = {
      bytes: source.size,
      dataBytes: source.dataBytes,
      blockBytes: this.#blockBytes,
      digestBytes: digestBytesOf(spec.algorithm),
      ...wishes,
      seed: Number.parseInt(spec.transfer.slice(0, 8), 16),
      progressMs: limits.progressMs,
    }
    const { uplinkBytesPerSecond } = this.#origin
    const shape = shapeOf(spec.shape, source.dataBytes, spec.nodes.length, uplinkBytesPerSecond)
    this.#machine = new OriginMachine(
      config,
      dealerOf(
        spec.strategy,
        shape,
        source.size,
        this.#blockBytes,
        { origin: this.#origin, nodes: spec.nodes },
        source.holes.map(({ offset, length }): RangePair => [offset, length]),
      ),
      nowMs(),
    )
    this.#remotes = spec.nodes.map(() => new Remote(engine))
    const format = { algorithm: spec.algorithm, blockBytes: this.#blockBytes }
    this.#work = new PushSource(
      engine,
      pool,
      source,
      format,
      (event) => this.#loop.post(event),
      (text) => this.warn(text),
    )
    this.#transfer = engine.openTransfer({ even: spec.strategy === 'classic', silenceMs })
    router.route(this.#transfer, (events) => this.#onEngine(events))
    engine.addStream(this.#transfer, {
      stream: 0,
      file: source.file,
      size: source.size,
      blockBytes: this.#blockBytes,
      complete: true,
      sparse: source.dataBytes < source.size,
    })
    this.#traced = hooks.trace && new TracedMachine(this.#machine, hooks.trace)
    this.#loop = new Loop<OriginEvent, OriginCommand>(this.#traced ?? this.#machine, {
      execute: (command) => this.#execute(command),
      ticked: () => ({ type: 'ticked' }),
      delayed: (lateMs) => ({ type: 'delayed', lateMs }),
      crashed: (error) => this.#crash(error),
    })
  }

  /** Resolves when every node has its outcome and everything is closed; rejects with an FrError. */
  async run(): Promise<PushResult> {
    const ended = new Promise<Failure | null>((resolve, reject) => {
      this.#settle = resolve
      this.#crash = (cause) =>
        reject(new FrError('ERR_FR_INTERNAL', `defect: ${String(cause)}`, { cause }))
    })
    this.#loop.start((this.#traced ?? this.#machine).start())
    let failure: Failure | null
    try {
      failure = await ended
    } finally {
      this.#traced?.close()
      await this.#release()
    }
    if (failure !== null) throw new FrError(failure.code, failure.text)
    return resultView(this.#machine, (seconds) => this.#facts(seconds))
  }

  /** A sentence for the result, once; at most `limits.warningsPerPush` of them. */
  warn(text: string): void {
    if (this.#warnings.length < limits.warningsPerPush && !this.#warnings.includes(text))
      this.#warnings.push(text)
  }

  cancel(text: string): void {
    this.#loop.post({ type: 'cancelled', text })
  }

  /** Resolves when the node has joined; rejects with the FrError that says why it has not. */
  async add(link: NodeLink): Promise<void> {
    const request = this.#adds++
    const failure = this.#isOver
      ? pushIsOver
      : await new Promise<Failure | null>((resolve) => {
          this.#adding.set(request, resolve)
          this.#loop.post({ type: 'nodeAdded', request, link })
        })
    if (failure !== null) throw new FrError(failure.code, failure.text, { node: link.address })
  }

  progress(): Progress {
    this.#count()
    return pushView(this.#machine, this.#facts((nowMs() - this.#startMs) / 1000))
  }

  #execute(command: OriginCommand): void {
    switch (command.type) {
      case 'dial':
        this.#remotes[command.node] ??= new Remote(this.#engine)
        return this.#track(this.#dial(command.node))
      case 'offer':
        return this.#offer(command.node, command.planned)
      case 'send':
        return this.#remote(command.node).send(command.frame)
      case 'list':
        return this.#guard(command.node, (remote) => remote.list(command))
      case 'digests':
        return this.#sendDigests(command)
      case 'hash':
        return this.#track(this.#work.hash('hashed', command.offset, command.length))
      case 'rehash':
        return this.#track(this.#work.hash('rehashed', command.offset, command.length))
      case 'checkSource':
        return this.#track(this.#work.check())
      case 'sum':
        return this.#work.sum(command.digests)
      case 'count':
        return this.#loop.post({ type: 'counted', feeds: this.#count() })
      case 'drop':
        return this.#drop(command.node)
      case 'announcePlan':
        return this.#announcePlan(command.plan)
      case 'announceOutcome':
        return this.#announceOutcome(command.outcome)
      case 'answerAdd':
        this.#adding.get(command.request)?.(command.failure)
        this.#adding.delete(command.request)
        return
      case 'log': {
        const { level, event, node, text } = command
        return this.#log(level, event, node, text)
      }
      case 'warn':
        this.#spec.log({
          level: 'warn',
          event: command.event,
          fields: { transfer: this.#spec.transfer, text: command.text },
        })
        return this.warn(command.text)
      case 'end':
        this.#count()
        this.#machine.flow.sent(this.#sentBytes, nowMs())
        return this.#settle(command.failure)
      default:
        return command satisfies never
    }
  }

  async #dial(node: number): Promise<void> {
    const remote = this.#remote(node)
    const address = this.#address(node)
    try {
      await this.#lookUp(node, requireAddress(address, 'address').host)
      const { link, peer, rttMs } = await dialControl(
        this.#spec.dialler,
        address,
        this.#dialling.signal,
        {
          onFrame: (frame) => this.#loop.post({ type: 'frameArrived', node, frame }),
          onClose: (code, text) => this.#loop.post({ type: 'linkClosed', node, code, text }),
          lastWord: (code, text) => ({ type: 'abort', code, text }),
        },
        this.#engine,
      )
      link.waitFor(this.#spec.silenceMs)
      if (remote.opened(link)) this.#loop.post({ type: 'linkOpened', node, rttMs, ...peer })
    } catch (error) {
      const { code, message } = asFrError(error, 'ERR_FR_UNREACHABLE')
      this.#loop.post({ type: 'linkClosed', node, code, text: message })
    }
  }

  /** The node's time to connect starts when its address is known. */
  async #lookUp(node: number, host: string): Promise<void> {
    const { resolver } = this.#spec.dialler
    if (resolver.knows(host)) return
    this.#loop.post({ type: 'lookUpBegan', node })
    await resolver.resolve(host, this.#dialling.signal)
    this.#loop.post({ type: 'lookUpEnded', node })
  }

  #offer(node: number, planned: boolean): void {
    const { transfer, algorithm: digest, noClobber, strict, silenceMs } = this.#spec
    const remote = this.#remote(node)
    const wishes = { transfer, digest, noClobber, strict, silenceMs, planned }
    remote.send({ type: 'offer', ...wishes, ...this.#summary, self: node })
    for (const page of this.#pages) remote.send(page)
    this.#track(this.#openFeed(node))
  }

  async #openFeed(node: number): Promise<void> {
    const remote = this.#remote(node)
    try {
      const { nodeId = '' } = this.#machine.peers[node] ?? {}
      const { transfer } = this.#spec
      const target = { address: this.#address(node), nodeId, transfer, from: -1, to: node }
      const established = await dialData(this.#spec.dialler, target, this.#dialling.signal)
      if (remote.adopt(this.#transfer, established)) this.#loop.post({ type: 'feedOpened', node })
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
      this.#loop.post({ type: 'feedClosed', node, code, text })
    }
  }

  #sendDigests(command: OriginCommand & { type: 'digests' }): void {
    const { node, offset, length, relay, digests } = command
    const place = { stream: 0, offset, length }
    this.#guard(node, (remote) => remote.sendDigests(this.#originKey, place, digests, relay))
  }

  /** A feed that takes no more is a node that fails by name. */
  #guard(node: number, work: (remote: Remote) => void): void {
    try {
      work(this.#remote(node))
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      this.#loop.post({ type: 'feedClosed', node, code: error.code, text: error.message })
    }
  }

  #count(): FeedCount[] {
    // Links may still be closing when somebody asks for the progress.
    if (this.#isReleased) return []
    const { sentBytes, feeds } = this.#engine.stats(this.#transfer)
    this.#sentBytes = sentBytes
    const byFeed = new Map(feeds.map((stats) => [stats.feed, stats]))
    const counts: FeedCount[] = []
    for (const [node, remote] of this.#remotes.entries()) {
      const stats = remote.feed === undefined ? undefined : byFeed.get(remote.feed)
      if (stats === undefined) continue
      const { payloadBytes, queuedBytes, unackedBytes } = stats
      counts.push({ node, payloadBytes, queuedBytes, unackedBytes })
    }
    return counts
  }

  #onEngine(events: readonly EngineEvent[]): void {
    for (const event of events) {
      if (event.type === 'feedClosed') {
        const node = this.#remotes.findIndex((remote) => remote.feed === event.feed)
        if (node === -1) continue
        this.#remote(node).feedClosed()
        const code = event.code ?? 'ERR_FR_NODE_LOST'
        if (code === 'ERR_FR_SOURCE_CHANGED')
          this.#loop.post({ type: 'sourceFailed', code, text: 'it changed while it was sent' })
        else this.#loop.post({ type: 'feedClosed', node, code, text: 'the data connection broke' })
      } else if (event.type === 'fileFailed') {
        this.#loop.post({
          type: 'readFailed',
          code: event.code,
          text: `reading the source failed: ${event.text}`,
        })
      }
    }
  }

  #drop(node: number): void {
    // The last look at its counters.
    this.#count()
    this.#closing.push(this.#remote(node).drop())
  }

  #announcePlan(plan: PlanMade): void {
    const { transfer, strategy } = this.#spec
    const links = this.#machine.peers.map((peer) => peer.link)
    const nodes = plan.nodes.map((node) => links[node] as NodeLink)
    this.#forecast = forecastOf(
      strategy,
      this.#machine.shape,
      this.#source.dataBytes,
      this.#blockBytes,
      this.#origin,
      nodes,
    )
    const { size: bytes, dataBytes } = this.#source
    const file = { bytes, dataBytes, blockBytes: this.#blockBytes }
    this.#hooks.plan(planView(transfer, plan, links, file, this.#forecast))
  }

  #announceOutcome(outcome: NodeOutcome): void {
    const level = outcome.status === 'complete' ? 'info' : 'warn'
    const { node, status, reason } = outcome
    const seconds = Math.round(outcome.seconds * 1000) / 1000
    const fields = { transfer: this.#spec.transfer, node, seconds, reason }
    this.#spec.log({ level, event: `node-${status}`, fields })
    this.#hooks.outcome(outcome)
  }

  get #origin(): { uplinkBytesPerSecond?: number } {
    const uplinkBytesPerSecond = this.#spec.originUplinkBytesPerSecond
    return uplinkBytesPerSecond === undefined ? {} : { uplinkBytesPerSecond }
  }

  #facts(seconds: number): PushFacts {
    const { boundSeconds } = this.#forecast
    return {
      transfer: this.#spec.transfer,
      bytes: this.#source.size,
      dataBytes: this.#source.dataBytes,
      seconds,
      boundSeconds,
      originBytesSent: this.#sentBytes,
      warnings: this.#warnings,
    }
  }

  async #release(): Promise<void> {
    this.#isOver = true
    for (const answer of this.#adding.values()) answer(pushIsOver)
    this.#loop.stop()
    this.#dialling.abort()
    for (const node of this.#remotes.keys()) this.#drop(node)
    this.#router.forget(this.#transfer)
    this.#isReleased = true
    this.#engine.closeTransfer(this.#transfer)
    await Promise.all(this.#closing)
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
  }

  #track(task: Promise<unknown>): void {
    this.#tasks.add(task)
    task.finally(() => this.#tasks.delete(task))
  }

  #address(node: number): string {
    return (this.#machine.peers[node] as Peer).link.address
  }

  #remote(node: number): Remote {
    return this.#remotes[node] as Remote
  }

  #log(level: 'info' | 'warn', event: string, node: number, text: string): void {
    this.#spec.log({
      level,
      event,
      fields: { transfer: this.#spec.transfer, node: this.#address(node), text },
    })
  }
}

const pushIsOver: Failure = { code: 'ERR_FR_NO_TRANSFER', text: 'the push is over' }
