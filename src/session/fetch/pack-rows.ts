/**
 * Which rows of a tree come in which part of it, for a client that fetches it.
 *
 * The idea: first come directories and files, then files with records of their own, which the
 * client fetches one by one, then links and further names of files, then directories once more,
 * from the end, so that what is in one is there before it gets its mode and time. A place is a name
 * in one of these, which any node finds that has the same rows: where the last push of the tree
 * ended well, the state of it is that push, so one node goes on where another one was lost.
 */
import { createHash } from 'node:crypto'
import { base64urlOf, bytesOfBase64url } from '../../base/bytes.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { isWithin } from '../../base/names.js'
import { compareNames } from '../../protocol/listing.js'
import type { HeldStream } from '../../store/catalogue/record.js'
import type { NodeStore } from '../../store/node-store.js'
import type { FileNames } from '../../store/trees/file-names.js'
import { fullName } from '../../store/trees/full-name.js'
import type { TreeRow } from '../../store/trees/segment.js'
import type { TreeRecord } from '../../store/trees/tree-record.js'
import { treeKeyOf } from '../../store/trees/version-records.js'

const parts = ['files', 'large', 'links', 'directories'] as const
type Part = (typeof parts)[number]

/** Behind this name, and of directories before it; null: from the start. */
export interface Place {
  readonly part: Part
  readonly name: Uint8Array | null
}

export interface Some {
  readonly part: Part
  /** In walk order. */
  readonly rows: readonly TreeRow[]
  readonly records: readonly HeldStream[]
  /** Name of the one behind which, or before which, the next part begins; null: there is none. */
  readonly last: Uint8Array | null
}

export const start: Place = { part: 'files', name: null }
/** Of an entry in a listing beside its name and value, at most. */
const entryBytesMost = 96

export interface PackRowsSpec {
  readonly record: TreeRecord
  readonly catalogue: NodeStore['catalogue']
  /** Name of the tree. */
  readonly tree: Uint8Array
  /** The directory that is asked for; undefined: the whole tree. */
  readonly directory: TreeRow | undefined
}

/** Names what does not change while the same rows come in the same order; `node`: which it is. */
export async function stateOf(spec: PackRowsSpec, node: string): Promise<string> {
  const { record, tree } = spec
  const hash = createHash('sha256').update(treeKeyOf(tree)).update(baseOf(spec))
  const push = await record.wholeBy()
  if (push === null) hash.update(node)
  else {
    const { rows, fileBytes } = await record.totals()
    hash.update(`${push} ${rows} ${fileBytes}`)
    for (const { name, fileDigest } of recordsIn(spec))
      hash.update(name.subarray(tree.length)).update(fileDigest)
  }
  return hash.digest('hex').slice(0, stateChars)
}

export class PackRows {
  readonly #spec: PackRowsSpec
  /** Name of the directory, relative to the tree. */
  readonly base: Uint8Array
  readonly #names: FileNames

  /** `names`: of the files among them. */
  constructor(spec: PackRowsSpec, names: FileNames) {
    this.#spec = spec
    this.base = baseOf(spec)
    this.#names = names
  }

  /** What a part has nothing more of is looked for in the parts behind it. */
  async some({ part: from, name }: Place): Promise<Some> {
    let place = name
    for (const part of parts.slice(parts.indexOf(from))) {
      const some = await this.#of(part, place)
      if (some.last !== null) return some
      place = null
    }
    return { part: 'directories', rows: [], records: [], last: null }
  }

  async #of(part: Part, place: Uint8Array | null): Promise<Some> {
    if (part === 'large') {
      const records = this.#nextRecords(place)
      const last = records.at(-1)?.name
      return { part, rows: [], records, last: last === undefined ? null : this.within(last) }
    }
    if (part === 'directories') {
      const rows = await this.#lastDirectories(place)
      return { part, rows, records: [], last: rows[0]?.name ?? null }
    }
    const rows = await this.#next(part, place)
    return { part, rows, records: [], last: rows.at(-1)?.name ?? null }
  }

  async #next(part: 'files' | 'links', after: Uint8Array | null): Promise<TreeRow[]> {
    const rows: TreeRow[] = []
    const room = new Room()
    for await (const row of rowsIn(this.#spec, after)) {
      const isLink = this.#isLink(row)
      if (isLink !== (part === 'links') || (!isLink && this.#hasRecord(row))) continue
      const { name, value, kind, identity, algorithm } = row
      const isFile = part === 'files' && kind === 'file'
      const data = isFile && !isLarge(row) ? identity.size : 0
      const named = name.length + value.length + (this.firstOf(row)?.length ?? 0)
      if (!room.take(named, data, isFile ? algorithm : null)) break
      rows.push(row)
    }
    return rows
  }

  /** As many as a bundle takes, of those before this name. */
  async #lastDirectories(before: Uint8Array | null): Promise<TreeRow[]> {
    const rows: TreeRow[] = []
    let listed = 0
    for await (const row of rowsIn(this.#spec, null)) {
      if (before !== null && compareNames(row.name, before) >= 0) break
      if (row.kind !== 'directory') continue
      rows.push(row)
      listed += row.name.length + entryBytesMost
      while (rows.length > limits.treeBatchEntries || listed > limits.listingBytes / 2)
        listed -= entryBytesMost + (rows.shift()?.name.length ?? 0)
    }
    return rows
  }

  #nextRecords(after: Uint8Array | null): HeldStream[] {
    const records: HeldStream[] = []
    const room = new Room()
    for (const record of this.#records()) {
      if (after !== null && compareNames(this.within(record.name), after) <= 0) continue
      if (!room.take(record.name.length, 0, record.algorithm)) break
      records.push(record)
    }
    return records
  }

  /** The first name of a file that has several; undefined: this one. */
  firstOf({ kind, name }: TreeRow): Uint8Array | undefined {
    return kind === 'file' ? this.#names.firstOf(name) : undefined
  }

  #isLink(row: TreeRow): boolean {
    return row.kind === 'symlink' || this.firstOf(row) !== undefined
  }

  /** A file that has come by itself is served by its own record. */
  #hasRecord({ kind, name }: TreeRow): boolean {
    const { catalogue, tree } = this.#spec
    return kind === 'file' && catalogue.get(fullName(tree, name)) !== undefined
  }

  /** Without further names of files. */
  #records(): HeldStream[] {
    const isFirst = ({ name }: HeldStream): boolean =>
      this.#names.firstOf(this.within(name)) === undefined
    return recordsIn(this.#spec).filter(isFirst)
  }

  /** Of all files. */
  async bytes(): Promise<number> {
    let bytes = 0
    for (const { size } of this.#records()) bytes += size
    for await (const row of rowsIn(this.#spec, null))
      if (row.kind === 'file' && !this.#isLink(row) && !this.#hasRecord(row))
        bytes += row.identity.size
    return bytes
  }

  // --- names ---

  /** Relative to the tree. */
  within(full: Uint8Array): Uint8Array {
    return full.subarray(this.#spec.tree.length + 1)
  }

  /** Of an entry, relative to the directory that is asked for. */
  entryName(name: Uint8Array): Uint8Array {
    const { length } = this.base
    return length === 0 ? name : name.subarray(length + 1)
  }
}

function baseOf({ directory }: PackRowsSpec): Uint8Array {
  return directory?.name ?? new Uint8Array()
}

/** The directory that is asked for and what is in it, behind this name. */
export async function* rowsIn(
  spec: PackRowsSpec,
  after: Uint8Array | null,
): AsyncGenerator<TreeRow> {
  const { directory, record } = spec
  const base = baseOf(spec)
  if (directory !== undefined && after === null) yield directory
  for await (const row of record.behind(after ?? directory?.name ?? null)) {
    if (!isWithin(row.name, base)) return
    yield row
  }
}

/** Of files beneath the directory, in walk order. */
function recordsIn(spec: PackRowsSpec): HeldStream[] {
  const above = fullName(spec.tree, baseOf(spec))
  return spec.catalogue
    .beneath(Buffer.concat([above, Buffer.from('/')]))
    .toSorted((a, b) => compareNames(a.name, b.name))
}

/** What a bundle takes: entries, listing and bytes are bounded, and of one algorithm. */
class Room {
  #entries = 0
  #listed = 0
  #data = 0
  #algorithm: DigestAlgorithm | null = null

  /** False: it does not take one more. */
  take(nameBytes: number, data: number, algorithm: DigestAlgorithm | null): boolean {
    this.#listed += nameBytes + entryBytesMost
    this.#data += data
    const isOther = algorithm !== null && algorithm !== (this.#algorithm ?? algorithm)
    const isFull =
      isOther ||
      this.#entries === limits.treeBatchEntries ||
      this.#listed > limits.listingBytes / 2 ||
      this.#data > limits.packBytes
    if (isFull && this.#entries > 0) return false
    this.#algorithm ??= algorithm
    this.#entries++
    return true
  }
}

const stateChars = 32

export function isLarge({ kind, identity }: TreeRow): boolean {
  return kind === 'file' && identity.size > limits.bundledFileBytes
}

export function cursorOf(state: string, { part, last }: Some): string | null {
  return last === null ? null : `${state}.${parts.indexOf(part)}.${base64urlOf(last)}`
}

/** Null: the first. */
export function placeOf(cursor: string): (Place & { readonly state: string }) | null {
  if (cursor === '') return null
  const [, state, index, text = ''] = /^([\da-f]{32})\.(\d)\.([\w-]*)$/.exec(cursor) ?? []
  const part = parts[Number(index)]
  const name = bytesOfBase64url(text)
  if (state !== undefined && part !== undefined && name !== null) return { state, part, name }
  throw new FrError('ERR_FR_PROTOCOL', 'a tree goes on at a place that no part named')
}
