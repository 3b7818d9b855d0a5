/**
 * What a node answers about versions of files, and of trees that change all at once: pages of a
 * list, the way back to an earlier one, and which files of a file set it lacks.
 */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import type { Frame, SetEntry, VersionEntry, VersionedEntry } from '../control/messages/types.js'
import type { DataDirHandle, EntryLook, Storage } from '../ports.js'
import { decodeName, encodeName } from '../protocol/manifest.js'
import type { HeldStream } from '../store/catalogue/record.js'
import { isSameButLinked, isSameFile } from '../store/catalogue/same-file.js'
import { openNow } from '../store/held/holdings.js'
import { verifyHeld } from '../store/held/verify.js'
import type { HeldWork } from '../store/held/work.js'
import type { NodeStore } from '../store/node-store.js'
import type { HeldTrees } from '../store/trees/held-trees.js'
import type { TreeVersion } from '../store/trees/kept-trees.js'
import { digestText } from '../store/trees/local-copies.js'
import type { Trees } from '../store/trees/trees.js'
import { isFileOf } from '../store/versions/version-links.js'
import { cursorOf, firstBehind, Page, type Place, placeOf } from './held-page.js'
import type { Claimant, NameClaims } from './name-claims.js'

type Listed = Extract<Frame, { type: 'versionsListed' }>
type RolledBack = Extract<Frame, { type: 'rolledBack' }>
type Lacking = Extract<Frame, { type: 'lacking' }>

export interface VersionAnswersSpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  readonly store: NodeStore
  readonly work: HeldWork
  readonly heldTrees: HeldTrees
  /** Undefined where nothing is written. */
  readonly writer: Trees | undefined
  readonly names: Pick<NameClaims<Claimant>, 'without'>
  readonly log: Logger
}

export interface Reading {
  readonly isReading: (readBytes: number, bytes: number) => void
  readonly signal: AbortSignal
}

type Content = Pick<TreeVersion, 'fileDigest' | 'size'>

interface RolledBackTo {
  readonly now: Content
  /** Undefined: nothing that the node knew. */
  readonly before: Content | undefined
}

export class VersionAnswers {
  readonly #spec: VersionAnswersSpec

  constructor(spec: VersionAnswersSpec) {
    this.#spec = spec
  }

  /** Throws ERR_FR_PROTOCOL for a place to go on that no page named. */
  async list(glob: Uint8Array | null, after: string): Promise<Listed> {
    const place = placeOf(after)
    const page = new Page<VersionedEntry>(glob, limits.versionPageNames)
    const next =
      (place.in === 'files' ? await this.#files(page, glob, place.name) : null) ??
      (await this.#trees(page, place.in === 'trees' ? place.tree : null))
    const goesOn = next === null ? null : cursorOf(next)
    return { type: 'versionsListed', nowMs: Date.now(), entries: page.entries, next: goesOn }
  }

  /** Adds files behind this one; the place to go on, null at their end. */
  async #files(
    page: Page<VersionedEntry>,
    glob: Uint8Array | null,
    behind: Uint8Array | null,
  ): Promise<Place | null> {
    const names = this.#names(glob)
    for (const name of names.slice(behind ? firstBehind(names, (of) => of, behind) : 0)) {
      if (page.isWanted(name)) page.add(await this.#entryOf(name))
      if (page.isFull) return { in: 'files', name }
    }
    return null
  }

  /** The same of trees. */
  async #trees(page: Page<VersionedEntry>, behind: Uint8Array | null): Promise<Place | null> {
    const kept = this.#spec.heldTrees.versions
    const names = await kept.names(page.glob === null)
    for (const tree of names.slice(behind ? firstBehind(names, (of) => of, behind) : 0)) {
      if (page.isWanted(tree)) {
        const versions = (await kept.of(tree)).map(versionOfTree)
        if (versions.length > 0) page.add({ ...encodeName(tree), versions })
      }
      if (page.isFull) return { in: 'trees', tree, within: null }
    }
    return null
  }

  /** In the order of their bytes: those of which something is kept, or all files. */
  #names(glob: Uint8Array | null): readonly Uint8Array[] {
    const { catalogue, versions } = this.#spec.store
    const kept = versions.names
    if (glob === null) return kept
    const alone = kept.filter((name) => catalogue.get(name) === undefined)
    const held = catalogue.list().map(({ name }) => name)
    return alone.length === 0 ? held : [...held, ...alone].sort(Buffer.compare)
  }

  async #entryOf(name: Uint8Array): Promise<VersionedEntry> {
    const { storage, dir, store } = this.#spec
    const present = store.catalogue.get(name)
    const kept = store.versions.of(name).map(({ record }) => record)
    const records = present === undefined ? kept : [present, ...kept]
    const looks = await storage.lookAt(
      dir,
      records.map((record) => record.name),
    )
    const first = present === undefined ? 1 : 0
    const versions = records.map((record, at) => versionOf(at + first, record, looks[at]))
    return { ...encodeName(name), versions }
  }

  /**
   * Gives the name to a version of it. Rejects with ERR_FR_NOT_HELD, ERR_FR_BUSY while a transfer
   * has the name, ERR_FR_DIGEST where the version is not what it was, ERR_FR_READ_ONLY, or the
   * reason of the signal.
   */
  async rollBack(name: Uint8Array, version: string, reading: Reading): Promise<RolledBack> {
    const { store, names } = this.#spec
    store.requireWritable()
    const { now, before } = await names.without(name, () => this.#rollBack(name, version, reading))
    const { fileDigest, size: bytes } = now
    const fields = { name: Buffer.from(name).toString(), digest: fileDigest }
    this.#spec.log({ level: 'info', event: 'rolled-back', fields })
    return { type: 'rolledBack', fileDigest, bytes, before: before?.fileDigest ?? null }
  }

  async #rollBack(name: Uint8Array, version: string, reading: Reading): Promise<RolledBackTo> {
    const { store, writer, heldTrees } = this.#spec
    if (await heldTrees.versions.has(name)) {
      if (writer === undefined) throw new FrError('ERR_FR_READ_ONLY')
      return writer.versions.rollBack(name, version)
    }
    const isRight = (record: HeldStream): Promise<boolean> => this.isRight(record, reading)
    return store.versions.rollBack(name, version, isRight)
  }

  /** Whether it is the file of the record: read where the file system tells of any change. */
  async isRight(record: HeldStream, { isReading, signal }: Reading): Promise<boolean> {
    const { storage, dir, store, work } = this.#spec
    const file = await openNow(storage, dir, record.name)
    if (file === undefined) return false
    const identity = await storage.identityOf(file).finally(() => storage.closeFile(file))
    if (isSameFile(identity, record.identity)) return true
    if (!isSameButLinked(identity, record.identity)) return false
    let isGood = false
    const spec = { held: store.holdings, work, nowMs: Date.now, isReading }
    await verifyHeld(spec, [record.name], signal, ({ status }) => {
      isGood = status === 'ok'
    })
    return isGood
  }

  /** What of these is not here, as far as can be told without reading it. */
  async lacks(entries: readonly SetEntry[]): Promise<Lacking> {
    const { storage, dir, store } = this.#spec
    const names = entries.map(decodeName)
    const looks = await storage.lookAt(dir, names)
    const lacking: { index: number; has: string | null }[] = []
    for (const [index, { fileDigest }] of entries.entries()) {
      const name = names[index] as Uint8Array
      const record = store.catalogue.get(name)
      const has = record ? digestNow(record, looks[index]) : await this.#inTree(name)
      if (has !== fileDigest) lacking.push({ index, has })
    }
    return { type: 'lacking', entries: lacking }
  }

  /** Digest of a file that came in a tree; null: there is none that is as it came. */
  async #inTree(name: Uint8Array): Promise<string | null> {
    const { heldTrees } = this.#spec
    const place = await heldTrees.find(name)
    if (place === undefined) return null
    const { kind, algorithm, value, identity } = place.row
    const [state] = await heldTrees.statesOf(place.tree, [place.row])
    if (kind !== 'file' || algorithm === null || state !== 'held') return null
    return digestText(algorithm, identity.size, Buffer.from(value).toString('hex'))
  }
}

/** Of the file that is there; null where it is not the one of the record. */
function digestNow(record: HeldStream, look: EntryLook | null | undefined): string | null {
  return isFileOf(look, record) ? record.fileDigest : null
}

function versionOf(
  back: number,
  record: HeldStream,
  look: EntryLook | null | undefined,
): VersionEntry {
  const { contentId, author, size, dataBytes, fileDigest, publishedAtMs, keptAtMs } = record
  return {
    kind: 'file',
    ...{ back, contentId, author, size, fileDigest, publishedAtMs },
    state: !look ? 'missing' : isFileOf(look, record) ? 'held' : 'changed',
    // Blocks that have another name, too, stay.
    diskBytes: look?.links === 1 ? Math.min(dataBytes, size) : 0,
    keptAtMs: keptAtMs ?? null,
  }
}

function versionOfTree(version: TreeVersion, back: number): VersionEntry {
  const { kept, isWhole, fileDigest, size, ownBytes, publishedAtMs } = version
  const keptAtMs = kept?.keptAtMs ?? null
  return {
    ...{ kind: 'tree', back, state: isWhole ? 'held' : 'partial', contentId: null, author: null },
    ...{ size, fileDigest, publishedAtMs, keptAtMs },
    diskBytes: Math.min(ownBytes, size),
  }
}
