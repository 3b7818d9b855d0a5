/**
 * A client that fetches a tree: part after part as a bundle from one holder, large files by
 * themselves from all of them.
 *
 * The idea: each part, and each large file, is an ordinary fetch (fetch-run.ts), verified block by
 * block; what differs is what becomes of it (tree-landing.ts). A holder says with each part where
 * the next one begins. One that fails is left for the next one, which may hold the tree in another
 * state: then it begins anew, as it does where the tree changes meanwhile.
 */
import { base64urlOf, hexOf } from '../../base/bytes.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import { type Failure, FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import { nowMs } from '../../base/time/awake.js'
import type { PackAsk, PackOffer } from '../../control/messages/types.js'
import type { DataEngine, HashPool } from '../../ports.js'
import type { Listing } from '../../protocol/listing.js'
import { decodeName } from '../../protocol/manifest.js'
import type { HeldWork } from '../../store/held/work.js'
import { fullName } from '../../store/trees/full-name.js'
import { digestText } from '../../store/trees/local-copies.js'
import type { EngineRouter } from '../router.js'
import { FetchRun, type FetchSpec, type FetchView } from './fetch-run.js'
import { SeenHolders } from './seen-holders.js'
import {
  type TakenBundle,
  type TreeFileEntry,
  TreeLanding,
  type TreeState,
} from './tree-landing.js'

export interface TreeFetchSpec extends Omit<FetchSpec, 'output' | 'force' | 'range' | 'pack'> {
  readonly output: string
}

export interface TreeFetchView extends Omit<FetchView, 'content'> {
  readonly tree: Pick<TreeState, 'entries' | 'files' | 'isWhole' | 'failedCount' | 'failures'>
}

/** A bundle that has landed. */
interface Part {
  readonly pack: PackOffer
  readonly bytes: number
  readonly digest: DigestAlgorithm
}

const nothing = {
  ...{ next: '', bytes: 0, doneBytes: 0, entries: 0, files: 0, isWhole: true },
  ...{ failedCount: 0, failures: [] },
} as const

/** Failures of this machine, which no other holder would help. */
const ownCodes: ReadonlySet<FrErrorCode> = new Set<FrErrorCode>([
  ...(['ERR_FR_ABORTED', 'ERR_FR_BUSY', 'ERR_FR_ENGINE', 'ERR_FR_EXISTS'] as const),
  ...(['ERR_FR_IS_DIRECTORY', 'ERR_FR_NO_SPACE', 'ERR_FR_INTERNAL'] as const),
])

export class TreeFetch {
  readonly #engine: DataEngine
  readonly #router: EngineRouter
  readonly #pool: HashPool
  readonly #work: HeldWork
  readonly #spec: TreeFetchSpec
  readonly #startMs = nowMs()
  readonly #holders: SeenHolders
  #state: TreeState
  #foundBytes = 0
  #running: FetchRun | undefined
  #cancelled: string | undefined
  #restarts = 0
  /** How long the holder of the next part may bring nothing. */
  #patienceMs: number = limits.fetchSilenceMs

  constructor(
    engine: DataEngine,
    router: EngineRouter,
    pool: HashPool,
    work: HeldWork,
    spec: TreeFetchSpec,
  ) {
    this.#engine = engine
    this.#router = router
    this.#pool = pool
    this.#work = work
    this.#spec = spec
    this.#state = this.#nothing
    this.#holders = new SeenHolders(spec.holders)
  }

  /** Resolves when the tree is in its place and durable; rejects with an FrError. */
  async run(): Promise<TreeFetchView> {
    const { output, log } = this.#spec
    const { storage } = this.#engine
    const landing = await TreeLanding.prepare({ storage, work: this.#work, output, log })
    try {
      this.#state = (await landing.state(this.#state.name)) ?? this.#nothing
      this.#foundBytes = this.#state.doneBytes
      await this.#parts(landing)
      await landing.publish()
      return this.view()
    } finally {
      await landing.close()
    }
  }

  cancel(text: string): void {
    this.#cancelled ??= text
    this.#running?.cancel(text)
  }

  view(): TreeFetchView {
    const { name: _, next, bytes, doneBytes, ...tree } = this.#state
    const running = this.#running?.view()
    const verifiedBytes = Math.min(bytes, doneBytes + (running?.verifiedBytes ?? 0))
    return {
      bytes: next === '' ? null : bytes,
      verifiedBytes,
      foundBytes: this.#foundBytes,
      seconds: (nowMs() - this.#startMs) / 1000,
      digest: null,
      holders: this.#holders.with(running === undefined ? [] : [running]),
      tree,
    }
  }

  // --- parts ---

  async #parts(landing: TreeLanding): Promise<void> {
    const { holders } = this.#spec
    let [at, lost] = [0, 0]
    for (let count = 0; count < limits.treeBundles; count++) {
      const [before, foundBytes, restarts] = [this.#state, this.#foundBytes, this.#restarts]
      const isLast = lost + 1 === holders.length
      this.#patienceMs = isLast ? limits.fetchSilenceMs : limits.fetchOtherMs
      try {
        if (await this.#part(landing, holders[at % holders.length] as string)) return
        lost = 0
      } catch (error) {
        const isOwn = !(error instanceof FrError) || ownCodes.has(error.code)
        if (isOwn || this.#isOver || ++lost === holders.length) throw error
        // What was placed is found there again.
        const isAnew = this.#restarts > restarts
        this.#state = isAnew ? this.#nothing : before
        this.#foundBytes = isAnew ? 0 : foundBytes
        at++
      }
    }
    throw new FrError('ERR_FR_LIMIT', 'the tree has more parts than are fetched')
  }

  /** The next part; true: it was the last. Where the tree has another state now it begins anew. */
  async #part(landing: TreeLanding, holder: string): Promise<boolean> {
    const from = this.#state.next
    // What was set aside has most of it.
    const isListed = landing.hasBefore
    const first = await this.#fetchPart(landing, holder, { from, only: isListed ? [] : null })
    const isAnew = first.pack.isFirst && from !== ''
    if (isAnew) await this.#beginAnew(landing)
    const { pack } = first
    this.#begin(pack)
    const taken = await landing.take(first)
    if (pack.next !== null && taken.listing.entries.length + pack.failedCount === 0)
      throw new FrError('ERR_FR_PROTOCOL', `${holder}: a part of the tree has nothing in it`)
    // In another state only the listing comes.
    const hasBytes = !isListed && !isAnew
    const lacks = await this.#take(landing, taken, first.digest, hasBytes)
    if (lacks.bytes > 0) {
      const only = { from: this.#state.next, only: lacks.toArray() }
      const rest = await this.#fetchPart(landing, holder, only)
      if (rest.pack.next !== pack.next) {
        await this.#beginAnew(landing)
        return false
      }
      this.#note(rest.pack)
      await this.#takeRest(landing, rest, taken.listing, lacks)
    }
    if (pack.next !== null) this.#state = { ...this.#state, next: pack.next }
    await landing.keep(this.#state)
    return pack.next === null
  }

  /** Here, and not placed yet. */
  async #fetchPart(landing: TreeLanding, holder: string, pack: PackAsk): Promise<Part> {
    const { content } = await this.#fetch({
      ...{ pack, holders: [holder], output: landing.bundlePath },
      silenceMs: this.#patienceMs,
    })
    const offer = content?.pack
    if (content === null || offer === undefined)
      throw new FrError('ERR_FR_PROTOCOL', `${holder}: what came is no part of a tree`)
    return { pack: offer, bytes: content.size, digest: content.digest }
  }

  async #beginAnew(landing: TreeLanding): Promise<void> {
    if (++this.#restarts > limits.treeGetRestarts)
      throw new FrError('ERR_FR_SOURCE_CHANGED', 'the tree changes all the time')
    this.#state = this.#nothing
    this.#foundBytes = 0
    // Broken off between the two it begins with what is set aside, too.
    await landing.keep(this.#state)
    await landing.setAside()
  }

  #begin(pack: PackOffer): void {
    const { isWhole, bytes } = pack
    this.#state = { ...this.#state, isWhole, bytes: bytes ?? this.#state.bytes }
    this.#note(pack)
  }

  /** What the holder had to leave out. */
  #note({ failures, failedCount }: PackOffer): void {
    for (const failure of failures) this.#fail(decodeName(failure), failure)
    this.#count({ failedCount: failedCount - failures.length })
  }

  /** Counts what is in its place, brings large files, and gives what bytes are lacking of. */
  async #take(
    landing: TreeLanding,
    { listing, applied }: TakenBundle,
    algorithm: DigestAlgorithm,
    hasBytes: boolean,
  ): Promise<RangeSet> {
    for (const { index, ...failure } of applied.failed) {
      const name = listing.entries[index]?.name ?? new Uint8Array()
      this.#fail(fullName(this.#spec.name, name), failure)
    }
    this.#count({ failedCount: applied.failedCount - applied.failed.length })
    const lacking = RangeSet.of(applied.lacks)
    const toAsk = new RangeSet()
    for (const [index, entry] of listing.entries.entries()) {
      if (entry.kind === 'directory' && listing.isClosing) continue
      const file = entry.kind === 'file' ? entry : null
      const isLacking = lacking.contains(index, 1)
      if (isLacking && file?.isAlone === false && !hasBytes) toAsk.add(index, 1)
      else if (!isLacking || (file !== null && (await this.#bring(landing, file, algorithm)))) {
        this.#count({ entries: 1, files: file === null ? 0 : 1, doneBytes: file?.size ?? 0 })
        if (!isLacking && !hasBytes) this.#foundBytes += file?.size ?? 0
      }
    }
    return toAsk
  }

  /** `lacks`: entries of the listing that were asked for. */
  async #takeRest(
    landing: TreeLanding,
    part: Part,
    { entries }: Listing,
    lacks: RangeSet,
  ): Promise<void> {
    const taken = await landing.take(part)
    await this.#take(landing, taken, part.digest, true)
    const came = new Set(taken.listing.entries.map(({ name }) => textOf(name)))
    for (const [index, { name }] of entries.entries()) {
      if (!lacks.contains(index, 1) || came.has(textOf(name))) continue
      const text = 'the node did not bring it'
      this.#fail(fullName(this.#spec.name, name), { code: 'ERR_FR_NOT_HELD', text })
    }
  }

  /** A file that no bundle brings; false: it could not be had. */
  async #bring(
    landing: TreeLanding,
    entry: TreeFileEntry,
    algorithm: DigestAlgorithm,
  ): Promise<boolean> {
    if (!entry.isAlone || entry.digest === null)
      throw new FrError('ERR_FR_PROTOCOL', 'a bundle lacks bytes of a file')
    const { holders } = this.#spec
    const name = fullName(this.#spec.name, entry.name)
    const wanted = digestText(algorithm, entry.size, hexOf(entry.digest))
    try {
      const { digest } = await this.#fetch({ name, holders, output: landing.filePath })
      const text = 'the node holds another file of this name now'
      if (digest !== wanted) throw new FrError('ERR_FR_NOT_HELD', text)
    } catch (error) {
      if (!(error instanceof FrError) || !this.#isGone(error.code)) throw error
      this.#fail(name, { code: 'ERR_FR_NOT_HELD', text: error.message })
      return false
    }
    const failure = await landing.place(entry, algorithm)
    if (failure !== null) this.#fail(name, failure)
    return failure === null
  }

  /** After a failure: whoever answers has it no more, even if others are lost. */
  #isGone(code: FrErrorCode): boolean {
    if (code === 'ERR_FR_NOT_HELD') return true
    const reasons = this.#holders.with([]).map(({ reason }) => reason)
    const isSaid = reasons.some((reason) => reason?.startsWith('ERR_FR_NOT_HELD'))
    return isSaid && !this.#isOver && !ownCodes.has(code)
  }

  /** One content, to where the landing takes it from. */
  async #fetch(
    what: Pick<FetchSpec, 'holders' | 'output'> &
      Partial<Pick<FetchSpec, 'name' | 'pack' | 'silenceMs'>>,
  ): Promise<FetchView> {
    if (this.#cancelled !== undefined) throw new FrError('ERR_FR_ABORTED', this.#cancelled)
    const timeoutMs = this.#leftMs
    if (timeoutMs === 0) throw new FrError('ERR_FR_TIMEOUT', 'the tree is not here in time')
    const spec = { ...this.#spec, ...what, force: true, range: null, timeoutMs }
    const run = new FetchRun(this.#engine, this.#router, this.#pool, spec)
    this.#running = run
    try {
      return await run.run()
    } finally {
      this.#running = undefined
      this.#holders.add(run.view())
    }
  }

  /** Null: it may take as long as it takes. */
  get #leftMs(): number | null {
    const { timeoutMs } = this.#spec
    if (timeoutMs === null) return null
    return Math.max(0, Math.ceil(timeoutMs - (nowMs() - this.#startMs)))
  }

  get #isOver(): boolean {
    return this.#leftMs === 0 || this.#cancelled !== undefined
  }

  // --- what it has come to ---

  #count(more: Partial<Pick<TreeState, 'entries' | 'files' | 'doneBytes' | 'failedCount'>>): void {
    const { entries, files, doneBytes, failedCount } = this.#state
    this.#state = {
      ...this.#state,
      entries: entries + (more.entries ?? 0),
      files: files + (more.files ?? 0),
      doneBytes: doneBytes + (more.doneBytes ?? 0),
      failedCount: failedCount + (more.failedCount ?? 0),
    }
  }

  #fail(name: Uint8Array, { code, text }: Failure): void {
    this.#count({ failedCount: 1 })
    const { failures } = this.#state
    if (failures.length === limits.treeFailuresTold) return
    const failure = { name: Buffer.from(name).toString(), code, text }
    this.#state = { ...this.#state, failures: [...failures, failure] }
  }

  get #nothing(): TreeState {
    return { ...nothing, name: base64urlOf(this.#spec.name) }
  }
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}
