/**
 * What earlier transfers left: partials with a journal of the blocks that were verified in them.
 * They are found by what they hold, whatever their names: first one that was made of the very same
 * content, whose digests are known to be the author's; else one of the same size, whose blocks have
 * to be compared.
 */
import { access, mkdir, readdir, stat, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { DigestAlgorithm } from '../base/digests.js'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import type { BlockBytes } from '../base/sections.js'
import type { HeldRun } from '../control/holdings/have.js'
import type { DataDirHandle, FileHandle, FileIdentity, Leftover, Storage } from '../ports.js'
import type { DigestRun } from './catalogue/record.js'
import {
  Journal,
  type JournalHeader,
  type ReadJournal,
  readHeader,
  readJournal,
  type WholeFile,
} from './journal/journal.js'
import { isScratch } from './partial.js'

/** The content that is wanted. */
export interface WantedContent {
  readonly contentId: string
  /** Public key of whoever signs its digests, 64 hex digits. */
  readonly author: string
  readonly algorithm: DigestAlgorithm
  /** By sections where it is still written; `size` is the most that it may be then. */
  readonly blockBytes: BlockBytes
  readonly size: number
  /** Criteria: who may have it; absent: whoever asks. */
  readonly only?: string
  /** What was left of it while it was still written is of use, too: to be read before it counts. */
  readonly orGrowing?: boolean
}

export interface Unfinished {
  /** Of the partial. */
  readonly id: string
  /** Of the very same content: else what the journal says has to be compared. */
  readonly isOfContent: boolean
  /** Verified in the partial, and there. */
  readonly held: readonly HeldRun[]
  /** Verified in the partial once: perhaps not there now. */
  readonly unread: readonly HeldRun[]
  /** What the author of the content signed of it. */
  readonly signed: readonly DigestRun[]
  readonly bytes: number
  /** Bytes of the whole, where the partial is as long as the content was when it was left. */
  readonly grownTo?: number
}

/** A partial that is filled now, as far as it can be proved to others. */
export interface Filled {
  readonly header: Omit<JournalHeader, 'blockBytes'> & { readonly blockBytes: number }
  readonly whole: WholeFile & { readonly fileDigest: string }
  /** Of all its blocks, as their author signed them. */
  readonly signed: readonly DigestRun[]
  /** Verified so far; whoever fills it adds to it. */
  readonly here: RangeSet
  /** Ends once the file has its name; undefined: it is not given one yet. */
  readonly publishing: () => Promise<void> | undefined
  /** Nobody is about to give it its name once all of it is here. */
  readonly isLeft: () => boolean
}

/** A partial of which others can be told; as of Filled, when it was looked at. */
export interface Told extends Omit<Filled, 'signed' | 'publishing'> {
  readonly id: string
}

const keepsNothing = (_contentId: string): boolean => false

export class Leftovers {
  readonly #storage: Storage
  readonly #dir: DataDirHandle
  readonly #journalsDir: string
  readonly #partialsDir: string
  /** Those that are filled now, by the ids of their partials. */
  readonly #filled = new Map<string, Filled>()
  readonly #keeps: (contentId: string) => boolean
  /** Ids of partials that are open or about to be, or about to go. */
  readonly #open = new Set<string>()

  /** `keeps`: contents whose partials do not expire. */
  constructor(storage: Storage, dir: DataDirHandle, hiddenDir: string, keeps = keepsNothing) {
    this.#storage = storage
    this.#keeps = keeps
    this.#dir = dir
    this.#journalsDir = join(hiddenDir, 'journals')
    this.#partialsDir = join(hiddenDir, 'partials')
  }

  /** Where the journal of a partial is. */
  pathOf(id: string): string {
    return join(this.#journalsDir, id)
  }

  /** Before a partial is opened or removed; false: somebody else is at it. `close` follows. */
  reserve(id: string): boolean {
    if (this.#open.has(id)) return false
    this.#open.add(id)
    return true
  }

  /**
   * Path of the journal beside a partial, whose directory exists then; `close` or `drop` follows.
   * Rejects with ERR_FR_IO.
   */
  async open(id: string): Promise<string> {
    this.#open.add(id)
    try {
      await mkdir(this.#journalsDir, 0o700).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      })
    } catch (error) {
      throw asFrError(error, 'ERR_FR_IO')
    }
    return this.pathOf(id)
  }

  /**
   * The partial that most likely has most of the content; undefined: there is none. Looks at
   * limits.journalsRead journals at most.
   */
  async find(wanted: WantedContent): Promise<Unfinished | undefined> {
    let best: Unfinished | undefined
    const left = (await this.#partials()).slice(0, limits.journalsRead)
    for (const { id } of left) {
      const found = await this.look(id, wanted, null)
      if (found !== undefined && isBetter(found, best)) best = found
    }
    return best
  }

  /**
   * What a partial has by its journal; undefined: nothing of use. Holds as long as nobody else
   * opens the partial. `identity` of the partial; null: it is not open, and nothing is sure.
   */
  async look(
    id: string,
    wanted: WantedContent,
    identity: FileIdentity | null,
  ): Promise<Unfinished | undefined> {
    const header = await readHeader(this.pathOf(id))
    if (header === null || !isLike(header, wanted)) return undefined
    const journal = await readJournal(this.pathOf(id), identity)
    if (journal === null || !isLike(journal.header, wanted)) return undefined
    const found = unfinishedOf(id, journal, wanted)
    return found.bytes > 0 ? found : undefined
  }

  /** Until the partial is closed or dropped, or with undefined: it has got its name. */
  filling(id: string, filled: Filled | undefined): void {
    if (filled === undefined) this.#filled.delete(id)
    else this.#filled.set(id, filled)
  }

  filledOf(id: string): Filled | undefined {
    return this.#filled.get(id)
  }

  /** What can be proved to others of all partials, limits.journalsRead at most. */
  async *told(): AsyncGenerator<Told> {
    const told = new Set<string>()
    for (const [id, filled] of [...this.#filled]) {
      told.add(id)
      yield { ...filled, id }
    }
    for (const { id } of (await this.#partials()).slice(0, limits.journalsRead)) {
      const found = told.has(id) ? null : await this.#read(id).catch(() => null)
      if (found !== null) yield { ...found, id }
    }
  }

  /** As its journal says, where that is sure; null: nothing that can be proved. */
  async #read(id: string): Promise<Omit<Filled, 'publishing'> | null> {
    const header = await readHeader(this.pathOf(id))
    if (header === null || header.blockBytes === 'sections') return null
    const file = await this.openToRead(id, header)
    const identity = this.#storage.identityOf(file).finally(() => this.#storage.closeFile(file))
    const journal = await readJournal(this.pathOf(id), await identity)
    if (journal === null || !isProvable(journal)) return null
    const { blockBytes } = header
    const { fileDigest } = journal.whole
    if (fileDigest === undefined) return null
    const sure = journal.runs.filter(({ isSure }) => isSure)
    const here = RangeSet.of(sure.map(({ offset, length }): RangePair => [offset, length]))
    const { signed, whole } = journal
    const about = { header: { ...header, blockBytes }, whole: { ...whole, fileDigest } }
    return { ...about, signed, here, isLeft: () => true }
  }

  /**
   * The partial of this name that says most and can be proved to others: it tells the digest of the
   * file, and its author has signed all block digests. Undefined: there is none. `fileDigest`: of
   * that content alone.
   */
  async provable(name: Uint8Array, fileDigest?: string): Promise<string | undefined> {
    let best: { id: string; bytes: number } | undefined
    const left = (await this.#partials()).slice(0, limits.journalsRead).map(({ id }) => id)
    for (const id of new Set([...this.#filled.keys(), ...left])) {
      const bytes = await this.#provableBytes(id, name, fileDigest)
      if (bytes > (best?.bytes ?? 0)) best = { id, bytes }
    }
    return best?.id
  }

  /** 0: nothing, or of another name. */
  async #provableBytes(
    id: string,
    name: Uint8Array,
    fileDigest: string | undefined,
  ): Promise<number> {
    const filled = this.#filled.get(id)
    const header = filled?.header ?? (await readHeader(this.pathOf(id)))
    if (header === null || Buffer.compare(header.name, name) !== 0) return 0
    const isOther = (whole: WholeFile): boolean =>
      fileDigest !== undefined && fileDigest !== whole.fileDigest
    if (filled !== undefined) return isOther(filled.whole) ? 0 : filled.here.bytes
    const journal = await readJournal(this.pathOf(id), null)
    if (journal === null || !isProvable(journal) || isOther(journal.whole)) return 0
    return journal.runs.reduce((sum, { length }) => sum + length, 0)
  }

  /**
   * For others, while a transfer may go on with it: who opens a partial as one has it alone.
   * Rejects with ERR_FR_NOT_HELD when it is gone.
   */
  async openToRead(id: string, { size }: Pick<JournalHeader, 'size'>): Promise<FileHandle> {
    const path = join(this.#partialsDir, id)
    const source = await this.#storage.openSource(path).catch(() => undefined)
    if (source?.size === size) return source.file
    if (source !== undefined) this.#storage.closeFile(source.file)
    // It is spread over several disks: what is at the path only says where.
    return this.#storage.openPartial(this.#dir, id)
  }

  /**
   * What was left of a content while it was still written becomes as long as that is by now, before
   * it is opened; whoever does it has reserved it. Rejects with ERR_FR_IO.
   */
  async stretch({ id, grownTo }: Unfinished): Promise<void> {
    if (grownTo === undefined) return
    await truncate(join(this.#partialsDir, id), grownTo).catch((error: unknown) => {
      throw asFrError(error, 'ERR_FR_IO')
    })
  }

  /** Removes the partials that were made for this name, but for those in use; their number. */
  async removeNamed(name: Uint8Array): Promise<number> {
    let removed = 0
    for (const { id } of (await this.#partials()).slice(0, limits.journalsRead)) {
      const header = await readHeader(this.pathOf(id))
      const isOfName = header !== null && Buffer.compare(header.name, name) === 0
      if (!isOfName || !this.reserve(id)) continue
      try {
        await this.#storage.discard(this.#dir, id)
      } catch (error) {
        this.close(id)
        throw error
      }
      await this.drop(id)
      removed++
    }
    return removed
  }

  /** Removes the partials of a content; their number. Rejects with ERR_FR_BUSY: one is in use. */
  async removeContent(contentId: string): Promise<number> {
    let removed = 0
    for (const { id } of (await this.#partials()).slice(0, limits.journalsRead)) {
      if ((await readHeader(this.pathOf(id)))?.contentId !== contentId) continue
      if (!this.reserve(id)) throw new FrError('ERR_FR_BUSY', 'a copy still has it')
      await this.#storage.discard(this.#dir, id).catch((error: unknown) => {
        this.close(id)
        throw error
      })
      await this.drop(id)
      removed++
    }
    return removed
  }

  /** Ids of the partials that do not expire. */
  async kept(): Promise<ReadonlySet<string>> {
    const kept = new Set<string>()
    for (const { id } of (await this.#partials()).slice(0, limits.journalsRead)) {
      const header = await readHeader(this.pathOf(id))
      if (header !== null && this.#keeps(header.contentId)) kept.add(id)
    }
    return kept
  }

  /** As the storage does, but for these; their number. */
  async expireBut(kept: ReadonlySet<string>, olderThanSeconds: number): Promise<number> {
    const beforeMs = Date.now() - olderThanSeconds * 1_000
    let removed = 0
    for (const { id } of await this.#storage.listPartials(this.#dir)) {
      if (kept.has(id) || this.#open.has(id)) continue
      const stats = await stat(join(this.#partialsDir, id)).catch(() => undefined)
      // ctime, which nobody can set.
      if (stats === undefined || stats.ctimeMs > beforeMs || !this.reserve(id)) continue
      await this.#storage.discard(this.#dir, id).finally(() => this.close(id))
      removed++
    }
    return removed
  }

  async hasJournal(id: string): Promise<boolean> {
    return access(this.pathOf(id)).then(
      () => true,
      () => false,
    )
  }

  /** The partial is closed, or nobody is about to open it any more; it stays. */
  close(id: string): void {
    this.#filled.delete(id)
    this.#open.delete(id)
  }

  /** What journals tell whose files were about to get their names; by the ids of the partials. */
  async publishing(): Promise<ReadonlyMap<string, ReadJournal>> {
    const found = new Map<string, ReadJournal>()
    const ids = await readdir(this.#journalsDir).catch(() => [])
    for (const id of ids.slice(0, limits.journalsRead)) {
      const journal = await readJournal(this.pathOf(id), null)
      if (journal?.whole.publishing !== undefined) found.set(id, journal)
    }
    return found
  }

  /**
   * Leaves the partials that a killed process had no time to leave: what is believed of them now
   * stays so when they are trimmed. Before anybody else opens them. Rejects with ERR_FR_IO.
   */
  async settle(): Promise<void> {
    for (const { id } of (await this.#partials()).slice(0, limits.journalsRead)) {
      const journal = await readJournal(this.pathOf(id), null)
      if (journal === null || journal.isLeft) continue
      const file = await this.#storage.openPartial(this.#dir, id)
      try {
        await this.#settle(id, file)
      } finally {
        this.#storage.closeFile(file)
      }
    }
  }

  async #settle(id: string, file: FileHandle): Promise<void> {
    const look = (): Promise<FileIdentity> => this.#storage.identityOf(file)
    const journal = await Journal.resume(this.pathOf(id), look)
    try {
      await this.#storage.trim(file)
      await journal.leave()
    } finally {
      await journal.close()
    }
  }

  /** Removes the journals whose partials are gone. */
  async dropOrphans(): Promise<void> {
    const names = await readdir(this.#journalsDir).catch(() => [])
    if (names.length === 0) return
    const ids = new Set((await this.#partials()).map(({ id }) => id))
    for (const name of names) if (!ids.has(name) && !this.#open.has(name)) await this.drop(name)
  }

  /** The partial is gone, and its journal goes. Never rejects. */
  async drop(id: string): Promise<void> {
    this.#filled.delete(id)
    this.#open.delete(id)
    await unlink(this.pathOf(id)).catch(() => {})
  }

  async #partials(): Promise<Leftover[]> {
    const left = await this.#storage.listPartials(this.#dir)
    return left.filter(({ id }) => !isScratch(id))
  }
}

function isProvable({ header: { size }, signed, whole }: ReadJournal): boolean {
  const covered = RangeSet.of(signed.map(({ offset, length }): RangePair => [offset, length]))
  return whole.fileDigest !== undefined && covered.contains(0, size)
}

/** What is still written is compared with nothing: only its own content is of use. */
function isLike(header: JournalHeader, wanted: WantedContent): boolean {
  const isGrowing = wanted.blockBytes === 'sections'
  if (isGrown(header, wanted))
    return header.contentId === wanted.contentId && header.only === wanted.only
  return (
    (!isGrowing || isOfContent(header, wanted)) &&
    header.size === wanted.size &&
    header.blockBytes === wanted.blockBytes &&
    header.algorithm === wanted.algorithm &&
    header.only === wanted.only
  )
}

/** It was still written when it was left, and is whole by now. */
function isGrown(
  { blockBytes }: Pick<JournalHeader, 'blockBytes'>,
  wanted: WantedContent,
): wanted is WantedContent & { readonly blockBytes: number } {
  return blockBytes === 'sections' && wanted.blockBytes !== blockBytes && wanted.orGrowing === true
}

function unfinishedOf(
  id: string,
  { header, runs, signed }: ReadJournal,
  wanted: WantedContent,
): Unfinished {
  if (isGrown(header, wanted)) return grownOf(id, runs, wanted)
  const held = runs.filter((run) => run.isSure)
  const unread = runs.filter((run) => !run.isSure)
  const bytes = runs.reduce((sum, { length }) => sum + length, 0)
  return { id, isOfContent: isOfContent(header, wanted), held, unread, signed, bytes }
}

/** Its beginning, in blocks of the file, whose digests nobody has told. */
function grownOf(
  id: string,
  runs: readonly HeldRun[],
  { size, blockBytes }: { readonly size: number; readonly blockBytes: number },
): Unfinished {
  let end = 0
  for (const { offset, length } of runs) if (offset <= end) end = Math.max(end, offset + length)
  const bytes = end >= size ? size : Math.floor(end / blockBytes) * blockBytes
  const unread = bytes === 0 ? [] : [{ offset: 0, length: bytes, digests: new Uint8Array() }]
  return { id, isOfContent: false, held: [], unread, signed: [], bytes, grownTo: size }
}

function isOfContent({ contentId, author }: JournalHeader, wanted: WantedContent): boolean {
  return contentId === wanted.contentId && author === wanted.author
}

function isBetter(found: Unfinished, best: Unfinished | undefined): boolean {
  if (best === undefined) return true
  return found.isOfContent === best.isOfContent ? found.bytes > best.bytes : found.isOfContent
}
