/**
 * A file of rows about entries of a tree, in walk order: what each was when it got its place.
 *
 *     frtrec 3  rows  index  [place of the index u64] [bytes of files u64] [rows u32] frtrec 3
 *
 * The idea: written once, as a whole, and replaced by rename, so that it is there whole or not at
 * all. The index has the first name of each block of rows, and the last name of all; a look-up of
 * names in walk order reads each block once, and memory holds a block and the index, whatever the
 * tree has.
 */
import type { FileHandle } from 'node:fs/promises'
import { i64At, put64, u64At, u64Text } from '../../base/bytes.js'
import { type DigestAlgorithm, digestAlgorithms } from '../../base/digests.js'
import type { FileIdentity } from '../../ports.js'
import { compareNames, rankOf } from '../../protocol/listing.js'
import { openKept, replaceFile, writeAll } from '../files/durable.js'

export interface TreeRow {
  readonly kind: (typeof kinds)[number]
  /** Relative to the tree. */
  readonly name: Uint8Array
  /** That of a directory tells nothing: it changes with what is in it. */
  readonly identity: FileIdentity
  /**
   * Of a file its digest, raw, or empty where it was found to have another one; of a symlink its
   * target; of a directory empty.
   */
  readonly value: Uint8Array
  /** Of the digest; null for what has none. */
  readonly algorithm: DigestAlgorithm | null
}

interface Block {
  readonly at: number
  readonly first: Uint8Array
}

const magic = Buffer.from('frtrec 3')
export const rowBytes = 48
/** A name and a value are in it. */
const rowBytesMax = rowBytes + 2 * 0xffff
/** Size, inode, times: in a row as in a packed look (ports/entries.ts). */
const identityAt = 8
const trailerBytes = 8 + 8 + 4 + magic.length
const blockBytes = 64 * 1024
const indexBytesMax = 256 * 1024 * 1024
const kinds = ['file', 'symlink', 'directory'] as const

/** Writes the rows that `fill` puts, which ascend in walk order, and makes them durable. */
export async function writeSegment(
  path: string,
  fill: (writer: RowWriter) => Promise<void>,
): Promise<void> {
  await replaceFile(path, async (file) => {
    const writer = new RowWriter(file)
    await writeAll(file, magic, 0)
    await fill(writer)
    await writer.end()
  })
}

/** Rows that go to a file in blocks. */
export class RowWriter {
  readonly #file: FileHandle
  readonly #blocks: Block[] = []
  readonly #block = Buffer.allocUnsafe(blockBytes + rowBytesMax)
  #used = 0
  /** Where the last row begins in the block, and the name of the last one that was written. */
  #lastAt = 0
  #last: Buffer = Buffer.alloc(0)
  #at = magic.length
  #rows = 0
  #fileBytes = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  get rows(): number {
    return this.#rows
  }

  /** The row in [from, to) of these bytes. To be waited for, if it is a promise. */
  put(bytes: Buffer, from: number, to: number): Promise<void> | undefined {
    if (this.#used === 0) this.#blocks.push({ at: this.#at, first: nameIn(bytes, from) })
    this.#lastAt = this.#used
    this.#used += bytes.copy(this.#block, this.#used, from, to)
    this.#rows += 1
    if (kinds[bytes[from] as number] === 'file') this.#fileBytes += u64At(bytes, from + identityAt)
    return this.#used >= blockBytes ? this.#write() : undefined
  }

  async #write(): Promise<void> {
    if (this.#used === 0) return
    this.#last = nameIn(this.#block, this.#lastAt)
    await writeAll(this.#file, this.#block.subarray(0, this.#used), this.#at)
    this.#at += this.#used
    this.#used = 0
  }

  async end(): Promise<void> {
    await this.#write()
    const sums = { rows: this.#rows, fileBytes: this.#fileBytes }
    const index = [...this.#blocks, { at: this.#at, first: this.#last }]
    await writeAll(this.#file, trailerOf(index, this.#at, sums), this.#at)
  }
}

/** A copy of the name in the row that begins there. */
function nameIn(bytes: Buffer, at: number): Buffer {
  const from = at + rowBytes
  return Buffer.from(bytes.subarray(from, from + bytes.readUInt16LE(at + 2)))
}

interface Sums {
  readonly rows: number
  /** Of the files among them. */
  readonly fileBytes: number
}

function trailerOf(blocks: readonly Block[], at: number, sums: Sums): Uint8Array {
  const parts: Uint8Array[] = []
  for (const block of blocks) {
    const head = Buffer.alloc(10)
    head.writeBigUInt64LE(BigInt(block.at), 0)
    head.writeUInt16LE(block.first.length, 8)
    parts.push(head, block.first)
  }
  const end = Buffer.alloc(trailerBytes)
  end.writeBigUInt64LE(BigInt(at), 0)
  end.writeBigUInt64LE(BigInt(sums.fileBytes), 8)
  end.writeUInt32LE(sums.rows, 16)
  magic.copy(end, 20)
  return Buffer.concat([...parts, end])
}

/** Rows behind one another, which ascend in walk order. */
export interface PackedRows {
  readonly bytes: Buffer
  /** Where each ends. */
  readonly ends: readonly number[]
}

/** The row of a file at a place in `row`, which has room for it; `identity` begins with its. */
export function putFileRow(
  row: Buffer,
  at: number,
  file: Pick<TreeRow, 'name' | 'algorithm'> & { identity: Uint8Array; digest: Uint8Array },
): number {
  const { name, identity, digest, algorithm } = file
  putHead(row, at, { kind: 'file', name, value: digest, algorithm })
  row.set(identity.subarray(0, rowBytes - identityAt), at + identityAt)
  row.set(name, at + rowBytes)
  row.set(digest, at + rowBytes + name.length)
  return at + rowBytes + name.length + digest.length
}

function putHead(
  row: Buffer,
  at: number,
  { kind, name, value, algorithm }: Omit<TreeRow, 'identity'>,
): void {
  row.fill(0, at, at + identityAt)
  row.writeUInt8(kinds.indexOf(kind), at)
  row.writeUInt8(algorithm === null ? 0 : 1 + digestAlgorithms.indexOf(algorithm), at + 1)
  row.writeUInt16LE(name.length, at + 2)
  row.writeUInt16LE(value.length, at + 4)
}

export function bytesOfRow({ kind, name, identity, value, algorithm }: TreeRow): Buffer {
  const row = Buffer.allocUnsafe(rowBytes + name.length + value.length)
  putHead(row, 0, { kind, name, value, algorithm })
  put64(row, 8, identity.size)
  row.writeBigUInt64LE(BigInt(identity.inode), 16)
  put64(row, 24, identity.mtime.seconds)
  put64(row, 32, identity.ctime.seconds)
  row.writeUInt32LE(identity.mtime.nanos, 40)
  row.writeUInt32LE(identity.ctime.nanos, 44)
  row.set(name, rowBytes)
  row.set(value, rowBytes + name.length)
  return row
}

export class Segment {
  readonly path: string
  readonly sums: Sums
  readonly #file: FileHandle
  readonly #blocks: readonly Block[]
  readonly #last: Uint8Array
  readonly #end: number
  #loaded: { readonly index: number; readonly rows: readonly TreeRow[] } | undefined

  private constructor(path: string, file: FileHandle, { blocks, last, end, sums }: Index) {
    this.path = path
    this.sums = sums
    this.#file = file
    this.#blocks = blocks
    this.#last = last
    this.#end = end
  }

  /** Undefined where no whole segment is at the path. */
  static async open(path: string): Promise<Segment | undefined> {
    const file = await openKept(path)
    if (file === null) return undefined
    const found = await readIndex(file).catch(() => undefined)
    if (found !== undefined) return new Segment(path, file, found)
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
      index = this.blockOf(name, index)
      if (index !== before) at = 0
      // Most lists follow one another: all that this one has comes before.
      if (this.#blocks.length === 0 || compareNames(this.#last, name) < 0) return
      if (found[place] !== undefined) continue
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
    const rows = rowsOf(await this.bytesOf(index))
    this.#loaded = { index, rows }
    return rows
  }

  /** In `room`, if that is large enough for it. */
  async bytesOf(index: number, room = Buffer.alloc(0)): Promise<Buffer> {
    const from = (this.#blocks[index] as Block).at
    const to = this.#blocks[index + 1]?.at ?? this.#end
    const isRoom = to - from <= room.length
    const bytes = isRoom ? room.subarray(0, to - from) : Buffer.alloc(to - from)
    await this.#file.read(bytes, 0, bytes.length, from)
    return bytes
  }

  /** The block, not before `from`, in which this name would be. */
  blockOf(name: Uint8Array, from: number): number {
    let index = from
    while (index + 1 < this.#blocks.length && compareNames(this.#firstOf(index + 1), name) <= 0)
      index++
    return index
  }

  /** In walk order; behind this name, if one is given. */
  async *all(after: Uint8Array | null = null): AsyncGenerator<TreeRow> {
    for (let at = this.#placeOf(after); at < this.#blocks.length; at++)
      for (const row of await this.block(at))
        if (after === null || compareNames(row.name, after) > 0) yield row
  }

  /** The block in which a name is, if it is in any. */
  #placeOf(name: Uint8Array | null): number {
    let [from, to] = [0, this.#blocks.length]
    while (name !== null && from < to) {
      const middle = (from + to) >>> 1
      if (compareNames(this.#firstOf(middle), name) <= 0) from = middle + 1
      else to = middle
    }
    return name === null ? 0 : Math.max(0, from - 1)
  }
}

/**
 * Finds rows by names that ascend, and tells of the last one that was found where it is: the rest
 * of a segment goes by without objects.
 */
export class RowCursor {
  readonly #segment: Segment
  #block = -1
  #at = 0
  /** In which a row is. It is used again for the next block. */
  bytes: Buffer = Buffer.alloc(0)
  readonly #room = Buffer.allocUnsafe(blockBytes + rowBytesMax)

  constructor(segment: Segment) {
    this.#segment = segment
  }

  /** Whether there is a row of this name: the first `length` of these bytes. */
  find(name: Uint8Array, length: number): Promise<boolean> | boolean {
    for (;;) {
      if (this.#at >= this.bytes.length) {
        if (this.#block + 1 >= this.#segment.blocks) return false
        return this.#load(name, length)
      }
      const order = this.order(name, length)
      if (order >= 0) return order === 0
      this.#at = this.end
    }
  }

  /** Goes to the next row, the first at first; false: there is none. */
  next(): Promise<boolean> | boolean {
    if (this.bytes.length > 0) this.#at = this.end
    if (this.#at < this.bytes.length) return true
    return this.#block + 1 < this.#segment.blocks && this.#nextBlock()
  }

  async #nextBlock(): Promise<boolean> {
    this.#block += 1
    this.bytes = await this.#segment.bytesOf(this.#block, this.#room)
    this.#at = 0
    return true
  }

  /** Of the row. */
  get start(): number {
    return this.#at
  }

  get end(): number {
    return this.valueAt + this.valueLength
  }

  get name(): Buffer {
    const from = this.#at + rowBytes
    return this.bytes.subarray(from, from + this.#nameLength)
  }

  async #load(name: Uint8Array, length: number): Promise<boolean> {
    this.#block = this.#segment.blockOf(name.subarray(0, length), this.#block + 1)
    this.bytes = await this.#segment.bytesOf(this.#block, this.#room)
    this.#at = 0
    return this.find(name, length)
  }

  /** Of the name of the row with this one. */
  order(name: Uint8Array, length: number): number {
    const [from, own] = [this.#at + rowBytes, this.#nameLength]
    const most = Math.min(own, length)
    let at = 0
    while (at < most && this.bytes[from + at] === name[at]) at += 1
    if (at === own || at === length) return own - length
    return rankOf(this.bytes[from + at] as number) - rankOf(name[at] as number)
  }

  get #nameLength(): number {
    return this.#u16(2)
  }

  get valueLength(): number {
    return this.#u16(4)
  }

  get valueAt(): number {
    return this.#at + rowBytes + this.#nameLength
  }

  /** Where what the file system told is, as in a packed look. */
  get identityAt(): number {
    return this.#at + identityAt
  }

  get isFile(): boolean {
    return kinds[this.bytes[this.#at] as number] === 'file'
  }

  get size(): number {
    return u64At(this.bytes, this.#at + 8)
  }

  get mtimeSeconds(): number {
    return i64At(this.bytes, this.#at + 24)
  }

  get mtimeNanos(): number {
    return this.bytes.readUInt32LE(this.#at + 40)
  }

  #u16(at: number): number {
    const place = this.#at + at
    return (this.bytes[place] as number) | ((this.bytes[place + 1] as number) << 8)
  }
}

interface Index {
  readonly blocks: readonly Block[]
  /** Name of the last row. */
  readonly last: Uint8Array
  readonly end: number
  readonly sums: Sums
}

async function readIndex(file: FileHandle): Promise<Index> {
  const { size } = await file.stat()
  const trailer = Buffer.alloc(trailerBytes)
  await file.read(trailer, 0, trailerBytes, size - trailerBytes)
  const end = Number(trailer.readBigUInt64LE(0))
  const bytes = size - trailerBytes - end
  if (!trailer.subarray(20).equals(magic) || bytes < 0 || bytes > indexBytesMax)
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
  const fileBytes = Number(trailer.readBigUInt64LE(8))
  const { first: last } = blocks.pop() as Block
  return { blocks, last, end, sums: { rows: trailer.readUInt32LE(16), fileBytes } }
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
      algorithm: digestAlgorithms[bytes.readUInt8(at + 1) - 1] ?? null,
      identity: {
        size: u64At(bytes, at + 8),
        inode: u64Text(bytes, at + 16),
        mtime: { seconds: i64At(bytes, at + 24), nanos: bytes.readUInt32LE(at + 40) },
        ctime: { seconds: i64At(bytes, at + 32), nanos: bytes.readUInt32LE(at + 44) },
      },
    })
    at = end
  }
  return rows
}
