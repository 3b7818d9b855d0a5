/** What is known of a file that a node holds whole, and how it is written down. */
import type { DigestAlgorithm } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import type { FileTime } from '../../ports.js'
import { isAlgorithm, isCount, isHex, isKey, isObject, keyOf, nameOfKey } from '../files/plain.js'

/** Identity of a file as the file system tells it; a change of content changes one of these. */
export interface FileIdentity {
  readonly size: number
  readonly mtime: FileTime
  readonly ctime: FileTime
  /** Decimal, 64 bits. */
  readonly inode: string
}

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
  return payload.subarray(limits.signatureBytes)
}

/** What a line of the index holds of a record. */
export function plainOf(record: HeldStream): object {
  return { ...record, name: keyOf(record.name) }
}

/** Undefined for anything that `plainOf` does not make. */
export function recordOf(plain: unknown): HeldStream | undefined {
  if (!isObject(plain)) return undefined
  const { name, contentId, author, algorithm, fileDigest, via, mtime, identity } = plain
  const isText =
    isKey(name) &&
    isHex(contentId, 32) &&
    isHex(author, 64) &&
    isAlgorithm(algorithm) &&
    typeof fileDigest === 'string' &&
    (via === 'push' || via === 'adopt')
  const numbers = ['blockBytes', 'size', 'dataBytes', 'mode', 'publishedAtMs', 'verifiedAtMs']
  const isNumbered = numbers.every((field) => isCount(plain[field]))
  if (!isText || !isNumbered || !isTime(mtime) || !isIdentity(identity)) return undefined
  return { ...plain, name: nameOfKey(name) } as unknown as HeldStream
}

function isTime(value: unknown): boolean {
  return isObject(value) && Number.isSafeInteger(value['seconds']) && isCount(value['nanos'])
}

function isIdentity(value: unknown): boolean {
  if (!isObject(value)) return false
  const { size, mtime, ctime, inode } = value
  return isCount(size) && isTime(mtime) && isTime(ctime) && /^\d{1,20}$/.test(String(inode))
}
