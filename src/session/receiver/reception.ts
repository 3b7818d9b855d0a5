/**
 * One transfer at a node, carried out: control/receiver/machine.ts decides, this file does.
 *
 * Ownership: a reception owns its engine transfer, its partial and scratch files, its claim on the
 * name and its control link, and gives all of them back when it ends, after everything that still
 * reads or writes the files has come back. `done` resolves then and never rejects.
 */
import { detectionOf } from '../../base/detection.js'
import { digestBytesOf } from '../../base/digests.js'
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { TransferShare } from '../../base/rate-limits.js'
import { blockBytesAt } from '../../base/sections.js'
import type { HashRun } from '../../control/messages/facts.js'
import type { Frame, Term } from '../../control/messages/types.js'
import type { Found, NodeFact } from '../../control/receiver/events.js'
import { nodePrimitives } from '../../net/crypto.js'
import type { ControlLink } from '../../net/link.js'
import type { EngineEvent, TransferHandle } from '../../ports.js'
import { decodeName } from '../../protocol/manifest.js'
import { Partial } from '../../store/partial.js'
import { Contents } from '../driver/contents.js'
import { type ReceiverFiles, ReceiverSession } from '../driver/receiver.js'
import type { Hasher } from '../hasher.js'
import { processClock, SocketNet } from '../sockets.js'
import { Approval } from './acceptance.js'
import { type Arrival, type ArrivalSpec, arrive, lend, type SignedCopy } from './arrival.js'
import { coordinate } from './coordinate.js'
import { Filler, fillFrom } from './filler.js'
import { geometryOf, growingHere, landingHere, signedPorts } from './growing.js'
import { hashRun } from './hash-run.js'
import { JoinRequests } from './join-requests.js'
import { ReceptionLog } from './log.js'
import type { NodeHost } from './node-host.js'
import type { CoordinatorLink } from './own-link.js'
import { releasePartial, startLog, tellPublishing } from './partial-log.js'
import { hasherOf, partialName, publicationOf, unpackedBytes } from './publications.js'
import type { Publication } from './publish.js'
import { SignedRuns } from './signed-runs.js'
import type { ReceptionSpec } from './spec.js'
import { statusOf, type TransferStatus } from './transfer-status.js'
import type { VerifiedLog } from './verified-log.js'

export class Reception {
  readonly spec: ReceptionSpec
  readonly name: Uint8Array
  readonly bytes: number
  /** What it takes on the disk: `bytes` without holes, by the word of the origin. */
  readonly dataBytes: number
  /** Of that, what was there before. */
  #presentBytes = 0
  /** Null: published. */
  readonly done: Promise<Failure | null>
  /** Its bytes are reserved on the disk. */
  hasSpace = false
  isEnded = false
  readonly joins: JoinRequests
  #share: TransferShare
  readonly log: ReceptionLog
  readonly #host: NodeHost
  readonly #approval: Approval
  #link: CoordinatorLink
  readonly #geometry: ReturnType<typeof geometryOf>
  readonly #isGateway: boolean
  readonly session: ReceiverSession
  readonly #hasher: Hasher
  readonly #partial: Partial
  readonly #publication: Publication
  readonly #signedRuns: SignedRuns
  readonly growing: ReturnType<typeof growingHere>
  readonly landing: ReturnType<typeof landingHere>
  readonly #tasks = new Set<Promise<unknown>>()
  #transfer: TransferHandle | undefined
  #verified: VerifiedLog | undefined
  #copied: SignedCopy | undefined
  #filler: Filler | undefined
  #hasClaim = false
  #resolveDone: (failure: Failure | null) => void = () => {}

  constructor(host: NodeHost, link: ControlLink, spec: ReceptionSpec) {
    this.spec = spec
    this.#isGateway = spec.role === 'gateway'
    this.#share = spec.share ?? {}
    this.name = decodeName(spec.entry)
    this.bytes = spec.entry.size
    this.dataBytes = spec.entry.dataBytes
    this.#host = host
    this.log = new ReceptionLog((line) => host.log(line), host.audience, spec)
    this.#approval = new Approval(host.audience.accept)
    this.#link = link
    link.waitFor(spec.silenceMs)
    this.joins = new JoinRequests((frame) => !this.isEnded && link.send(frame))
    this.#geometry = geometryOf(spec.entry)
    this.#partial = new Partial(host.storage, host.dir, partialName(spec), spec)
    this.#hasher = hasherOf(host, spec)
    this.#publication = publicationOf(host, this.#partial, this.#hasher, spec, {
      size: () => this.session.machine.held.size,
      isOver: () => this.isEnded,
      waits: () => this.session.post({ type: 'claimed' }),
    })
    this.#signedRuns = new SignedRuns(this.#geometry.size, this.#geometry.blockBytes)
    this.growing = growingHere(spec, this.name, () => this.#partial.id, this.#signedRuns)
    this.landing = landingHere(spec, host.shared !== undefined, {
      name: this.name,
      partialId: () => this.#partial.id,
      held: () => this.session.machine.held,
      isPublished: () => this.#partial.isPublished,
      isEnded: () => this.isEnded,
    })
    this.session = this.#sessionOver()
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve
    })
  }

  start(): void {
    this.session.start()
  }

  #sessionOver(): ReceiverSession {
    const [engine, dialler] = [this.#host.engine, this.#host.dialler()]
    const { admits } = dialler.self
    const { transfer, originId, silenceMs, detection, algorithm, entry } = this.spec
    const from = (): number => this.session.machine.neighbours.you as number
    const part = { transfer, from, isOrigin: false }
    const { blockBytes, size } = this.#geometry
    const contents = new Contents([{ ...entry, algorithm, blockBytes, size }])
    const { seal, incarnation: seed } = dialler.self
    const peers = { originId, silenceMs, detection, seed, mustSeal: seal === 'required' }
    const file = { bytes: this.bytes, blockBytes, digestBytes: digestBytesOf(algorithm) }
    const about = { ...this.spec, ...file, only: entry.only, log: this.log }
    return new ReceiverSession(
      { ...file, ...peers, contents, isGateway: this.#isGateway },
      {
        clock: processClock,
        net: new SocketNet(dialler, engine, part, () => this.#transfer as TransferHandle),
        engine,
        places: this.#host.places,
        flows: this.spec.share?.flows,
        files: this.#files(),
        link: this.#link,
        primitives: nodePrimitives,
        log: (level, event, fields) => this.log.line(level, event, fields),
        misannounced: () => void this.#host.counters.wrongDigests++,
        ...signedPorts(this.#signedRuns, this.growing),
        ...(admits && { admits }),
        // Nobody but its origin knows what more there is of a content that grows.
        takeOver: (term) =>
          blockBytes === 'sections' ||
          this.#track(coordinate(this.#host, { ...about, blockBytes, term }, this)),
        introduced: () => this.#host.introduced(this),
        ended: ({ failure, keepPartial }) => this.#ended(failure, keepPartial),
        crashed: (error) => this.#crash(error),
      },
    )
  }

  /** Bytes that will still be written, for reservations. */
  get openBytes(): number {
    if (this.isEnded) return 0
    const landedBytes = Math.max(this.#presentBytes, this.session.samples.totals.landedBytes)
    const left = Math.max(0, Math.min(this.dataBytes, this.bytes - landedBytes))
    return left + unpackedBytes(this.spec)
  }

  get neededBytes(): number {
    return Math.max(0, this.dataBytes - this.#presentBytes) + unpackedBytes(this.spec)
  }

  get hasPlan(): boolean {
    return this.session.hasPlan
  }

  /** True while data connections can be adopted: the partial is there. */
  get isOpen(): boolean {
    return this.#transfer !== undefined && !this.isEnded
  }

  onFrame(link: CoordinatorLink, frame: Frame): void {
    if (frame.type === 'joined') this.joins.answered(frame)
    if (frame.type === 'seal' && frame.fileDigest !== null)
      this.#verified?.tell({ fileDigest: frame.fileDigest })
    this.session.onFrame(link, frame)
  }

  onLinkClosed(link: CoordinatorLink, code: FrErrorCode, text: string): void {
    this.session.onLinkClosed(link, code, text)
  }

  /** As ReceiverSession says; the last coordinator, perhaps only silent, is told so. */
  succeed(link: CoordinatorLink, term: Term, nodeId: string): Failure | null {
    const failure = this.session.succeed(link, term, nodeId)
    if (failure !== null) return failure
    this.#link.send({ type: 'stale', term, epoch: 0 })
    void this.#link.close()
    this.#link = link
    link.waitFor(this.spec.silenceMs)
    return null
  }

  /** The term of whoever took over from the origin. */
  get succession(): Term | undefined {
    return this.session.machine.takeover.succession
  }

  /** File digest of what this transfer has published; null: nothing. */
  get publishedDigest(): string | null {
    return this.#partial.isPublished ? this.log.digest : null
  }

  /** What has landed can be published no more. */
  storageLost({ code, text }: Failure): void {
    if (this.#partial.isLanding) this.session.post({ type: 'fileFailed', code, text })
  }

  /** Another transfer wants the name. */
  givesWay(): boolean {
    this.session.post({ type: 'outbid' })
    return this.isEnded
  }

  /** The node is closing: the transfer ends now. */
  async stop(): Promise<void> {
    this.session.post({ type: 'stopped', text: 'the node is closing' })
    await this.done
  }

  get door(): Pick<ReceiverSession, 'expects' | 'expectsPull' | 'greets' | 'addPull' | 'addFeed'> {
    return this.session
  }

  view(): TransferStatus {
    return statusOf(this.spec, this.session, this.#approval.isPending ? 'the accept hook' : null)
  }

  #files(): ReceiverFiles {
    return {
      prepare: () => this.#run(this.#prepare()),
      bring: (ranges) => this.#partial.toBring(ranges),
      fill: (piece) => this.#run(fillFrom(this.#filler, piece)),
      hash: (run) => this.#hash(run),
      copyIn: (offset, length) => {
        const copied = this.#partial.copyIn({ offset, length })
        this.#run(copied.then((): NodeFact => ({ type: 'copied', offset, length })))
      },
      sum: (digests) => this.log.summed(this.#publication.sum(digests)),
      publish: () => this.#run(this.#publish()),
    }
  }

  /** An undecided offer holds nothing; the name comes before the disk, the plan waits for it. */
  async #prepare(): Promise<NodeFact> {
    await this.spec.after
    if (this.#isGateway) return this.#opened({})
    if (this.spec.role === 'mirror')
      return this.#opened(this.#arrived(await lend(this.#host, this.#partial, this.#arrival)))
    await this.#host.consents.ask(this.spec, () =>
      this.#approval.ask(this.log.offer, (text) =>
        this.log.line('error', 'accept-failed', { text }),
      ),
    )
    if (this.isEnded) return { type: 'prepared' }
    await this.#host.claim(this)
    this.#hasClaim = true
    this.session.post({ type: 'claimed' })
    await this.#host.store.requireDirectory()
    await this.#publication.checkName()
    if (this.isEnded) return { type: 'prepared' }
    const arrival = await arrive(this.#host, this.#partial, this.#arrival)
    const found = this.#arrived(arrival)
    if (!this.#partial.isBorrowed) await this.#startLog(arrival.journal)
    // It changes the times of the file, which the journal has to know as they were left.
    await this.#publication.probe()
    return this.#opened(found)
  }

  #arrived({ journal, signed, copied, older, ...found }: Arrival): Found {
    if (older !== undefined) this.#filler = new Filler(this.#host, this.#partial, older)
    this.#signedRuns.restore(journal === 'ours' ? (signed ?? []) : [])
    if (journal === 'none') for (const run of signed ?? []) this.#signedRuns.keep(run)
    this.#copied = copied
    return found
  }

  /** Changes what the transfer may use of this node. */
  limit(change: (share: TransferShare) => TransferShare): TransferShare {
    this.#share = change(this.#share)
    if (this.#transfer !== undefined && !this.isEnded)
      this.#host.engine.limitTransfer(this.#transfer, this.#share)
    return this.#share
  }

  #opened(found: Found): NodeFact {
    if (this.isEnded) return { type: 'prepared' }
    const { silenceMs, detection = detectionOf({}, silenceMs) } = this.spec
    // What a gateway has passed on it cannot send again.
    const options = this.#isGateway ? {} : { unackedMs: detection.failMs, dir: this.#host.dir }
    this.#transfer = this.#host.engine.openTransfer(options)
    this.#host.engine.limitTransfer(this.#transfer, this.#share)
    this.#host.router.route(this.#transfer, (events) => this.#onEngine(events))
    this.#host.engine.addStream(this.#transfer, {
      stream: 0,
      ...(!this.#isGateway && { file: this.#partial.file, ...this.#hasher.whileLanding }),
      ...(this.#partial.scratch !== undefined && { scratch: this.#partial.scratch }),
      size: this.bytes,
      blockBytes: blockBytesAt(0, this.#geometry.blockBytes),
      ...(this.#geometry.blockBytes === 'sections' && { growing: true as const }),
      complete: this.#partial.isBorrowed,
      sparse: this.dataBytes < this.bytes,
    })
    this.session.opened(this.#transfer)
    this.#host.opened(this)
    return { type: 'prepared', ...found }
  }

  get #arrival(): ArrivalSpec {
    const { entry, algorithm, fileDigest: known } = this.spec
    const { contentId, author, only } = entry
    const fileDigest = this.#publication.foundDigest ?? known
    return {
      wanted: { contentId, author, algorithm, ...this.#geometry, ...(only && { only }) },
      ...{ entry, fileDigest, name: this.#publication.name, visibleName: this.name },
      isStrict: this.spec.strict,
      isSparse: this.dataBytes < this.bytes,
      older: this.#publication.older?.bind(this.#publication),
      requireSpace: (presentBytes) => {
        this.#presentBytes = presentBytes
        return this.#host.requireSpace(this)
      },
    }
  }

  async #startLog(journal: Arrival['journal']): Promise<void> {
    const { transfer, entry, fileDigest } = this.spec
    const { wanted } = this.#arrival
    this.#verified = await startLog(this.#host, this.#partial, {
      ...{ wanted, transfer, entry, fileDigest, journal, name: partialName(this.spec) },
      takeVerified: () => this.session.machine.held.takeVerified(),
      takeSigned: () => this.#signedRuns.takeFresh(),
      failed: (text) => this.log.line('warn', 'journal-failed', { text }),
    })
  }

  #onEngine(events: readonly EngineEvent[]): void {
    for (const event of events) {
      if (event.type !== 'fileFailed') continue
      const { code, text } = event
      const { path } = this.#partial
      this.session.post({
        type: 'fileFailed',
        code,
        text: text === '' ? path : `${text}, ${path}`,
      })
    }
    this.session.onEngine(events.filter((event) => event.type !== 'fileFailed'))
  }

  #hash(run: HashRun): void {
    this.#track(hashRun(this.#hasher, this.#partial, run, (fact) => this.session.post(fact)))
  }

  async #publish(): Promise<NodeFact> {
    const told = await this.#publication.publish(
      () => tellPublishing(this.#host, this.#partial, this.#verified),
      () => ({ runs: this.#signedRuns, copied: this.#copied }),
    )
    if (this.spec.role === 'mirror') return { type: 'published', ...told }
    // What earlier transfers of this name left is of no more use.
    this.#track(this.#host.store.makeWay(this.name).catch(() => {}))
    // This transfer may go on for its mates: it writes the name no more, and the next one may.
    this.#host.unclaim(this)
    const { pulledBytes } = this.session.machine.pulls
    const bytes = this.spec.entry.growing ? this.#partial.entry.size : this.log.offer.bytes
    this.log.published(bytes, pulledBytes, this.session.machine.seal.isUnchecked)
    return { type: 'published', ...told }
  }

  /** Tells the machine what work of the disk came to. */
  #run(work: Promise<NodeFact>): void {
    const posted = work.then(
      (event) => this.session.post(event),
      (error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_IO')
        this.session.post({ type: 'fileFailed', code, text })
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
  }

  #ended(failure: Failure | null, keepPartial: boolean): void {
    this.isEnded = true
    this.#approval.end()
    this.#filler?.stop()
    this.#host.ended()
    this.joins.end()
    const { servedBytes: bytes } = this.session
    if (bytes > 0) this.log.line('info', 'served', { bytes })
    if (failure !== null) {
      this.growing?.failed(failure)
      this.log.failed(failure)
      // Before the claim no disk was touched, whatever code the accept hook chose.
      const { dataBytes: bytes, hasSpace: hadSpace } = this
      const failed = { ...failure, bytes, hadSpace, wasOpen: this.#transfer !== undefined }
      if (this.#hasClaim) this.#host.store.failed(failed)
    }
    if (this.#transfer !== undefined) {
      this.#host.router.forget(this.#transfer)
      this.#host.engine.closeTransfer(this.#transfer)
    }
    void this.#link.close()
    void this.#release(failure, keepPartial)
  }

  /** Gives everything back once nothing uses it. Failing to discard is worth a line, not more. */
  async #release(failure: Failure | null, keepPartial: boolean): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
    await this.#verified?.stop()
    if (this.#isGateway) return this.#resolveDone(failure)
    const { isSound } = this.#partial
    const isKept = keepPartial && isSound && this.#verified?.isWorthKeeping === true
    const failed = (id: string, error: unknown): void => {
      this.log.line('warn', 'discard-failed', { id, text: asFrError(error, 'ERR_FR_IO').message })
    }
    await releasePartial(this.#host, this.#partial, this.#verified, isKept, failed)
    await this.#publication.release?.(failed)
    if (this.#hasClaim) this.#host.unclaim(this)
    this.#resolveDone(this.#partial.isPublished ? null : failure)
  }
}
