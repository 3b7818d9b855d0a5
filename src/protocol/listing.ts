/**
 * The listing of a tree: what stands at the beginning of a bundle (docs/protocol.md, *Bundles*).
 *
 * A tree moves as bundles. Each is an ordinary content: a listing of entries, then the bytes of
 * files. Entries ascend in walk order, so no name occurs twice, a directory stands before what is
 * in it, and a name is written as the part in which it differs from the one before.
 *
 * This file says what a listing is and writes it; listing-reader.ts reads one.
 */
import { bytesOfHex, utf8 } from '../base/bytes.js'
import { rulesBytes, type TreeRules } from '../base/tree-rules.js'

export interface TreeAttributes {
  /** Permission bits, at most 0o7777. */
  readonly mode: number
  readonly mtimeSeconds: number
  readonly mtimeNanos: number
  /** Ids at the origin, and the names that they have there; empty where they have none. */
  readonly owner?: {
    readonly uid: number
    readonly gid: number
    readonly user: string
    readonly group: string
  }
  /** Extended attributes, and ACLs in the form of Linux (`system.posix_acl_access`). */
  readonly xattrs?: readonly { readonly name: string; readonly value: Uint8Array }[]
}

/** A file of a tree. */
export interface TreeFile {
  readonly kind: 'file'
  readonly size: number
  /** Bytes that are no hole at the origin. */
  readonly dataBytes: number
  /**
   * File digest in the algorithm of the transfer, raw. Null only where the file `isAlone` and was
   * never hashed.
   */
  readonly digest: Uint8Array | null
  /** Where its bytes are in the bundle; null: not in this one. */
  readonly at: number | null
  /** Too large for bundles: pushed by itself. */
  readonly isAlone: boolean
}

/**
 * `name`: relative to the tree, components separated by `/`, of which none is empty, `.` or `..`.
 * Empty: the directory that is the tree.
 */
export type TreeEntry = { readonly name: Uint8Array; readonly attributes: TreeAttributes } & (
  | { readonly kind: 'directory' }
  | TreeFile
  | { readonly kind: 'symlink'; readonly target: Uint8Array }
  /** `to`: the name of a file that was listed before. */
  | { readonly kind: 'hardlink'; readonly to: Uint8Array }
)

export interface ListingOptions {
  readonly isAtomic: boolean
  readonly deletes: boolean
  readonly strict: boolean
  readonly owner: boolean
  readonly xattrs: boolean
  readonly acls: boolean
  /** Nothing is changed: what would be is told. */
  readonly isDry: boolean
}

export interface Listing {
  /** Id of this push of the tree, 32 hex digits. */
  readonly tree: string
  /** 0, 1, 2 ... in the order of sending. */
  readonly bundle: number
  /** In the last bundle: how many there were, and the number of names in all of them. */
  readonly final: { readonly bundles: number; readonly entries: number } | null
  readonly options: ListingOptions
  /** Only in the last bundle of a tree that deletes: what they leave out stays. */
  readonly rules?: TreeRules
  /**
   * Everything that needs bytes has been sent, or is here. Links are listed, and directories, once
   * more if they were listed before, children never in a later bundle than their directory. Where
   * bytes are lacking nothing is closed, and it comes again with them.
   */
  readonly isClosing: boolean
  readonly entries: readonly TreeEntry[]
}

/** Bytes of the head: enough for `readListingHead`. */
export const listingHeadBytes = 64

export const magic = utf8('frtree 1')
export const kinds = ['directory', 'file', 'symlink', 'hardlink'] as const
export const flag = { at: 1, alone: 2, digest: 4, holes: 8, owner: 16, xattrs: 32 } as const
export const optionNames = [
  'isAtomic',
  'deletes',
  'strict',
  'owner',
  'xattrs',
  'acls',
  'isDry',
] as const
export const closingFlag = 1 << optionNames.length
export const finalFlag = closingFlag << 1
const slash = 0x2f
const noBytes = new Uint8Array()

/**
 * Walk order: by bytes, but that `/` comes before every other byte. Negative, 0 or positive, as
 * with Array.sort.
 */
export function compareNames(a: Uint8Array, b: Uint8Array): number {
  const shared = sharedBytes(a, b)
  if (shared === a.length || shared === b.length) return a.length - b.length
  return rankOf(a[shared] as number) - rankOf(b[shared] as number)
}

/** Of a byte of a name. */
export function rankOf(byte: number): number {
  return byte === slash ? 0 : byte
}

export function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length)
  let at = 0
  while (at < most && a[at] === b[at]) at += 1
  return at
}

/** Bytes of an entry in a listing, behind the one of that name (null: it is the first). */
export function entryBytes(entry: TreeEntry, previous: Uint8Array | null): number {
  const { name, attributes } = entry
  let bytes = 20 + name.length - sharedBytes(name, previous ?? noBytes)
  if (attributes.owner !== undefined)
    bytes += 10 + utf8(attributes.owner.user).length + utf8(attributes.owner.group).length
  if (attributes.xattrs !== undefined) {
    bytes += 2
    for (const { name: key, value } of attributes.xattrs)
      bytes += 5 + utf8(key).length + value.length
  }
  switch (entry.kind) {
    case 'directory':
      return bytes
    case 'file': {
      if (entry.at !== null) bytes += 4
      if (entry.dataBytes !== entry.size) bytes += 8
      return bytes + 8 + (entry.digest?.length ?? 0)
    }
    case 'symlink':
      return bytes + 2 + entry.target.length
    case 'hardlink':
      return bytes + 2 + entry.to.length
    default:
      return entry satisfies never
  }
}

/** Bytes of a listing of these entries, with its head. */
export function listingBytes(entries: readonly TreeEntry[], rules?: TreeRules): number {
  let bytes = listingHeadBytes + (rules === undefined ? 0 : rulesBytes(rules))
  let previous: Uint8Array | null = null
  for (const entry of entries) {
    bytes += entryBytes(entry, previous)
    previous = entry.name
  }
  return bytes
}

/** The head and the entries. `at` of a file counts from the beginning of what this returns. */
export function encodeListing(listing: Listing): Uint8Array<ArrayBuffer> {
  const { rules } = listing
  const bytes = listingBytes(listing.entries, rules)
  const writer = new Writer(bytes)
  let flags = listing.isClosing ? closingFlag : 0
  for (const [bit, name] of optionNames.entries()) if (listing.options[name]) flags |= 1 << bit
  if (listing.final !== null) flags |= finalFlag
  writer.put(magic)
  writer.u32(bytes)
  writer.u32(listing.entries.length)
  writer.put(bytesOfHex(listing.tree) ?? noBytes)
  writer.u32(listing.bundle)
  writer.u32(flags)
  writer.u32(listing.final?.bundles ?? 0)
  writer.u32(listing.final?.entries ?? 0)
  writer.u32(rules === undefined ? 0 : rulesBytes(rules))
  writer.at = listingHeadBytes
  if (rules !== undefined) {
    writer.texts(rules.include)
    writer.texts(rules.exclude)
  }
  let previous: Uint8Array | null = null
  for (const entry of listing.entries) {
    writeEntry(writer, entry, previous)
    previous = entry.name
  }
  if (writer.at !== bytes) throw new TypeError('the listing has an entry that is none')
  return writer.bytes
}

function writeEntry(writer: Writer, entry: TreeEntry, previous: Uint8Array | null): void {
  const { name, attributes } = entry
  const { owner, xattrs } = attributes
  const kept = sharedBytes(name, previous ?? noBytes)
  writer.u8(kinds.indexOf(entry.kind))
  writer.u8(flagsOf(entry))
  writer.u16(attributes.mode)
  writer.i64(attributes.mtimeSeconds)
  writer.u32(attributes.mtimeNanos)
  writer.u16(kept)
  writer.u16(name.length - kept)
  writer.put(name.subarray(kept))
  if (owner !== undefined) {
    writer.u32(owner.uid)
    writer.u32(owner.gid)
    writer.short(utf8(owner.user))
    writer.short(utf8(owner.group))
  }
  if (xattrs !== undefined) {
    writer.u16(xattrs.length)
    for (const { name: key, value } of xattrs) {
      writer.short(utf8(key))
      writer.u32(value.length)
      writer.put(value)
    }
  }
  if (entry.kind === 'file') {
    writer.u64(entry.size)
    if (entry.dataBytes !== entry.size) writer.u64(entry.dataBytes)
    if (entry.digest !== null) writer.put(entry.digest)
    if (entry.at !== null) writer.u32(entry.at)
  } else if (entry.kind !== 'directory') {
    const other = entry.kind === 'symlink' ? entry.target : entry.to
    writer.u16(other.length)
    writer.put(other)
  }
}

function flagsOf(entry: TreeEntry): number {
  const { owner, xattrs } = entry.attributes
  let flags = (owner === undefined ? 0 : flag.owner) | (xattrs === undefined ? 0 : flag.xattrs)
  if (entry.kind !== 'file') return flags
  if (entry.at !== null) flags |= flag.at
  if (entry.isAlone) flags |= flag.alone
  if (entry.digest !== null) flags |= flag.digest
  if (entry.dataBytes !== entry.size) flags |= flag.holes
  return flags
}

class Writer {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly #view: DataView
  at = 0

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes)
    this.#view = new DataView(this.bytes.buffer)
  }

  u8(value: number): void {
    this.#view.setUint8(this.at, value)
    this.at += 1
  }

  u16(value: number): void {
    this.#view.setUint16(this.at, value, true)
    this.at += 2
  }

  u32(value: number): void {
    this.#view.setUint32(this.at, value, true)
    this.at += 4
  }

  u64(value: number): void {
    this.u32(value % 2 ** 32)
    this.u32(Math.floor(value / 2 ** 32))
  }

  i64(value: number): void {
    const high = Math.floor(value / 2 ** 32)
    this.u32(value - high * 2 ** 32)
    this.u32(high)
  }

  put(part: Uint8Array): void {
    this.bytes.set(part, this.at)
    this.at += part.length
  }

  /** Each of at most 65,535 bytes. */
  texts(texts: readonly string[]): void {
    this.u16(texts.length)
    for (const text of texts) {
      const part = utf8(text)
      this.u16(part.length)
      this.put(part)
    }
  }

  /** At most 255 bytes, behind their number. */
  short(part: Uint8Array): void {
    this.u8(part.length)
    this.put(part)
  }
}
