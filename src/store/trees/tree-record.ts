/**
 * What a node has of one tree: `DATA/.fastreplica/trees/KEY/`, in which `name` holds the name of
 * the tree, and `N.seg` rows about its entries (segment.ts).
 *
 * The idea: each bundle adds a segment; of two rows about one name that of the later segment
 * counts. At the end of a push, and when there are many, they are merged into one. A row is a claim
 * about one file at one moment: whoever uses it compares the identity with that of the file, so a
 * row too many is harmless, and one that was lost costs a transfer of its file.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { compareNames } from '../../protocol/listing.js'
import { replaceFile, syncDirectory, writeAll } from '../files/durable.js'
import { HashTable } from './name-table.js'
import { RowCursor, Segment, type TreeRow, writeSegment } from './segment.js'

const blocksPerSegment = 2 ** 24

/** Of a tree of this name, in DATA/.fastreplica/trees. */
export function keyOfTree(name: Uint8Array): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32)
}

export class TreeRecord {
  readonly #path: string
  /** Oldest first. */
  readonly #segments: Segment[]
  #next: number
  #byDigest: HashTable | undefined

  private constructor(path: string, segments: Segment[], next: number) {
    this.#path = path
    this.#segments = segments
    this.#next = next
  }

  /** What an earlier process had no time to finish is removed. */
  static async open(treesDir: string, name: Uint8Array): Promise<TreeRecord> {
    const path = join(treesDir, keyOfTree(name))
    await mkdir(path, { recursive: true, mode: 0o700 })
    const files = await readdir(path)
    if (!files.includes('name'))
      await replaceFile(join(path, 'name'), (file) => writeAll(file, name, 0))
    const numbers: number[] = []
    for (const file of files) {
      const number = /^(\d{1,9})\.seg$/.exec(file)?.[1]
      if (number !== undefined) numbers.push(Number(number))
      else if (file !== 'name') await unlink(join(path, file)).catch(() => {})
    }
    numbers.sort((a, b) => a - b)
    const segments: Segment[] = []
    for (const number of numbers) {
      const segment = await Segment.open(join(path, `${number}.seg`))
      if (segment !== undefined) segments.push(segment)
    }
    return new TreeRecord(path, segments, (numbers.at(-1) ?? 0) + 1)
  }

  /** All rows in order; undefined where some are out of date. */
  rows(): RowCursor | undefined {
    const [only, ...others] = this.#segments
    return only === undefined || others.length > 0 ? undefined : new RowCursor(only)
  }

  async close(): Promise<void> {
    for (const segment of this.#segments) await segment.close().catch(() => {})
  }

  /** The rows of names that ascend in walk order. */
  async lookUp(names: readonly Uint8Array[]): Promise<(TreeRow | undefined)[]> {
    const found: (TreeRow | undefined)[] = names.map(() => undefined)
    for (const segment of this.#segments.toReversed()) await segment.fill(names, found)
    return found
  }

  /** A file that had this digest; what is there now is for the caller to compare. */
  async withDigest(digest: Uint8Array): Promise<TreeRow | undefined> {
    this.#byDigest ??= await this.#index()
    const place = this.#byDigest.get(hashOfDigest(digest))
    if (place === undefined) return undefined
    const segment = this.#segments[Math.floor(place / blocksPerSegment)]
    const rows = (await segment?.block(place % blocksPerSegment)) ?? []
    return rows.find(({ kind, value }) => kind === 'file' && Buffer.from(value).equals(digest))
  }

  async #index(): Promise<HashTable> {
    const table = new HashTable()
    for (const index of this.#segments.keys()) await this.#addTo(table, index)
    return table
  }

  async #addTo(table: HashTable, index: number): Promise<void> {
    const segment = this.#segments[index] as Segment
    for (let block = 0; block < segment.blocks; block++)
      for (const { kind, value } of await segment.block(block))
        if (kind === 'file') table.add(hashOfDigest(value), index * blocksPerSegment + block)
  }

  /** Adds rows that ascend in walk order; durable when it resolves. */
  async add(rows: readonly TreeRow[]): Promise<void> {
    if (rows.length === 0) return
    await this.#write(rows)
    if (this.#byDigest !== undefined) await this.#addTo(this.#byDigest, this.#segments.length - 1)
    if (this.#segments.length >= limits.treeSegments) await this.merge()
  }

  async #write(rows: AsyncIterable<TreeRow> | Iterable<TreeRow>): Promise<void> {
    const path = join(this.#path, `${this.#next++}.seg`)
    await writeSegment(path, rows)
    await syncDirectory(this.#path)
    const segment = await Segment.open(path)
    if (segment !== undefined) this.#segments.push(segment)
  }

  /** Makes one segment of all, of the rows that are still of use. */
  async merge(isOfUse: (row: TreeRow) => boolean = () => true): Promise<void> {
    if (this.#segments.length < 2) return
    const before = [...this.#segments]
    await this.#write(merged(before, isOfUse))
    this.#segments.splice(0, before.length)
    this.#byDigest = undefined
    for (const segment of before) {
      await segment.close()
      await unlink(segment.path).catch(() => {})
    }
  }
}

function hashOfDigest(digest: Uint8Array): readonly [number, number] {
  const bytes = Buffer.from(digest.buffer, digest.byteOffset, digest.length)
  return [bytes.readUInt32LE(0) || 1, bytes.readUInt32LE(4)]
}

interface Head {
  readonly rows: AsyncGenerator<TreeRow>
  row: TreeRow
}

/** Rows of all segments in walk order, of each name the one of the latest; at most treeEntries. */
async function* merged(
  segments: readonly Segment[],
  isOfUse: (row: TreeRow) => boolean,
): AsyncGenerator<TreeRow> {
  const heads: Head[] = []
  for (const segment of segments) {
    const rows = segment.all()
    const first = await rows.next()
    if (first.done !== true) heads.push({ rows, row: first.value })
  }
  for (let count = 0; heads.length > 0 && count < limits.treeEntries; ) {
    let least = heads[0] as Head
    for (const head of heads) if (compareNames(head.row.name, least.row.name) <= 0) least = head
    const { row } = least
    for (const head of [...heads]) {
      if (compareNames(head.row.name, row.name) !== 0) continue
      const next = await head.rows.next()
      if (next.done === true) heads.splice(heads.indexOf(head), 1)
      else head.row = next.value
    }
    if (!isOfUse(row)) continue
    count++
    yield row
  }
}
