/**
 * What this user has sent of a tree: name, identity and digest of each file, kept in the user's
 * cache directory, so that what has not changed is not read again.
 *
 * The idea: the records are in walk order, as the walk is, so both are read side by side and
 * memory does not grow with the tree. A new file takes the place of the old one by a rename, when
 * the tree has been sent. Records of files alone, whose digests are known late, are in a file of
 * their own. A cache is only a help: whatever goes wrong here is as if nothing had been kept.
 */
import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { compareNames } from '../../protocol/listing.js'
import { checksum, openKept, replaceFile, writeAll } from '../files/durable.js'
import { makeUserCache, pruneUserCache, userCache } from '../files/user-cache.js'

export interface SentFile {
  readonly name: Uint8Array
  /** As ports/tree-files.ts has it. */
  readonly identity: Uint8Array
  /** Raw. */
  readonly digest: Uint8Array
}

const format = 'fastreplica tree 1'
const identityBytes = 48
/** Records are in chunks: u32 bytes | checksum, 16 digits | records. */
const chunkHead = 20
const chunkBytes = 64 * 1024
const chunkBytesMax = 2 * chunkBytes
const bounds = { files: 2 * limits.sentTrees, bytes: limits.sentTreesBytes }

export interface SentTreeSpec {
  /** What makes the tree: its paths and their names, and the algorithm of digests. */
  readonly parts: readonly (string | Uint8Array)[]
  readonly digestBytes: number
  /** What is kept is not believed. */
  readonly rereads: boolean
}

export class SentTree {
  readonly #directory: string | null
  readonly #key: string
  readonly #aloneKey: string
  readonly #digestBytes: number
  readonly #old: Records | null
  readonly #alone: ReadonlyMap<string, SentFile>
  readonly #sentAlone: SentFile[] = []
  /** Records of batches that came before their turn. */
  readonly #waiting = new Map<number, readonly SentFile[]>()
  #nextBatch = 0
  #writing: Promise<NewRecords | null>

  private constructor(
    spec: SentTreeSpec,
    directory: string | null,
    keys: readonly [string, string],
    old: Records | null,
    alone: ReadonlyMap<string, SentFile>,
  ) {
    this.#directory = directory
    ;[this.#key, this.#aloneKey] = keys
    this.#digestBytes = spec.digestBytes
    this.#old = old
    this.#alone = alone
    this.#writing = NewRecords.open(directory, this.#key)
  }

  /** Never rejects. */
  static async open(
    spec: SentTreeSpec,
    directory: string | null = userCache('trees'),
  ): Promise<SentTree> {
    const keys = [keyOf(spec, 'bundled'), keyOf(spec, 'alone')] as const
    if (directory === null || spec.rereads)
      return new SentTree(spec, directory, keys, null, new Map())
    const old = await Records.open(join(directory, keys[0]), spec.digestBytes)
    const alone = new Map<string, SentFile>()
    const records = await Records.open(join(directory, keys[1]), spec.digestBytes)
    for (let file = await records?.next(); file && alone.size < limits.sentTreeAlone; ) {
      alone.set(textOf(file.name), file)
      file = await records?.next()
    }
    await records?.close()
    return new SentTree(spec, directory, keys, old, alone)
  }

  /** Something is known of an earlier push. */
  get isKnown(): boolean {
    return this.#old !== null
  }

  /**
   * The digest of a bundled file if it has not changed. Names ascend from call to call. A promise
   * only where the disk is waited for.
   */
  digestOf(name: Uint8Array, identity: Uint8Array): Promise<Uint8Array | null> | Uint8Array | null {
    const digest = (file: SentFile | undefined): Uint8Array | null =>
      file && isSame(file.identity, identity) ? file.digest : null
    const file = this.#old?.find(name)
    return file instanceof Promise ? file.then(digest) : digest(file)
  }

  /** The same of a file alone, in any order. */
  digestAlone(name: Uint8Array, identity: Uint8Array): Uint8Array | null {
    const file = this.#alone.get(textOf(name))
    return file && isSame(file.identity, identity) ? file.digest : null
  }

  /** Of a batch, which come in any order, each once; its files ascend. */
  add(batch: number, files: readonly SentFile[]): void {
    this.#waiting.set(batch, files)
    for (;;) {
      const next = this.#waiting.get(this.#nextBatch)
      if (next === undefined) return
      this.#waiting.delete(this.#nextBatch)
      this.#nextBatch += 1
      this.#writing = this.#writing.then((records) => records?.add(next) ?? null)
    }
  }

  addAlone(file: SentFile): void {
    if (this.#sentAlone.length < limits.sentTreeAlone) this.#sentAlone.push(file)
  }

  /** What was added takes the place of what there was. Never rejects. */
  async keep(): Promise<void> {
    const directory = this.#directory
    const records = await this.#writing
    this.#writing = Promise.resolve(null)
    if (directory === null) return
    try {
      await records?.keep()
      const packed = chunkOf(this.#sentAlone, this.#digestBytes)
      await replaceFile(join(directory, this.#aloneKey), (file) => writeAll(file, packed, 0), {
        isDurable: false,
      })
      await pruneUserCache(directory, bounds)
    } catch {
      // As if nothing had been kept.
    }
  }

  async close(): Promise<void> {
    await this.#old?.close()
    const records = await this.#writing
    this.#writing = Promise.resolve(null)
    await records?.discard()
  }
}

function keyOf({ parts, digestBytes }: SentTreeSpec, kind: string): string {
  const whole = createHash('sha256').update(`${format} ${kind} ${digestBytes}`)
  for (const part of parts) {
    const bytes = Buffer.from(part)
    whole.update(`\n${bytes.length} `).update(bytes)
  }
  return whole.digest('hex').slice(0, 32)
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

function packed({ name, identity, digest }: SentFile): Buffer {
  const length = Buffer.of(name.length & 0xff, name.length >> 8)
  return Buffer.concat([length, identity, digest, name])
}

/** All records of a few files in chunks. */
function chunkOf(files: readonly SentFile[], digestBytes: number): Buffer {
  const chunks: Buffer[] = []
  const each = Math.floor(chunkBytes / (2 + identityBytes + digestBytes + limits.nameBytes))
  for (let at = 0; at < files.length; at += each)
    chunks.push(sealed(Buffer.concat(files.slice(at, at + each).map(packed))))
  return Buffer.concat(chunks)
}

function sealed(records: Buffer): Buffer {
  const head = Buffer.alloc(chunkHead)
  head.writeUInt32LE(records.length)
  head.write(checksum(records), 4, 'latin1')
  return Buffer.concat([head, records])
}

/** The records of an earlier push, one after the other; after damage there are no more. */
class Records {
  readonly #file: FileHandle
  readonly #digestBytes: number
  #at = 0
  #chunk: Buffer = Buffer.alloc(0)
  #inChunk = 0
  #last: SentFile | undefined
  #isAtEnd = false

  private constructor(file: FileHandle, digestBytes: number) {
    this.#file = file
    this.#digestBytes = digestBytes
  }

  static async open(path: string, digestBytes: number): Promise<Records | null> {
    const file = await openKept(path).catch(() => null)
    if (file === null) return null
    const now = new Date()
    // What is used stays longest.
    await file.utimes(now, now).catch(() => undefined)
    return new Records(file, digestBytes)
  }

  find(name: Uint8Array): Promise<SentFile | undefined> | SentFile | undefined {
    for (;;) {
      if (this.#last === undefined && this.#inChunk === this.#chunk.length)
        return this.#isAtEnd ? undefined : this.#findNext(name)
      this.#last ??= this.#take()
      if (this.#last === undefined) return undefined
      const order = compareNames(this.#last.name, name)
      if (order === 0) return this.#last
      if (order > 0) return undefined
      this.#last = undefined
    }
  }

  async #findNext(name: Uint8Array): Promise<SentFile | undefined> {
    this.#last = await this.next()
    this.#isAtEnd = this.#last === undefined
    return this.find(name)
  }

  async next(): Promise<SentFile | undefined> {
    if (this.#inChunk === this.#chunk.length) {
      this.#chunk = await this.#read().catch(() => Buffer.alloc(0))
      this.#inChunk = 0
    }
    return this.#take()
  }

  async #read(): Promise<Buffer> {
    const none = Buffer.alloc(0)
    const head = await this.#bytes(chunkHead)
    const length = head.length < chunkHead ? 0 : head.readUInt32LE()
    if (length === 0 || length > chunkBytesMax) return none
    const records = await this.#bytes(length)
    const isWhole = records.length === length
    return isWhole && checksum(records) === head.toString('latin1', 4) ? records : none
  }

  async #bytes(length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length)
    const { bytesRead } = await this.#file.read(bytes, 0, length, this.#at)
    this.#at += bytesRead
    return bytes.subarray(0, bytesRead)
  }

  #take(): SentFile | undefined {
    const at = this.#inChunk
    const chunk = this.#chunk
    if (at + 2 > chunk.length) return undefined
    const digestAt = at + 2 + identityBytes
    const nameAt = digestAt + this.#digestBytes
    const end = nameAt + chunk.readUInt16LE(at)
    this.#inChunk = end
    return {
      name: chunk.subarray(nameAt, end),
      identity: chunk.subarray(at + 2, digestAt),
      digest: chunk.subarray(digestAt, nameAt),
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** The records of this push, under a temporary name. */
class NewRecords {
  readonly #file: FileHandle
  readonly #path: string
  readonly #temporary: string
  #at = 0
  #records: Buffer[] = []
  #bytes = 0

  private constructor(file: FileHandle, path: string, temporary: string) {
    this.#file = file
    this.#path = path
    this.#temporary = temporary
  }

  static async open(directory: string | null, key: string): Promise<NewRecords | null> {
    if (directory === null) return null
    try {
      await makeUserCache(directory)
      const path = join(directory, key)
      const temporary = `${path}.${randomBytes(8).toString('hex')}`
      return new NewRecords(await open(temporary, 'wx', 0o600), path, temporary)
    } catch {
      return null
    }
  }

  /** Null: it has failed, and nothing will be kept. */
  async add(files: readonly SentFile[]): Promise<NewRecords | null> {
    try {
      for (const file of files) {
        const record = packed(file)
        this.#records.push(record)
        this.#bytes += record.length
        if (this.#bytes >= chunkBytes) await this.#write()
      }
      return this
    } catch {
      await this.discard()
      return null
    }
  }

  async #write(): Promise<void> {
    if (this.#bytes === 0) return
    const chunk = sealed(Buffer.concat(this.#records))
    this.#records = []
    this.#bytes = 0
    await writeAll(this.#file, chunk, this.#at)
    this.#at += chunk.length
  }

  async keep(): Promise<void> {
    try {
      await this.#write()
      await this.#file.close()
      await rename(this.#temporary, this.#path)
    } catch (error) {
      await this.discard()
      throw error
    }
  }

  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined)
    await unlink(this.#temporary).catch(() => undefined)
  }
}
