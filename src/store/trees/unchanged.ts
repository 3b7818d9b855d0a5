/**
 * Reads the listing of a bundle, and leaves out the files that are here as they are listed, and
 * those that come with it where there is nothing.
 *
 * The idea: when a tree is pushed again nearly all of it is as it was, and when it comes for the
 * first time nearly all of it is new. Such a file is found by bytes alone: its name and digest in
 * the record of the tree, and what the file system tells of it, which is laid out as in the record.
 * No object is made of it. Whatever is in doubt is decided elsewhere, entry by entry.
 */
import { type DigestAlgorithm, digestBytesOf } from '../../base/digests.js'
import { packedLook } from '../../ports/entries.js'
import type { DataDirHandle, Storage } from '../../ports.js'
import type { Listing, TreeEntry } from '../../protocol/listing.js'
import { ListingCursor } from '../../protocol/listing-reader.js'
import type { NewFiles } from './new-files.js'
import type { RowCursor } from './segment.js'

/** Time stamps of engines that keep only microseconds. */
export const timeGrainNanos = 2_000
const slash = 0x2f
/** In the place of a mode. */
const nothing = -1

export interface ListedEntry {
  /** In the listing. */
  readonly index: number
  readonly entry: TreeEntry
  /** A listing of this push had it before. */
  readonly isAgain: boolean
}

export interface ReadSpec {
  readonly storage: Pick<Storage, 'lookAtPacked'>
  readonly dir: DataDirHandle
  /** Of the tree. */
  readonly name: Uint8Array
  readonly algorithm: DigestAlgorithm
  /** The listing, and bytes of the whole bundle. */
  readonly bytes: Uint8Array
  readonly bundleBytes: number
  /** Of the tree; undefined: everything is read. */
  readonly rows: RowCursor | undefined
  /** Takes new files of the bundle; undefined: there are none. */
  readonly files: NewFiles | undefined
  /** Called with each name, the first `length` of these bytes; false: it was there before. */
  readonly seen: (name: Uint8Array, length: number) => boolean
}

export interface ReadListing {
  readonly listing: Omit<Listing, 'entries'>
  /** Those that are not known to be here, in order. */
  readonly entries: readonly ListedEntry[]
  /** How many others there are: files that are here. */
  readonly held: number
}

/** Throws ERR_FR_PROTOCOL as `readListing`. */
export async function readChanged(spec: ReadSpec): Promise<ReadListing> {
  const { bytes, bundleBytes, algorithm, rows, files, seen } = spec
  const cursor = new ListingCursor(bytes, bundleBytes, algorithm)
  const digestBytes = digestBytesOf(algorithm)
  const asked = new Asked(spec.name)
  const entries: ListedEntry[] = []
  while (cursor.next()) {
    const isAgain = !seen(cursor.nameBytes, cursor.nameLength)
    const isPlain = cursor.kind === 'file' && cursor.digestAt >= 0 && !cursor.hasRare
    let isHere = false
    if (rows !== undefined && isPlain) {
      const found = rows.find(cursor.nameBytes, cursor.nameLength)
      const isFound = found instanceof Promise ? await found : found
      isHere = isFound && isAsListed(cursor, rows, bytes, digestBytes)
    }
    if (isHere && rows !== undefined) asked.add(cursor, rows)
    else if (files !== undefined && isPlain && cursor.at !== null) {
      asked.add(cursor, undefined)
      files.add(cursor)
    } else entries.push({ index: cursor.index, entry: cursor.entry(), isAgain })
  }
  const changed = await asked.changed(spec)
  files?.leaveOut(changed)
  const held = asked.count - changed.size - (files?.count ?? 0)
  const { head: listing } = cursor
  if (changed.size === 0) return { listing, entries, held }
  const again = new ListingCursor(bytes, bundleBytes, algorithm)
  while (again.next())
    if (changed.has(again.index))
      entries.push({ index: again.index, entry: again.entry(), isAgain: false })
  return { listing, entries: entries.sort((a, b) => a.index - b.index), held }
}

/** Whether the row of a file says of it what the listing does. */
function isAsListed(
  { mtimeSeconds, mtimeNanos, size, digestAt }: ListingCursor,
  rows: RowCursor,
  bytes: Uint8Array,
  digestBytes: number,
): boolean {
  if (!rows.isFile || rows.valueLength !== digestBytes || rows.size !== size) return false
  const isTime = Math.abs(rows.mtimeNanos - mtimeNanos) < timeGrainNanos
  if (!isTime || rows.mtimeSeconds !== mtimeSeconds) return false
  return isEqualAt(rows.bytes, rows.valueAt, bytes, digestAt, digestBytes)
}

function isEqualAt(
  one: Uint8Array,
  oneAt: number,
  other: Uint8Array,
  otherAt: number,
  length: number,
): boolean {
  for (let at = 0; at < length; at += 1) if (one[oneAt + at] !== other[otherAt + at]) return false
  return true
}

/** Files that are to be looked at: their full names, and what was kept of each, if it is here. */
class Asked {
  readonly #above: Uint8Array
  readonly #indices: number[] = []
  readonly #modes: number[] = []
  #names = new Uint8Array(64 * 1024)
  #nameBytes = 0
  #identities = new Uint8Array(packedLook.identityBytes * 1024)

  constructor(tree: Uint8Array) {
    this.#above = tree
  }

  get count(): number {
    return this.#indices.length
  }

  /**
   * Without rows there is to be nothing. No file has the name of the tree itself: each is below it.
   */
  add({ index, mode, nameBytes, nameLength }: ListingCursor, rows: RowCursor | undefined): void {
    const above = this.#above.length
    const length = above + 1 + nameLength
    const at = this.#nameBytes
    this.#names = withRoom(this.#names, at + 2 + length)
    this.#names[at] = length & 0xff
    this.#names[at + 1] = length >> 8
    this.#names.set(this.#above, at + 2)
    this.#names[at + 2 + above] = slash
    const nameAt = at + 3 + above
    for (let byte = 0; byte < nameLength; byte += 1)
      this.#names[nameAt + byte] = nameBytes[byte] as number
    this.#nameBytes = at + 2 + length
    const { identityBytes } = packedLook
    const to = this.count * identityBytes
    this.#identities = withRoom(this.#identities, to + identityBytes)
    for (let byte = 0; rows !== undefined && byte < identityBytes; byte += 1)
      this.#identities[to + byte] = rows.bytes[rows.identityAt + byte] as number
    this.#indices.push(index)
    this.#modes.push(rows === undefined ? nothing : mode & 0o777)
  }

  /** Indices in the listing of those that are not as they were. */
  async changed({ storage, dir }: Pick<ReadSpec, 'storage' | 'dir'>): Promise<Set<number>> {
    const changed = new Set<number>()
    if (this.count === 0) return changed
    const looks = await storage.lookAtPacked(dir, this.#names.subarray(0, this.#nameBytes))
    const { bytes, mode, identity, identityBytes } = packedLook
    for (let at = 0; at < this.count; at += 1) {
      const row = at * bytes
      if (this.#modes[at] === nothing) {
        if (looks[row] !== 0) changed.add(this.#indices[at] as number)
        continue
      }
      const isFile = looks[row] === packedLook.file
      const found =
        ((looks[row + mode] as number) | ((looks[row + mode + 1] as number) << 8)) & 0o777
      const isSame = isEqualAt(
        looks,
        row + identity,
        this.#identities,
        at * identityBytes,
        identityBytes,
      )
      if (!isFile || !isSame || found !== this.#modes[at]) changed.add(this.#indices[at] as number)
    }
    return changed
  }
}

function withRoom(bytes: Uint8Array<ArrayBuffer>, wanted: number): Uint8Array<ArrayBuffer> {
  if (wanted <= bytes.length) return bytes
  const larger = new Uint8Array(Math.max(wanted, 2 * bytes.length))
  larger.set(bytes)
  return larger
}
