/** Trees of whoever sends them, by the addon: native/core/hash/tree.h says how it packs answers. */
import { lstat } from 'node:fs/promises'
import { put64, u64At } from '../../base/bytes.js'
import { type DigestAlgorithm, digestBytesOf } from '../../base/digests.js'
import { FrError, isFrErrorCode } from '../../base/errors.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import type {
  FileRead,
  FileToRead,
  Looked,
  LookedKind,
  TreeFiles,
  TreeIdentity,
  TreeWants,
} from '../../ports/tree-files.js'
import type { FileTime } from '../../ports.js'
import { asSourceError, identityOf, outcomeOf, timesOf } from '../tree-look.js'
import { algorithmNumber, loadAddon, nativeError } from './addon.js'

const kinds = ['directory', 'file', 'symlink', 'other'] as const
const recordBytes = 96
const identityBytes = 48
const outcomeBytes = 40
const looksAtOnce = 1_024

export class NativeTreeFiles implements TreeFiles {
  readonly hasXattrs = true

  list(directory: Buffer, identity: TreeIdentity, wants: TreeWants): AsyncIterable<Looked[]> {
    const first = this.#list(directory, identity, undefined, wants)
    // Whoever asks for the first list is told of the failure.
    first.catch(() => undefined)
    return this.#lists(first, directory, identity, wants)
  }

  async *#lists(
    first: Promise<Buffer>,
    directory: Buffer,
    identity: TreeIdentity,
    wants: TreeWants,
  ): AsyncGenerator<Looked[]> {
    const bytes = await first
    if (bytes[0] === 1) return yield recordsOf(bytes)
    for (let at = 1; at < bytes.length; ) {
      const from = at
      for (let name = 0; name < looksAtOnce && at < bytes.length; name += 1)
        at += 2 + bytes.readUInt16LE(at)
      yield recordsOf(await this.#list(directory, identity, bytes.subarray(from, at), wants))
    }
  }

  async #list(
    directory: Buffer,
    identity: TreeIdentity,
    names: Buffer | undefined,
    { xattrs, acls }: TreeWants,
  ): Promise<Buffer> {
    try {
      return await loadAddon().treeList(directory, identity, names, xattrs, acls)
    } catch (error) {
      throw failed(error, directory.toString())
    }
  }

  async look(path: Buffer, wants: TreeWants): Promise<Looked> {
    const found = await lstat(path, { bigint: true }).catch((error: unknown) => {
      throw asSourceError(error, path)
    })
    const slash = path.lastIndexOf(0x2f)
    const isDirectory = found.isDirectory()
    const parent = isDirectory ? path : path.subarray(0, Math.max(1, slash))
    const name = isDirectory ? Buffer.from('.') : path.subarray(slash + 1)
    const identity = isDirectory ? found : await lstat(parent, { bigint: true })
    const names = Buffer.concat([Buffer.of(name.length, name.length >> 8), name])
    const bytes = await this.#list(parent, identityOf(identity), names, wants)
    const [looked] = recordsOf(bytes)
    if (looked === undefined || looked.errno !== undefined)
      throw new FrError('ERR_FR_SOURCE_CHANGED')
    return looked
  }

  async read(
    files: readonly FileToRead[],
    algorithm: DigestAlgorithm,
    into?: number,
  ): Promise<FileRead[]> {
    const asked = bytesOfFiles(files)
    const block = blockBytesFor(limits.bundledFileBytes)
    const kind = algorithmNumber[algorithm]
    const bytes = await loadAddon()
      .treeRead(asked, kind, block, into)
      .catch((error: unknown) => {
        throw failed(error)
      })
    return files.map(({ path }, index): FileRead => {
      const at = index * outcomeBytes
      const outcome = bytes.readUInt32LE(at)
      if (outcome === 0) return bytes.subarray(at + 8, at + 8 + digestBytesOf(algorithm))
      return outcomeOf(outcome === 1, bytes.readUInt32LE(at + 4), path)
    })
  }
}

function bytesOfFiles(files: readonly FileToRead[]): Buffer {
  const headBytes = identityBytes + 12
  const length = files.reduce((sum, { path }) => sum + headBytes + path.length, 0)
  const bytes = Buffer.allocUnsafe(length)
  let at = 0
  for (const file of files) {
    const placeAt = at + file.identity.copy(bytes, at)
    put64(bytes, placeAt, file.at)
    bytes.writeUInt32LE(file.path.length, placeAt + 8)
    at = placeAt + 12 + file.path.copy(bytes, placeAt + 12)
  }
  return bytes
}

/** The error of a call, with what failed, if it says one of ours. */
function failed(error: unknown, path?: string): unknown {
  const { code, errno, message } = error as { code?: unknown; errno?: unknown; message?: unknown }
  if (typeof code !== 'string' || !isFrErrorCode(code)) return error
  return nativeError(code, typeof errno === 'number' ? errno : 0, String(message), path)
}

/** Reads records, behind the first byte. What they tell refers to `bytes`. */
function recordsOf(bytes: Buffer): Looked[] {
  const records: Looked[] = []
  for (let at = 1; at < bytes.length; at += bytes.readUInt32LE(at))
    records.push(new LookedRecord(bytes, at))
  return records
}

/** A record, read when it is asked: a batch holds thousands, and few things of each are wanted. */
class LookedRecord implements Looked {
  readonly #bytes: Buffer
  readonly #at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  get name(): Buffer {
    return this.#part(recordBytes, this.#nameBytes)
  }

  get kind(): LookedKind {
    return kinds[this.#bytes[this.#at + 4] as number] as LookedKind
  }

  get mode(): number {
    return this.#u32(8)
  }

  get links(): number {
    return this.#u32(12)
  }

  get uid(): number {
    return this.#u32(16)
  }

  get gid(): number {
    return this.#u32(20)
  }

  get size(): number {
    return u64At(this.#bytes, this.#at + 48)
  }

  get mtime(): FileTime {
    return timesOf(this.identity).mtime
  }

  get ctime(): FileTime {
    return timesOf(this.identity).ctime
  }

  get dataBytes(): number {
    return u64At(this.#bytes, this.#at + 80)
  }

  get identity(): TreeIdentity {
    return this.#part(32, identityBytes)
  }

  get target(): Buffer | undefined {
    if (this.kind !== 'symlink') return undefined
    return this.#part(recordBytes + this.#nameBytes, this.#u32(88))
  }

  get xattrs(): Looked['xattrs'] {
    const bytes = this.#u32(28)
    if (bytes === 0) return undefined
    return xattrsOf(this.#part(recordBytes + this.#nameBytes + this.#u32(88), bytes))
  }

  get errno(): number | undefined {
    return this.#u32(24) || undefined
  }

  get #nameBytes(): number {
    return this.#bytes.readUInt16LE(this.#at + 6)
  }

  #u32(place: number): number {
    return this.#bytes.readUInt32LE(this.#at + place)
  }

  #part(place: number, length: number): Buffer {
    return this.#bytes.subarray(this.#at + place, this.#at + place + length)
  }
}

function xattrsOf(bytes: Buffer): NonNullable<Looked['xattrs']> {
  const xattrs: { name: string; value: Uint8Array }[] = []
  for (let at = 0; at < bytes.length; ) {
    const valueAt = at + 5 + (bytes[at] as number)
    const end = valueAt + bytes.readUInt32LE(at + 1)
    const name = bytes.toString('utf8', at + 5, valueAt)
    xattrs.push({ name, value: bytes.subarray(valueAt, end) })
    at = end
  }
  return xattrs
}
