/**
 * What this user has pushed from where no node is: the digests of files, kept in the user's cache
 * directory, so that pushing a file again need not read it to know what it holds.
 *
 * The idea: one file for each pushed file, named by its identity. It is replaced by a rename, so
 * that several processes may write at once, and read as it was written or not at all. A cache is
 * only a help: whatever goes wrong here is as if nothing had been kept.
 */
import { createHash, hash } from 'node:crypto'
import { unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { type DigestAlgorithm, digestBytesOf } from '../base/digests.js'
import { limits } from '../base/limits.js'
import type { FileIdentity, FileTime } from '../ports.js'
import { readKept, replaceFile, writeAll } from './files/durable.js'
import { isCount, isHex, isObject } from './files/plain.js'
import { makeUserCache, pruneUserCache, userCache } from './files/user-cache.js'
import { granuleMs } from './held/identity.js'

/** A source file as it was before it was hashed, and how. */
export interface SentKey {
  /** Decimal. */
  readonly device: string
  readonly identity: FileIdentity
  readonly algorithm: DigestAlgorithm
}

export interface SentRecord {
  /** 32 hex digits. */
  readonly contentId: string
  /** Public key that signed for this content id, 64 hex digits. */
  readonly author: string
  readonly blockBytes: number
  /** With the algorithm, as in results. */
  readonly fileDigest: string
  /** Of all blocks, laid end to end. */
  readonly digests: Uint8Array
}

const format = 'fastreplica sent 1'
const sumBytes = 32
const bounds = { files: limits.sentFiles, bytes: limits.sentBytes }

export class SentFiles {
  readonly #directory: string | null

  /** Those of the user of this process. */
  constructor(environment: NodeJS.ProcessEnv = process.env) {
    this.#directory = userCache('sent', environment)
  }

  /** Never rejects. */
  async find(key: SentKey): Promise<SentRecord | undefined> {
    if (this.#directory === null) return undefined
    try {
      const path = join(this.#directory, nameOf(key))
      const bytes = await readKept(path, limits.sentFileBytes)
      const record = bytes === null ? undefined : decode(bytes, key)
      const now = new Date()
      // What is used stays longest.
      if (record !== undefined) await utimes(path, now, now)
      return record
    } catch {
      return undefined
    }
  }

  /**
   * Keeps what a push found. `hashedFromMs`: Unix time when hashing began, of a file that had this
   * identity then and at the end. Nothing is kept of a file that changed less than 2 s before: it
   * may have changed again with the same time stamps. Never rejects.
   */
  async keep(key: SentKey, record: SentRecord, hashedFromMs: number): Promise<void> {
    const { mtime, ctime } = key.identity
    if (!isOld(mtime, hashedFromMs) || !isOld(ctime, hashedFromMs)) return
    if (this.#directory === null) return
    try {
      const bytes = encode(key, record)
      if (bytes.length > limits.sentFileBytes) return
      await makeUserCache(this.#directory)
      const path = join(this.#directory, nameOf(key))
      await replaceFile(path, (file) => writeAll(file, bytes, 0), { isDurable: false })
      await pruneUserCache(this.#directory, bounds)
    } catch {
      // As if nothing had been kept.
    }
  }

  /** The file is not what was kept of it. Never rejects. */
  async forget(key: SentKey): Promise<void> {
    if (this.#directory !== null) await unlink(join(this.#directory, nameOf(key))).catch(() => {})
  }
}

/** So long ago that every change since shows in the time stamps. */
function isOld({ seconds, nanos }: FileTime, nowMs: number): boolean {
  return nowMs - (seconds * 1000 + nanos / 1e6) >= granuleMs
}

function textOf({ device, identity, algorithm }: SentKey): string {
  const { size, mtime, ctime, inode } = identity
  const times = [mtime.seconds, mtime.nanos, ctime.seconds, ctime.nanos]
  return [device, inode, size, ...times, algorithm].join(' ')
}

function nameOf(key: SentKey): string {
  return hash('sha256', textOf(key), 'hex').slice(0, 32)
}

/** A line of text with the rest of the key and record, the digests, and the SHA-256 of both. */
function encode(key: SentKey, { digests, ...about }: SentRecord): Buffer {
  const head = Buffer.from(`${JSON.stringify({ format, key: textOf(key), ...about })}\n`)
  const bytes = Buffer.concat([head, digests])
  return Buffer.concat([bytes, sumOf(bytes)])
}

function decode(bytes: Buffer, key: SentKey): SentRecord | undefined {
  const end = bytes.length - sumBytes
  const headEnd = bytes.indexOf('\n')
  if (headEnd < 0 || headEnd >= end) return undefined
  if (!sumOf(bytes.subarray(0, end)).equals(bytes.subarray(end))) return undefined
  const plain: unknown = JSON.parse(bytes.toString('utf8', 0, headEnd))
  if (!isObject(plain) || plain['format'] !== format || plain['key'] !== textOf(key))
    return undefined
  const { contentId, author, blockBytes, fileDigest } = plain
  const isWhole = isHex(contentId, 32) && isHex(author, 64) && typeof fileDigest === 'string'
  if (!isWhole || !isCount(blockBytes) || blockBytes === 0) return undefined
  const digests = new Uint8Array(bytes.subarray(headEnd + 1, end))
  const blocks = Math.ceil(key.identity.size / blockBytes)
  if (digests.length !== blocks * digestBytesOf(key.algorithm)) return undefined
  return { contentId, author, blockBytes, fileDigest, digests }
}

function sumOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
