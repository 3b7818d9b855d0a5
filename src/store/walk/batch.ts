/**
 * A batch: some entries of a tree, in walk order, of which bundles are made. A bundle is a listing
 * and the bytes of files, in a file without a name.
 *
 * The idea: the place of a file's bytes is known from its size before it is read, so each file is
 * read once, hashed and written to its place; the listing, which needs the digests, is written
 * last, to the beginning. A file that is not what was looked at is left out and named.
 */
import type { FileHandle } from 'node:fs/promises'
import { type DigestAlgorithm, digestBytesOf } from '../../base/digests.js'
import type { FrErrorCode } from '../../base/errors.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Looked, TreeFiles } from '../../ports/tree-files.js'
import {
  encodeListing,
  entryBytes,
  type Listing,
  listingHeadBytes,
  type TreeEntry,
} from '../../protocol/listing.js'
import { writeAll } from '../files/durable.js'
import { youngMs } from '../held/identity.js'
import { descriptorPath, requireRoom, writeUnnamed } from '../spool.js'
import { readAll } from './reads.js'
import type { SentFile } from './sent-tree.js'
import { joined } from './walk.js'

/** An entry on its way. */
export interface Candidate {
  entry: TreeEntry
  /** Of a file. */
  readonly source?: { readonly directory: Buffer; readonly looked: Looked }
  /** What was found out about it is not to be kept: it may change without a trace. */
  isYoung: boolean
}

/** A file that is too large for bundles. */
export interface AloneFile {
  readonly path: Buffer
  readonly name: Uint8Array
  readonly size: number
  /** Where it is known from an earlier push. */
  readonly digest: Uint8Array | null
  /** It has arrived, with this raw digest. */
  sent(digest: Uint8Array): Promise<void>
}

/** A content that is ready to be pushed. */
export interface Bundle {
  readonly listing: Listing
  /** Opens the bundle, read-only, until it is released. */
  readonly path: string
  readonly bytes: number
  /** Files of the listing that go by themselves, by their index. */
  readonly alone: ReadonlyMap<number, AloneFile>
  release(): Promise<void>
}

export interface BatchSpec {
  readonly bundle: number
  readonly tree: string
  readonly algorithm: DigestAlgorithm
  readonly files: TreeFiles
  readonly signal: AbortSignal
  readonly isClosing: boolean
  readonly isFinal: boolean
  /** In the listing, where it has rules. */
  readonly rulesBytes: number
  /** Once its files have been read. */
  readonly about: (isLast: boolean) => Pick<Listing, 'options' | 'final' | 'rules'>
  /** How many of the entries were listed before. */
  readonly again: number
  readonly candidates: Candidate[]
  alone(candidate: Candidate): AloneFile
  failed(name: Uint8Array, code: FrErrorCode, text: string): void
  /** With what is known of its files now. */
  released(known: readonly SentFile[]): void
}

export class Batch {
  readonly isClosing: boolean
  readonly isFinal: boolean
  readonly again: number
  readonly entries: number
  /** Bytes of files that go in bundles. */
  readonly bundledBytes: number
  readonly #spec: BatchSpec
  readonly #open = new Set<FileHandle>()
  /** Those of the last listing of all. */
  #listed: readonly Candidate[]
  #isReleased = false

  constructor(spec: BatchSpec) {
    this.#spec = spec
    this.isClosing = spec.isClosing
    this.isFinal = spec.isFinal
    this.again = spec.again
    this.entries = spec.candidates.length
    this.#listed = spec.candidates
    this.bundledBytes = 0
    for (const { entry } of spec.candidates) if (isBundled(entry)) this.bundledBytes += entry.size
  }

  /** A bundle of the listing alone. Reads the files whose digests are not known. */
  async list(): Promise<Bundle> {
    const unknown = this.#listed.filter(({ entry }) => isBundled(entry) && entry.digest === null)
    await this.#read(unknown, undefined)
    return this.#bundle(async (writer) => {
      this.#listed = withoutFailed(this.#listed, unknown)
      return this.#write(writer, this.#listed, { end: 0, isLast: true })
    })
  }

  /**
   * A bundle with the bytes of all files; or, of the last one of all, of the entries with these
   * indices in it, which alone are listed then, and where it closes the directories, if `isLast`.
   */
  async pack(wanted?: readonly RangePair[], isLast = true): Promise<Bundle> {
    const listed = wanted === undefined ? this.#listed : this.#some(wanted, isLast)
    const bundled = listed.filter(({ entry }) => isBundled(entry))
    return this.#bundle(async (writer, directory) => {
      const end = placeAll(bundled, this.#listingBytes(listed))
      await requireRoom(directory, 0, end)
      await this.#read(bundled, writer.fd)
      const left = withoutFailed(listed, bundled)
      if (wanted === undefined) this.#listed = left
      const made = await this.#write(writer, left, { end, isLast })
      for (const candidate of bundled) place(candidate, null)
      return made
    })
  }

  #some(wanted: readonly RangePair[], isLast: boolean): readonly Candidate[] {
    const isWanted = RangeSet.of(wanted)
    const isClosed = ({ entry }: Candidate): boolean =>
      this.isClosing && isLast && entry.kind === 'directory'
    return this.#listed.filter((candidate, at) => isWanted.contains(at, 1) || isClosed(candidate))
  }

  /** Closes what is open of it, and gives what was found out to be kept. Idempotent. */
  async release(): Promise<void> {
    if (this.#isReleased) return
    this.#isReleased = true
    const known = this.#spec.candidates.flatMap(({ entry, source, isYoung }): SentFile[] => {
      if (source === undefined || isYoung || !isBundled(entry) || entry.digest === null) return []
      return [{ name: entry.name, identity: source.looked.identity, digest: entry.digest }]
    })
    this.#spec.released(known)
    for (const file of this.#open) await file.close().catch(() => undefined)
    this.#open.clear()
  }

  /** Of the listing of a bundle with all bytes. */
  #listingBytes(listed: readonly Candidate[]): number {
    let bytes = listingHeadBytes + this.#spec.rulesBytes
    let previous: Uint8Array | null = null
    for (const { entry } of listed) {
      bytes += packedBytes(entry, previous, this.#spec.algorithm)
      previous = entry.name
    }
    return bytes
  }

  async #bundle(
    write: (writer: FileHandle, directory: string) => Promise<Listing & { bytes: number }>,
  ): Promise<Bundle> {
    let made: (Listing & { bytes: number }) | undefined
    const file = await writeUnnamed(this.#spec.signal, async (writer, directory) => {
      made = await write(writer, directory)
    })
    this.#open.add(file)
    const { bytes, ...listing } = made as Listing & { bytes: number }
    const alone = new Map<number, AloneFile>()
    for (const [index, candidate] of this.#listed.entries()) {
      const { entry, source } = candidate
      if (entry.kind === 'file' && entry.isAlone && source !== undefined)
        alone.set(index, this.#spec.alone(candidate))
    }
    const release = async (): Promise<void> => {
      if (this.#open.delete(file)) await file.close()
    }
    return { listing, path: descriptorPath(file.fd), bytes, alone, release }
  }

  /** The listing at the beginning; `end`: of the bytes of files; `isLast`: it closes if it may. */
  async #write(
    writer: FileHandle,
    listed: readonly Candidate[],
    { end, isLast }: { readonly end: number; readonly isLast: boolean },
  ): Promise<Listing & { bytes: number }> {
    const { tree, bundle, about } = this.#spec
    const isClosing = this.isClosing && isLast
    const entries = listed.map(({ entry }) => entry)
    const listing: Listing = { ...about(isLast), tree, bundle, isClosing, entries }
    const head = encodeListing(listing)
    await writeAll(writer, head, 0)
    const bytes = Math.max(end, head.length)
    await writer.truncate(bytes)
    return { ...listing, bytes }
  }

  /** Reads and hashes; what is not as it was has no digest afterwards. */
  async #read(candidates: readonly Candidate[], into: number | undefined): Promise<void> {
    const { files, algorithm, signal, failed } = this.#spec
    const nowMs = Date.now()
    const asked = candidates.map(({ entry, source }) => {
      const { directory, looked } = source as NonNullable<Candidate['source']>
      const at = entry.kind === 'file' ? (entry.at ?? 0) : 0
      return { path: joined(directory, looked.name), identity: looked.identity, at }
    })
    const sizes = candidates.map(({ entry }) => (entry.kind === 'file' ? entry.size : 0))
    const spec = { files, algorithm, signal, ...(into !== undefined && { into }) }
    const reads = await readAll(spec, asked, sizes)
    for (const [index, candidate] of candidates.entries()) {
      const read = reads[index]
      const { entry, source } = candidate
      if (entry.kind !== 'file' || source === undefined || read === undefined) continue
      candidate.isYoung = youngMs(source.looked, nowMs) > 0
      const digest = read instanceof Uint8Array ? read : null
      candidate.entry = { ...entry, digest }
      if (!(read instanceof Uint8Array)) failed(entry.name, read.code, read.text)
    }
  }
}

function withoutFailed(
  listed: readonly Candidate[],
  read: readonly Candidate[],
): readonly Candidate[] {
  const failed = new Set(read.filter(({ entry }) => entry.kind === 'file' && entry.digest === null))
  return failed.size === 0 ? listed : listed.filter((candidate) => !failed.has(candidate))
}

function isBundled(entry: TreeEntry): entry is Extract<TreeEntry, { kind: 'file' }> {
  return entry.kind === 'file' && !entry.isAlone
}

/** Bytes of an entry in the listing of a bundle that has its bytes, at most. */
export function packedBytes(
  entry: TreeEntry,
  previous: Uint8Array | null,
  algorithm: DigestAlgorithm,
): number {
  const bytes = entryBytes(entry, previous)
  if (!isBundled(entry)) return bytes
  return (
    bytes + (entry.at === null ? 4 : 0) + (entry.digest === null ? digestBytesOf(algorithm) : 0)
  )
}

function place(candidate: Candidate, at: number | null): void {
  const { entry } = candidate
  if (entry.kind === 'file') candidate.entry = { ...entry, at }
}

/** Behind one another from here on; the end of the last. */
function placeAll(candidates: readonly Candidate[], from: number): number {
  let at = from
  for (const candidate of candidates) {
    place(candidate, at)
    if (candidate.entry.kind === 'file') at += candidate.entry.size
  }
  return at
}
