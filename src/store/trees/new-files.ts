/**
 * New files of a bundle, as the storage takes them and as the record keeps them: most of a tree
 * that comes for the first time.
 *
 * The idea: what is to be done with such a file is in the listing, and what the file system tells
 * of it afterwards lies as in the record. So bytes go from one to the next, and no object is made
 * of the file.
 */
import { put64 } from '../../base/bytes.js'
import { type DigestAlgorithm, digestBytesOf } from '../../base/digests.js'
import { type FilesOutcome, packedFile, packedLook } from '../../ports/entries.js'
import type { EntryStep, FileHandle } from '../../ports.js'
import type { ListingCursor } from '../../protocol/listing-reader.js'
import { type PackedRows, putFileRow, rowBytes } from './segment.js'

const slash = 0x2f

export class NewFiles {
  readonly #tree: Uint8Array
  readonly #file: FileHandle
  #bytes = Buffer.allocUnsafe(64 * 1024)
  #length = 0
  /** Of each file: where its row begins, its index in the listing, where its digest is there. */
  #starts: number[] = []
  #indices: number[] = []
  #digests: number[] = []

  /** `tree`: its name at the node. `file`: the bundle. */
  constructor(tree: Uint8Array, file: FileHandle) {
    this.#tree = tree
    this.#file = file
  }

  get count(): number {
    return this.#starts.length
  }

  /** In the listing. */
  index(file: number): number {
    return this.#indices[file] as number
  }

  /** The file that the cursor has come to. */
  add(cursor: ListingCursor): void {
    const { size, dataBytes, nameLength } = cursor
    const above = this.#tree.length
    const start = this.#length
    const nameAt = start + packedFile.bytes
    const end = nameAt + above + 1 + nameLength
    this.#reserve(end)
    const row = this.#bytes.fill(0, start, nameAt)
    row[start] = packedFile.kind
    const sparse = dataBytes < size ? packedFile.isSparse : 0
    row[start + packedFile.flags] = packedFile.hasAttributes | sparse
    row.writeUInt16LE(cursor.mode & 0o777, start + packedFile.mode)
    row.writeUInt32LE(cursor.mtimeNanos, start + packedFile.nanos)
    put64(row, start + packedFile.seconds, cursor.mtimeSeconds)
    put64(row, start + packedFile.offset, cursor.at ?? 0)
    put64(row, start + packedFile.size, size)
    row.writeUInt32LE(this.#file, start + packedFile.file)
    row.writeUInt16LE(end - nameAt, start + packedFile.nameBytes)
    row.set(this.#tree, nameAt)
    row[nameAt + above] = slash
    row.set(cursor.nameBytes.subarray(0, nameLength), nameAt + above + 1)
    this.#length = end
    this.#starts.push(start)
    this.#indices.push(cursor.index)
    this.#digests.push(cursor.digestAt)
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#bytes.length))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }

  /** Those with these indices are left out. */
  leaveOut(indices: ReadonlySet<number>): void {
    const [starts, ends] = [this.#starts, [...this.#starts.slice(1), this.#length]]
    const kept = [...starts.keys()].filter((file) => !indices.has(this.index(file)))
    this.#length = 0
    this.#starts = kept.map((file) => {
      const start = this.#length
      this.#bytes.copyWithin(start, starts[file] as number, ends[file])
      this.#length += (ends[file] as number) - (starts[file] as number)
      return start
    })
    this.#digests = kept.map((file) => this.#digests[file] as number)
    this.#indices = kept.map((file) => this.index(file))
  }

  get step(): EntryStep {
    const rows = this.#bytes.subarray(0, this.#length)
    return { kind: 'files', name: this.#tree, file: this.#file, count: this.count, rows }
  }

  /** Names of some of them, at least one in each directory that has any. */
  get someOfEach(): Uint8Array[] {
    const names: Uint8Array[] = []
    let directory: Uint8Array | undefined
    for (const start of this.#starts) {
      const name = this.#name(start)
      const own = name.subarray(0, name.lastIndexOf(slash))
      if (directory !== undefined && own.equals(directory)) continue
      directory = own
      names.push(name)
    }
    return names
  }

  #name(start: number): Buffer {
    const at = start + packedFile.bytes
    return this.#bytes.subarray(at, at + this.#bytes.readUInt16LE(start + packedFile.nameBytes))
  }

  /** Of those that are in their places, for the record. */
  rows({ looks }: FilesOutcome, listing: Uint8Array, algorithm: DigestAlgorithm): PackedRows {
    const digestBytes = digestBytesOf(algorithm)
    const bytes = Buffer.allocUnsafe(this.#length + this.count * (rowBytes + digestBytes))
    const ends: number[] = []
    let at = 0
    for (let file = 0; file < this.count; file += 1) {
      const look = file * packedLook.bytes
      if (looks[look] !== packedLook.file) continue
      const name = this.#name(this.#starts[file] as number).subarray(this.#tree.length + 1)
      const from = this.#digests[file] as number
      const digest = listing.subarray(from, from + digestBytes)
      const identity = looks.subarray(look + packedLook.identity)
      at = putFileRow(bytes, at, { name, identity, digest, algorithm })
      ends.push(at)
    }
    return { bytes, ends }
  }
}
