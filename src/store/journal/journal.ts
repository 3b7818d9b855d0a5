/**
 * Which blocks of an unfinished partial were verified, with their digests, across restarts.
 *
 * The idea: blocks are written down after they were verified in the file. While the same kernel
 * runs, the page cache or the disk has them, so a batch needs no fsync and is believed after its
 * checksum. Under another boot id a block may never have reached the disk: it is to be hashed
 * before it counts, and counts again once it is appended anew. So each batch names the boot id it
 * was written under. Reading ends at the first batch that is not whole.
 */
import { type FileHandle, readFile, unlink } from 'node:fs/promises'
import { digestBytesOf } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import type { HeldRun } from '../../control/holdings/have.js'
import { openKept, openOwn, writeAll } from '../files/durable.js'
import {
  batchHeadBytes,
  bootIdBytes,
  decodeBody,
  decodeHeader,
  encodeBatches,
  encodeHeader,
  type JournalHeader,
} from './codec.js'

export type { JournalHeader } from './codec.js'

export interface JournalRun extends HeldRun {
  /** It was written under the present boot id. */
  readonly isSameBoot: boolean
}

export interface ReadJournal {
  readonly header: JournalHeader
  /** In order of offset, each block once. */
  readonly runs: JournalRun[]
  /** True of every run: the page cache or the disk has the bytes. Else blocks are to be hashed. */
  readonly isSameBoot: boolean
}

export class Journal {
  readonly #file: FileHandle
  readonly #header: JournalHeader
  readonly #boot: Uint8Array
  /** Length up to the last whole batch; more may lie behind it. */
  #bytes: number
  #writing: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(file: FileHandle, header: JournalHeader, bytes: number, boot: Uint8Array) {
    this.#file = file
    this.#header = header
    this.#bytes = bytes
    this.#boot = boot
  }

  /**
   * Begins a journal in the place of one that may be there; its directory must exist. Rejects with
   * ERR_FR_IO.
   */
  static async create(path: string, header: JournalHeader, boot = bootId()): Promise<Journal> {
    try {
      await unlink(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
      const bytes = encodeHeader(header)
      const file = await ownFile(path)
      const journal = new Journal(file, header, bytes.length, await boot)
      return await closedOnFailure(file, async () => {
        await writeAll(file, bytes, 0)
        return journal
      })
    } catch (error) {
      throw asFrError(error, 'ERR_FR_IO')
    }
  }

  /**
   * Goes on with a journal after its last whole batch. Rejects with ERR_FR_CATALOGUE when there is
   * none that `readJournal` can use, or ERR_FR_IO.
   */
  static async resume(path: string, boot = bootId()): Promise<Journal> {
    try {
      const text = `${path} holds no journal that can be used`
      const before = await openKept(path)
      if (before === null) throw new FrError('ERR_FR_CATALOGUE', text, { path })
      await before.close()
      const file = await ownFile(path)
      return await closedOnFailure(file, async () => {
        const read = await readAll(file, () => {})
        if (read === null) throw new FrError('ERR_FR_CATALOGUE', text, { path })
        return new Journal(file, read.header, read.wholeBytes, await boot)
      })
    } catch (error) {
      throw asFrError(error, 'ERR_FR_IO')
    }
  }

  /**
   * Writes down runs of whole blocks that were verified in the file, in one write: all of them can
   * be read again, or those of the first batches. Rejects with ERR_FR_LIMIT when the journal is
   * full, or ERR_FR_IO; what was there before stays. Throws TypeError for parts of blocks.
   */
  append(runs: readonly HeldRun[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(new FrError('ERR_FR_CLOSED', 'the journal is closed'))
    const bytes = encodeBatches(this.#header, this.#boot, runs)
    const written = this.#writing.then(() => this.#write(bytes))
    this.#writing = written.catch(() => {})
    return written
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.#bytes + bytes.length > mostBytes(this.#header))
      throw new FrError('ERR_FR_LIMIT', 'the journal of the partial is full')
    try {
      // A write that failed may have left a part of itself.
      await this.#file.truncate(this.#bytes)
      await writeAll(this.#file, bytes, this.#bytes)
      this.#bytes += bytes.length
    } catch (error) {
      throw asFrError(error, 'ERR_FR_IO')
    }
  }

  /** After what was appended before. Idempotent. */
  async close(): Promise<void> {
    const wasClosed = this.#isClosed
    this.#isClosed = true
    await this.#writing
    if (!wasClosed) await this.#file.close()
  }
}

/** Null: there is no journal that can be used. Rejects with ERR_FR_IO. */
export async function readJournal(path: string, boot = bootId()): Promise<ReadJournal | null> {
  try {
    const file = await openKept(path)
    if (file === null) return null
    const here = Buffer.from(await boot)
    const runs: JournalRun[] = []
    const read = await readAll(file, (run, from) => {
      runs.push({ ...run, isSameBoot: isKnown(here) && here.equals(from) })
    }).finally(() => file.close())
    if (read === null) return null
    const once = eachOnce(runs, read.header)
    return { header: read.header, runs: once, isSameBoot: once.every((run) => run.isSameBoot) }
  } catch (error) {
    throw asFrError(error, 'ERR_FR_IO')
  }
}

/** What the journal is of, without what it tells; null: there is none that can be used. */
export async function readHeader(path: string): Promise<JournalHeader | null> {
  try {
    const file = await openKept(path)
    if (file === null) return null
    const start = await readAt(file, limits.catalogueLineBytes, 0).finally(() => file.close())
    return decodeHeader(start)?.header ?? null
  } catch (error) {
    throw asFrError(error, 'ERR_FR_IO')
  }
}

/** Parts of runs of which no later run tells, in order of offset. */
function eachOnce(runs: readonly JournalRun[], header: JournalHeader): JournalRun[] {
  const { blockBytes, algorithm } = header
  const digestBytes = digestBytesOf(algorithm)
  const seen = new RangeSet()
  const parts: JournalRun[] = []
  for (const run of runs.toReversed()) {
    for (const [offset, length] of seen.missing(run.offset, run.length)) {
      const at = ((offset - run.offset) / blockBytes) * digestBytes
      const digests = run.digests.subarray(at, at + Math.ceil(length / blockBytes) * digestBytes)
      parts.push({ offset, length, digests, isSameBoot: run.isSameBoot })
    }
    seen.add(run.offset, run.length)
  }
  return parts.sort((a, b) => a.offset - b.offset)
}

/** Null without a header. Calls `use` with each run of a whole batch and the boot id of that. */
async function readAll(
  file: FileHandle,
  use: (run: HeldRun, boot: Buffer) => void,
): Promise<{ header: JournalHeader; wholeBytes: number } | null> {
  const start = await readAt(file, limits.catalogueLineBytes, 0)
  const decoded = decodeHeader(start)
  if (decoded === null) return null
  const { header } = decoded
  let at = decoded.length
  for (;;) {
    const head = await readAt(file, batchHeadBytes, at)
    const bytes = head.length < batchHeadBytes ? 0 : head.readUInt32LE()
    const end = at + batchHeadBytes + bytes
    const isBatch = bytes > bootIdBytes && bytes <= limits.journalBatchBytes
    if (!isBatch || end > mostBytes(header)) return { header, wholeBytes: at }
    const body = await readAt(file, bytes, at + batchHeadBytes)
    const runs = body.length < bytes ? null : decodeBody(header, head, body)
    if (runs === null) return { header, wholeBytes: at }
    for (const run of runs) use(run, body.subarray(0, bootIdBytes))
    at = end
  }
}

/** Fewer bytes at the end of the file. */
async function readAt(file: FileHandle, bytes: number, at: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  let done = 0
  while (done < bytes) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, at + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return buffer.subarray(0, done)
}

function mostBytes({ size, blockBytes }: JournalHeader): number {
  const blocks = Math.max(1, Math.ceil(size / blockBytes))
  return limits.catalogueLineBytes + blocks * limits.journalBytesPerBlock
}

async function ownFile(path: string): Promise<FileHandle> {
  const file = await openOwn(path)
  if (file === null) throw new FrError('ERR_FR_IO', `${path} is not a regular file`, { path })
  return file
}

async function closedOnFailure<T>(file: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await file.close().catch(() => {})
    throw error
  }
}

/** Changes with every start of the kernel; zeros where the system does not tell. */
async function bootId(): Promise<Uint8Array> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '')
  const digits = text.trim().replaceAll('-', '')
  return Buffer.from(/^[0-9a-f]{32}$/.test(digits) ? digits : '0'.repeat(32), 'hex')
}

function isKnown(boot: Buffer): boolean {
  return boot.some((byte) => byte !== 0)
}
