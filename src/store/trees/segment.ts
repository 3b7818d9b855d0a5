/**
 * A file of rows about entries of a tree, in walk order: what each was when it got its place.
 *
 *     frtrec 1  rows  index  [place of the index u64] [rows u32] frtrec 1
 *
 * The idea: written once, as a whole, and replaced by rename, so that it is there whole or not at
 * all. The index has the first name of each block of rows; a look-up of names in walk order reads
 * each block once, and memory holds a block and the index, whatever the tree has.
 */
import type { FileHandle } from 'node:fs/promises'
import type { FileIdentity } from '../../ports.js'
import { compareNames } from '../../protocol/listing.js'
import { openKept, replaceFile, writeAll } from '../files/durable.js'

export interface TreeRow {
  readonly kind: 'file' | 'symlink'
  /** Relative to the tree. */
  readonly name: Uint8Array
  readonly identity: FileIdentity
  /** Of a file its digest, raw; of a symlink its target. */
  readonly value: Uint8Array
}

interface Block {
  readonly at: number
  readonly first: Uint8Array
}

const magic = Buffer.from('frtrec 1')
const rowBytes = 48
const trailerBytes = 8 + 4 + magic.length
const blockBytes = 64 * 1024
const indexBytesMax = 256 * 1024 * 1024
const kinds = ['file', 'symlink'] as const

/** Writes rows, which ascend in walk order, and makes them durable; resolves to their number. */
export async function writeSegment(
  path: string,
  rows: AsyncIterable<TreeRow> | Iterable<TreeRow>,
): Promise<number> {
  let count = 0
  await replaceFile(path, async (file) => {
    const blocks: Block[] = []
    let parts: Uint8Array[] = []
    let [at, held] = [magic.length, 0]
    const write = async (): Promise<void> => {
      await writeAll(file, Buffer.concat(parts), at)
      at += held
      parts = []
      held = 0
    }
    await writeAll(file, magic, 0)
    for await (const row of rows) {
      if (held === 0) blocks.push({ at, first: row.name })
      const bytes = bytesOfRow(row)
      parts.push(bytes)
      held += bytes.length
      count++
      if (held >= blockBytes) await write()
    }
    await write()
    await writeAll(file, trailerOf(blocks, at, count), at)
  })
  return count
}

function trailerOf(blocks: readonly Block[], at: number, count: number): Uint8Array {
  const parts: Uint8Array[] = []
  for (const block of blocks) {
    const head = Buffer.alloc(10)
    head.writeBigUInt64LE(BigInt(block.at), 0)
    head.writeUInt16LE(block.first.length, 8)
    parts.push(head, block.first)
  }
  const end = Buffer.alloc(trailerBytes)
  end.writeBigUInt64LE(BigInt(at), 0)
  end.writeUInt32LE(count, 8)
  magic.copy(end, 12)
  return Buffer.concat([...parts, end])
}

function bytesOfRow({ kind, name, identity, value }: TreeRow): Uint8Array {
  const row = Buffer.alloc(rowBytes + name.length + value.length)
  row.writeUInt8(kinds.indexOf(kind), 0)
  row.writeUInt16LE(name.length, 2)
  row.writeUInt16LE(value.length, 4)
  row.writeBigUInt64LE(BigInt(identity.size), 8)
  row.writeBigUInt64LE(BigInt(identity.inode), 16)
  row.writeBigInt64LE(BigInt(identity.mtime.seconds), 24)
  row.writeBigInt64LE(BigInt(identity.ctime.seconds), 32)
  row.writeUInt32LE(identity.mtime.nanos, 40)
  row.writeUInt32LE(identity.ctime.nanos, 44)
  row.set(name, rowBytes)
  row.set(value, rowBytes + name.length)
  return row
}

export class Segment {
  readonly path: string
  readonly rows: number
  readonly #file: FileHandle
  readonly #blocks: readonly Block[]
  readonly #end: number
  #loaded: { readonly index: number; readonly rows: readonly TreeRow[] } | undefined

  private constructor(
    path: string,
    file: FileHandle,
    blocks: readonly Block[],
    end: number,
    rows: number,
  ) {
    this.path = path
    this.rows = rows
    this.#file = file
    this.#blocks = blocks
    this.#end = end
  }

  /** Undefined where no whole segment is at the path. */
  static async open(path: string): Promise<Segment | undefined> {
    const file = await openKept(path)
    if (file === null) return undefined
    const found = await readIndex(file).catch(() => undefined)
    if (found !== undefined) return new Segment(path, file, found.blocks, found.end, found.rows)
    await file.close()
    return undefined
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  get blocks(): number {
    return this.#blocks.length
  }

  /** The rows of names that ascend in walk order, at their places in `found`, if they have none. */
  async fill(names: readonly Uint8Array[], found: (TreeRow | undefined)[]): Promise<void> {
    let [index, at] = [0, 0]
    for (const [place, name] of names.entries()) {
      const before = index
      while (index + 1 < this.#blocks.length && compareNames(this.#firstOf(index + 1), name) <= 0)
        index++
      if (index !== before) at = 0
      if (found[place] !== undefined || this.#blocks.length === 0) continue
      if (compareNames(this.#firstOf(index), name) > 0) continue
      const rows = await this.block(index)
      while (at < rows.length && compareNames((rows[at] as TreeRow).name, name) < 0) at++
      const row = rows[at]
      if (row !== undefined && compareNames(row.name, name) === 0) found[place] = row
    }
  }

  #firstOf(index: number): Uint8Array {
    return (this.#blocks[index] as Block).first
  }

  async block(index: number): Promise<readonly TreeRow[]> {
    if (this.#loaded?.index === index) return this.#loaded.rows
    const from = (this.#blocks[index] as Block).at
    const to = this.#blocks[index + 1]?.at ?? this.#end
    const bytes = Buffer.alloc(to - from)
    await this.#file.read(bytes, 0, bytes.length, from)
    const rows = rowsOf(bytes)
    this.#loaded = { index, rows }
    return rows
  }

  async *all(): AsyncGenerator<TreeRow> {
    for (let index = 0; index < this.#blocks.length; index++) yield* await this.block(index)
  }
}

async function readIndex(
  file: FileHandle,
): Promise<{ blocks: Block[]; end: number; rows: number }> {
  const { size } = await file.stat()
  const trailer = Buffer.alloc(trailerBytes)
  await file.read(trailer, 0, trailerBytes, size - trailerBytes)
  const end = Number(trailer.readBigUInt64LE(0))
  const bytes = size - trailerBytes - end
  if (!trailer.subarray(12).equals(magic) || bytes < 0 || bytes > indexBytesMax)
    throw new RangeError('no segment')
  const index = Buffer.alloc(bytes)
  await file.read(index, 0, bytes, end)
  const blocks: Block[] = []
  for (let at = 0; at < bytes; ) {
    const length = index.readUInt16LE(at + 8)
    const first = index.subarray(at + 10, at + 10 + length)
    blocks.push({ at: Number(index.readBigUInt64LE(at)), first })
    at += 10 + length
  }
  return { blocks, end, rows: trailer.readUInt32LE(8) }
}

function rowsOf(bytes: Buffer): TreeRow[] {
  const rows: TreeRow[] = []
  for (let at = 0; at < bytes.length; ) {
    const nameAt = at + rowBytes
    const valueAt = nameAt + bytes.readUInt16LE(at + 2)
    const end = valueAt + bytes.readUInt16LE(at + 4)
    rows.push({
      kind: kinds[bytes.readUInt8(at)] ?? 'file',
      name: bytes.subarray(nameAt, valueAt),
      value: bytes.subarray(valueAt, end),
      identity: {
        size: Number(bytes.readBigUInt64LE(at + 8)),
        inode: String(bytes.readBigUInt64LE(at + 16)),
        mtime: {
          seconds: Number(bytes.readBigInt64LE(at + 24)),
          nanos: bytes.readUInt32LE(at + 40),
        },
        ctime: {
          seconds: Number(bytes.readBigInt64LE(at + 32)),
          nanos: bytes.readUInt32LE(at + 44),
        },
      },
    })
    at = end
  }
  return rows
}
