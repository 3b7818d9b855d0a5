/**
 * One transfer at a node, carried out: the machine decides (control/node.ts), this file does.
 *
 * Ownership: a reception owns its engine transfer, its partial and scratch files, its claim on the
 * name and its control link, and gives all of them back when it ends, after everything that still
 * reads or writes the files has come back. `done` resolves then and never rejects.
 */
import { Backlog } from '../control/backlog.js'
import { NodeMachine } from '../control/node.js'
import type { Failure, NodeCommand, NodeEvent } from '../control/node-events.js'
import type { Frame, Mate, StreamEntry } from '../control/types.js'
import { FrError, type FrErrorCode } from '../errors.js'
import { blockBytesFor } from '../limits.js'
import type { DigestAlgorithm, EngineEvent, FeedHandle, TransferHandle } from '../ports.js'
import { decodeName } from '../protocol/manifest.js'
import { adoptOut, type OutFeed } from './dial.js'
import { asFrError } from './failures.js'
import { digestBytesOf, fileDigestOf } from './file-digest.js'
import type { Established } from './handshake.js'
import { Hasher } from './hasher.js'
import { InFeeds } from './in-feeds.js'
import type { ControlLink } from './link.js'
import { Loop, nowMs } from './loop.js'
import { FlowMeter } from './meter.js'
import type { NodeHost } from './node-host.js'
import { Partial } from './partial.js'
import { Relays } from './relays.js'

export interface ReceptionSpec {
  readonly transfer: string
  readonly algorithm: DigestAlgorithm
  readonly noClobber: boolean
  readonly entry: StreamEntry
  /** Of the origin; the data connection of the origin must come from the same. */
  readonly originId: string
  /** Key of the origin's MACs on digests. */
  readonly originKey: Uint8Array
}

export interface ReceptionView {
  readonly transfer: string
  readonly name: string
  readonly role: 'receiving' | 'complete'
  readonly bytes: number
  readonly landedBytes: number
  readonly verifiedBytes: number
  readonly rateInBytesPerSecond: number
  readonly rateOutBytesPerSecond: number
  readonly waitsFor: string | null
}

const noneMate = -2

export class Reception {
  readonly spec: ReceptionSpec
  readonly name: Uint8Array
  readonly bytes: number
  /** True: published. */
  readonly done: Promise<boolean>
  /** Its bytes are reserved on the disk. */
  hasSpace = false
  readonly #host: NodeHost
  readonly #link: ControlLink
  readonly #blockBytes: number
  readonly #machine: NodeMachine
  readonly #loop: Loop<NodeEvent, NodeCommand>
  readonly #hasher: Hasher
  readonly #backlog = new Backlog()
  readonly #relays: Relays
  readonly #meter = new FlowMeter()
  readonly #dialling = new AbortController()
  readonly #inFeeds: InFeeds
  readonly #partial: Partial
  readonly #tasks = new Set<Promise<unknown>>()
  #mates: readonly Mate[] | undefined
  #self = noneMate
  #transfer: TransferHandle | undefined
  #hasClaim = false
  #isEnded = false
  #resolveDone: (isPublished: boolean) => void = () => {}

  constructor(host: NodeHost, link: ControlLink, spec: ReceptionSpec) {
    this.spec = spec
    this.name = decodeName(spec.entry)
    this.bytes = spec.entry.size
    this.#host = host
    this.#link = link
    this.#blockBytes = blockBytesFor(this.bytes)
    this.#partial = new Partial(host.storage, host.dir, spec.transfer)
    const digestBytes = digestBytesOf(spec.algorithm)
    this.#machine = new NodeMachine(
      { bytes: this.bytes, blockBytes: this.#blockBytes, digestBytes },
      nowMs(),
    )
    this.#inFeeds = new InFeeds(
      spec.originKey,
      { blockBytes: this.#blockBytes, digestBytes },
      this.bytes,
    )
    this.#loop = new Loop<NodeEvent, NodeCommand>(this.#machine, {
      execute: (command) => this.#execute(command),
      ticked: () => ({ type: 'ticked' }),
      delayed: (lateMs) => ({ type: 'delayed', lateMs }),
      crashed: (error) => this.#crash(error),
    })
    this.#hasher = new Hasher(host.engine, host.pool, {
      fileBytes: this.bytes,
      blockBytes: this.#blockBytes,
      algorithm: spec.algorithm,
    })
    this.#relays = new Relays(host.engine, {
      open: (mate, self) => this.#openRelay(mate, self),
      opened: (index) => this.#loop.post({ type: 'relayOpened', index }),
      closed: (index, code, text) => this.#relayClosed(index, code, text),
    })
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve
    })
  }

  start(): void {
    this.#loop.start(this.#machine.start())
  }

  /** Bytes that will still be written, for reservations. */
  get openBytes(): number {
    return this.#isEnded ? 0 : Math.max(0, this.bytes - this.#landedBytes())
  }

  get hasPlan(): boolean {
    return this.#mates !== undefined
  }

  /** True while data connections can be adopted: the partial is there. */
  get isOpen(): boolean {
    return this.#transfer !== undefined && !this.#isEnded
  }

  onFrame(frame: Frame): void {
    if (frame.type === 'plan' && this.#mates === undefined) {
      this.#mates = frame.mates
      this.#self = frame.self
    }
    this.#loop.post({ type: 'frameArrived', frame })
    if (frame.type === 'plan') {
      this.#relays.planned()
      this.#host.planned(this)
    }
  }

  onLinkClosed(code: FrErrorCode, text: string): void {
    this.#loop.post({ type: 'linkClosed', code, text })
  }

  /** The node is closing: the transfer ends now. */
  async stop(): Promise<void> {
    this.#loop.post({ type: 'stopped' })
    await this.done
  }

  /** Whether a connection of this sender belongs here; null: not known before the plan. */
  expects(index: number, nodeId: string): boolean | null {
    if (this.#inFeeds.isReserved(index)) return false
    if (index === -1) return nodeId === this.spec.originId
    if (this.#mates === undefined) return null
    return (
      index !== this.#self &&
      this.#mates.some((mate) => mate.index === index && mate.nodeId === nodeId)
    )
  }

  /** From here on `expects` says no to a second connection of this sender. */
  reserveFeed(index: number): void {
    this.#inFeeds.reserve(index)
  }

  /** A data connection that `expects` said yes to. Throws FrError when it broke meanwhile. */
  addFeed(index: number, established: Established): void {
    const transfer = this.#transfer as TransferHandle
    const seed = established.recordSeed
    const feed = this.#host.engine.adopt(established.detach(), { transfer, direction: 'in', seed })
    this.#inFeeds.add(index, feed, established.hopKey)
    this.#loop.post({ type: 'feedOpened', index })
  }

  view(): ReceptionView {
    const landedBytes = Math.min(this.bytes, this.#landedBytes())
    return {
      transfer: this.spec.transfer,
      name: this.spec.entry.name,
      role: this.#machine.phase === 'complete' ? 'complete' : 'receiving',
      bytes: this.bytes,
      landedBytes,
      verifiedBytes: this.#machine.verifiedBytes,
      rateInBytesPerSecond: this.#meter.rateIn,
      rateOutBytesPerSecond: this.#meter.rateOut,
      waitsFor: this.#machine.waitsFor,
    }
  }

  #landedBytes(): number {
    return this.#transfer === undefined || this.#isEnded
      ? 0
      : this.#host.engine.stats(this.#transfer).landedBytes
  }

  #execute(command: NodeCommand): void {
    switch (command.type) {
      case 'prepare':
        return this.#run(this.#prepare(), () => ({ type: 'prepared' }), 'prepareFailed')
      case 'send':
        this.#link.send(command.frame)
        return
      case 'count':
        return this.#loop.post({ type: 'counted', landedBytes: this.#landedBytes() })
      case 'report':
        return this.#report(command.verifiedBytes, command.repairedBytes)
      case 'reportBacklog':
        return this.#reportBacklog()
      case 'exclude':
        return this.#backlog.exclude(command.indices)
      case 'dialMate':
        return this.#track(this.#relays.dial(command.mate, command.self))
      case 'closeRelay':
        return this.#relays.refuse(command.index)
      case 'closeFeed':
        return this.#closeFeed(command.index)
      case 'hash':
        return this.#hash(command.scratch, command.offset, command.length)
      case 'copyIn': {
        const { offset, length } = command
        const copy = this.#partial.copyIn({ offset, length })
        return this.#run(copy, () => ({ type: 'copied', offset, length }), 'storageFailed')
      }
      case 'sum':
        return this.#loop.post({ type: 'summed', fileDigest: this.#sum(command.digests) })
      case 'publish':
        return this.#run(this.#publish(), () => ({ type: 'published' }), 'storageFailed')
      case 'log':
        return this.#log('warn', command.event, command.fields)
      case 'end':
        return this.#end(command.failure, command.keepPartial)
      default:
        return command satisfies never
    }
  }

  /**
   * Claims the name and the space before anything is awaited, so that two offers cannot both win.
   */
  async #prepare(): Promise<void> {
    const { storage, dir } = this.#host
    this.#host.claim(this)
    this.#hasClaim = true
    await Promise.all([
      this.#host.requireSpace(this),
      storage.checkName(dir, this.name, this.spec.noClobber),
    ])
    await this.#partial.create(this.bytes)
    if (this.#isEnded) return
    this.#transfer = this.#host.engine.openTransfer()
    this.#host.router.route(this.#transfer, (events) => this.#onEngine(events))
    this.#host.engine.addStream(this.#transfer, {
      stream: 0,
      file: this.#partial.file,
      scratch: this.#partial.scratch,
      size: this.bytes,
      blockBytes: this.#blockBytes,
      complete: false,
    })
    this.#host.opened(this)
  }

  #onEngine(events: readonly EngineEvent[]): void {
    if (this.#isEnded) return
    for (const event of events) {
      switch (event.type) {
        case 'landed': {
          const { scratch, offset, length } = event
          this.#loop.post({ type: 'landed', scratch, offset, length })
          break
        }
        case 'digests':
          this.#onDigests(event)
          break
        case 'feedClosed':
          this.#onFeedClosed(event.feed, event.code)
          break
        case 'fileFailed':
          this.#loop.post({
            type: 'storageFailed',
            code: event.code,
            text: `file error ${event.errno}`,
          })
          break
        default:
          event satisfies never
      }
      if (this.#isEnded) return
    }
  }

  #onDigests(event: EngineEvent & { type: 'digests' }): void {
    const index = this.#inFeeds.indexOf(event.feed)
    if (index === undefined) return
    const { stream, offset, length } = event
    try {
      const signed = this.#inFeeds.check(event)
      if (event.relay) this.#relays.forward({ stream, offset, length }, signed)
      this.#loop.post({ type: 'announced', offset, length, digests: signed.digests })
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_PROTOCOL')
      this.#inFeeds.forget(event.feed)
      this.#host.engine.close(event.feed)
      this.#log('warn', 'feed-refused', { from: index, code, text })
      this.#loop.post({ type: 'feedClosed', index, code })
    }
  }

  #onFeedClosed(feed: FeedHandle, code: FrErrorCode | null): void {
    const from = this.#inFeeds.indexOf(feed)
    if (from !== undefined) {
      this.#inFeeds.forget(feed)
      return this.#loop.post({ type: 'feedClosed', index: from, code })
    }
    const index = this.#relays.feedClosed(feed)
    if (index !== undefined) this.#relayClosed(index, code, 'the feed broke')
  }

  #relayClosed(index: number, code: FrErrorCode | null, text: string): void {
    if (code !== null) this.#log('warn', 'relay-closed', { to: index, code, text })
    this.#loop.post({ type: 'relayClosed', index, code })
  }

  #closeFeed(index: number): void {
    const feed = this.#inFeeds.take(index)
    if (feed !== undefined) this.#host.engine.close(feed)
  }

  async #openRelay(mate: Mate, self: number): Promise<OutFeed> {
    const established = await this.#host.dialMate(
      mate,
      this.spec.transfer,
      self,
      this.#dialling.signal,
    )
    if (this.#isEnded) {
      established.close()
      throw new FrError('ERR_FR_CLOSED', 'the transfer is over')
    }
    return adoptOut(this.#host.engine, this.#transfer as TransferHandle, established, true)
  }

  #report(verifiedBytes: number, repairedBytes: number): void {
    if (this.#transfer === undefined) return
    const stats = this.#host.engine.stats(this.#transfer)
    this.#meter.count(stats, nowMs())
    const mates = stats.feeds.flatMap((feed) => {
      const index = this.#relays.indexOf(feed.feed)
      if (index === undefined) return []
      return [{ index, queuedBytes: feed.queuedBytes, unackedBytes: feed.unackedBytes }]
    })
    const landedBytes = Math.min(stats.landedBytes, this.bytes)
    this.#link.send({ type: 'progress', landedBytes, verifiedBytes, repairedBytes, mates })
  }

  #reportBacklog(): void {
    if (this.#transfer === undefined) return
    const now = nowMs()
    const stats = this.#host.engine.stats(this.#transfer)
    const mates = stats.feeds.flatMap((feed) => {
      const index = this.#relays.indexOf(feed.feed)
      if (index === undefined) return []
      const { queuedBytes, unackedBytes, payloadBytes: sentBytes } = feed
      return [{ index, queuedBytes, unackedBytes, sentBytes }]
    })
    const landedBytes = Math.min(stats.landedBytes, this.bytes)
    const report = { landedBytes, ...this.#backlog.report(mates, now) }
    if (this.#backlog.isWorthSending(report, now)) this.#link.send({ type: 'backlog', ...report })
  }

  #hash(scratch: boolean, offset: number, length: number): void {
    const file = scratch ? this.#partial.scratch : this.#partial.file
    const hashing = this.#hasher.hash(
      file,
      { offset, length },
      (digests) => this.#loop.post({ type: 'hashed', scratch, offset, length, digests }),
      (error) => this.#loop.post({ type: 'storageFailed', code: error.code, text: error.message }),
    )
    this.#track(hashing)
  }

  #sum(digests: Uint8Array): string {
    const { engine } = this.#host
    return fileDigestOf(this.spec.algorithm, this.bytes, this.#blockBytes, digests, (all) =>
      engine.xxh64(all),
    )
  }

  async #publish(): Promise<void> {
    await this.#partial.publish(this.name, this.spec.entry, this.spec.noClobber)
    this.#log('info', 'published', { bytes: this.bytes })
  }

  #run(work: Promise<void>, ok: () => NodeEvent, failed: 'prepareFailed' | 'storageFailed'): void {
    const posted = work.then(
      () => this.#loop.post(ok()),
      (error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_IO')
        this.#loop.post(
          failed === 'prepareFailed' ? { type: failed, code, text } : { type: failed, code, text },
        )
      },
    )
    this.#track(posted)
  }

  #track(task: Promise<unknown>): void {
    this.#tasks.add(task)
    task.finally(() => this.#tasks.delete(task))
  }

  #crash(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log('error', 'defect', { text })
    this.#link.send({ type: 'failed', code: 'ERR_FR_INTERNAL', text: String(error) })
    this.#end({ code: 'ERR_FR_INTERNAL', text: String(error) }, false)
  }

  #end(failure: Failure | null, keepPartial: boolean): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#loop.stop()
    this.#dialling.abort()
    if (failure !== null) this.#log('warn', 'failed', { code: failure.code, text: failure.text })
    if (this.#transfer !== undefined) {
      this.#host.router.forget(this.#transfer)
      this.#host.engine.closeTransfer(this.#transfer)
    }
    this.#relays.close()
    void this.#link.close()
    void this.#release(keepPartial)
  }

  /**
   * Gives everything back once nothing uses it. Failing to discard is worth a line, nothing more.
   */
  async #release(keepPartial: boolean): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
    await this.#partial.release(keepPartial, (id, error) => {
      this.#log('warn', 'discard-failed', { id, text: asFrError(error, 'ERR_FR_IO').message })
    })
    if (this.#hasClaim) this.#host.unclaim(this)
    this.#resolveDone(this.#partial.isPublished)
  }

  #log(
    level: 'info' | 'warn' | 'error',
    event: string,
    fields: Readonly<Record<string, string | number | null>>,
  ): void {
    const name = this.spec.entry.name
    this.#host.log({ level, event, fields: { transfer: this.spec.transfer, name, ...fields } })
  }
}
