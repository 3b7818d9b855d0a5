/**
 * What a master keeps, in its data directory: `snapshot-N` and, after it, `journal-N`.
 *
 * The idea: each call appends one line to the journal and waits for fsync, so that after a crash at
 * most the last line is not whole: it is dropped. Any other line that is not as it was written
 * means a disk that lies, which is an error: nothing is guessed. Once the journal is large all is
 * written into the next snapshot, and the last pair is kept until the next one: a snapshot that is
 * damaged is the one before it and its journal.
 *
 * A write that fails leaves a journal of which nobody knows the end: from then on nothing is
 * appended, until a snapshot begins another one.
 */
import { type FileHandle, mkdir, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { KeptEntry } from '../../control/messages/kept.js'
import {
  checksum,
  isTemporary,
  openOwn,
  replaceFile,
  syncDirectory,
  synced,
  syncParent,
  writeAll,
} from '../files/durable.js'
import { entriesIn, lineOf } from './entries.js'
import type { LoadedState, StateStore } from './state-store.js'

const newline = 0x0a
const directory = 'state'

interface Read {
  readonly entries: KeptEntry[]
  /** Up to the end of the last whole line. */
  readonly bytes: number
  /** Behind it: a line that was cut off. */
  readonly cutBytes: number
}

export class StateFiles implements StateStore {
  readonly #path: string
  #last: Promise<unknown> = Promise.resolve()
  #journal: FileHandle | null = null
  #generation = 0
  #bytes = 0
  #snapshotBytes = 0
  /** Why nothing is appended now. */
  #failure: FrError | null = null

  /** In a directory of its own there. */
  constructor(dataDir: string) {
    this.#path = join(dataDir, directory)
  }

  get isLarge(): boolean {
    return this.#bytes > Math.max(limits.stateJournalBytes, 2 * this.#snapshotBytes)
  }

  load(): Promise<LoadedState> {
    return this.#next(async () => {
      await this.#make()
      const names = await readdir(this.#path)
      for (const name of names) if (isTemporary(name)) await unlink(join(this.#path, name))
      const [newest = 0, ...older] = numbersOf(names, 'snapshot')
      const notes: string[] = []
      const before = older[0] ?? newest - 1
      const start = newest === 0 ? [] : await this.#startOf(newest, before, notes)
      const journal = await this.#read(newest)
      if (journal.cutBytes > 0)
        notes.push(`${this.#nameOf(newest)}: the last ${journal.cutBytes} bytes were cut off`)
      this.#generation = newest
      await this.#open(journal.bytes)
      return { entries: [...start, ...journal.entries], notes }
    })
  }

  append(entries: readonly KeptEntry[]): Promise<void> {
    return this.#next(async () => {
      if (this.#failure !== null) throw this.#failure
      const line = lineOf(entries)
      try {
        const journal = this.#journal
        if (journal === null) throw new FrError('ERR_FR_CLOSED', 'the state is closed')
        await writeAll(journal, line, this.#bytes)
        await synced(journal)
        this.#bytes += line.length
      } catch (error) {
        this.#failure = asFrError(error, 'ERR_FR_IO')
        throw this.#failure
      }
    })
  }

  snapshot(entries: Iterable<KeptEntry>): Promise<void> {
    return this.#next(async () => {
      const next = this.#generation + 1
      try {
        await replaceFile(this.#snapshotOf(next), async (file) => {
          this.#snapshotBytes = await writeSnapshot(file, entries)
        })
        // From now on the journal before it is not read any more.
        const before = this.#journal
        this.#journal = null
        this.#generation = next
        await before?.close()
        await syncDirectory(this.#path)
        await this.#open(0)
        this.#failure = null
        await this.#forget(next - 1).catch(() => {})
      } catch (error) {
        const failure = asFrError(error, 'ERR_FR_IO')
        if (this.#journal === null) this.#failure = failure
        throw failure
      }
    })
  }

  close(): Promise<void> {
    return this.#next(async () => {
      await this.#journal?.close()
      this.#journal = null
    })
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#last.then(step)
    this.#last = result.catch(() => {})
    return result
  }

  async #make(): Promise<void> {
    try {
      await mkdir(this.#path, { mode: 0o700 })
      await syncParent(this.#path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') return
      const fallback = code === 'ENOENT' || code === 'EACCES' ? 'ERR_FR_DATA_DIR' : 'ERR_FR_IO'
      throw asFrError(error, fallback)
    }
  }

  /** The entries of a snapshot; where it is damaged, of the one before it and its journal. */
  async #startOf(newest: number, before: number, notes: string[]): Promise<KeptEntry[]> {
    const found = await this.#readSnapshot(newest)
    if (found !== null) return found
    const older = before === 0 ? [] : await this.#readSnapshot(before)
    const between = await this.#read(before)
    const isThere = before > 0 || between.bytes > 0
    if (older === null || !isThere || between.cutBytes > 0)
      throw this.#damaged(this.#snapshotOf(newest), 'neither it nor what was before it is whole')
    notes.push(`${this.#snapshotOf(newest)} is damaged; what it was made from was read instead`)
    return [...older, ...between.entries]
  }

  /** Null: there is none, or it is not whole. */
  async #readSnapshot(generation: number): Promise<KeptEntry[] | null> {
    const bytes = await this.#bytesOf(this.#snapshotOf(generation))
    if (bytes === null) return null
    const entries: KeptEntry[] = []
    let lines = 0
    for (const [start, end] of linesOf(bytes)) {
      const line = bytes.subarray(start, end)
      if (end + 1 === bytes.length) {
        if (!line.equals(utf8(endOf(lines)))) return null
        this.#snapshotBytes = bytes.length
        return entries
      }
      const some = read(line)
      if (some === null) return null
      for (const entry of some) entries.push(entry)
      lines += 1
    }
    return null
  }

  async #read(generation: number): Promise<Read> {
    const path = this.#nameOf(generation)
    const bytes = (await this.#bytesOf(path)) ?? Buffer.alloc(0)
    const entries: KeptEntry[] = []
    let end = 0
    for (const [start, lineEnd] of linesOf(bytes)) {
      if (lineEnd === bytes.length) break
      const some = read(bytes.subarray(start, lineEnd))
      if (some === null) {
        if (lineEnd + 1 === bytes.length) break
        throw this.#damaged(path, `byte ${start}: a line is not as it was written, and more follow`)
      }
      for (const entry of some) entries.push(entry)
      end = lineEnd + 1
    }
    return { entries, bytes: end, cutBytes: bytes.length - end }
  }

  async #bytesOf(path: string): Promise<Buffer | null> {
    try {
      return await readFile(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw asFrError(error, 'ERR_FR_IO')
    }
  }

  /** Cut to what is whole. */
  async #open(bytes: number): Promise<void> {
    const path = this.#nameOf(this.#generation)
    const file = await openOwn(path).catch((error: unknown) => {
      throw asFrError(error, 'ERR_FR_IO')
    })
    if (file === null) throw this.#damaged(path, 'it is no file')
    const { size } = await file.stat()
    if (size !== bytes) {
      await file.truncate(bytes)
      await synced(file)
    }
    if (size === 0) await syncDirectory(this.#path)
    this.#journal = file
    this.#bytes = bytes
  }

  /** What the newest pair and the one before it do not need. */
  async #forget(oldest: number): Promise<void> {
    const names = await readdir(this.#path)
    for (const kind of ['snapshot', 'journal'] as const)
      for (const number of numbersOf(names, kind))
        if (number < oldest) await unlink(join(this.#path, `${kind}-${number}`))
  }

  #damaged(path: string, why: string): FrError {
    const what = `${path} is damaged: ${why}. Without the directory it is in a master begins anew`
    return new FrError('ERR_FR_STATE', what, { path })
  }

  #nameOf(generation: number): string {
    return join(this.#path, `journal-${generation}`)
  }

  #snapshotOf(generation: number): string {
    return join(this.#path, `snapshot-${generation}`)
  }
}

/** Descending. */
function numbersOf(names: readonly string[], kind: 'snapshot' | 'journal'): number[] {
  const pattern = new RegExp(`^${kind}-(0|[1-9]\\d{0,14})$`)
  const found = names.flatMap((name) => pattern.exec(name)?.[1] ?? [])
  return found.map(Number).sort((a, b) => b - a)
}

/** Begin and end, without the newline, of each; the last one may have none. */
function* linesOf(bytes: Buffer): Generator<[number, number]> {
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(newline, start)
    const end = found === -1 ? bytes.length : found
    yield [start, end]
    start = end + 1
  }
}

/** Null: it is not as it was written. */
function read(line: Uint8Array): KeptEntry[] | null {
  try {
    return entriesIn(line)
  } catch (error) {
    if (error instanceof FrError) return null
    throw error
  }
}

/** The last line of a snapshot: without it the rest was cut off. */
function endOf(lines: number): string {
  const text = `end ${lines}`
  return `${checksum(text)} ${text}`
}

/** Resolves with its length. */
async function writeSnapshot(file: FileHandle, entries: Iterable<KeptEntry>): Promise<number> {
  let [bytes, lines] = [0, 0]
  const write = async (line: Uint8Array) => {
    await writeAll(file, line, bytes)
    bytes += line.length
  }
  let some: KeptEntry[] = []
  const flush = async () => {
    if (some.length === 0) return
    await write(lineOf(some))
    some = []
    lines += 1
  }
  for (const entry of entries) {
    if (entry.type === 'sets') await flush()
    some.push(entry)
    if (entry.type === 'sets' || some.length === limits.stateLineEntries) await flush()
  }
  await flush()
  await write(utf8(`${endOf(lines)}\n`))
  return bytes
}
