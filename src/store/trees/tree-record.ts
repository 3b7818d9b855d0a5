/**
 * What a node has of one tree: `DATA/.fastreplica/trees/KEY/`, in which `name` holds the name of
 * the tree, and `N.seg` rows about its entries (segment.ts). `whole` is there while the last push
 * of the tree came to its end, and nothing of it failed, and holds the id of that push; `only` is
 * there where only some may hold the tree (criteria.ts). Versions of a tree have such records, too
 * (version-records.ts).
 *
 * The idea: each bundle adds a segment; of two rows about one name that of the later segment
 * counts. At the end of a push, and when there are many, they are merged into one. A row is a claim
 * about one file at one moment: whoever uses it compares the identity with that of the file, so a
 * row too many is harmless, and one that was lost costs a transfer of its file.
 */
import { mkdir, readdir, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { compareNames } from '../../protocol/listing.js'
import { readKept, replaceFile, syncDirectory, writeAll } from '../files/durable.js'
import { dirKeyOf } from '../files/plain.js'
import { putMerged, putRow, putRows } from './merge.js'
import { HashTable } from './name-table.js'
import {
  type PackedRows,
  RowCursor,
  type RowWriter,
  Segment,
  type TreeRow,
  writeSegment,
} from './segment.js'

const blocksPerSegment = 2 ** 24
/** A record that is read may be merged meanwhile: its segments are looked up again. */
const readAttempts = 5
const pushChars = 32
const bytesOfOnly = 4 * limits.criteriaChars
/** Beside the rows. */
const besides = new Set(['name', 'whole', 'shown', 'only'])

/** Of a tree of this name, in DATA/.fastreplica/trees. */
export class TreeRecord {
  readonly #path: string
  /** Oldest first. */
  readonly #segments: Segment[]
  #next: number
  /** It is not written down yet. */
  #name: Uint8Array | null
  #only: string | undefined
  #byDigest: HashTable | undefined

  private constructor(
    path: string,
    { segments, last }: Found,
    name: Uint8Array | null,
    only: string | undefined,
  ) {
    this.#path = path
    this.#segments = segments
    this.#next = last + 1
    this.#name = name
    this.#only = only
  }

  /**
   * What an earlier process had no time to finish is removed. The record is made when something is
   * written to it. `key`: of one version of the tree.
   */
  static async open(treesDir: string, name: Uint8Array, key = dirKeyOf(name)): Promise<TreeRecord> {
    const path = join(treesDir, key)
    const files: string[] = await readdir(path).catch(() => [])
    for (const file of files)
      if (!isOfRows(file) && !besides.has(file)) await unlink(join(path, file)).catch(() => {})
    const found = await segmentsOf(path, files)
    const isNamed = files.includes('name')
    return new TreeRecord(path, found, isNamed ? null : name, await onlyAt(path))
  }

  /** Only to be read, whoever writes it meanwhile; undefined where there is none of this key. */
  static async read(treesDir: string, key: string): Promise<TreeRecord | undefined> {
    const path = join(treesDir, key)
    for (let attempt = 1; ; attempt++) {
      const only = await onlyAt(path)
      const files = await readdir(path).catch(() => [])
      if (files.length === 0) return undefined
      const found = await segmentsOf(path, files)
      const record = new TreeRecord(path, found, null, only)
      // Else the tree may have been removed, and another one pushed.
      const isOne = only === (await onlyAt(path))
      if (isOne && (found.isAll || attempt === readAttempts)) return record
      await record.close()
      if (attempt > readAttempts) throw new FrError('ERR_FR_BUSY', 'the tree is being replaced')
    }
  }

  /** Another one where rows were added or are gone. */
  get state(): string {
    return this.#segments.map(({ path }) => path).join(' ')
  }

  /** All rows in order; undefined where some are out of date. */
  rows(): RowCursor | undefined {
    const [only, ...others] = this.#segments
    return only === undefined || others.length > 0 ? undefined : new RowCursor(only)
  }

  /** Names of entries in walk order, and what they are; of each name the latest row. */
  behind(name: Uint8Array | null): AsyncGenerator<TreeRow> {
    return merged(this.#segments, name)
  }

  /** Rows of different names, and the bytes of the files among them. */
  async totals(): Promise<{ readonly rows: number; readonly fileBytes: number }> {
    const [only, ...others] = this.#segments
    if (only !== undefined && others.length === 0) return only.sums
    let [rows, fileBytes] = [0, 0]
    for await (const { kind, identity } of this.behind(null)) {
      rows++
      if (kind === 'file') fileBytes += identity.size
    }
    return { rows, fileBytes }
  }

  /** When the tree was last whole, in Unix milliseconds; null: it is not, as far as is known. */
  async wholeAtMs(): Promise<number | null> {
    const found = await stat(join(this.#path, 'whole')).catch(() => null)
    return found === null ? null : Math.floor(found.mtimeMs)
  }

  /** Which push made it whole; null: it is not, or an earlier version did not keep that. */
  async wholeBy(): Promise<string | null> {
    const found = await readKept(join(this.#path, 'whole'), pushChars).catch(() => null)
    return found === null || found.length === 0 ? null : Buffer.from(found).toString('latin1')
  }

  /** Criteria: who else may hold it; undefined: whoever asks. */
  get only(): string | undefined {
    return this.#only
  }

  /** Before anything else is written to it. */
  async setOnly(only: string | undefined): Promise<void> {
    const path = join(this.#path, 'only')
    if (only !== undefined) {
      await mkdir(this.#path, { recursive: true, mode: 0o700 })
      await replaceFile(path, (file) => writeAll(file, Buffer.from(only), 0))
    } else await unlinked(path)
    await syncDirectory(this.#path)
    this.#only = only
  }

  async #make(): Promise<void> {
    const name = this.#name
    if (name === null) return
    await mkdir(this.#path, { recursive: true, mode: 0o700 })
    await replaceFile(join(this.#path, 'name'), (file) => writeAll(file, name, 0))
    this.#name = null
  }

  /** `push`: by the push of this id; null: it is not. */
  async setWhole(push: string | null): Promise<void> {
    const path = join(this.#path, 'whole')
    if (push !== null) await this.#make()
    if (push !== null)
      await replaceFile(path, (file) => writeAll(file, Buffer.from(push, 'latin1'), 0))
    else if (!(await unlinked(path))) return
    await syncDirectory(this.#path)
  }

  /** Nothing is known of the tree any more. Closed by it. */
  async remove(): Promise<void> {
    await this.close()
    await rm(this.#path, { recursive: true, force: true })
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
        if (kind === 'file' && value.length > 0)
          table.add(hashOfDigest(value), index * blocksPerSegment + block)
  }

  /** Adds rows that ascend in walk order; durable when it resolves. */
  async add(rows: readonly TreeRow[], packed?: PackedRows): Promise<void> {
    if (rows.length === 0 && packed === undefined) return
    await this.#write((writer) => putRows(writer, rows, packed))
    if (this.#byDigest !== undefined) await this.#addTo(this.#byDigest, this.#segments.length - 1)
    if (this.#segments.length >= limits.treeSegments) await this.merge()
  }

  async #write(fill: (writer: RowWriter) => Promise<void>): Promise<void> {
    await this.#make()
    const path = join(this.#path, `${this.#next++}.seg`)
    await writeSegment(path, fill)
    await syncDirectory(this.#path)
    const segment = await Segment.open(path)
    if (segment !== undefined) this.#segments.push(segment)
  }

  /** Makes one segment of all. */
  async merge(): Promise<void> {
    const before = [...this.#segments]
    if (before.length > 1) await this.#replace(before, (writer) => putMerged(writer, before))
  }

  /** Keeps these of all rows, which come and stay in walk order. */
  async keep(some: (rows: AsyncGenerator<TreeRow>) => AsyncIterable<TreeRow>): Promise<void> {
    const before = [...this.#segments]
    await this.#replace(before, async (writer) => {
      for await (const row of some(merged(before, null))) await putRow(writer, row)
    })
  }

  async #replace(
    before: readonly Segment[],
    fill: (writer: RowWriter) => Promise<void>,
  ): Promise<void> {
    await this.#write(fill)
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

export function isOfRows(file: string): boolean {
  return numberOf(file) !== undefined
}

/** Of a file of rows; undefined for another file. */
function numberOf(file: string): number | undefined {
  const number = /^(\d{1,9})\.seg$/.exec(file)?.[1]
  return number === undefined ? undefined : Number(number)
}

interface Found {
  /** Oldest first. */
  readonly segments: Segment[]
  readonly last: number
  /** False: some are not there any more, or damaged. */
  readonly isAll: boolean
}

async function segmentsOf(path: string, files: readonly string[]): Promise<Found> {
  const numbers = files.flatMap((file) => numberOf(file) ?? []).sort((a, b) => a - b)
  const segments: Segment[] = []
  for (const number of numbers) {
    const segment = await Segment.open(join(path, `${number}.seg`))
    if (segment !== undefined) segments.push(segment)
  }
  return { segments, last: numbers.at(-1) ?? 0, isAll: segments.length === numbers.length }
}

/** The name of the tree whose record is here; null where there is none. */
export function nameOfRecord(treesDir: string, key: string): Promise<Uint8Array | null> {
  return readKept(join(treesDir, key, 'name'), limits.nameBytes).catch(() => null)
}

/** Criteria of the tree whose record is here, if any. */
export function onlyOfRecord(treesDir: string, key: string): Promise<string | undefined> {
  return onlyAt(join(treesDir, key))
}

async function onlyAt(path: string): Promise<string | undefined> {
  // What is no text of criteria is met by nobody.
  const found = await readKept(join(path, 'only'), bytesOfOnly)
  return found === null ? undefined : found.toString('utf8')
}

/** False: nothing was there. */
export function unlinked(path: string): Promise<boolean> {
  return unlink(path).then(
    () => true,
    () => false,
  )
}

interface Head {
  readonly rows: AsyncGenerator<TreeRow>
  row: TreeRow
}

/**
 * Rows of all segments in walk order, behind this name; of each name the one of the latest segment;
 * at most treeEntries.
 */
async function* merged(
  segments: readonly Segment[],
  after: Uint8Array | null,
): AsyncGenerator<TreeRow> {
  const heads: Head[] = []
  for (const segment of segments) {
    const rows = segment.all(after)
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
    count++
    yield row
  }
}
