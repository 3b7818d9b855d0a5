/**
 * What a journal looks like:
 *
 *     fastreplica journal 1\n
 *     CHECKSUM {header}\n
 *     per batch: u32 bytes of the body | first 16 bytes of its SHA-256 | body
 *     body: boot id (16) | per run: u64 offset, u64 length, digests
 *
 * Runs are whole blocks, so their length tells how many digests follow. The checksum of the header
 * covers its first line too.
 */
import { createHash } from 'node:crypto'
import { type DigestAlgorithm, digestBytesOf } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import type { HeldRun } from '../../control/holdings/have.js'
import { isBlockRun } from '../../control/holdings/ledger.js'
import { checksum } from '../files/durable.js'
import { isAlgorithm, isCount, isHex, isKey, isObject, keyOf, nameOfKey } from '../files/plain.js'

export interface JournalHeader {
  /** 32 hex digits. */
  readonly contentId: string
  /** Public key, 64 hex digits. */
  readonly author: string
  readonly algorithm: DigestAlgorithm
  readonly blockBytes: number
  readonly size: number
  /** At this node. */
  readonly name: Uint8Array
  /** The transfer that made the partial. */
  readonly transfer: string
}

export const batchHeadBytes = 20
export const bootIdBytes = 16
const runHeadBytes = 16
const title = 'fastreplica journal 1\n'

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
  const { contentId, author, algorithm, blockBytes, size, name, transfer } = plain
  const isWhole =
    isHex(contentId, 32) &&
    isHex(author, 64) &&
    isAlgorithm(algorithm) &&
    isCount(blockBytes) &&
    blockBytes > 0 &&
    isCount(size) &&
    typeof transfer === 'string'
  if (!isWhole || !isKey(name)) return null
  return { contentId, author, algorithm, blockBytes, size, transfer, name: nameOfKey(name) }
}

/**
 * Batches of these runs, laid end to end, each at most limits.journalBatchBytes. Throws TypeError
 * for runs that are not whole blocks with a digest each.
 */
export function encodeBatches(
  header: JournalHeader,
  boot: Uint8Array,
  runs: readonly HeldRun[],
): Buffer {
  const batches: Buffer[] = []
  let parts: Uint8Array[] = [boot]
  let bytes = boot.length
  const flush = (): void => {
    const body = Buffer.concat(parts)
    const head = Buffer.alloc(batchHeadBytes)
    head.writeUInt32LE(body.length)
    sumOf(body).copy(head, 4)
    batches.push(head, body)
    parts = [boot]
    bytes = boot.length
  }
  for (const run of runs)
    for (const piece of piecesOf(header, run)) {
      const head = Buffer.alloc(runHeadBytes)
      head.writeBigUInt64LE(BigInt(piece.offset))
      head.writeBigUInt64LE(BigInt(piece.length), 8)
      const added = runHeadBytes + piece.digests.length
      if (bytes + added > limits.journalBatchBytes) flush()
      parts.push(head, piece.digests)
      bytes += added
    }
  if (parts.length > 1) flush()
  return Buffer.concat(batches)
}

/** Parts of a run, none of which is larger than half a batch. */
function piecesOf(header: JournalHeader, { offset, length, digests }: HeldRun): HeldRun[] {
  const { blockBytes, size, algorithm } = header
  const digestBytes = digestBytesOf(algorithm)
  const blocks = Math.ceil(length / blockBytes)
  if (!isBlockRun(offset, length, blockBytes, size) || digests.length !== blocks * digestBytes)
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

/** Runs in the body of a batch; null when it is not as written. */
export function decodeBody(
  { blockBytes, size, algorithm }: JournalHeader,
  head: Buffer,
  body: Buffer,
): HeldRun[] | null {
  if (!sumOf(body).equals(head.subarray(4, batchHeadBytes))) return null
  const runs: HeldRun[] = []
  let at = bootIdBytes
  while (at < body.length) {
    if (at + runHeadBytes > body.length) return null
    const offset = Number(body.readBigUInt64LE(at))
    const length = Number(body.readBigUInt64LE(at + 8))
    if (!isBlockRun(offset, length, blockBytes, size)) return null
    const from = at + runHeadBytes
    at = from + Math.ceil(length / blockBytes) * digestBytesOf(algorithm)
    if (at > body.length) return null
    runs.push({ offset, length, digests: body.subarray(from, at) })
  }
  return runs
}

function sumOf(body: Uint8Array): Buffer {
  return createHash('sha256')
    .update(body)
    .digest()
    .subarray(0, batchHeadBytes - 4)
}
