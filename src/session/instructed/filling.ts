/**
 * One content that copies by order bring, part by part, and the partial that they fill together.
 *
 * The idea: each copy is a fetch of its own (session/fetch), with one source, its part of the
 * blocks, and a share of these files. What is verified goes into the journal of the partial, as in
 * a push; so a copy that comes later, or after this process was killed, goes on from there, and the
 * node serves what it has meanwhile. Once every block is here the file gets its name, with a record
 * as if it had been pushed. While it is filled nobody else writes the name; who wants to has it.
 */
import { digestBytesOf } from '../../base/digests.js'
import { type Failure, FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { FetchedContent, FoundRun } from '../../control/fetching/events.js'
import { FoundBlocks } from '../../control/fetching/found.js'
import { taskBytesFor } from '../../control/holdings/hashing.js'
import type { HeldRun } from '../../control/holdings/have.js'
import type { FetchOffer, StreamEntry } from '../../control/messages/types.js'
import { encodeName } from '../../protocol/manifest.js'
import type { DigestRun } from '../../store/catalogue/record.js'
import { digestTable } from '../../store/held/verify.js'
import type { Filled } from '../../store/leftovers.js'
import type { Partial } from '../../store/partial.js'
import type { FetchTarget, Landed } from '../fetch/landing.js'
import type { Hasher } from '../hasher.js'
import { type Arrival, type ArrivalSpec, arrive, type SignedCopy } from '../receiver/arrival.js'
import type { ReceptionLog } from '../receiver/log.js'
import type { Guest, GuestSpec, NodeHost } from '../receiver/node-host.js'
import { tellPublishing } from '../receiver/partial-log.js'
import { hasherOf } from '../receiver/publications.js'
import { FilePublication } from '../receiver/publish.js'
import { SignedRuns } from '../receiver/signed-runs.js'
import type { VerifiedLog } from '../receiver/verified-log.js'
import { ClaimedPartial, type Filler, type Place } from './claimed-partial.js'

export interface FillingSpec extends Filler {
  readonly name: Uint8Array
  readonly size: number
}

export interface FillingHooks {
  /** The disk where it is to land. */
  readonly place: (content: LandingOffer) => Promise<Place>
  /** More of it is here, or it has got its name. */
  readonly changed: () => void
  /** It comes to nothing now: somebody else wants the name, or the disk is gone. */
  readonly broken: (failure: Failure) => void
}

/** What is to land. */
export type LandingOffer = Pick<FetchOffer, 'entry' | 'digest' | 'fileDigest'>

/** What there is once the first of its sources has said what it is. */
interface Files {
  readonly host: NodeHost
  readonly content: FetchedContent
  readonly partial: Partial
  readonly publication: FilePublication
  readonly hasher: Hasher
  readonly log: ReceptionLog
  readonly journal: VerifiedLog | undefined
  readonly runs: SignedRuns
  /** Whose digests the bytes had in another file of the node. */
  readonly copied: SignedCopy | undefined
}

export class Filling implements Guest {
  readonly name: Uint8Array
  readonly blockBytes: number
  /** Verified. */
  readonly here = new RangeSet()
  hasSpace = false
  readonly hasPlan = false
  isEnded = false
  isPublished = false
  /** Its files are closed; the partial is kept where that is of use. */
  isClosed = false
  isKept = false
  /** Nothing that was kept of it is read again: it began with nothing. */
  isNew = false
  /** What others can be told and sent of it; undefined: nothing yet. */
  filled: Filled | undefined
  neededBytes = 0
  spec: GuestSpec
  readonly #spec: FillingSpec
  readonly #hooks: FillingHooks
  #opening: Promise<Files> | undefined
  #files: Files | undefined
  #claimed: ClaimedPartial | undefined
  /** Of all blocks, as far as they are verified; the whole table where it is proved. */
  #digests: Uint8Array = new Uint8Array()
  #isProved = false
  /** What is signed of it. */
  readonly #covered = new RangeSet()
  /** Left by others, and not compared with the digests of the content. */
  #unjudged: readonly FoundRun[] = []
  #fresh: HeldRun[] = []
  #publishing: Promise<void> | undefined
  /** It could not be given its name. */
  #isLeft = false

  constructor(spec: FillingSpec, hooks: FillingHooks) {
    this.name = spec.name
    this.blockBytes = blockBytesFor(spec.size)
    const { transfer, source: originAddress } = spec
    const guest = { transfer, originAddress, originId: transfer, isPlanned: false }
    this.spec = { ...guest, place: 0, fileDigest: null }
    this.#spec = spec
    this.#hooks = hooks
  }

  get isWhole(): boolean {
    return this.#files !== undefined && this.here.bytes === this.#spec.size
  }

  /** Undefined until the first source has said what it is. */
  get entry(): StreamEntry | undefined {
    return this.#files?.content.entry
  }

  /** For those who read what is still written: it is whole at its sources. */
  get growing(): undefined {
    return undefined
  }

  get isOpen(): boolean {
    return this.#files !== undefined && !this.isEnded
  }

  get openBytes(): number {
    return this.isEnded ? 0 : Math.max(0, this.neededBytes - this.here.bytes)
  }

  /** The newest who wants a name has it. */
  givesWay(): boolean {
    this.isEnded = true
    const text = 'another transfer or version takes the name'
    this.#hooks.broken({ code: 'ERR_FR_BUSY', text })
    return true
  }

  storageLost(failure: Failure): void {
    if (this.#files?.partial.isLanding === true) this.#hooks.broken(failure)
  }

  /** A copy of it has failed by something here. */
  failedHere(failure: Failure): void {
    this.#claimed?.failed(failure, true)
  }

  /** For what one source brings, of these blocks at first. */
  share([offset, length]: RangePair): FetchTarget {
    let isOurs = false
    return {
      partialPath: '',
      open: async (content) => {
        this.#opening ??= this.#open(content)
        const files = await this.#opening
        const { fileDigest, size, entry } = content
        const known = files.content
        const isOther = fileDigest !== known.fileDigest || size !== known.size
        // What only some may have fills nothing that others may have.
        if (isOther || entry.only !== known.entry.only)
          throw new FrError('ERR_FR_NOT_HELD', 'the source has another content of this name')
        isOurs = entry.contentId === known.entry.contentId && entry.author === known.entry.author
        if (length === 0) throw new FrError('ERR_FR_ABORTED', 'it has no bytes')
        return this.#landed(files, [offset, length])
      },
      verified: async (run) => this.#verified(run),
      copyIn: (at, bytes) => (this.#files as Files).partial.copyIn({ offset: at, length: bytes }),
      // Another source may have the same bytes signed by somebody else.
      signed: (run) => {
        if (isOurs) this.#signed(run)
      },
      finish: async () => {},
      close: async () => {},
    }
  }

  /** Gives it its name, once; every block is here. */
  publish(): Promise<void> {
    this.#publishing ??= this.#publish(this.#files as Files).catch((error: unknown) => {
      this.#isLeft = true
      this.#hooks.changed()
      throw error
    })
    return this.#publishing
  }

  /** Nothing lands any more. What is verified stays, unless the file has its name. */
  async close(): Promise<void> {
    this.isEnded = true
    await this.#opening?.catch(() => {})
    await this.#publishing?.catch(() => {})
    if (this.#claimed !== undefined) this.isKept = await this.#claimed.giveBack()
    this.isClosed = true
  }

  // --- the files ---

  async #open(content: FetchedContent): Promise<Files> {
    const place = await this.#hooks.place(content)
    const { host } = place
    const entry = { ...content.entry, ...encodeName(this.name) }
    const { digest: algorithm, fileDigest, size } = content
    this.spec = { ...this.spec, place: place.number, fileDigest }
    this.neededBytes = entry.dataBytes
    const claimed = new ClaimedPartial(this, place, entry, this.#spec)
    const { partial, log } = claimed
    try {
      await claimed.claim()
      const hasher = hasherOf(host, { entry, algorithm })
      const how = { entry, algorithm, noClobber: false, strict: false }
      const publication = new FilePublication(host, partial, this.name, hasher, how)
      await publication.checkName()
      const arriving = this.#arrivalSpec(host, content, entry)
      const arrival = await arrive(host, partial, arriving)
      const runs = new SignedRuns(size, this.blockBytes)
      this.#digests = new Uint8Array(Math.ceil(size / this.blockBytes) * digestBytesOf(algorithm))
      if (!partial.isBorrowed)
        await claimed.startLog({
          ...{ wanted: arriving.wanted, fileDigest, journal: arrival.journal },
          takeVerified: () => this.#fresh.splice(0),
          takeSigned: () => runs.takeFresh(),
        })
      // It changes the times of the file, which the journal has to know as they were left.
      if (!this.#isSmall) await publication.probe()
      const { copied } = arrival
      const { journal } = claimed
      this.isNew = arrival.journal === 'none' && copied === undefined
      const files = { host, content, partial, publication, hasher, log, journal, runs, copied }
      await this.#found(files, arrival)
      if (this.isEnded) throw new FrError('ERR_FR_ABORTED', 'nobody wants the content any more')
      this.#files = files
      this.#claimed = claimed
      this.#hooks.changed()
      return files
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      claimed.failed({ code, text }, false)
      this.isKept = await claimed.giveBack()
      throw error
    }
  }

  #arrivalSpec(host: NodeHost, content: FetchedContent, entry: StreamEntry): ArrivalSpec {
    const { digest: algorithm, fileDigest, size } = content
    const { contentId, author, only, dataBytes } = entry
    const geometry = { algorithm, size, blockBytes: this.blockBytes }
    const wanted = { contentId, author, ...geometry, orGrowing: true }
    return {
      wanted: { ...wanted, ...(only !== undefined && { only }) },
      ...{ entry, fileDigest, name: this.name, visibleName: this.name, isStrict: false },
      isSparse: dataBytes < size,
      requireSpace: (presentBytes) => {
        this.neededBytes = Math.max(0, dataBytes - presentBytes)
        return host.requireSpace(this)
      },
    }
  }

  /** What others have left here. What the author's digests are known of is judged at once. */
  async #found(files: Files, arrival: Arrival): Promise<void> {
    const { content, partial, runs, host } = files
    const { journal, signed = [], copied } = arrival
    if (journal === 'ours') runs.restore(signed)
    else for (const run of signed) runs.keep(run)
    const { size, digest: algorithm, fileDigest } = content
    const geometry = { size, blockBytes: this.blockBytes, algorithm }
    const table = digestTable(geometry, runs.covering() ?? copied?.signed ?? [])
    this.#isProved = table !== null && host.work.sum(geometry, table) === fileDigest
    const unread = [...(arrival.unread ?? []), ...(arrival.unreadCandidates ?? [])]
    const read = [...(arrival.held ?? []), ...(arrival.candidates ?? [])]
    const toHash = unread.map(({ offset, length }) => ({ offset, length, digests: null }))
    this.#unjudged = [...read, ...toHash]
    if (table === null || !this.#isProved) return
    this.#digests = table
    this.#judge(read, journal === 'ours')
    this.#prove(files)
    if (partial.bytesToBring > 0) await this.#bring(files)
  }

  /** `isNoted`: the journal says so already. */
  #judge(runs: readonly FoundRun[], isNoted: boolean): void {
    const { right } = new FoundBlocks(this.blockBytes, runs).judge((...at) => this.#of(...at))
    for (const [offset, length] of right) {
      this.here.add(offset, length)
      if (!isNoted) this.#fresh.push({ offset, length, digests: this.#of(offset, length) })
    }
  }

  /** Copies what another file of the node has, and looks at it where it is now. */
  async #bring({ partial, hasher }: Files): Promise<void> {
    const { size } = this.#spec
    const step = taskBytesFor(this.blockBytes)
    for (let offset = 0; offset < size && !this.isEnded; offset += step) {
      const range = { offset, length: Math.min(step, size - offset) }
      await partial.bring(range)
      const digests = await new Promise<Uint8Array>((resolve, reject) => {
        void hasher.hash(partial.file, range, resolve, reject)
      })
      this.#judge([{ ...range, digests }], false)
      this.#hooks.changed()
    }
  }

  #landed({ partial }: Files, [first, length]: RangePair): Landed {
    const { file, scratch } = partial
    if (scratch === undefined) throw new FrError('ERR_FR_ABORTED', 'the file is here already')
    const within = (of: RangePair): RangePair[] => RangeSet.of([of]).present(first, length)
    const found: FoundRun[] = this.here
      .present(first, length)
      .map(([offset, bytes]) => ({ offset, length: bytes, digests: this.#of(offset, bytes) }))
    for (const run of this.#unjudged)
      for (const [at, bytes] of within([run.offset, run.length]))
        for (const [offset, left] of this.here.missing(at, bytes)) {
          const digests = run.digests && this.#partOf(run, offset, left)
          found.push({ offset, length: left, digests })
        }
    const known = this.#isProved ? { digests: this.#digests } : {}
    return { file, scratch, found, ...known }
  }

  /** The digests that one source has sent are of use to the next, and to whoever asks us. */
  #signed(run: DigestRun): void {
    const files = this.#files
    if (files === undefined || this.filled !== undefined) return
    files.runs.keep(run)
    this.#covered.add(run.offset, run.length)
    if (this.#covered.contains(0, this.#spec.size)) this.#prove(files)
  }

  #prove({ runs, content, host, partial }: Files): void {
    const { size, digest: algorithm, fileDigest } = content
    const geometry = { size, blockBytes: this.blockBytes, algorithm }
    const signed = runs.covering()
    const table = signed && digestTable(geometry, signed)
    if (!signed || !table || host.work.sum(geometry, table) !== fileDigest) return
    this.#digests = table
    this.#isProved = true
    if (!partial.isLanding) return
    const {
      contentId,
      author,
      only,
      mode,
      mtimeSeconds: seconds,
      mtimeNanos: nanos,
    } = content.entry
    const about = { contentId, author, ...geometry, ...(only !== undefined && { only }) }
    this.filled = {
      header: { ...about, name: this.name, transfer: this.#spec.transfer },
      whole: { fileDigest, attributes: { mode, mtime: { seconds, nanos } } },
      ...{ signed, here: this.here, publishing: () => this.#publishing },
      isLeft: () => this.#isLeft || this.isEnded,
    }
    host.store.leftovers.filling(partial.id, this.filled)
    this.#hooks.changed()
  }

  /** Its bytes cost less than to be told of it early, or after a kill right behind its rename. */
  get #isSmall(): boolean {
    return this.#spec.size <= limits.orderSmallBytes
  }

  /** Of these blocks. */
  #of(offset: number, length: number): Uint8Array {
    return this.#partOf({ offset: 0, digests: this.#digests }, offset, length)
  }

  #partOf(
    run: Pick<HeldRun, 'offset'> & { readonly digests: Uint8Array | null },
    offset: number,
    length: number,
  ): Uint8Array {
    const each = this.#digestBytes
    const from = ((offset - run.offset) / this.blockBytes) * each
    const to = from + Math.ceil(length / this.blockBytes) * each
    return (run.digests as Uint8Array).subarray(from, to)
  }

  get #digestBytes(): number {
    return this.#digests.length / Math.max(1, Math.ceil(this.#spec.size / this.blockBytes))
  }

  #verified(run: HeldRun): void {
    const { offset, length, digests } = run
    if (this.here.contains(offset, length)) return
    this.here.add(offset, length)
    this.#digests.set(digests, (offset / this.blockBytes) * this.#digestBytes)
    this.#fresh.push(run)
    this.#hooks.changed()
  }

  // --- the end ---

  async #publish({ host, partial, publication, content, log, journal, ...came }: Files) {
    const { fileDigest, size } = content
    if (log.summed(publication.sum(this.#digests)) !== fileDigest)
      throw new FrError('ERR_FR_DIGEST', 'the digests of its blocks are not those of the file')
    const { runs, copied } = came
    const told = await publication.publish(
      async () => {
        if (!this.#isSmall || journal?.isWorthKeeping === true)
          await tellPublishing(host, partial, journal)
      },
      () => ({ runs, copied }),
    )
    this.isPublished = true
    host.store.leftovers.filling(partial.id, undefined)
    for (const text of told.warnings) log.line('warn', 'attributes', { text })
    log.published(size, 0, false)
    await host.store.makeWay(this.name).catch(() => {})
    this.#hooks.changed()
  }
}
