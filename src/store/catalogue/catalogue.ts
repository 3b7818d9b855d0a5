/**
 * Which files a node holds whole, across restarts: `DATA/.fastreplica/catalogue` (index-file.ts)
 * has a line for each; digest runs that are too long for it are in files (digest-file.ts).
 *
 * The idea: digest runs are durable with their line or before it, and a record counts once its line
 * is durable. What waits is written together: one write and one fsync for all lines. The
 * directory is locked by its node, so nobody else writes here. Nothing that is read is trusted
 * beyond its checksum: whether the file is still the one described is for the caller to compare
 * (FileIdentity).
 */
import { type FileHandle, mkdir, readdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import { isHidden } from '../../base/names.js'
import {
  isTemporary,
  openKept,
  openOwn,
  replaceFile,
  syncDirectory,
  writeAll,
} from '../files/durable.js'
import { keyOf } from '../files/plain.js'
import { digestFileOf, readRuns, writeRuns } from './digest-file.js'
import {
  copyLines,
  headLine,
  type IndexEntry,
  type IndexLine,
  readIndex,
  runsInLine,
  textOfLine,
} from './index-file.js'
import { type DigestRun, type HeldStream, mayBecome } from './record.js'

export interface CatalogueTotals {
  readonly streams: number
  /** Sizes of the files. */
  readonly bytes: number
  /** Lines of the index that were damaged at the opening, and digest files since. */
  readonly damaged: number
}

/** A change that waits to be written. */
interface Change {
  readonly key: string
  /** Null: the name is removed. */
  readonly record: HeldStream | null
  /** Absent: those of the present record stay. */
  readonly runs?: readonly DigestRun[]
  readonly done: () => void
  readonly failed: (error: FrError) => void
}

/** A record is there from now on, or gone, or in the place of another one of its name. */
export type RecordChanged = (before: HeldStream | undefined, now: HeldStream | undefined) => void

export class Catalogue {
  readonly #path: string
  readonly #digestsDir: string
  /** Nothing is written to the disk. */
  readonly isReadOnly: boolean
  readonly #entries = new Map<string, IndexEntry>()
  /** By file digest; a set where several files have the same. */
  readonly #byDigest = new Map<string, HeldStream | Set<HeldStream>>()
  /** The records in the order of names; undefined after a change. */
  #sorted: readonly HeldStream[] | undefined
  readonly #waiting: Change[] = []
  #file: FileHandle
  /** Length of the index up to its last whole line, and how many lines those are. */
  #indexBytes = 0
  #lines = 0
  /** Something may lie behind #indexBytes. */
  #isTorn = false
  #next = 0
  #bytes = 0
  #damaged = 0
  #work: Promise<void> | undefined
  #isClosed = false
  #changed: RecordChanged = () => {}

  private constructor(hiddenDir: string, file: FileHandle, isReadOnly: boolean) {
    this.#path = pathIn(hiddenDir)
    this.#digestsDir = digestsIn(hiddenDir)
    this.isReadOnly = isReadOnly
    this.#file = file
  }

  /**
   * Opens the catalogue in a `.fastreplica` directory and removes what no record needs. Rejects
   * with ERR_FR_CATALOGUE when a newer version wrote it, or it can be neither read nor made.
   */
  static async open(hiddenDir: string, changed?: RecordChanged): Promise<Catalogue> {
    const path = pathIn(hiddenDir)
    let file: FileHandle | null = null
    try {
      await mkdir(digestsIn(hiddenDir), 0o700).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      })
      file = await openOwn(path)
      if (file === null) throw new Error(`${path} is not a regular file`)
      const catalogue = new Catalogue(hiddenDir, file, false)
      await catalogue.#load()
      await catalogue.#tidy()
      catalogue.#changed = changed ?? catalogue.#changed
      return catalogue
    } catch (error) {
      await file?.close().catch(() => {})
      throw asFrError(error, 'ERR_FR_CATALOGUE')
    }
  }

  /**
   * Opens the catalogue as it is, and writes nothing: records can only be refreshed, which this
   * process alone knows. Rejects with ERR_FR_CATALOGUE, also where there is none.
   */
  static async openReadOnly(hiddenDir: string): Promise<Catalogue> {
    const path = pathIn(hiddenDir)
    let file: FileHandle | null = null
    try {
      file = await openKept(path)
      const text = `${path} is missing: fr node --adopt without --read-only makes it`
      if (file === null) throw new Error(text)
      const catalogue = new Catalogue(hiddenDir, file, true)
      await catalogue.#load()
      return catalogue
    } catch (error) {
      await file?.close().catch(() => {})
      throw asFrError(error, 'ERR_FR_CATALOGUE')
    }
  }

  get totals(): CatalogueTotals {
    return { streams: this.#entries.size, bytes: this.#bytes, damaged: this.#damaged }
  }

  get(name: Uint8Array): HeldStream | undefined {
    return this.#entries.get(keyOf(name))?.record
  }

  /** A record of this content, under any name. `use`: what of all is of use; default: all. */
  withDigest(
    fileDigest: string,
    size: number,
    use: (record: HeldStream) => boolean = () => true,
  ): HeldStream | undefined {
    const found = this.#byDigest.get(fileDigest)
    for (const record of found instanceof Set ? found : [found])
      if (record?.size === size && !isHidden(record.name) && use(record)) return record
    return undefined
  }

  /**
   * The same, of this name rather than of another one, for a content that those of `only` may have:
   * what others may have, too, or the same.
   */
  ofContent(
    name: Uint8Array,
    fileDigest: string,
    size: number,
    only: string | undefined,
  ): HeldStream | undefined {
    const use = (record: HeldStream): boolean => mayBecome(record, only)
    const own = this.get(name)
    const isIt = own?.fileDigest === fileDigest && own.size === size && use(own)
    return isIt ? own : this.withDigest(fileDigest, size, use)
  }

  /** Of files whose names begin so, also those in versions of trees that nobody is to see yet. */
  beneath(prefix: Uint8Array): readonly HeldStream[] {
    const start = keyOf(prefix)
    const found: HeldStream[] = []
    for (const [key, { record }] of this.#entries) if (key.startsWith(start)) found.push(record)
    return found
  }

  /** In the order of names, as bytes. Sorted anew only after a change. */
  list(): readonly HeldStream[] {
    this.#sorted ??= [...this.#entries]
      .filter(([, { record }]) => !isHidden(record.name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { record }]) => record)
    return this.#sorted
  }

  /**
   * Durable when it resolves; replaces a record of the same name. `runs` are in order of offset and
   * cover the file together. Rejects with ERR_FR_CLOSED, ERR_FR_LIMIT, or ERR_FR_CATALOGUE when it
   * cannot be written: the earlier record stays then.
   */
  put(record: HeldStream, runs: readonly DigestRun[]): Promise<void> {
    return this.#change({ key: keyOf(record.name), record, runs })
  }

  /** Replaces the record of a name without its digest runs: of the same content. Like `put`. */
  refresh(record: HeldStream): Promise<void> {
    return this.#change({ key: keyOf(record.name), record })
  }

  /** Read from the disk; rejects with ERR_FR_CATALOGUE when they are damaged. */
  async runs(record: HeldStream): Promise<readonly DigestRun[]> {
    try {
      return await this.#runs(record)
    } catch (error) {
      this.#damaged++
      throw asFrError(error, 'ERR_FR_CATALOGUE')
    }
  }

  async #runs(record: HeldStream): Promise<readonly DigestRun[]> {
    const entry = this.#entries.get(keyOf(record.name))
    if (entry?.hasRuns !== true || entry.record.contentId !== record.contentId)
      return readRuns(join(this.#digestsDir, digestFileOf(record)), record)
    // This begins at once: a new index takes the place of the file and of the entries together.
    const found = await runsInLine(this.#file, entry)
    if (found !== undefined) return found
    throw new FrError('ERR_FR_CATALOGUE', `${this.#path} is damaged`, { path: this.#path })
  }

  /** Durable when it resolves. Nothing happens to the file itself. */
  async remove(name: Uint8Array): Promise<void> {
    await this.#change({ key: keyOf(name), record: null })
  }

  /** After what was asked before. Idempotent. */
  async close(): Promise<void> {
    const wasClosed = this.#isClosed
    this.#isClosed = true
    await this.#work
    if (!wasClosed) await this.#file.close()
  }

  // --- reading ---

  async #load(): Promise<void> {
    const read = await readIndex(this.#file, this.#path)
    this.#lines = read.lines
    this.#damaged = read.damaged
    this.#indexBytes = read.wholeBytes
    this.#isTorn = true
    this.#next = read.next
    for (const [key, entry] of read.entries)
      if (this.#entries.size < limits.heldStreams) this.#set(key, entry)
  }

  async #tidy(): Promise<void> {
    if (this.#indexBytes === 0) await this.#rewrite()
    // Damaged lines are passed over where there is no room to rewrite the index.
    else if (this.#damaged > 0) await this.#rewrite().catch(() => {})
    await this.#sweep()
  }

  /** Removes files that no record needs: a process was stopped before it could. */
  async #sweep(): Promise<void> {
    const directory = dirname(this.#path)
    for (const name of await readdir(directory))
      if (name.startsWith('catalogue.') && isTemporary(name))
        await unlink(join(directory, name)).catch(() => {})
    const names = await readdir(this.#digestsDir)
    const entries = [...this.#entries.values()].filter(({ hasRuns }) => !hasRuns)
    // One for each record is what there should be; comparing all names takes long.
    if (names.length === entries.length) return
    const needed = new Set(entries.map(({ record }) => digestFileOf(record)))
    for (const name of names)
      if (!needed.has(name)) await unlink(join(this.#digestsDir, name)).catch(() => {})
  }

  #set(key: string, entry: IndexEntry | null): void {
    this.#sorted = undefined
    const before = this.#entries.get(key)?.record
    if (before !== undefined) {
      this.#bytes -= before.size
      this.#entries.delete(key)
      const same = this.#byDigest.get(before.fileDigest)
      if (same instanceof Set) same.delete(before)
      if (!(same instanceof Set) || same.size === 0) this.#byDigest.delete(before.fileDigest)
    }
    if (entry === null) return
    const { record } = entry
    this.#bytes += record.size
    this.#entries.set(key, entry)
    const same = this.#byDigest.get(record.fileDigest)
    if (same === undefined) this.#byDigest.set(record.fileDigest, record)
    else if (same instanceof Set) same.add(record)
    else this.#byDigest.set(record.fileDigest, new Set([same, record]))
  }

  // --- writing ---

  #change(change: Omit<Change, 'done' | 'failed'>): Promise<void> {
    if (this.#isClosed) return Promise.reject(new FrError('ERR_FR_CLOSED', 'the node is closing'))
    if (this.isReadOnly) return this.#changeHere(change)
    return new Promise((done, failed) => {
      this.#waiting.push({ ...change, done, failed })
      this.#work ??= this.#drain()
    })
  }

  async #changeHere({ key, record, runs }: Omit<Change, 'done' | 'failed'>): Promise<void> {
    const before = this.#entries.get(key)
    const isRefreshed = record !== null && runs === undefined
    if (!isRefreshed) throw new FrError('ERR_FR_READ_ONLY')
    if (before?.record.contentId !== record.contentId) throw unknownError()
    this.#set(key, { ...before, record })
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0))
    // At once: what is asked from here on begins anew.
    this.#work = undefined
  }

  /** Everything that waited, together. Never rejects. */
  async #write(changes: readonly Change[]): Promise<void> {
    const ready: Change[] = []
    try {
      let room = limits.heldStreams - this.#entries.size
      let hasFiles = false
      for (const change of changes) {
        const { key, record, runs } = change
        const isNew = record !== null && !this.#entries.has(key)
        if (isNew && --room < 0) change.failed(fullError())
        else if (record === null || runs === undefined || isShort(runs)) ready.push(change)
        else {
          const path = join(this.#digestsDir, digestFileOf(record))
          const failure = await writeRuns(path, record, runs).catch((error: unknown) => error)
          if (failure !== undefined) change.failed(asFrError(failure, 'ERR_FR_CATALOGUE'))
          else {
            hasFiles = true
            ready.push(change)
          }
        }
      }
      if (hasFiles) await syncDirectory(this.#digestsDir)
      await this.#append(ready)
    } catch (error) {
      for (const { failed } of ready) failed(asFrError(error, 'ERR_FR_CATALOGUE'))
      return
    }
    for (const { done } of ready) done()
    const deadLines = this.#lines - this.#entries.size
    // What cannot be rewritten now is still right, only long.
    if (deadLines > Math.max(this.#entries.size, limits.catalogueDeadLines))
      await this.#rewrite().catch(() => {})
  }

  /** Writes a line for each change; then they count, and digest files without a record go. */
  async #append(changes: readonly Change[]): Promise<void> {
    const parts: Buffer[] = []
    const entries = new Map<string, IndexEntry | null>()
    const runsNow = new Map<string, readonly DigestRun[]>()
    let at = this.#indexBytes
    for (const { key, record, runs, failed } of changes) {
      const before = entries.has(key) ? entries.get(key) : this.#entries.get(key)
      const n = this.#next++
      let inLine = runs !== undefined && isShort(runs) ? runs : undefined
      if (record !== null && runs === undefined) {
        if (before?.record.contentId !== record.contentId) {
          failed(unknownError())
          continue
        }
        if (before.hasRuns) inLine = runsNow.get(key) ?? (await this.#runs(record))
      }
      const put = record && { n, put: record, ...(inLine && { runs: inLine }) }
      const line: IndexLine = put ?? { n, remove: key }
      const hasRuns = inLine !== undefined
      if (inLine !== undefined) runsNow.set(key, inLine)
      const bytes = Buffer.from(textOfLine(line))
      entries.set(key, record && { n, record, at, bytes: bytes.length - 1, hasRuns })
      parts.push(bytes)
      at += bytes.length
    }
    if (parts.length === 0) return
    if (this.#isTorn) await this.#file.truncate(this.#indexBytes)
    this.#isTorn = true
    await writeAll(this.#file, Buffer.concat(parts), this.#indexBytes)
    await this.#file.datasync()
    this.#isTorn = false
    this.#indexBytes = at
    this.#lines += parts.length
    await this.#take(entries)
  }

  /** These count from now on; digest files that belong to no record any more go. */
  async #take(entries: ReadonlyMap<string, IndexEntry | null>): Promise<void> {
    const dead: string[] = []
    for (const [key, entry] of entries) {
      const before = this.#entries.get(key)
      this.#set(key, entry)
      this.#changed(before?.record, entry?.record)
      if (before?.hasRuns !== false) continue
      const name = digestFileOf(before.record)
      const isNeeded = entry?.hasRuns === false && digestFileOf(entry.record) === name
      if (!isNeeded) dead.push(name)
    }
    for (const name of dead) await unlink(join(this.#digestsDir, name)).catch(() => {})
  }

  /** A new index with the line of each record takes the place of the old one. */
  async #rewrite(): Promise<void> {
    const head = Buffer.from(headLine())
    const keys = new Map([...this.#entries].map(([key, { at }]) => [at, key]))
    const moved: [string, IndexEntry][] = []
    let bytes = head.length
    await replaceFile(this.#path, async (file) => {
      await writeAll(file, head, 0)
      await copyLines(this.#file, keys, async (piece, lines) => {
        await writeAll(file, piece, bytes)
        for (const [key, length] of lines) {
          moved.push([key, { ...(this.#entries.get(key) as IndexEntry), at: bytes }])
          bytes += length + 1
        }
      })
    })
    await syncDirectory(dirname(this.#path))
    const file = await openOwn(this.#path)
    if (file === null) throw new Error(`${this.#path} is not a regular file`)
    const old = this.#file
    this.#file = file
    this.#indexBytes = bytes
    this.#lines = moved.length
    this.#isTorn = false
    for (const [key, entry] of moved) this.#entries.set(key, entry)
    await old.close()
  }
}

function pathIn(hiddenDir: string): string {
  return join(hiddenDir, 'catalogue')
}

function digestsIn(hiddenDir: string): string {
  return join(hiddenDir, 'digests')
}

/** They fit the line of their record. */
function isShort(runs: readonly DigestRun[]): boolean {
  const bytes = runs.reduce((sum, { payload }) => sum + payload.length, 0)
  return runs.length <= 2 && bytes <= limits.catalogueLineDigestBytes
}

function unknownError(): FrError {
  return new FrError('ERR_FR_CATALOGUE', 'there is no record of this content under this name')
}

function fullError(): FrError {
  return new FrError('ERR_FR_LIMIT', `the node has records of ${limits.heldStreams} files already`)
}
