/**
 * Which files a node holds whole, across restarts: `DATA/.fastreplica/catalogue` (index-file.ts)
 * has a line for each; digest runs that are too long for it are in files (digest-file.ts).
 *
 * The idea: digest runs are durable with their line or before it, and a record counts once its line
 * is durable. What waits is written together: one write and one fsync for all lines. The
 * directory is locked by its node, so nobody else writes here; others may follow what it writes.
 * Nothing that is read is trusted
 * beyond its checksum: whether the file is still the one described is for the caller to compare
 * (FileIdentity).
 */
import { type FileHandle, mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
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
import { Entries } from './entries.js'
import {
  copyLines,
  headLine,
  type IndexEntry,
  type IndexLine,
  type ReadIndex,
  readIndex,
  runsInLine,
  textOfLine,
} from './index-file.js'
import type { DigestRun, HeldStream } from './record.js'

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
  readonly #entries = new Entries()
  readonly #waiting: Change[] = []
  #file: FileHandle
  /** Length of the index up to its last whole line, and how many lines those are. */
  #indexBytes = 0
  #lines = 0
  /** Something may lie behind #indexBytes. */
  #isTorn = false
  #next = 0
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
   * process alone knows, and `follow` takes what another process writes. Rejects with
   * ERR_FR_CATALOGUE, also where there is none.
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
    return { streams: this.#entries.size, bytes: this.#entries.bytes, damaged: this.#damaged }
  }

  get(name: Uint8Array): HeldStream | undefined {
    return this.#entries.get(keyOf(name))?.record
  }

  withDigest(...of: Parameters<Entries['withDigest']>): HeldStream | undefined {
    return this.#entries.withDigest(...of)
  }

  ofContent(...of: Parameters<Entries['ofContent']>): HeldStream | undefined {
    return this.#entries.ofContent(...of)
  }

  beneath(prefix: Uint8Array): readonly HeldStream[] {
    return this.#entries.beneath(prefix)
  }

  list(): readonly HeldStream[] {
    return this.#entries.list()
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
    this.#use(await readIndex(this.#file, this.#path))
  }

  #use(read: ReadIndex): void {
    this.#lines = read.lines
    this.#damaged = read.damaged
    this.#indexBytes = read.wholeBytes
    this.#isTorn = true
    this.#next = read.next
    for (const [key, entry] of read.entries) this.#keep(key, entry)
  }

  /** Whoever writes the file keeps to the same bound. */
  #keep(key: string, entry: IndexEntry): void {
    const hasRoom = this.#entries.has(key) || this.#entries.size < limits.heldStreams
    if (hasRoom) this.#entries.set(key, entry)
  }

  /**
   * Takes what the process that writes the catalogue has written since. For one that is only read,
   * one call at a time. Rejects with what the system said; all stays as it was then.
   */
  async follow(): Promise<void> {
    const [own, there] = await Promise.all([
      this.#file.stat({ bigint: true }),
      stat(this.#path, { bigint: true }),
    ])
    const isSame = own.dev === there.dev && own.ino === there.ino
    const moreBytes = Number(there.size) - this.#indexBytes
    if (this.#isClosed || (isSame && moreBytes === 0)) return
    const more = isSame && moreBytes > 0 ? await this.#more() : undefined
    if (more !== undefined) return this.#add(more)
    const file = await openKept(this.#path)
    if (file === null) return
    const read = await readIndex(file, this.#path).catch(async (error: unknown) => {
      await file.close()
      throw error
    })
    if (this.#isClosed) return await file.close()
    const before = this.#file
    this.#file = file
    for (const key of this.#entries.keys()) this.#entries.set(key, null)
    this.#use(read)
    await before.close()
  }

  /** Undefined: it is not the same file any more, whatever its inode says. */
  async #more(): Promise<ReadIndex | undefined> {
    const more = await readIndex(this.#file, this.#path, this.#indexBytes)
    return more.damaged === 0 ? more : undefined
  }

  #add({ entries, removed, lines, next, wholeBytes }: ReadIndex): void {
    const isLater = (key: string, n: number): boolean => n > (this.#entries.get(key)?.n ?? -1)
    for (const [key, n] of removed) if (isLater(key, n)) this.#entries.set(key, null)
    for (const [key, entry] of entries) if (isLater(key, entry.n)) this.#keep(key, entry)
    this.#lines += lines
    this.#next = Math.max(this.#next, next)
    this.#indexBytes = wholeBytes
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
    const entries = this.#entries.values().filter(({ hasRuns }) => !hasRuns)
    // One for each record is what there should be; comparing all names takes long.
    if (names.length === entries.length) return
    const needed = new Set(entries.map(({ record }) => digestFileOf(record)))
    for (const name of names)
      if (!needed.has(name)) await unlink(join(this.#digestsDir, name)).catch(() => {})
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
    this.#entries.set(key, { ...before, record })
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
      this.#entries.set(key, entry)
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
    for (const [key, entry] of moved) this.#entries.move(key, entry)
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
