/**
 * One transfer at a node, carried out: control/receiver/machine.ts decides, this file does.
 *
 * Ownership: a reception owns its engine transfer, its partial and scratch files, its claim on the
 * name and its control link, and gives all of them back when it ends, after everything that still
 * reads or writes the files has come back. `done` resolves then and never rejects.
 */

import { digestBytesOf } from '../../base/digests.js'
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { blockBytesFor } from '../../base/limits.js'
import { awakeMs } from '../../base/time/awake.js'
import type { Frame } from '../../control/messages/types.js'
import type { NodeCommand, NodeEvent } from '../../control/receiver/events.js'
import { NodeMachine } from '../../control/receiver/machine.js'
import type { Established } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import type { EngineEvent, TransferHandle } from '../../ports.js'
import { decodeName } from '../../protocol/manifest.js'
import type { Edge } from '../../protocol/ticket.js'
import { Partial } from '../../store/partial.js'
import { Hasher } from '../hasher.js'
import { Loop } from '../loop.js'
import { Approval } from './acceptance.js'
import { ReceptionFeeds } from './feeds.js'
import { JoinRequests } from './join-requests.js'
import { ReceptionLog } from './log.js'
import type { NodeHost } from './node-host.js'
import { Publication } from './publish.js'
import { ReceptionReports } from './reports.js'
import type { ReceptionSpec } from './spec.js'
import type { TransferStatus } from './transfer-status.js'

export class Reception {
  readonly spec: ReceptionSpec
  readonly name: Uint8Array
  readonly bytes: number
  /** What it needs on the disk: `bytes` without holes, by the word of the origin. */
  readonly dataBytes: number
  /** Null: published. */
  readonly done: Promise<Failure | null>
  /** Its bytes are reserved on the disk. */
  hasSpace = false
  isEnded = false
  readonly joins: JoinRequests
  readonly log: ReceptionLog
  readonly #host: NodeHost
  readonly #approval: Approval
  readonly #link: ControlLink
  readonly #blockBytes: number
  readonly #machine: NodeMachine
  readonly #loop: Loop<NodeEvent, NodeCommand>
  readonly #hasher: Hasher
  readonly #feeds: ReceptionFeeds
  readonly #reports: ReceptionReports
  readonly #partial: Partial
  readonly #publication: Publication
  readonly #tasks = new Set<Promise<unknown>>()
  #transfer: TransferHandle | undefined
  #hasClaim = false
  #resolveDone: (failure: Failure | null) => void = () => {}

  constructor(host: NodeHost, link: ControlLink, spec: ReceptionSpec) {
    this.spec = spec
    this.name = decodeName(spec.entry)
    this.bytes = spec.entry.size
    this.dataBytes = spec.entry.dataBytes
    this.#host = host
    this.log = new ReceptionLog((line) => host.log(line), host.audience, spec)
    this.#approval = new Approval(host.audience.accept)
    this.#link = link
    link.waitFor(spec.silenceMs)
    this.joins = new JoinRequests((frame) => !this.isEnded && link.send(frame))
    this.#blockBytes = blockBytesFor(this.bytes)
    this.#partial = new Partial(host.storage, host.dir, this.name, spec)
    const digestBytes = digestBytesOf(spec.algorithm)
    this.#machine = new NodeMachine(
      {
        bytes: this.bytes,
        blockBytes: this.#blockBytes,
        digestBytes,
        originId: spec.originId,
        silenceMs: spec.silenceMs,
      },
      awakeMs(),
    )
    this.#loop = new Loop<NodeEvent, NodeCommand>(this.#machine, {
      execute: (command) => this.#execute(command),
      ticked: () => ({ type: 'ticked' }),
      crashed: (error) => this.#crash(error),
    })
    this.#hasher = new Hasher(host.engine, host.pool, {
      fileBytes: this.bytes,
      isSparse: this.dataBytes < this.bytes,
      blockBytes: this.#blockBytes,
      algorithm: spec.algorithm,
      hasJustLanded: true,
    })
    this.#publication = new Publication(host.engine, this.#partial, this.#hasher, spec)
    this.#feeds = new ReceptionFeeds(
      host,
      spec,
      {
        contentId: spec.entry.contentId,
        algorithm: spec.algorithm,
        blockBytes: this.#blockBytes,
        author: spec.author,
        bytes: this.bytes,
      },
      this.#machine.neighbours,
      {
        isComplete: () => this.#partial.isPublished,
        isAsking: (index) => this.#machine.pulls.isAsking(index),
        closing: () => this.#reports.count(),
        isAnnounced: (offset, length) => this.#machine.held.unannounced(offset, length).isEmpty,
        post: (event) => this.#loop.post(event),
        warn: (event, fields) => this.log.line('warn', event, fields),
      },
    )
    this.#reports = new ReceptionReports(host.engine, this.#feeds)
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve
    })
  }

  start(): void {
    this.#loop.start(this.#machine.start())
  }

  /** Bytes that will still be written, for reservations. */
  get openBytes(): number {
    if (this.isEnded) return 0
    return Math.max(0, Math.min(this.dataBytes, this.bytes - this.#reports.totals.landedBytes))
  }

  get hasPlan(): boolean {
    return this.#machine.neighbours.isRunning
  }

  /** True while data connections can be adopted: the partial is there. */
  get isOpen(): boolean {
    return this.#transfer !== undefined && !this.isEnded
  }

  onFrame(frame: Frame): void {
    if (frame.type === 'joined') this.joins.answered(frame)
    this.#loop.post({ type: 'frameArrived', frame })
    if (frame.type !== 'plan') return
    if (this.hasPlan) this.#feeds.relays.planned()
    // Whoever is known now may have dialled already.
    this.#host.introduced(this)
  }

  onLinkClosed(code: FrErrorCode, text: string): void {
    this.#loop.post({ type: 'linkClosed', code, text })
  }

  /** What has landed can be published no more. */
  storageLost({ code, text }: Failure): void {
    if (this.#partial.isLanding) this.#loop.post({ type: 'storageFailed', code, text })
  }

  /** The node is closing: the transfer ends now. */
  async stop(): Promise<void> {
    this.#loop.post({ type: 'stopped' })
    await this.done
  }

  /** Whether a connection of this sender belongs here; null: not heard of it yet. */
  expects(index: number, edgeId: string, to: number): Edge | false | null {
    return this.#feeds.expects(index, edgeId, to)
  }

  /** From here on `expects` says no to a second connection of this sender. */
  reserveFeed(index: number): void {
    this.#feeds.senders.coming(index)
  }

  /** The connection it was reserved for did not come to be. */
  releaseFeed(index: number): void {
    this.#feeds.senders.missed(index)
  }

  /** Whether a mate may ask for bytes here; null: not known before the plan. */
  expectsPull(index: number, nodeId: string, to: number): boolean | null {
    return this.#feeds.senders.expectsPull(index, nodeId, to)
  }

  /** A pull link that `expectsPull` said yes to. Throws FrError when it broke meanwhile. */
  addPull(index: number, established: Established): void {
    this.#feeds.pulls.accept(index, established)
  }

  /** A data connection that `expects` said yes to. Throws FrError when it broke meanwhile. */
  addFeed(index: number, established: Established): void {
    this.#feeds.add(index, established)
  }

  view(): TransferStatus {
    const { landedBytes, holeBytes, receivedBytes, duplicateBytes, sentBytes } =
      this.#reports.totals
    const openBytes = this.bytes - landedBytes
    const rate = this.#reports.rateInBytesPerSecond
    return {
      transfer: this.spec.transfer,
      name: this.spec.entry.name,
      role: this.#machine.phase === 'complete' ? 'complete' : 'receiving',
      bytes: this.bytes,
      landedBytes,
      holeBytes,
      receivedBytes,
      duplicateBytes,
      sentBytes,
      verifiedBytes: this.#machine.held.verifiedBytes,
      pulledBytes: this.#machine.pulls.pulledBytes,
      servedBytes: this.#feeds.pulls.servedBytes,
      rateInBytesPerSecond: rate,
      rateOutBytesPerSecond: this.#reports.rateOutBytesPerSecond,
      etaSeconds: rate > 0 && openBytes > 0 ? openBytes / rate : null,
      relays: this.#reports.relays(),
      waitsFor: this.#approval.isPending ? 'the accept hook' : this.#machine.waitsFor,
    }
  }

  #execute(command: NodeCommand): void {
    switch (command.type) {
      case 'prepare':
        return this.#run(this.#prepare(), 'prepareFailed')
      case 'send':
        this.#link.send(command.frame)
        return
      case 'count':
        return this.#loop.post({ type: 'counted', landedBytes: this.#reports.movedBytes })
      case 'report':
        return this.#say(this.#reports.progress(command))
      case 'reportBacklog':
        return this.#say(this.#reports.backlog())
      case 'exclude':
        return this.#reports.exclude(command.indices)
      case 'dialMate':
        return this.#track(this.#feeds.relays.dial(command.mate))
      case 'greetMate':
        return this.#feeds.greet(command.mate)
      case 'closeRelay':
        return this.#feeds.refuse(command.index)
      case 'closeFeed':
        return this.#feeds.close(command.index)
      case 'dialPull':
        return this.#track(this.#feeds.pulls.dial(command.mate))
      case 'askMate':
        return this.#feeds.pulls.ask(command.index, command.frame)
      case 'closePull':
        return this.#feeds.pulls.close(command.index)
      case 'serve':
        return this.#feeds.pulls.serve(command.index, command.request, command.ranges)
      case 'rejectPull':
        return this.#feeds.pulls.reject(command.index, command.request, command.failure)
      case 'countFeeds':
        return this.#loop.post({ type: 'feedsCounted', feeds: this.#reports.received() })
      case 'hash':
        return this.#hash(command.scratch, command.offset, command.length)
      case 'copyIn': {
        const { offset, length } = command
        const copied = this.#partial.copyIn({ offset, length })
        return this.#run(
          copied.then((): NodeEvent => ({ type: 'copied', offset, length })),
          'storageFailed',
        )
      }
      case 'sum':
        return this.#loop.post({
          type: 'summed',
          fileDigest: this.log.summed(this.#publication.sum(command.digests)),
        })
      case 'publish':
        return this.#run(this.#publish(), 'storageFailed')
      case 'log':
        return this.log.line('warn', command.event, command.fields)
      case 'end':
        return this.#end(command.failure, command.keepPartial)
      default:
        return command satisfies never
    }
  }

  /** An undecided offer holds nothing; the name comes before the disk, the plan waits for it. */
  async #prepare(): Promise<NodeEvent> {
    const { storage, dir } = this.#host
    await this.spec.after
    await this.#approval.ask(this.log.offer, (text) =>
      this.log.line('error', 'accept-failed', { text }),
    )
    if (this.isEnded) return { type: 'prepared' }
    await this.#host.claim(this)
    this.#hasClaim = true
    this.#loop.post({ type: 'claimed' })
    await this.#host.store.requireDirectory()
    await storage.checkName(dir, this.name, this.spec.noClobber)
    await this.#host.store.makeWay(this.name)
    await this.#host.requireSpace(this)
    await this.#partial.create(this.bytes)
    await this.#publication.probe()
    if (this.isEnded) return { type: 'prepared' }
    this.#transfer = this.#host.engine.openTransfer({ silenceMs: this.spec.silenceMs })
    this.#host.router.route(this.#transfer, (events) => this.#onEngine(events))
    this.#host.engine.addStream(this.#transfer, {
      stream: 0,
      file: this.#partial.file,
      scratch: this.#partial.scratch,
      size: this.bytes,
      blockBytes: this.#blockBytes,
      complete: false,
      sparse: this.dataBytes < this.bytes,
    })
    this.#feeds.opened(this.#transfer)
    this.#reports.opened(this.#transfer)
    this.#host.opened(this)
    return { type: 'prepared' }
  }

  #onEngine(events: readonly EngineEvent[]): void {
    if (this.isEnded) return
    // Together: the machine then looks once at what follows from all of them.
    const landed: NodeEvent[] = []
    for (const event of events) {
      if (event.type === 'landed') {
        const { scratch, offset, length } = event
        landed.push({ type: 'landed', scratch, offset, length })
        continue
      }
      if (landed.length > 0) this.#loop.post(...landed.splice(0))
      switch (event.type) {
        case 'digests':
          this.#feeds.onDigests(event)
          break
        case 'feedClosed':
          this.#feeds.onClosed(event.feed, event.code)
          break
        case 'fileFailed':
          this.#loop.post({
            type: 'storageFailed',
            code: event.code,
            text: event.text === '' ? this.#partial.path : `${event.text}, ${this.#partial.path}`,
          })
          break
        default:
          event satisfies never
      }
      if (this.isEnded) return
    }
    if (landed.length > 0) this.#loop.post(...landed)
  }

  #say(frame: Frame | undefined): void {
    if (frame !== undefined) this.#link.send(frame)
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

  async #publish(): Promise<NodeEvent> {
    const warnings = await this.#publication.publish()
    // This transfer may go on for its mates: it writes the name no more, and the next one may.
    this.#host.unclaim(this)
    const { pulledBytes } = this.#machine.pulls
    this.log.published(pulledBytes)
    return { type: 'published', warnings }
  }

  /** Tells the machine what work of the disk came to. */
  #run(work: Promise<NodeEvent>, failed: 'prepareFailed' | 'storageFailed'): void {
    const posted = work.then(
      (event) => this.#loop.post(event),
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
    this.log.line('error', 'defect', { text })
    this.#link.send({ type: 'failed', code: 'ERR_FR_INTERNAL', text: String(error) })
    this.#end({ code: 'ERR_FR_INTERNAL', text: String(error) }, false)
  }

  #end(failure: Failure | null, keepPartial: boolean): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#approval.end()
    this.#host.ended()
    this.#loop.stop()
    this.#feeds.end()
    this.joins.end()
    this.#reports.closed()
    const { servedBytes } = this.#feeds.pulls
    if (servedBytes > 0) this.log.line('info', 'served', { bytes: servedBytes })
    if (failure !== null) {
      this.log.failed(failure)
      // Before the claim no disk was touched, whatever code the accept hook chose.
      if (this.#hasClaim) this.#host.store.failed(failure)
    }
    if (this.#transfer !== undefined) {
      this.#host.router.forget(this.#transfer)
      this.#host.engine.closeTransfer(this.#transfer)
    }
    void this.#link.close()
    void this.#release(failure, keepPartial)
  }

  /**
   * Gives everything back once nothing uses it. Failing to discard is worth a line, nothing more.
   */
  async #release(failure: Failure | null, keepPartial: boolean): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
    await this.#partial.release(keepPartial, (id, error) => {
      this.log.line('warn', 'discard-failed', { id, text: asFrError(error, 'ERR_FR_IO').message })
    })
    if (this.#hasClaim) this.#host.unclaim(this)
    this.#resolveDone(this.#partial.isPublished ? null : failure)
  }
}
