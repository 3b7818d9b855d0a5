/**
 * What this user has sent of a file that is still appended to, or of a stream: the id of the
 * content, and digests of what was signed. A process that was killed is followed by one that goes
 * on with the same content, where the source still begins with what was sent.
 *
 * The file: a line of JSON, filled up to 512 bytes; then a place for the newest cut (the beginning
 * of the last block), which is written over; then runs of whole blocks, each with its checksum, as
 * they were signed. Nothing is flushed: what a crash of the machine takes is sent as a new content.
 * Like all of this cache it is only a help, and whatever goes wrong is as if there were nothing.
 */
import { createHash, hash } from 'node:crypto'
import { type FileHandle, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { digestBytesOf } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import { blockBytesAt, isInSection } from '../../base/sections.js'
import { claimName } from '../files/claims.js'
import { openOwn, readKept, writeAll } from '../files/durable.js'
import { isHex, isObject } from '../files/plain.js'
import { makeUserCache, pruneUserCache, userCache } from '../files/user-cache.js'

/** `author`: public key of whoever signs, 64 hex digits. */
export type GrowthKey =
  /** A file; both are decimal. */
  | { readonly device: string; readonly inode: string; readonly author: string }
  /** What comes under a name to the same nodes. One process at a time knows of it. */
  | { readonly stream: string; readonly author: string }

/** Digests of whole blocks, or of a run that ends inside one. */
export interface GrowthRun {
  readonly offset: number
  readonly length: number
  readonly digests: Uint8Array
}

const format = 'fastreplica growing 1'
const headBytes = 512
const sumBytes = 8
const digestBytes = digestBytesOf('blake3')
/** u64 offset, u32 length, then digests and a checksum. */
const placeBytes = 12
const cutBytes = placeBytes + digestBytes + sumBytes
const bounds = { files: limits.keptGrowths, bytes: limits.keptGrowthBytes }

export class KeptGrowth {
  readonly contentId: string
  /** Of the process before this one, in order of offset, the newest cut last. */
  readonly runs: readonly GrowthRun[]
  readonly #key: GrowthKey | null
  readonly #path: string | null
  readonly #file: FileHandle | null
  readonly #release: () => void
  #end: number
  #work: Promise<unknown> = Promise.resolve()
  #cut: GrowthRun | undefined
  /** Whole blocks before this are kept. */
  #wholeEnd: number

  private constructor(contentId: string, runs: readonly GrowthRun[], file: OpenKept | null) {
    this.contentId = contentId
    this.runs = runs
    this.#key = file?.key ?? null
    this.#release = file?.release ?? (() => {})
    this.#path = file?.path ?? null
    this.#file = file?.file ?? null
    this.#end = file?.end ?? 0
    const last = runs.findLast(isWhole)
    this.#wholeEnd = last === undefined ? 0 : last.offset + last.length
  }

  /** Nothing is kept of it. */
  static none(freshId: string): KeptGrowth {
    return new KeptGrowth(freshId, [], null)
  }

  /**
   * Goes on with what is kept where `isSame` finds its runs in the source, which ends at `size`
   * where that was signed; else begins anew with the fresh id. Never rejects.
   */
  static async open(
    key: GrowthKey,
    freshId: string,
    isSame: (runs: readonly GrowthRun[], size: number | null) => Promise<boolean>,
    environment: NodeJS.ProcessEnv = process.env,
  ): Promise<KeptGrowth> {
    const directory = userCache('growing', environment)
    if (directory === null) return KeptGrowth.none(freshId)
    const path = join(directory, hash('sha256', textOf(key), 'hex').slice(0, 32))
    const release = 'stream' in key ? await claimName(path) : () => {}
    if (release === null) return KeptGrowth.none(freshId)
    try {
      await makeUserCache(directory)
      await pruneUserCache(directory, bounds)
      const before = decode((await readKept(path, limits.keptGrowthFileBytes)) ?? Buffer.of(), key)
      const isGoneOn = before !== null && (await isSame(before.runs, before.size))
      const file = await openOwn(path)
      if (file === null) throw new Error('it is none of ours')
      const open = { key, release, path, file }
      if (isGoneOn) return new KeptGrowth(before.contentId, before.runs, { ...open, ...before })
      await file.truncate(0)
      await writeAll(file, headOf(key, freshId, null), 0)
      const end = headBytes + cutBytes
      await file.truncate(end)
      return new KeptGrowth(freshId, [], { ...open, end })
    } catch {
      release()
      return KeptGrowth.none(freshId)
    }
  }

  /** What was signed. Of cuts only the newest is kept. */
  keep(run: GrowthRun): void {
    if (this.#file === null) return
    if (isWhole(run)) return this.#append(this.#file, run)
    const isWriting = this.#cut !== undefined
    this.#cut = run
    if (!isWriting) this.#then(() => this.#writeCut())
  }

  /** The end was signed: whoever goes on has the same. */
  seal(size: number): void {
    const [file, key] = [this.#file, this.#key]
    if (file === null || key === null) return
    this.#then(() => writeAll(file, headOf(key, this.contentId, size), 0))
  }

  /** It is final, or is no longer what was sent: nothing goes on with it. */
  async forget(): Promise<void> {
    if (this.#path !== null) await unlink(this.#path).catch(() => {})
  }

  /** What is to be kept is kept. */
  async close(): Promise<void> {
    await this.#work
    await this.#file?.close().catch(() => {})
    this.#release()
  }

  #append(file: FileHandle, run: GrowthRun): void {
    const end = run.offset + run.length
    const [bytes, at] = [encodeRun(run), this.#end]
    if (end <= this.#wholeEnd || run.offset > this.#wholeEnd) return
    if (at + bytes.length > limits.keptGrowthFileBytes) return
    this.#end += bytes.length
    this.#wholeEnd = end
    this.#then(() => writeAll(file, bytes, at))
  }

  async #writeCut(): Promise<void> {
    const cut = this.#cut
    this.#cut = undefined
    if (cut === undefined || this.#file === null) return
    const start = cut.offset + cut.length - ((cut.offset + cut.length) % blockBytesAt(cut.offset))
    const digests = cut.digests.subarray(cut.digests.length - digestBytes)
    const last = { offset: start, length: cut.offset + cut.length - start, digests }
    await writeAll(this.#file, encodeRun(last), headBytes)
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch(() => {})
  }
}

/** It ends where a block does. */
function isWhole({ offset, length }: GrowthRun): boolean {
  return (offset + length) % blockBytesAt(offset) === 0
}

function textOf(key: GrowthKey): string {
  const { author } = key
  if (!('stream' in key)) return [key.device, key.inode, author].join(' ')
  return ['stream', hash('sha256', key.stream, 'hex'), author].join(' ')
}

function headOf(key: GrowthKey, contentId: string, size: number | null): Buffer {
  const text = JSON.stringify({ format, key: textOf(key), contentId, size })
  return Buffer.from(`${text.padEnd(headBytes - 1)}\n`)
}

function encodeRun({ offset, length, digests }: GrowthRun): Buffer {
  const bytes = Buffer.alloc(placeBytes + digests.length)
  bytes.writeBigUInt64BE(BigInt(offset), 0)
  bytes.writeUInt32BE(length, 8)
  bytes.set(digests, placeBytes)
  return Buffer.concat([bytes, sumOf(bytes)])
}

function sumOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, sumBytes)
}

interface OpenKept {
  readonly key: GrowthKey
  readonly release: () => void
  readonly path: string
  readonly file: FileHandle
  readonly end: number
}

interface Decoded {
  readonly contentId: string
  /** Bytes of all of it; null: its end was not signed. */
  readonly size: number | null
  readonly runs: readonly GrowthRun[]
  /** Behind the last run that is whole. */
  readonly end: number
}

/** Null: nothing that can be used. Runs follow each other without a gap. */
function decode(bytes: Buffer, key: GrowthKey): Decoded | null {
  if (bytes.length < headBytes + cutBytes) return null
  const head: unknown = JSON.parse(bytes.toString('utf8', 0, headBytes))
  const isOurs = isObject(head) && head['format'] === format && head['key'] === textOf(key)
  if (!isOurs || !isHex(head['contentId'], 32)) return null
  const runs: GrowthRun[] = []
  let at = headBytes + cutBytes
  let prefix = 0
  for (let next = decodeRun(bytes, at); next !== null; next = decodeRun(bytes, at)) {
    at = next.end
    const end = next.run.offset + next.run.length
    // A process that went on has cut the same into other runs.
    if (end <= prefix) continue
    if (next.run.offset > prefix) break
    runs.push(next.run)
    prefix = end
  }
  const cut = decodeRun(bytes.subarray(0, headBytes + cutBytes), headBytes)
  if (cut !== null && cut.run.offset === prefix) runs.push(cut.run)
  const size = typeof head['size'] === 'number' ? head['size'] : null
  return { contentId: head['contentId'], size, runs, end: at }
}

function decodeRun(bytes: Buffer, at: number): { run: GrowthRun; end: number } | null {
  if (at + placeBytes > bytes.length) return null
  const offset = Number(bytes.readBigUInt64BE(at))
  const length = bytes.readUInt32BE(at + 8)
  if (length === 0 || offset > limits.growingSpanBytes || !isInSection(offset, length)) return null
  const digestsEnd = at + placeBytes + Math.ceil(length / blockBytesAt(offset)) * digestBytes
  const end = digestsEnd + sumBytes
  if (end > bytes.length) return null
  const sum = bytes.subarray(digestsEnd, end)
  if (!sumOf(bytes.subarray(at, digestsEnd)).equals(sum)) return null
  return { run: { offset, length, digests: bytes.subarray(at + placeBytes, digestsEnd) }, end }
}
