/**
 * Reads the listing of a bundle (listing.ts). Whoever made it is not trusted: every contradiction
 * is ERR_FR_PROTOCOL.
 */
import { hexOf, textOf } from '../base/bytes.js'
import { type DigestAlgorithm, digestBytesOf } from '../base/digests.js'
import { limits } from '../base/limits.js'
import type { TreeRules } from '../base/tree-rules.js'
import { protocolError } from './fields.js'
import {
  closingFlag,
  finalFlag,
  flag,
  kinds,
  type Listing,
  listingHeadBytes,
  magic,
  optionNames,
  rankOf,
  type TreeAttributes,
  type TreeEntry,
} from './listing.js'

const slash = 0x2f
const dot = 0x2e
const rare = flag.owner | flag.xattrs
const noBytes = new Uint8Array()

/** What a bundle is, and how long its listing is, with its head: the first `listingHeadBytes`. */
export function readListingHead(
  first: Uint8Array,
): Omit<Listing, 'entries' | 'rules'> & { readonly bytes: number } {
  return new Reader(first).head()
}

/**
 * Reads a whole listing, `bytes` of `readListingHead`. `bundleBytes`: of the content that it is the
 * beginning of. The entries refer to `bytes`, which must stay as it is.
 */
export function readListing(
  bytes: Uint8Array,
  bundleBytes: number,
  algorithm: DigestAlgorithm,
): Listing {
  const cursor = new ListingCursor(bytes, bundleBytes, algorithm)
  const entries: TreeEntry[] = []
  while (cursor.next()) entries.push(cursor.entry())
  return { ...cursor.head, entries }
}

function readRules(reader: Reader, bytes: number): TreeRules {
  const end = reader.at + bytes
  const rules = { include: reader.rules(), exclude: reader.rules() }
  const count = rules.include.length + rules.exclude.length
  if (reader.at !== end || count === 0 || count > limits.treeRules)
    throw protocolError('the rules of a tree are none, too many, or not as long as they say')
  return rules
}

/**
 * Goes over the entries of a listing, in the same way and with the same refusals, and makes no
 * objects of them: whoever knows most of them already looks at fields, which are of the entry that
 * `next` has come to.
 */
export class ListingCursor {
  /** What the listing says beside its entries. */
  readonly head: Omit<Listing, 'entries'>
  readonly entries: number
  /** The name is its first `nameLength` bytes. */
  readonly nameBytes = new Uint8Array(limits.nameBytes)
  nameLength = 0
  kind: TreeEntry['kind'] = 'directory'
  mode = 0
  mtimeSeconds = 0
  mtimeNanos = 0
  /** Of a file. */
  size = 0
  /** Where in the listing its digest is; -1: nowhere. */
  digestAt = -1
  #dataBytes = 0
  #at: number | null = null
  #isAlone = false
  #owner: TreeAttributes['owner']
  #xattrs: TreeAttributes['xattrs']
  #other: Uint8Array = noBytes
  #index = -1
  /** End of the bytes of the file before. */
  #end: number
  readonly #reader: Reader
  readonly #bytes: Uint8Array
  readonly #bundleBytes: number
  readonly #digestBytes: number

  constructor(bytes: Uint8Array, bundleBytes: number, algorithm: DigestAlgorithm) {
    this.#reader = new Reader(bytes)
    const { bytes: length, entries, rulesBytes, ...head } = this.#reader.head()
    if (length !== bytes.length || length > bundleBytes)
      throw protocolError(`a listing of ${length} bytes has ${bytes.length}`)
    this.head = rulesBytes === 0 ? head : { ...head, rules: readRules(this.#reader, rulesBytes) }
    this.entries = entries
    this.#bytes = bytes
    this.#bundleBytes = bundleBytes
    this.#digestBytes = digestBytesOf(algorithm)
    this.#end = length
  }

  /** Of the entry in the listing. */
  get index(): number {
    return this.#index
  }

  /** Of a file: bytes that are no holes. */
  get dataBytes(): number {
    return this.#dataBytes
  }

  /** Of a file: where its bytes begin in the bundle; null: they are not in it. */
  get at(): number | null {
    return this.#at
  }

  /** It has an owner, or extended attributes. */
  get hasRare(): boolean {
    return this.#owner !== undefined || this.#xattrs !== undefined
  }

  /** False: that was the last one. */
  next(): boolean {
    const reader = this.#reader
    this.#index += 1
    if (this.#index === this.entries) {
      if (reader.at !== this.#bytes.length)
        throw protocolError('a listing goes on after its last entry')
      return false
    }
    const before = this.kind
    const kind = kinds[reader.u8()]
    const flags = reader.u8()
    if (kind === undefined) throw protocolError('an entry is of an unknown kind')
    const known = kind === 'file' ? 63 : rare
    if ((flags & ~known) !== 0) throw protocolError('an entry has unknown flags')
    this.kind = kind
    this.#takeTimes()
    this.#takeName(before)
    this.#owner = (flags & flag.owner) === 0 ? undefined : reader.owner()
    this.#xattrs = (flags & flag.xattrs) === 0 ? undefined : reader.xattrs()
    if (kind === 'file') this.#takeFile(flags)
    else if (kind !== 'directory') this.#takeLink()
    return true
  }

  entry(): TreeEntry {
    const { kind, mode, mtimeSeconds, mtimeNanos } = this
    const name = this.nameBytes.slice(0, this.nameLength)
    const base = { mode, mtimeSeconds, mtimeNanos }
    const attributes = this.hasRare ? this.#withRare(base) : base
    switch (kind) {
      case 'directory':
        return { name, attributes, kind }
      case 'file': {
        const { size, digestAt } = this
        const [dataBytes, at, isAlone] = [this.#dataBytes, this.#at, this.#isAlone]
        const isDigested = digestAt >= 0
        const end = digestAt + this.#digestBytes
        const digest = isDigested ? this.#bytes.subarray(digestAt, end) : null
        return { name, attributes, kind, size, dataBytes, digest, at, isAlone }
      }
      case 'symlink':
        return { name, attributes, kind, target: this.#other }
      case 'hardlink':
        return { name, attributes, kind, to: this.#other }
      default:
        return kind satisfies never
    }
  }

  #withRare(base: TreeAttributes): TreeAttributes {
    const [owner, xattrs] = [this.#owner, this.#xattrs]
    return { ...base, ...(owner && { owner }), ...(xattrs && { xattrs }) }
  }

  #takeTimes(): void {
    const reader = this.#reader
    this.mode = reader.u16()
    this.mtimeSeconds = reader.i64()
    this.mtimeNanos = reader.u32()
    const isTime = this.mtimeNanos <= 999_999_999 && Math.abs(this.mtimeSeconds) <= 2 ** 43
    if (this.mode > 0o7777 || !isTime)
      throw protocolError('the mode or the time of an entry is none')
  }

  /** `before`: what the entry before is. */
  #takeName(before: TreeEntry['kind']): void {
    const reader = this.#reader
    const { nameBytes: name, nameLength: length } = this
    const kept = reader.u16()
    const count = reader.u16()
    const from = reader.skip(count)
    const first = this.#bytes[from]
    const isFirst = this.#index === 0
    if (kept > length || (kept < length && count > 0 && name[kept] === first))
      throw protocolError('a name does not go on where it differs from the last')
    if (!isFirst) {
      if (kept === length && count === 0)
        throw protocolError('a name does not go on where it differs from the last')
      const isGreater = count > 0 && rankOf(first as number) > rankOf(name[kept] as number)
      const isAfter = kept === length || isGreater
      if (!isAfter) throw protocolError('entries do not ascend')
      if (before !== 'directory' && kept === length && first === slash)
        throw protocolError('an entry is in one that is no directory')
    }
    const isRoot = isFirst && kept + count === 0
    if (isRoot && this.kind === 'directory') return
    if (kept + count > limits.nameBytes) throw protocolError('the name of an entry is too long')
    for (let at = 0; at < count; at += 1) name[kept + at] = this.#bytes[from + at] as number
    this.nameLength = kept + count
    requireName(name, this.nameLength)
  }

  #takeFile(flags: number): void {
    const reader = this.#reader
    const size = reader.u64(limits.fileBytes)
    this.size = size
    this.#dataBytes = (flags & flag.holes) === 0 ? size : reader.u64(size - 1)
    this.digestAt = (flags & flag.digest) === 0 ? -1 : reader.skip(this.#digestBytes)
    this.#at = (flags & flag.at) === 0 ? null : reader.u32()
    this.#isAlone = (flags & flag.alone) !== 0
    const isBundled = this.digestAt >= 0 && size <= limits.bundledFileBytes
    if (this.#isAlone ? this.#at !== null : !isBundled)
      throw protocolError(
        'a file alone is in a bundle, or another one is too large or not digested',
      )
    if (this.#at === null) return
    if (this.#at < this.#end || this.#at > this.#bundleBytes - size)
      throw protocolError('bytes of a file overlap others, or are not in the bundle')
    this.#end = this.#at + size
  }

  #takeLink(): void {
    const isSymlink = this.kind === 'symlink'
    const other = this.#reader.bytes(this.#reader.u16())
    if (isSymlink) requireTarget(other)
    else requireName(other, other.length)
    if (!this.head.isClosing) throw protocolError('a link comes before the closing bundles')
    this.#other = other
  }
}

function requireTarget(target: Uint8Array): void {
  if (target.length === 0 || target.length > limits.nameBytes || target.includes(0))
    throw protocolError('the target of a link is empty, too long, or holds a NUL')
}

/** Throws for a name, the first `length` of these bytes, that leads elsewhere. */
function requireName(name: Uint8Array, length: number): void {
  if (length === 0 || length > limits.nameBytes)
    throw protocolError('the name of an entry is empty or too long')
  let [bytes, dots] = [0, 0]
  for (let at = 0; at <= length; at += 1) {
    const byte = at < length ? name[at] : slash
    if (byte === 0) throw protocolError('the name of an entry holds a NUL')
    if (byte !== slash) {
      bytes += 1
      if (byte === dot) dots += 1
      continue
    }
    const isDots = bytes <= 2 && dots === bytes
    if (isDots || bytes > limits.nameComponentBytes)
      throw protocolError('a component of a name is empty, too long, or leads elsewhere')
    bytes = 0
    dots = 0
  }
}

type ListingHead = Omit<Listing, 'entries' | 'rules'> & {
  readonly bytes: number
  readonly entries: number
  readonly rulesBytes: number
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  head(): ListingHead {
    if (this.#bytes.length < listingHeadBytes) throw protocolError('a bundle is too short')
    if (!this.bytes(magic.length).every((byte, at) => byte === magic[at]))
      throw protocolError('a bundle does not begin with a listing')
    const bytes = this.u32()
    const entries = this.u32()
    const tree = hexOf(this.bytes(16))
    const bundle = this.u32()
    const flags = this.u32()
    const ends = { bundles: this.u32(), entries: this.u32() }
    const rulesBytes = this.u32()
    if (bytes < listingHeadBytes || bytes > limits.listingBytes)
      throw protocolError(`a listing has ${bytes} bytes`)
    if (entries > limits.treeBatchEntries) throw protocolError(`a listing has ${entries} entries`)
    const isFinal = (flags & finalFlag) !== 0
    if (flags >= finalFlag << 1 || bundle >= limits.treeBundles)
      throw protocolError('a listing has unknown flags, or too high a number')
    if (isFinal ? ends.bundles !== bundle + 1 : ends.bundles !== 0 || ends.entries !== 0)
      throw protocolError('a listing is not the last one as it says')
    const isClosing = (flags & closingFlag) !== 0
    if ((isFinal && !isClosing) || ends.entries > limits.treeEntries)
      throw protocolError('the last listing does not close, or closes too many entries')
    if (this.bytes(listingHeadBytes - this.at).some((byte) => byte !== 0))
      throw protocolError('the head of a listing has more than it may')
    const option = (name: (typeof optionNames)[number]): boolean =>
      (flags & (1 << optionNames.indexOf(name))) !== 0
    const options = {
      isAtomic: option('isAtomic'),
      deletes: option('deletes'),
      strict: option('strict'),
      owner: option('owner'),
      xattrs: option('xattrs'),
      acls: option('acls'),
      isDry: option('isDry'),
    }
    if (rulesBytes > limits.treeRuleBytes || (rulesBytes > 0 && !(isFinal && options.deletes)))
      throw protocolError('a listing has too many rules, or none that it may have')
    const final = isFinal ? ends : null
    return { bytes, entries, rulesBytes, tree, bundle, final, options, isClosing }
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  u64(most: number): number {
    const value = this.u32() + this.u32() * 2 ** 32
    if (value > most) throw protocolError('a number in a listing is too high')
    return value
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  i64(): number {
    const low = this.u32()
    return low + this.#view.getInt32(this.#take(4), true) * 2 ** 32
  }

  /** Where these bytes begin. */
  skip(length: number): number {
    return this.#take(length)
  }

  owner(): NonNullable<TreeAttributes['owner']> {
    return { uid: this.u32(), gid: this.u32(), user: this.text(), group: this.text() }
  }

  xattrs(): NonNullable<TreeAttributes['xattrs']> {
    const count = this.u16()
    if (count > limits.treeXattrs) throw protocolError('an entry has too many attributes')
    return Array.from({ length: count }, () => {
      const name = this.text()
      const bytes = this.u32()
      if (name === '' || name.includes('\0') || bytes > limits.treeXattrBytes)
        throw protocolError('an attribute of an entry has no name, or is too long')
      return { name, value: this.bytes(bytes) }
    })
  }

  rules(): string[] {
    const count = this.u16()
    if (count > limits.treeRules) throw protocolError('a tree has too many rules')
    return Array.from({ length: count }, () => {
      const rule = textOf(this.bytes(this.u16()))
      if (rule === null || rule === '' || /[\0\n]/.test(rule))
        throw protocolError('a rule of a tree is none')
      return rule
    })
  }

  text(): string {
    const text = textOf(this.bytes(this.u8()))
    if (text === null) throw protocolError('a text in a listing is not UTF-8')
    return text
  }

  #take(length: number): number {
    const at = this.at
    if (length > this.#bytes.length - at) throw protocolError('a listing ends in an entry')
    this.at = at + length
    return at
  }
}
