/**
 * The digest runs of one held file, in a file of their own that is replaced as a whole:
 *
 *     fastreplica digests 1\n | content id (16) | u32 runs
 *     | per run: u64 offset, u32 length, u32 payload bytes, payload | SHA-256 of all before (32)
 */
import { createHash } from 'node:crypto'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { checksum, readKept, replaceFile, writeAll } from '../files/durable.js'
import type { DigestRun, HeldStream } from './record.js'

const head = Buffer.from('fastreplica digests 1\n')
const runHeadBytes = 16
const sumBytes = 32

/** Name of the file, the same for all records of this content under this name. */
export function digestFileOf({ contentId, name }: HeldStream): string {
  return `${contentId}-${checksum(name)}`
}

export async function writeRuns(
  path: string,
  { contentId }: HeldStream,
  runs: readonly DigestRun[],
): Promise<void> {
  const parts: Uint8Array[] = [head, Buffer.from(contentId, 'hex')]
  const count = Buffer.alloc(4)
  count.writeUInt32LE(runs.length)
  parts.push(count)
  for (const { offset, length, payload } of runs) {
    const runHead = Buffer.alloc(runHeadBytes)
    runHead.writeBigUInt64LE(BigInt(offset))
    runHead.writeUInt32LE(length, 8)
    runHead.writeUInt32LE(payload.length, 12)
    parts.push(runHead, payload)
  }
  const bytes = Buffer.concat(parts)
  if (bytes.length + sumBytes > limits.heldDigestBytes)
    throw new FrError('ERR_FR_LIMIT', 'the file has more digests than are kept of one file')
  await replaceFile(path, async (file) => {
    await writeAll(file, bytes, 0)
    await writeAll(file, sumOf(bytes), bytes.length)
  })
}

/** Rejects with ERR_FR_CATALOGUE when the runs are not there as they were written. */
export async function readRuns(path: string, { contentId }: HeldStream): Promise<DigestRun[]> {
  const bytes = await readKept(path, limits.heldDigestBytes)
  const runs = bytes && runsIn(bytes, contentId)
  if (runs === null) throw new FrError('ERR_FR_CATALOGUE', `${path} is damaged`, { path })
  return runs
}

function runsIn(bytes: Buffer, contentId: string): DigestRun[] | null {
  const end = bytes.length - sumBytes
  const firstAt = head.length + 20
  if (end < firstAt || !sumOf(bytes.subarray(0, end)).equals(bytes.subarray(end))) return null
  if (!bytes.subarray(0, head.length).equals(head)) return null
  const idEnd = head.length + 16
  if (bytes.toString('hex', head.length, idEnd) !== contentId) return null
  const runs: DigestRun[] = []
  let at = firstAt
  for (let left = bytes.readUInt32LE(idEnd); left > 0; left--) {
    if (at + runHeadBytes > end) return null
    const [offset, length] = [Number(bytes.readBigUInt64LE(at)), bytes.readUInt32LE(at + 8)]
    const from = at + runHeadBytes
    at = from + bytes.readUInt32LE(at + 12)
    if (at > end) return null
    runs.push({
      offset,
      length,
      payload: new Uint8Array(bytes.buffer, bytes.byteOffset + from, at - from),
    })
  }
  return at === end ? runs : null
}

function sumOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
