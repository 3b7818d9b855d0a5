/**
 * Which files a node holds whole, across restarts: `DATA/.fastreplica/catalogue` (index-file.ts)
 * and a file of digest runs for each record (digest-file.ts).
 *
 * The idea: digest runs are durable before the line that names them, and a record counts once its
 * line is durable. What waits is written together: one write and one fsync for all lines. The
 * directory is locked by its node, so nobody else writes here. Nothing that is read is trusted
 * beyond its checksum: whether the file is still the one described is for the caller to compare
 * (FileIdentity).
 */
import { type FileHandle, mkdir, readdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits, MIB } from '../../base/limits.js'
import { isTemporary, openOwn, replaceFile, syncDirectory, writeAll } from '../files/durable.js'
import { keyOf } from '../files/plain.js'
import { digestFileOf, readRuns, writeRuns } from './digest-file.js'
import { headLine, type IndexLine, readIndex, textOfLine } from './index-file.js'
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

export class Catalogue {
  readonly #path: string
  readonly #digestsDir: string
  readonly #records = new Map<string, HeldStream>()
  /** By file digest; a set where several files have the same. */
  readonly #byDigest = new Map<string, HeldStream | Set<HeldStream>>()
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

  private constructor(path: string, digestsDir: string, file: FileHandle) {
    this.#path = path
    this.#digestsDir = digestsDir
    this.#file = file
  }

  /**
   * Opens the catalogue in a `.fastreplica` directory and removes what no record needs. Rejects
   * with ERR_FR_CATALOGUE when a newer version wrote it, or it can be neither read nor made.
   */
  static async open(hiddenDir: string): Promise<Catalogue> {
    const path = join(hiddenDir, 'catalogue')
    const digestsDir = join(hiddenDir, 'digests')
    let file: FileHandle | null = null
    try {
      await mkdir(digestsDir, 0o700).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      })
      file = await openOwn(path)
      if (file === null) throw new Error(`${path} is not a regular file`)
      const catalogue = new Catalogue(path, digestsDir, file)
      await catalogue.#load()
      return catalogue
    } catch (error) {
      await file?.close().catch(() => {})
      throw asFrError(error, 'ERR_FR_CATALOGUE')
    }
  }

  get totals(): CatalogueTotals {
    return { streams: this.#records.size, bytes: this.#bytes, damaged: this.#damaged }
  }

  get(name: Uint8Array): HeldStream | undefined {
    return this.#records.get(keyOf(name))
  }

  /** A record of this content, under any name. */
  withDigest(fileDigest: string, size: number): HeldStream | undefined {
    const found = this.#byDigest.get(fileDigest)
    for (const record of found instanceof Set ? found : [found])
      if (record?.size === size) return record
    return undefined
  }

  /** In the order of names, as bytes. */
  list(): HeldStream[] {
    const byKey = [...this.#records].sort(([a], [b]) => (a < b ? -1 : 1))
    return byKey.map(([, record]) => record)
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
    const key = keyOf(record.name)
    if (this.#records.get(key)?.contentId !== record.contentId)
      return Promise.reject(new FrError('ERR_FR_CATALOGUE', 'there is no record of this content'))
    return this.#change({ key, record })
  }

  /** Read from the disk; rejects with ERR_FR_CATALOGUE when they are damaged. */
  async runs(record: HeldStream): Promise<DigestRun[]> {
    try {
      return await readRuns(join(this.#digestsDir, digestFileOf(record)), record)
    } catch (error) {
      this.#damaged++
      throw asFrError(error, 'ERR_FR_CATALOGUE')
    }
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
    for (const [key, record] of read.records)
      if (this.#records.size < limits.heldStreams) this.#set(key, record)
    if (read.wholeBytes === 0) await this.#rewrite()
    // Damaged lines are passed over where there is no room to rewrite the index.
    else if (read.damaged > 0) await this.#rewrite().catch(() => {})
    await this.#sweep()
  }

  /** Removes files that no record needs: a process was stopped before it could. */
  async #sweep(): Promise<void> {
    const directory = dirname(this.#path)
    for (const name of await readdir(directory))
      if (name.startsWith('catalogue.') && isTemporary(name))
        await unlink(join(directory, name)).catch(() => {})
    const names = await readdir(this.#digestsDir)
    // One for each record is what there should be; comparing all names takes long.
    if (names.length === this.#records.size) return
    const needed = new Set<string>()
    for (const record of this.#records.values()) needed.add(digestFileOf(record))
    for (const name of names)
      if (!needed.has(name)) await unlink(join(this.#digestsDir, name)).catch(() => {})
  }

  #set(key: string, record: HeldStream | null): void {
    const before = this.#records.get(key)
    if (before !== undefined) {
      this.#bytes -= before.size
      this.#records.delete(key)
      const same = this.#byDigest.get(before.fileDigest)
      if (same instanceof Set) same.delete(before)
      if (!(same instanceof Set) || same.size === 0) this.#byDigest.delete(before.fileDigest)
    }
    if (record === null) return
    this.#bytes += record.size
    this.#records.set(key, record)
    const same = this.#byDigest.get(record.fileDigest)
    if (same === undefined) this.#byDigest.set(record.fileDigest, record)
    else if (same instanceof Set) same.add(record)
    else this.#byDigest.set(record.fileDigest, new Set([same, record]))
  }

  // --- writing ---

  #change(change: Omit<Change, 'done' | 'failed'>): Promise<void> {
    if (this.#isClosed) return Promise.reject(new FrError('ERR_FR_CLOSED', 'the node is closing'))
    return new Promise((done, failed) => {
      this.#waiting.push({ ...change, done, failed })
      this.#work ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0))
    // At once: what is asked from here on begins anew.
    this.#work = undefined
  }

  /** Everything that waited, together. Never rejects. */
  async #write(changes: readonly Change[]): Promise<void> {
    const ready: Change[] = []
    let room = limits.heldStreams - this.#records.size
    let hasRuns = false
    for (const change of changes) {
      try {
        const { key, record, runs } = change
        const isNew = record !== null && !this.#records.has(key)
        if (isNew && --room < 0) throw fullError()
        if (record !== null && runs !== undefined) {
          hasRuns = true
          await writeRuns(join(this.#digestsDir, digestFileOf(record)), record, runs)
        }
        ready.push(change)
      } catch (error) {
        change.failed(asFrError(error, 'ERR_FR_CATALOGUE'))
      }
    }
    try {
      if (hasRuns) await syncDirectory(this.#digestsDir)
      await this.#append(ready)
    } catch (error) {
      for (const { failed } of ready) failed(asFrError(error, 'ERR_FR_CATALOGUE'))
      return
    }
    const dead = new Set<string>()
    for (const { key, record } of ready) {
      const before = this.#records.get(key)
      if (before !== undefined) dead.add(digestFileOf(before))
      this.#set(key, record)
      if (record !== null) dead.delete(digestFileOf(record))
    }
    for (const name of dead) await unlink(join(this.#digestsDir, name)).catch(() => {})
    for (const { done } of ready) done()
    const deadLines = this.#lines - this.#records.size
    // What cannot be rewritten now is still right, only long.
    if (deadLines > Math.max(this.#records.size, limits.catalogueDeadLines))
      await this.#rewrite().catch(() => {})
  }

  async #append(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return
    if (this.#isTorn) await this.#file.truncate(this.#indexBytes)
    this.#isTorn = true
    const text = changes.map(({ key, record }) => textOfLine(this.#lineOf(key, record))).join('')
    const bytes = Buffer.from(text)
    await writeAll(this.#file, bytes, this.#indexBytes)
    await this.#file.datasync()
    this.#isTorn = false
    this.#indexBytes += bytes.length
    this.#lines += changes.length
  }

  #lineOf(key: string, record: HeldStream | null): IndexLine {
    const n = this.#next++
    return record === null ? { n, remove: key } : { n, put: record }
  }

  /** A new index with a line for each record takes the place of the old one. */
  async #rewrite(): Promise<void> {
    let bytes = 0
    await replaceFile(this.#path, async (file) => {
      let text = headLine()
      const flush = async (): Promise<void> => {
        const piece = Buffer.from(text)
        await writeAll(file, piece, bytes)
        bytes += piece.length
        text = ''
      }
      for (const [key, record] of this.#records) {
        text += textOfLine(this.#lineOf(key, record))
        if (text.length > MIB) await flush()
      }
      await flush()
    })
    await syncDirectory(dirname(this.#path))
    const file = await openOwn(this.#path)
    if (file === null) throw new Error(`${this.#path} is not a regular file`)
    await this.#file.close()
    this.#file = file
    this.#indexBytes = bytes
    this.#lines = this.#records.size
    this.#isTorn = false
  }
}

function fullError(): FrError {
  return new FrError('ERR_FR_LIMIT', `the node has records of ${limits.heldStreams} files already`)
}
