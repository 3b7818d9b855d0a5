/**
 * A part of a tree that a node holds, as a bundle for a client that fetches the tree: many entries
 * and the bytes of their files in one content.
 *
 * The idea: a bundle is made as the sender of a tree makes it (store/walk/batch.ts), of entries
 * that the record names (pack-rows.ts), and only of files whose bytes have the digest of their row:
 * what is not as it was recorded is named and left out. Nothing is kept between two bundles: each
 * says where the next one begins, and in which state of the tree. When the tree has got another
 * one, it begins anew.
 */
import { realpath } from 'node:fs/promises'
import { bytesOfHex, cleanText } from '../../base/bytes.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { PackAsk, PackOffer } from '../../control/messages/types.js'
import type { Looked, TreeFiles } from '../../ports/tree-files.js'
import type { TreeAttributes } from '../../protocol/listing.js'
import { encodeName } from '../../protocol/manifest.js'
import type { HeldStream } from '../../store/catalogue/record.js'
import { isSameButLinked, isSameFile } from '../../store/catalogue/same-file.js'
import { dirKeyOf } from '../../store/files/plain.js'
import type { HeldWork } from '../../store/held/work.js'
import type { NodeStore } from '../../store/node-store.js'
import { type FileNames, fileNamesOf } from '../../store/trees/file-names.js'
import { fullName, shown } from '../../store/trees/full-name.js'
import type { HeldTrees } from '../../store/trees/held-trees.js'
import type { TreeRow } from '../../store/trees/segment.js'
import type { TreeRecord } from '../../store/trees/tree-record.js'
import { Batch, type Bundle, type Candidate } from '../../store/walk/batch.js'
import { ComparedFiles, type FindKnown } from '../../store/walk/compared-files.js'
import {
  cursorOf,
  isLarge,
  PackRows,
  type PackRowsSpec,
  placeOf,
  rowsIn,
  type Some,
  start,
  stateOf,
} from './pack-rows.js'

/** A tree, or a directory in one, and where the part begins. */
export interface PackKey {
  /** Name of the tree, or of the place of a version of it. */
  readonly tree: Uint8Array
  /** What the client calls what it asks for. */
  readonly said: Uint8Array
  /** Of the directory; undefined: the whole tree. */
  readonly directory: TreeRow | undefined
  readonly ask: PackAsk
}

export interface PackSource {
  readonly work: HeldWork
  readonly store: NodeStore
  readonly trees: HeldTrees
  readonly dataDir: string
  /** What reads the files of a bundle. */
  readonly files: () => Promise<TreeFiles>
  /** Of trees that are fetched, by their state; for `openPack`. */
  readonly fileNames: Map<string, Promise<FileNames>>
}

export interface Pack {
  readonly offer: PackOffer
  readonly algorithm: DigestAlgorithm
  /** Criteria: who else may have the tree. */
  readonly only: string | undefined
  /** Opens the bundle until it is released. */
  readonly path: string
  release(): Promise<void>
}

const looksAtOnce = 64
/** Of the inode in a TreeIdentity. */
const inodeAt = 8
const options = {
  ...{ isAtomic: false, deletes: false, strict: false, owner: false, xattrs: false, acls: false },
  isDry: false,
}

/** Rejects with ERR_FR_NOT_HELD where nothing has this name, ERR_FR_UNSUPPORTED for a file. */
export async function packKeyOf(
  trees: HeldTrees,
  name: Uint8Array,
  ask: PackAsk,
): Promise<PackKey> {
  const place = await trees.meant(name)
  if (place === undefined) throw new FrError('ERR_FR_NOT_HELD')
  const { tree, row } = place
  if (row === undefined || row.kind === 'directory')
    return { tree, said: name, directory: row, ask }
  throw new FrError('ERR_FR_UNSUPPORTED', `${shown(name)} is no tree and no directory of one`)
}

/** Rejects with ERR_FR_NOT_HELD, or ERR_FR_PROTOCOL for a cursor that no part has named. */
export async function openPack(source: PackSource, key: PackKey): Promise<Pack> {
  const record = await source.trees.open(key.tree)
  if (record === undefined) throw new FrError('ERR_FR_NOT_HELD')
  try {
    const { tree, directory } = key
    const spec = { record, catalogue: source.store.catalogue, tree, directory }
    const state = await stateOf(spec, source.work.author)
    const names = await namesOf(source.fileNames, state, spec)
    const path = Buffer.concat([Buffer.from(`${source.dataDir}/`), tree])
    // Beneath the name of a tree that changes all at once is a version.
    const root = await realpath(path, 'buffer').catch(() => path)
    return await new Packing(source, key, { state, root, names }, spec, await source.files()).make()
  } finally {
    await record.close()
  }
}

/** Reads them once for all parts. */
function namesOf(
  known: PackSource['fileNames'],
  state: string,
  spec: PackRowsSpec,
): Promise<FileNames> {
  const names = known.get(state) ?? fileNamesOf(() => rowsIn(spec, null))
  known.delete(state)
  known.set(state, names)
  names.catch(() => known.delete(state))
  for (const [oldest] of known) if (known.size > limits.treesServed) known.delete(oldest)
  return names
}

interface Present {
  readonly state: string
  /** Path of the tree. */
  readonly root: Buffer
  readonly names: FileNames
}

class Packing {
  readonly #source: PackSource
  readonly #key: PackKey
  readonly #record: TreeRecord
  readonly #files: TreeFiles
  readonly #rows: PackRows
  readonly #present: Present
  readonly #failures: PackOffer['failures'][number][] = []
  #failedCount = 0

  constructor(
    source: PackSource,
    key: PackKey,
    present: Present,
    spec: PackRowsSpec,
    files: TreeFiles,
  ) {
    this.#source = source
    this.#key = key
    this.#present = present
    this.#record = spec.record
    this.#rows = new PackRows(spec, present.names)
    this.#files = files
  }

  async make(): Promise<Pack> {
    const { state } = this.#present
    const { from, only } = this.#key.ask
    const asked = placeOf(from)
    const isFirst = asked?.state !== state
    const some = await this.#rows.some(isFirst ? start : asked)
    const algorithm = algorithmOf(some)
    const candidates = [
      ...some.records.map((record) => this.#alone(record)),
      ...(await this.#candidates(some.rows)),
    ]
    // They were told with the listing, or when a directory came first.
    if ((only !== null && only.length > 0) || some.part === 'directories') this.#forget()
    const batch = this.#batch(some, algorithm, candidates)
    try {
      // Who has another state knows little of this one.
      const { path } = await this.#bundle(batch, isFirst && from !== '' ? [] : only)
      const isWhole = (await this.#record.wholeAtMs()) !== null
      const offer = {
        ...{ isFirst, isWhole, next: cursorOf(state, some) },
        bytes: isFirst ? await this.#rows.bytes() : null,
        ...{ failedCount: this.#failedCount, failures: this.#failures },
      }
      const { only: holders } = this.#record
      return { offer, algorithm, path, only: holders, release: () => batch.release() }
    } catch (error) {
      await batch.release()
      throw error
    }
  }

  #bundle(batch: Batch, only: PackAsk['only']): Promise<Bundle> {
    return only?.length === 0 ? batch.list() : batch.pack(only ?? undefined)
  }

  #batch(some: Some, algorithm: DigestAlgorithm, candidates: Candidate[]): Batch {
    return new Batch({
      ...{ bundle: 0, tree: dirKeyOf(this.#key.tree), algorithm, candidates },
      ...{ isFinal: false, rulesBytes: 0, again: 0 },
      isClosing: some.part === 'links' || some.part === 'directories',
      files: this.#comparing(some.rows),
      signal: new AbortController().signal,
      about: () => ({ options, final: null }),
      alone: () => {
        throw new FrError('ERR_FR_INTERNAL', 'a file alone is packed')
      },
      failed: (name, code, text) => this.#fail(this.#named(name), code, text),
      released: () => {},
    })
  }

  // --- entries ---

  #alone({ name, mode, mtime, size, dataBytes, fileDigest }: HeldStream): Candidate {
    const digest = bytesOfHex(fileDigest.slice(fileDigest.lastIndexOf(':') + 1))
    const attributes = attributesOf({ mode, mtime })
    const within = this.#rows.entryName(this.#rows.within(name))
    const of = { name: within, attributes, size, dataBytes, digest }
    return { entry: { kind: 'file', ...of, at: null, isAlone: true }, isYoung: true }
  }

  async #candidates(rows: readonly TreeRow[]): Promise<Candidate[]> {
    const isVersioned = await this.#source.trees.isVersioned(this.#key.tree)
    const isSame = isVersioned ? isSameButLinked : isSameFile
    const candidates: Candidate[] = []
    for (let at = 0; at < rows.length; at += looksAtOnce) {
      const some = rows.slice(at, at + looksAtOnce).map((row) => this.#candidate(row, isSame))
      for (const candidate of await Promise.all(some))
        if (candidate !== undefined) candidates.push(candidate)
    }
    return candidates
  }

  async #candidate(row: TreeRow, isSame: typeof isSameFile): Promise<Candidate | undefined> {
    const { kind, value } = row
    const full = this.#named(this.#rows.entryName(row.name))
    const path = this.#pathOf(row.name)
    const looked = await this.#look(path)
    const isThere = looked?.kind === kind
    if (!isThere || (kind !== 'directory' && !isSame(identityOf(looked), row.identity)))
      return this.#changed(full)
    const about = { name: this.#rows.entryName(row.name), attributes: attributesOf(looked) }
    const isYoung = true
    if (kind === 'directory') return { entry: { ...about, kind }, isYoung }
    if (kind === 'symlink') return { entry: { ...about, kind, target: value }, isYoung }
    const first = this.#rows.firstOf(row)
    if (first !== undefined) {
      const found = await this.#look(this.#pathOf(first))
      if (!found?.identity.equals(looked.identity)) return this.#changed(full)
      const to = this.#rows.entryName(first)
      return { entry: { ...about, kind: 'hardlink', to }, isYoung }
    }
    if (value.length === 0) return this.#changed(full)
    const { size, dataBytes } = looked
    const isAlone = isLarge(row)
    const bytes = { size, dataBytes, at: null, isAlone }
    if (isAlone) return { entry: { ...about, kind, ...bytes, digest: value }, isYoung }
    const end = path.lastIndexOf('/')
    const name = path.subarray(end + 1)
    const source = { directory: path.subarray(0, end), looked: namedAs(name, looked) }
    return { entry: { ...about, kind, ...bytes, digest: value }, source, isYoung }
  }

  async #look(path: Buffer): Promise<Looked | null> {
    const looked = await this.#files.look(path, { xattrs: false, acls: false }).catch(() => null)
    return (looked?.errno ?? 0) === 0 ? looked : null
  }

  #pathOf(name: Uint8Array): Buffer {
    const path = Buffer.concat([this.#present.root, Buffer.from('/'), name])
    return name.length === 0 ? Buffer.concat([path, Buffer.from('.')]) : path
  }

  /** Of what it reads only that has a digest which is that of its row. */
  #comparing(rows: readonly TreeRow[]): TreeFiles {
    const known = new Map<string, TreeRow>()
    for (const row of rows) known.set(this.#pathOf(row.name).toString('latin1'), row)
    const find: FindKnown = async (paths) =>
      paths.map((path) => {
        const row = known.get(path.toString('latin1'))
        return row && { digest: row.value, algorithm: row.algorithm }
      })
    return new ComparedFiles(this.#files, find, { code: 'ERR_FR_NOT_HELD', text: changedText })
  }

  #forget(): void {
    this.#failedCount = 0
    this.#failures.length = 0
  }

  #changed(full: Uint8Array): undefined {
    return this.#fail(full, 'ERR_FR_NOT_HELD', changedText)
  }

  #fail(full: Uint8Array, code: FrErrorCode, text: string): undefined {
    this.#failedCount++
    if (this.#failures.length < limits.treeFailuresTold)
      this.#failures.push({ ...encodeName(full), code, text: cleanText(text) })
  }

  #named(entryName: Uint8Array): Uint8Array {
    return fullName(this.#key.said, entryName)
  }
}

const changedText = 'somebody else changed or removed it'

function algorithmOf({ rows, records }: Some): DigestAlgorithm {
  const found = [...records, ...rows].find(({ algorithm }) => algorithm !== null)
  return found?.algorithm ?? 'blake3'
}

function attributesOf({ mode, mtime }: Pick<Looked, 'mode' | 'mtime'>): TreeAttributes {
  return { mode: mode & 0o777, mtimeSeconds: mtime.seconds, mtimeNanos: mtime.nanos }
}

/** The same look under another name. What an engine tells need not be a plain object. */
function namedAs(name: Buffer, looked: Looked): Looked {
  const { kind, mode, links, uid, gid, size, dataBytes, mtime, ctime, identity, target } = looked
  return { name, kind, mode, links, uid, gid, size, dataBytes, mtime, ctime, identity, target }
}

function identityOf({ size, mtime, ctime, identity }: Looked): TreeRow['identity'] {
  return { size, mtime, ctime, inode: String(identity.readBigUInt64LE(inodeAt)) }
}
