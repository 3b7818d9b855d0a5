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
  compareNames,
  finalFlag,
  flag,
  kinds,
  type Listing,
  listingHeadBytes,
  magic,
  optionNames,
  sharedBytes,
  type TreeAttributes,
  type TreeEntry,
  type TreeFile,
} from './listing.js'

const slash = 0x2f
const noBytes = new Uint8Array()

/** How long the listing is, with its head, from the first `listingHeadBytes` of a bundle. */
export function readListingHead(first: Uint8Array): { readonly bytes: number } {
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
  const reader = new Reader(bytes)
  const head = reader.head()
  if (head.bytes !== bytes.length || head.bytes > bundleBytes)
    throw protocolError(`a listing of ${head.bytes} bytes has ${bytes.length}`)
  const { isClosing } = head
  const rules = head.rulesBytes === 0 ? {} : { rules: readRules(reader, head.rulesBytes) }
  const entries: TreeEntry[] = []
  const order = new Order(isClosing, head.bytes, bundleBytes)
  for (let index = 0; index < head.entries; index += 1) {
    const entry = readEntry(reader, order.previous, digestBytesOf(algorithm))
    order.take(entry)
    entries.push(entry)
  }
  if (reader.at !== bytes.length) throw protocolError('a listing goes on after its last entry')
  const { tree, bundle, final, options } = head
  return { tree, bundle, final, options, ...rules, isClosing, entries }
}

function readRules(reader: Reader, bytes: number): TreeRules {
  const end = reader.at + bytes
  const rules = { include: reader.rules(), exclude: reader.rules() }
  const count = rules.include.length + rules.exclude.length
  if (reader.at !== end || count === 0 || count > limits.treeRules)
    throw protocolError('the rules of a tree are none, too many, or not as long as they say')
  return rules
}

/** What one entry says of the next. */
class Order {
  readonly #isClosing: boolean
  readonly #bundleBytes: number
  #last: TreeEntry | null = null
  /** End of the bytes of the file before. */
  #end: number

  constructor(isClosing: boolean, listingEnd: number, bundleBytes: number) {
    this.#isClosing = isClosing
    this.#bundleBytes = bundleBytes
    this.#end = listingEnd
  }

  get previous(): Uint8Array | null {
    return this.#last?.name ?? null
  }

  take(entry: TreeEntry): void {
    const last = this.#last
    if (last !== null) {
      if (compareNames(last.name, entry.name) >= 0) throw protocolError('entries do not ascend')
      if (last.kind !== 'directory' && isBeneath(entry.name, last.name))
        throw protocolError('an entry is in one that is no directory')
    }
    const isLink = entry.kind === 'symlink' || entry.kind === 'hardlink'
    if (isLink && !this.#isClosing) throw protocolError('a link comes before the closing bundles')
    if (entry.kind === 'file' && entry.at !== null) this.#takeBytes(entry.at, entry.size)
    this.#last = entry
  }

  #takeBytes(at: number, size: number): void {
    if (this.#isClosing) throw protocolError('a closing bundle has bytes of a file')
    if (at < this.#end || at > this.#bundleBytes - size)
      throw protocolError('bytes of a file overlap others, or are not in the bundle')
    this.#end = at + size
  }
}

function isBeneath(name: Uint8Array, directory: Uint8Array): boolean {
  const { length } = directory
  return name[length] === slash && sharedBytes(name, directory) === length
}

function readEntry(reader: Reader, previous: Uint8Array | null, digestBytes: number): TreeEntry {
  const kind = kinds[reader.u8()]
  const flags = reader.u8()
  if (kind === undefined) throw protocolError('an entry is of an unknown kind')
  const known = kind === 'file' ? 63 : flag.owner | flag.xattrs
  if ((flags & ~known) !== 0) throw protocolError('an entry has unknown flags')
  const base = reader.times()
  const name = reader.name(previous, kind === 'directory')
  const owner = (flags & flag.owner) === 0 ? {} : { owner: reader.owner() }
  const xattrs = (flags & flag.xattrs) === 0 ? {} : { xattrs: reader.xattrs() }
  const attributes = { ...base, ...owner, ...xattrs }
  switch (kind) {
    case 'directory':
      return { name, attributes, kind }
    case 'file':
      return { name, attributes, ...readFile(reader, flags, digestBytes) }
    case 'symlink':
      return { name, attributes, kind, target: reader.target() }
    case 'hardlink': {
      const to = reader.bytes(reader.u16())
      requireName(to)
      return { name, attributes, kind, to }
    }
    default:
      return kind satisfies never
  }
}

function readFile(reader: Reader, flags: number, digestBytes: number): TreeFile {
  const size = reader.u64(limits.fileBytes)
  const dataBytes = (flags & flag.holes) === 0 ? size : reader.u64(size - 1)
  const digest = (flags & flag.digest) === 0 ? null : reader.bytes(digestBytes)
  const at = (flags & flag.at) === 0 ? null : reader.u32()
  const isAlone = (flags & flag.alone) !== 0
  if (isAlone ? at !== null : digest === null || size > limits.bundledFileBytes)
    throw protocolError('a file alone is in a bundle, or another one is too large or not digested')
  return { kind: 'file', size, dataBytes, digest, at, isAlone }
}

/** Throws for a name that leads elsewhere. */
function requireName(name: Uint8Array): void {
  if (name.length === 0 || name.length > limits.nameBytes || name.includes(0))
    throw protocolError('the name of an entry is empty, too long, or holds a NUL')
  for (let from = 0; from <= name.length; ) {
    const next = name.indexOf(slash, from)
    const end = next < 0 ? name.length : next
    const length = end - from
    const isDots = length <= 2 && name.subarray(from, end).every((byte) => byte === 0x2e)
    if (isDots || length > limits.nameComponentBytes)
      throw protocolError('a component of a name is empty, too long, or leads elsewhere')
    from = end + 1
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

  times(): Pick<TreeAttributes, 'mode' | 'mtimeSeconds' | 'mtimeNanos'> {
    const mode = this.u16()
    const seconds = this.#view.getBigInt64(this.#take(8), true)
    const mtimeNanos = this.u32()
    const mtimeSeconds = Number(seconds)
    if (mode > 0o7777 || mtimeNanos > 999_999_999 || Math.abs(mtimeSeconds) > 2 ** 43)
      throw protocolError('the mode or the time of an entry is none')
    return { mode, mtimeSeconds, mtimeNanos }
  }

  /** A copy: most of the name before is in it. */
  name(previous: Uint8Array | null, mayBeRoot: boolean): Uint8Array {
    const kept = this.u16()
    const rest = this.bytes(this.u16())
    const before = previous ?? noBytes
    if (kept > before.length || before[kept] === rest[0]) {
      const isRoot = previous === null && kept === 0 && rest.length === 0
      if (!isRoot) throw protocolError('a name does not go on where it differs from the last')
    }
    const name = new Uint8Array(kept + rest.length)
    name.set(before.subarray(0, kept))
    name.set(rest, kept)
    if (name.length > 0 || !mayBeRoot) requireName(name)
    return name
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

  target(): Uint8Array {
    const target = this.bytes(this.u16())
    if (target.length === 0 || target.length > limits.nameBytes || target.includes(0))
      throw protocolError('the target of a link is empty, too long, or holds a NUL')
    return target
  }

  #take(length: number): number {
    const at = this.at
    if (length > this.#bytes.length - at) throw protocolError('a listing ends in an entry')
    this.at = at + length
    return at
  }
}
