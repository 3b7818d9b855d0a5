/**
 * What a journal looks like:
 *
 *     fastreplica journal 3\n
 *     CHECKSUM {header}\n
 *     per batch: u32 bytes of the body | first 16 bytes of its SHA-256 | body
 *     body: u32 era | u8 1 when the writer left the file | i64 nanoseconds of the batch
 *           | stamp (40) | entries
 *     entry: u8 1 | u64 offset, u64 length, digests of blocks that were verified
 *            u8 2 | u64 offset, u64 length, u32 bytes, payload of a digest record of the author
 *            u8 3 | u32 bytes, what is known of the whole file, as JSON
 *
 * Runs are whole blocks, so their length tells how many digests follow. Of a content that is still
 * written blocks are cut by sections, no run is of two, and one may end inside a block. The
 * checksum of the header covers its first line too.
 */
import { createHash } from 'node:crypto'
import { type DigestAlgorithm, digestBytesOf } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import { type BlockBytes, blockBytesAt, isInSection } from '../../base/sections.js'
import type { HeldRun } from '../../control/holdings/have.js'
import { isBlockRun } from '../../control/holdings/ledger.js'
import type { FileTime } from '../../ports.js'
import type { DigestRun } from '../catalogue/record.js'
import { checksum } from '../files/durable.js'
import { isAlgorithm, isCount, isHex, isKey, isObject, keyOf, nameOfKey } from '../files/plain.js'

export interface JournalHeader {
  /** 32 hex digits. */
  readonly contentId: string
  /** Public key, 64 hex digits. */
  readonly author: string
  readonly algorithm: DigestAlgorithm
  /** By sections where the content is still written; `size` is the most that it may be then. */
  readonly blockBytes: BlockBytes
  readonly size: number
  /** At this node. */
  readonly name: Uint8Array
  /** The transfer that made the partial. */
  readonly transfer: string
  /** Criteria: who else may have it; absent: whoever asks. */
  readonly only?: string
}

/** What is known of the whole file; what was told last counts. */
export interface WholeFile {
  /** As in results: `blake3:<hex>`. */
  readonly fileDigest?: string
  /** What the file gets with its name. */
  readonly attributes?: { readonly mode: number; readonly mtime: FileTime }
  /** The file is durable, and about to get its name. */
  readonly publishing?: Publishing
}

export interface Publishing {
  /** Of the file. */
  readonly inode: string
  readonly mode: number
  readonly mtime: FileTime
  readonly dataBytes: number
}

export interface BatchContent {
  /** Blocks that were verified in the file. */
  readonly runs?: readonly HeldRun[]
  /** Digests as their author signed them. */
  readonly signed?: readonly DigestRun[]
  readonly whole?: WholeFile
}

/** Under what a batch was written (journal.ts). */
export interface BatchMark {
  readonly era: number
  /** The writer wrote nothing to the file after it. */
  readonly isLeft: boolean
  /** By the clock of the file system, since 1970. */
  readonly nanos: bigint
  readonly stamp: Uint8Array
}

export interface DecodedBatch {
  readonly mark: BatchMark
  readonly runs: HeldRun[]
  readonly signed: DigestRun[]
  readonly whole: WholeFile
}

export const batchHeadBytes = 20
export const stampBytes = 40
const markHeadBytes = 13
const markBytes = markHeadBytes + stampBytes
const runHeadBytes = 17
const signedHeadBytes = 21
const wholeHeadBytes = 5
const title = 'fastreplica journal 3\n'

export function encodeHeader(header: JournalHeader): Buffer {
  const text = JSON.stringify({ ...header, name: keyOf(header.name) })
  return Buffer.from(`${title}${checksum(title + text)} ${text}\n`)
}

/** The header at the start of these bytes and its length; null when it is not as written. */
export function decodeHeader(bytes: Buffer): { header: JournalHeader; length: number } | null {
  const end = bytes.indexOf('\n', title.length)
  if (end === -1 || bytes.toString('latin1', 0, title.length) !== title) return null
  const text = bytes.toString('utf8', title.length + 17, end)
  const check = bytes.toString('latin1', title.length, title.length + 17)
  if (check !== `${checksum(title + text)} `) return null
  const header = headerOf(JSON.parse(text))
  return header && { header, length: end + 1 }
}

function headerOf(plain: unknown): JournalHeader | null {
  if (!isObject(plain)) return null
  const { contentId, author, algorithm, blockBytes, size, name, transfer, only } = plain
  const isWhole =
    isHex(contentId, 32) &&
    isHex(author, 64) &&
    isAlgorithm(algorithm) &&
    isBlockBytes(blockBytes) &&
    isCount(size) &&
    typeof transfer === 'string' &&
    (only === undefined || typeof only === 'string')
  if (!isWhole || !isKey(name)) return null
  const header = { contentId, author, algorithm, blockBytes, size, transfer }
  return { ...header, name: nameOfKey(name), ...(only !== undefined && { only }) }
}

function isBlockBytes(plain: unknown): plain is BlockBytes {
  return plain === 'sections' || (isCount(plain) && plain > 0)
}

/** Whether a journal may tell of such a run. */
function isRun({ blockBytes, size }: JournalHeader, offset: number, length: number): boolean {
  if (blockBytes !== 'sections') return isBlockRun(offset, length, blockBytes, size)
  return length > 0 && offset + length <= size && isInSection(offset, length)
}

/**
 * Batches of all of this, laid end to end, each at most limits.journalBatchBytes; one at least.
 * Throws TypeError for runs that are not whole blocks with a digest each.
 */
export function encodeBatches(header: JournalHeader, mark: BatchMark, content: BatchContent) {
  const start = Buffer.alloc(markBytes)
  start.writeUInt32LE(mark.era)
  start.writeUInt8(mark.isLeft ? 1 : 0, 4)
  start.writeBigInt64LE(mark.nanos, 5)
  start.set(mark.stamp, markHeadBytes)
  const batches: Buffer[] = []
  let parts: Uint8Array[] = [start]
  let bytes = markBytes
  const flush = (): void => {
    const body = Buffer.concat(parts)
    const head = Buffer.alloc(batchHeadBytes)
    head.writeUInt32LE(body.length)
    sumOf(body).copy(head, 4)
    batches.push(head, body)
    parts = [start]
    bytes = markBytes
  }
  for (const entry of entriesOf(header, content)) {
    const added = entry.reduce((sum, { length }) => sum + length, 0)
    if (bytes + added > limits.journalBatchBytes) flush()
    parts.push(...entry)
    bytes += added
  }
  flush()
  return Buffer.concat(batches)
}

/** What proves blocks comes before them: whoever is told of a block can prove it. */
function* entriesOf(
  header: JournalHeader,
  { runs = [], signed = [], whole }: BatchContent,
): Generator<readonly Uint8Array[]> {
  for (const { offset, length, payload } of signed)
    yield [headOf(2, signedHeadBytes, offset, length, payload.length), payload]
  for (const run of runs)
    for (const { offset, length, digests } of piecesOf(header, run))
      yield [headOf(1, runHeadBytes, offset, length), digests]
  if (whole === undefined) return
  const text = Buffer.from(JSON.stringify(whole))
  const head = Buffer.of(3, 0, 0, 0, 0)
  head.writeUInt32LE(text.length, 1)
  yield [head, text]
}

function headOf(kind: number, bytes: number, offset: number, length: number, payload = 0): Buffer {
  const head = Buffer.alloc(bytes)
  head.writeUInt8(kind)
  head.writeBigUInt64LE(BigInt(offset), 1)
  head.writeBigUInt64LE(BigInt(length), 9)
  if (bytes === signedHeadBytes) head.writeUInt32LE(payload, 17)
  return head
}

/** Parts of a run, none of which is larger than half a batch. */
function piecesOf(header: JournalHeader, { offset, length, digests }: HeldRun): HeldRun[] {
  const digestBytes = digestBytesOf(header.algorithm)
  const blockBytes = blockBytesAt(offset, header.blockBytes)
  const blocks = Math.ceil(length / blockBytes)
  if (!isRun(header, offset, length) || digests.length !== blocks * digestBytes)
    throw new TypeError('a journal holds whole blocks with a digest each')
  const step = Math.floor(limits.journalBatchBytes / 2 / digestBytes)
  const pieces: HeldRun[] = []
  for (let block = 0; block < blocks; block += step) {
    const at = block * blockBytes
    pieces.push({
      offset: offset + at,
      length: Math.min(step * blockBytes, length - at),
      digests: digests.subarray(block * digestBytes, (block + step) * digestBytes),
    })
  }
  return pieces
}

/** What the body of a batch tells; null when it is not as written. */
export function decodeBody(header: JournalHeader, head: Buffer, body: Buffer): DecodedBatch | null {
  if (body.length < markBytes || !sumOf(body).equals(head.subarray(4, batchHeadBytes))) return null
  const runs: HeldRun[] = []
  const signed: DigestRun[] = []
  let whole: WholeFile = {}
  for (let at = markBytes; at < body.length; ) {
    const kind = body[at]
    const entry = kind === 3 ? textAt(body, at) : runAt(header, body, at)
    if (entry === null) return null
    at = entry.end
    const { content } = entry
    if (typeof content === 'string') whole = { ...whole, ...wholeOf(JSON.parse(content)) }
    else if (kind === 1) runs.push({ ...content, digests: content.bytes })
    else signed.push({ ...content, payload: content.bytes })
  }
  const mark = {
    era: body.readUInt32LE(0),
    isLeft: body[4] === 1,
    nanos: body.readBigInt64LE(5),
    stamp: body.subarray(markHeadBytes, markBytes),
  }
  return { mark, runs, signed, whole }
}

interface RunBytes {
  readonly offset: number
  readonly length: number
  readonly bytes: Uint8Array
}

type Entry<T> = { readonly content: T; readonly end: number } | null

function textAt(body: Buffer, at: number): Entry<string> {
  const from = at + wholeHeadBytes
  if (from > body.length) return null
  const end = from + body.readUInt32LE(at + 1)
  return end > body.length ? null : { content: body.toString('utf8', from, end), end }
}

function runAt(header: JournalHeader, body: Buffer, at: number): Entry<RunBytes> {
  const isSigned = body[at] === 2
  const from = at + (isSigned ? signedHeadBytes : runHeadBytes)
  if ((!isSigned && body[at] !== 1) || from > body.length) return null
  const offset = Number(body.readBigUInt64LE(at + 1))
  const length = Number(body.readBigUInt64LE(at + 9))
  if (!isRun(header, offset, length)) return null
  const blocks = Math.ceil(length / blockBytesAt(offset, header.blockBytes))
  const digestBytes = blocks * digestBytesOf(header.algorithm)
  const bytes = digestBytes + (isSigned ? limits.digestHeadBytes : 0)
  if (isSigned && body.readUInt32LE(at + 17) !== bytes) return null
  const end = from + bytes
  if (end > body.length) return null
  return { content: { offset, length, bytes: new Uint8Array(body.subarray(from, end)) }, end }
}

function wholeOf(plain: unknown): WholeFile {
  if (!isObject(plain)) return {}
  const { fileDigest, attributes, publishing } = plain
  return {
    ...(typeof fileDigest === 'string' && { fileDigest }),
    ...(areAttributes(attributes) && { attributes }),
    ...(isPublishing(publishing) && { publishing }),
  }
}

function isPublishing(plain: unknown): plain is Publishing {
  if (!isObject(plain) || !areAttributes(plain)) return false
  const { inode, dataBytes }: Record<string, unknown> = plain
  return typeof inode === 'string' && isCount(dataBytes)
}

function areAttributes(plain: unknown): plain is NonNullable<WholeFile['attributes']> {
  if (!isObject(plain) || !isObject(plain['mtime'])) return false
  const { seconds, nanos } = plain['mtime']
  return Number.isSafeInteger(seconds) && isCount(nanos) && isCount(plain['mode'])
}

function sumOf(body: Uint8Array): Buffer {
  return createHash('sha256')
    .update(body)
    .digest()
    .subarray(0, batchHeadBytes - 4)
}
