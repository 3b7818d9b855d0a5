/** What is known of a file that a node holds whole, and how it is written down. */
import type { DigestAlgorithm } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import type { FileIdentity, FileTime } from '../../ports.js'
import { isAlgorithm, isCount, isHex, isKey, keyOf, nameOfKey } from '../files/plain.js'

export interface HeldStream {
  /** At this node. */
  readonly name: Uint8Array
  /** 32 hex digits. */
  readonly contentId: string
  /** Public key, 64 hex digits. */
  readonly author: string
  readonly algorithm: DigestAlgorithm
  readonly blockBytes: number
  readonly size: number
  readonly dataBytes: number
  /** With the algorithm, as in results: `blake3:<hex>`. */
  readonly fileDigest: string
  readonly mode: number
  readonly mtime: FileTime
  /** Unix time in milliseconds. */
  readonly publishedAtMs: number
  readonly verifiedAtMs: number
  /** Of the file when it was last verified. */
  readonly identity: FileIdentity
  readonly via: 'push' | 'adopt'
  /** Criteria: who else may have it; absent: whoever asks. */
  readonly only?: string
  /** Of an earlier version: when another file took its name, in Unix milliseconds. */
  readonly keptAtMs?: number
}

/**
 * Digests of a run of whole blocks as their author signed them: the payload of a digest record
 * (protocol/digest-record.ts).
 */
export interface DigestRun {
  readonly offset: number
  readonly length: number
  readonly payload: Uint8Array
}

/** The digests in a run, laid end to end. */
export function digestsOf({ payload }: DigestRun): Uint8Array {
  return payload.subarray(limits.digestHeadBytes)
}

/**
 * Whether bytes of the one may become part of a content that those of `only` may have: nobody gets
 * bytes in another content that he could not have in this one.
 */
export function mayBecome({ only: own }: Pick<HeldStream, 'only'>, only?: string): boolean {
  return own === undefined || own === only
}

/** What a line of the index holds of a record: values in this order, without their names. */
export function rowOf(record: HeldStream): readonly unknown[] {
  const { contentId, author, algorithm, blockBytes, size, dataBytes, fileDigest } = record
  const { mode, mtime, publishedAtMs, verifiedAtMs, identity, via, keptAtMs, only } = record
  return [
    ...[keyOf(record.name), contentId, author, algorithm, blockBytes, size, dataBytes, fileDigest],
    ...[mode, rowOfTime(mtime), publishedAtMs, verifiedAtMs],
    ...[[identity.size, rowOfTime(identity.mtime), rowOfTime(identity.ctime), identity.inode], via],
    ...(keptAtMs === undefined && only === undefined ? [] : [keptAtMs ?? null]),
    ...(only === undefined ? [] : [only]),
  ]
}

/** Undefined for anything that `rowOf` does not make. */
export function recordOf(row: unknown): HeldStream | undefined {
  if (!Array.isArray(row)) return undefined
  const [key, contentId, author, algorithm, blockBytes, size, dataBytes, fileDigest] = row
  const [, , , , , , , , mode, mtimeRow, publishedAtMs, verifiedAtMs, identityRow, ...more] = row
  const [via, kept, only] = more
  const keptAtMs = kept === null && only !== undefined ? undefined : kept
  const mtime = timeOf(mtimeRow)
  const identity = identityOf(identityRow)
  const isWhole =
    isKey(key) &&
    isHex(contentId, 32) &&
    isHex(author, 64) &&
    isAlgorithm(algorithm) &&
    typeof fileDigest === 'string' &&
    (via === 'push' || via === 'adopt') &&
    isCount(blockBytes) &&
    isCount(size) &&
    isCount(dataBytes) &&
    isCount(mode) &&
    isCount(publishedAtMs) &&
    isCount(verifiedAtMs) &&
    (keptAtMs === undefined || isCount(keptAtMs)) &&
    (only === undefined || typeof only === 'string')
  if (!isWhole || mtime === undefined || identity === undefined) return undefined
  return {
    name: nameOfKey(key),
    contentId,
    author,
    algorithm,
    blockBytes,
    size,
    dataBytes,
    fileDigest,
    mode,
    mtime,
    publishedAtMs,
    verifiedAtMs,
    identity,
    via,
    ...(only !== undefined && { only }),
    ...(keptAtMs !== undefined && { keptAtMs }),
  }
}

function rowOfTime({ seconds, nanos }: FileTime): readonly unknown[] {
  return [seconds, nanos]
}

function timeOf(row: unknown): FileTime | undefined {
  if (!Array.isArray(row)) return undefined
  const [seconds, nanos] = row
  return Number.isSafeInteger(seconds) && isCount(nanos) ? { seconds, nanos } : undefined
}

function identityOf(row: unknown): FileIdentity | undefined {
  if (!Array.isArray(row)) return undefined
  const [size, mtimeRow, ctimeRow, inode] = row
  const [mtime, ctime] = [timeOf(mtimeRow), timeOf(ctimeRow)]
  const isWhole = isCount(size) && typeof inode === 'string' && /^\d{1,20}$/.test(inode)
  if (!isWhole || mtime === undefined || ctime === undefined) return undefined
  return { size, mtime, ctime, inode }
}
