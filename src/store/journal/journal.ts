/**
 * Which blocks of an unfinished partial were verified, with their digests and the author's
 * signatures under them, across restarts.
 *
 * The idea: blocks are written down after they were verified in the file, so a batch needs no
 * fsync: while the same kernel runs, the page cache or the disk has them. Each batch has a stamp of
 * the file at that moment (stamp.ts). Blocks are believed while the file has the last stamp, or has
 * changed so shortly after it that the writer itself, killed between two batches, did it; else
 * somebody may have changed it, or the disk may have lost some, and they are hashed before they
 * count. A writer that leaves the file says so: later changes are not its own. Batches of one *era*
 * are believed together; a journal that goes on with a file that is not believed begins the next
 * era, in which blocks count once they are appended anew. Reading ends at the first batch that is
 * not whole.
 */
import { type FileHandle, unlink } from 'node:fs/promises'
import { digestBytesOf } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import { blockBytesAt } from '../../base/sections.js'
import type { HeldRun } from '../../control/holdings/have.js'
import type { FileIdentity } from '../../ports.js'
import type { DigestRun } from '../catalogue/record.js'
import { openKept, openOwn, writeAll } from '../files/durable.js'
import {
  type BatchContent,
  type BatchMark,
  batchHeadBytes,
  type DecodedBatch,
  decodeBody,
  decodeHeader,
  encodeBatches,
  encodeHeader,
  type JournalHeader,
  stampBytes,
  type WholeFile,
} from './codec.js'
import { hasSame, type Place, placeOf, stampOf } from './stamp.js'

export type { BatchContent, JournalHeader, Publishing, WholeFile } from './codec.js'

/** The partial as it is now. */
export type Look = () => Promise<FileIdentity>

export interface JournalRun extends HeldRun {
  /** The file has it: nobody changed the file, and the system had no reason to lose any of it. */
  readonly isSure: boolean
}

export interface ReadJournal {
  readonly header: JournalHeader
  /** In order of offset, each block once. */
  readonly runs: JournalRun[]
  /** True of every run; else blocks are to be hashed. */
  readonly isSure: boolean
  /** The last writer left the file; else it was killed, or still writes. */
  readonly isLeft: boolean
  /** The author's digests, of every block that `runs` tells of; some may be there twice. */
  readonly signed: DigestRun[]
  readonly whole: WholeFile
}

/** How a journal goes on. */
interface End {
  readonly header: JournalHeader
  readonly place: Place
  /** Length up to the last whole batch; more may lie behind it. */
  readonly bytes: number
  readonly era: number
}

export class Journal {
  readonly #file: FileHandle
  readonly #look: Look
  readonly #header: JournalHeader
  readonly #place: Place
  readonly #era: number
  #bytes: number
  #writing: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(file: FileHandle, look: Look, { header, place, bytes, era }: End) {
    this.#file = file
    this.#look = look
    this.#header = header
    this.#place = place
    this.#bytes = bytes
    this.#era = era
  }

  /**
   * Begins a journal in the place of one that may be there; its directory must exist. Rejects with
   * ERR_FR_IO, ERR_FR_NO_SPACE.
   */
  static async create(
    path: string,
    header: JournalHeader,
    look: Look,
    boot?: Promise<Uint8Array>,
  ): Promise<Journal> {
    try {
      await unlink(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
      const bytes = encodeHeader(header)
      const file = await ownFile(path)
      return await closedOnFailure(file, async () => {
        const place = await placeOf(file, boot)
        const journal = new Journal(file, look, { header, place, bytes: bytes.length, era: 0 })
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
  static async resume(path: string, look: Look, boot?: Promise<Uint8Array>): Promise<Journal> {
    try {
      const text = `${path} holds no journal that can be used`
      const before = await openKept(path)
      if (before === null) throw new FrError('ERR_FR_CATALOGUE', text, { path })
      await before.close()
      const file = await ownFile(path)
      return await closedOnFailure(file, async () => {
        const place = await placeOf(file, boot)
        let last: BatchMark | null = null
        const read = await readAll(file, (batch) => {
          last = batch.mark
        })
        if (read === null) throw new FrError('ERR_FR_CATALOGUE', text, { path })
        const era = goneOn(last, stampOf(place, await look()))
        return new Journal(file, look, { ...read, place, era })
      })
    } catch (error) {
      throw asFrError(error, 'ERR_FR_IO')
    }
  }

  /**
   * Writes down what was verified in the file and what is known of it, in one write: all of it can
   * be read again, or the first of it. Blocks need their signed digests here or earlier. Rejects
   * with ERR_FR_LIMIT when the journal is full, or ERR_FR_IO, ERR_FR_NO_SPACE; what was there
   * before stays. Throws TypeError for parts of blocks.
   */
  append(content: BatchContent): Promise<void> {
    return this.#append(content, false)
  }

  /**
   * Nothing more is written to the file: what was appended before is believed of it as it is now.
   * Rejects as `append`.
   */
  leave(): Promise<void> {
    return this.#append({}, true)
  }

  #append(content: BatchContent, isLeft: boolean): Promise<void> {
    if (this.#isClosed) return Promise.reject(new FrError('ERR_FR_CLOSED', 'the journal is closed'))
    encodeBatches(this.#header, noMark, content)
    const written = this.#writing.then(() => this.#write(content, isLeft))
    this.#writing = written.catch(() => {})
    return written
  }

  async #write(content: BatchContent, isLeft: boolean): Promise<void> {
    const stamp = stampOf(this.#place, await this.#look()) ?? noMark.stamp
    try {
      // A write that failed may have left a part of itself. The file now has the present time.
      await this.#file.truncate(this.#bytes)
      const { mtimeNs: nanos } = await this.#file.stat({ bigint: true })
      const mark = { era: this.#era, isLeft, nanos, stamp }
      const bytes = encodeBatches(this.#header, mark, content)
      if (this.#bytes + bytes.length > mostBytes(this.#header))
        throw new FrError('ERR_FR_LIMIT', 'the journal of the partial is full')
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

/**
 * Null: there is no journal that can be used. `identity` of the partial; null: it was not looked
 * at, and nothing is sure. Rejects with ERR_FR_IO.
 */
export async function readJournal(
  path: string,
  identity: FileIdentity | null,
  boot?: Promise<Uint8Array>,
): Promise<ReadJournal | null> {
  try {
    const file = await openKept(path)
    if (file === null) return null
    const batches: DecodedBatch[] = []
    const read = await (async () => {
      const stamp = identity && stampOf(await placeOf(file, boot), identity)
      const { header } = (await readAll(file, (batch) => batches.push(batch))) ?? {}
      return header && { header, stamp }
    })().finally(() => file.close())
    if (read === undefined) return null
    const { header, stamp } = read
    const last = batches.at(-1)?.mark
    const isSame = last !== undefined && hasSame(last, stamp)
    const all = batches.flatMap(({ mark, runs }) =>
      runs.map((run) => ({ ...run, isSure: isSame && mark.era === last.era })),
    )
    const runs = eachOnce(all, header)
    const signed = batches.flatMap((batch) => batch.signed)
    const whole = Object.assign({}, ...batches.map((batch) => batch.whole)) as WholeFile
    const isSure = runs.every((run) => run.isSure)
    return { header, runs, isSure, isLeft: last?.isLeft === true, signed, whole }
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
  const digestBytes = digestBytesOf(header.algorithm)
  const seen = new RangeSet()
  const parts: JournalRun[] = []
  for (const run of runs.toReversed()) {
    const blockBytes = blockBytesAt(run.offset, header.blockBytes)
    for (const [offset, length] of seen.missing(run.offset, run.length)) {
      // Of a beginning of a block more was written down later.
      if ((offset - run.offset) % blockBytes !== 0) continue
      const at = ((offset - run.offset) / blockBytes) * digestBytes
      const digests = run.digests.subarray(at, at + Math.ceil(length / blockBytes) * digestBytes)
      parts.push({ offset, length, digests, isSure: run.isSure })
    }
    seen.add(run.offset, run.length)
  }
  return parts.sort((a, b) => a.offset - b.offset)
}

const noMark: BatchMark = { era: 0, isLeft: true, nanos: 0n, stamp: Buffer.alloc(stampBytes) }

/** The era to go on in: what was appended before is believed only of the file as it was. */
function goneOn(last: BatchMark | null, stamp: Buffer | null): number {
  if (last === null) return 0
  return hasSame(last, stamp) ? last.era : last.era + 1
}

/** Null without a header. Calls `use` with each whole batch. */
async function readAll(
  file: FileHandle,
  use: (batch: DecodedBatch) => void,
): Promise<{ header: JournalHeader; bytes: number } | null> {
  const start = await readAt(file, limits.catalogueLineBytes, 0)
  const decoded = decodeHeader(start)
  if (decoded === null) return null
  const { header } = decoded
  let at = decoded.length
  for (;;) {
    const head = await readAt(file, batchHeadBytes, at)
    const bytes = head.length < batchHeadBytes ? 0 : head.readUInt32LE()
    const end = at + batchHeadBytes + bytes
    const isBatch = bytes > 0 && bytes <= limits.journalBatchBytes
    if (!isBatch || end > mostBytes(header)) return { header, bytes: at }
    const body = await readAt(file, bytes, at + batchHeadBytes)
    const batch = body.length < bytes ? null : decodeBody(header, head, body)
    if (batch === null) return { header, bytes: at }
    use(batch)
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
  const bytes = blockBytes === 'sections' ? limits.growingBlockBytes : blockBytes
  const blocks = Math.max(1, Math.ceil(size / bytes))
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
