/**
 * What a node answers about the files it holds: pages of a list, removal, verification.
 *
 * The idea: a page is bounded in files, bytes, work and time, and says where to go on, so nothing
 * is kept between two questions. A record is believed only while the file has the identity that it
 * had when it was verified; that is looked at for the files of the page alone.
 */
import { cleanText } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { Glob } from '../base/glob.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { isHidden, isSameName, isWithin } from '../base/names.js'
import { type VersionedName, versionedName } from '../base/versions.js'
import type { Frame, HeldEntry, HeldState } from '../control/messages/types.js'
import type { DataDirHandle, Storage } from '../ports.js'
import { decodeName, encodeName } from '../protocol/manifest.js'
import type { HeldStream } from '../store/catalogue/record.js'
import { keyOf } from '../store/files/plain.js'
import { type VerifiedFile, verifyHeld } from '../store/held/verify.js'
import type { HeldWork } from '../store/held/work.js'
import { type ReadJournal, readJournal } from '../store/journal/journal.js'
import type { NodeStore } from '../store/node-store.js'
import { isScratch } from '../store/partial.js'
import { shown } from '../store/trees/full-name.js'
import type { Removal } from '../store/trees/removal.js'
import { cursorOf, firstBehind, Page, type Place, placeOf } from './held-page.js'
import type { Claimant, NameClaims } from './name-claims.js'
import type { Removing, TreeAnswers } from './tree-answers.js'

export interface ListSpec {
  /** Null: all, and each tree as one. */
  readonly glob: Uint8Array | null
  /** `next` of the last page; empty: from the start. */
  readonly after: string
  readonly limit: number
}

type Verified = Extract<Frame, { type: 'verified' }>
type Listed = Extract<Frame, { type: 'listed' }>
type Removed = Extract<Frame, { type: 'removed' }>

export interface HeldFilesSpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  readonly store: NodeStore
  readonly work: HeldWork
  readonly names: Pick<NameClaims<Claimant>, 'without'>
  readonly trees: TreeAnswers
  /** Versions that nodes decide about. */
  readonly prepared: () => readonly HeldEntry[]
  /** What lands and is still written, by the id of its partial. */
  readonly growing: () => ReadonlyMap<string, HeldEntry>
  /** The file of a record has gone. */
  readonly removed: (record: HeldStream) => Promise<void>
  readonly log: Logger
}

export class HeldFiles {
  readonly #spec: HeldFilesSpec
  /** Files that are being read. */
  #verifying = 0

  constructor(spec: HeldFilesSpec) {
    this.#spec = spec
  }

  /** Throws ERR_FR_PROTOCOL for a place to go on that no page named. */
  async list({ glob, after, limit }: ListSpec): Promise<Listed> {
    const page = new Page(glob, limit)
    const place = placeOf(after)
    const { trees } = this.#spec
    const next =
      (place.in === 'files' ? await this.#held(page, place.name) : null) ??
      (place.in !== 'partials'
        ? await trees.list(page, place.in === 'trees' ? place : null)
        : null) ??
      (await this.#partials(page, place.in === 'partials' ? place.id : ''))
    const goesOn = next === null ? null : cursorOf(next)
    return { type: 'listed', nowMs: Date.now(), entries: page.entries, next: goesOn }
  }

  /**
   * Removes the file, the tree or the entry of one, and what unfinished transfers of this name
   * left; or all that matches. What others have put in a directory stays, and so does the
   * directory. Rejects with ERR_FR_NOT_HELD when there is nothing, ERR_FR_BUSY while a transfer
   * has the name, ERR_FR_READ_ONLY, or the signal's reason. Of several that match one that a
   * transfer has stays, and is counted as failed.
   */
  async remove(name: Uint8Array, isGlob: boolean, how: Removing): Promise<Removed> {
    this.#spec.store.requireWritable()
    const sum = new RemovalSum(how)
    const version = isGlob ? null : await this.#versionMeant(name)
    if (isGlob) await this.#removeMatching(new Glob(name), sum)
    else if (version !== null) await this.#removeVersion(version, sum)
    else await this.#spec.names.without(name, () => this.#remove(name, sum))
    if (sum.isNothing) throw new FrError('ERR_FR_NOT_HELD')
    const fields = { name: Buffer.from(name).toString('utf8'), entries: sum.removal.entries }
    this.#spec.log({ level: 'info', event: 'removed', fields })
    return { type: 'removed', ...sum.removal }
  }

  /** Removes the file where it is of this content, whoever else wants the name. True: it was. */
  removeContent(name: Uint8Array, contentId: string): Promise<boolean> {
    const { store, names } = this.#spec
    const signal = new AbortController().signal
    return names.without(name, async () => {
      if (store.catalogue.get(name)?.contentId !== contentId) return false
      await this.#removeFile(name, new RemovalSum({ signal, isRemoving: () => {} }))
      return true
    })
  }

  /** Null: this is the name of something. */
  async #versionMeant(said: Uint8Array): Promise<VersionedName | null> {
    const { store, trees } = this.#spec
    const found = store.catalogue.get(said) === undefined ? versionedName(said) : null
    if (found === null || store.versions.of(found.name).length > 0) return found
    const isOfTree = (await trees.hasVersions(found.name)) && !(await trees.knows(said))
    return isOfTree ? found : null
  }

  async #removeVersion({ name, version }: VersionedName, sum: RemovalSum): Promise<void> {
    const { names, store, trees } = this.#spec
    await names.without(name, async () => {
      if (await trees.hasVersions(name)) await trees.removeVersion(name, version)
      else await store.versions.remove(name, version)
    })
    sum.took(1)
  }

  async #remove(name: Uint8Array, sum: RemovalSum): Promise<void> {
    const { store, trees } = this.#spec
    const left = await store.makeWay(name)
    const isOfTree = await trees.knows(name)
    sum.took(await store.versions.removeAll(name))
    await this.#removeFiles(sum, (file) =>
      isOfTree ? isWithin(file, name) : isSameName(file, name),
    )
    if (sum.isNothing && left > 0) sum.took(1)
    sum.add(await trees.remove(name, sum.how))
  }

  async #removeMatching(glob: Glob, sum: RemovalSum): Promise<void> {
    const { names, store, trees } = this.#spec
    const found = new Map<string, Uint8Array>()
    const add = (name: Uint8Array | undefined): void => {
      if (name !== undefined && glob.matches(name)) found.set(keyOf(name), name)
    }
    for (const id of await this.#partialsBehind(''))
      add((await readJournal(store.leftovers.pathOf(id), null))?.header.name)
    for (const { name } of store.catalogue.list()) add(name)
    const each = async (name: Uint8Array, work: () => Promise<void>): Promise<void> => {
      sum.how.signal.throwIfAborted()
      await names.without(name, work).catch((error: unknown) => sum.busy(name, error))
    }
    for (const name of found.values())
      await each(name, async () => {
        sum.took(await store.makeWay(name))
        if (store.catalogue.get(name) !== undefined) await this.#removeFile(name, sum)
      })
    for (const tree of await trees.reachedBy(glob))
      await each(tree, async () => sum.add(await trees.removeMatching(tree, glob, sum.how)))
  }

  async #removeFiles(sum: RemovalSum, goes: (name: Uint8Array) => boolean): Promise<void> {
    const records = this.#spec.store.catalogue.list().filter((record) => goes(record.name))
    for (const { name } of records) {
      sum.how.signal.throwIfAborted()
      await this.#removeFile(name, sum)
    }
  }

  async #removeFile(name: Uint8Array, sum: RemovalSum): Promise<void> {
    const { storage, dir, store } = this.#spec
    sum.took(await store.versions.removeAll(name))
    const record = store.catalogue.get(name)
    // Somebody else may have removed it already.
    await storage.remove(dir, name).catch((error: unknown) => {
      if (!isOfNoFile(error)) throw error
    })
    await store.catalogue.remove(name)
    if (record !== undefined) await this.#spec.removed(record)
    sum.took(1)
  }

  /**
   * Has the file read; one that is bad is an answer, and not held any more. Rejects with
   * ERR_FR_LIMIT when enough files are being read, or the signal's reason.
   */
  async verify(
    name: Uint8Array,
    isReading: (readBytes: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Verified> {
    if (this.#verifying >= limits.verifiesPerNode)
      throw new FrError('ERR_FR_LIMIT', `the node verifies ${this.#verifying} files already`)
    this.#verifying++
    try {
      return await this.#verify(name, isReading, signal)
    } catch (error) {
      signal.throwIfAborted()
      const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
      const nothing = { bytes: 0, badBytes: 0, fileDigest: null, tree: null }
      return { type: 'verified', code, text, ...nothing }
    } finally {
      this.#verifying--
    }
  }

  async #verify(
    name: Uint8Array,
    isReading: (readBytes: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Verified> {
    const { store, work, trees } = this.#spec
    const record = store.catalogue.get(name) ?? store.versions.meant(name)
    if (record === undefined) {
      const found = await trees.verify(name, isReading, signal)
      if (found === undefined) throw new FrError('ERR_FR_NOT_HELD')
      return found
    }
    const isKept = isHidden(record.name)
    const found: VerifiedFile[] = []
    const spec = { held: store.holdings, work, nowMs: Date.now, isReading }
    await verifyHeld(spec, [record.name], signal, (file) => found.push(file))
    const [file] = found
    const text = 'a push or a removal took its place meanwhile'
    if (file === undefined) throw new FrError('ERR_FR_BUSY', text)
    if (file.status !== 'ok') await (isKept ? store.versions.forget(record) : trees.spoil(name))
    return { type: 'verified', ...verdict(file, record) }
  }

  /** Adds the records behind this name; the place to go on where the page is full, else null. */
  async #held(page: Page, after: Uint8Array | null): Promise<Place | null> {
    // What is in a tree is listed as that.
    const isHidden = page.glob === null ? await this.#spec.trees.within() : () => false
    const records = this.#spec.store.catalogue.list()
    for (
      let at = after === null ? 0 : firstBehind(records, (of) => of.name, after);
      at < records.length;
      at++
    ) {
      const record = records[at] as HeldStream
      const isListed = page.isWanted(record.name) && !isHidden(record.name)
      if (isListed) page.add(await this.#entryOf(record))
      if (page.isFull) return { in: 'files', name: record.name }
    }
    return null
  }

  async #partials(page: Page, after: string): Promise<Place | null> {
    if (after === '')
      for (const entry of this.#spec.prepared())
        if (!page.isFull && page.isWanted(decodeName(entry))) page.add(entry)
    const growing = this.#spec.growing()
    const coming = [...growing.keys()].filter((id) => id > after)
    const left = await this.#partialsBehind(after)
    for (const id of [...new Set([...left, ...coming])].sort()) {
      const entry = growing.get(id) ?? (await this.#leftIn(id))
      if (entry !== undefined && page.isWanted(decodeName(entry))) page.add(entry)
      if (page.isFull) return { in: 'partials', id }
    }
    return null
  }

  async #leftIn(id: string): Promise<HeldEntry | undefined> {
    const journal = await readJournal(this.#spec.store.leftovers.pathOf(id), null)
    return journal === null ? undefined : unfinished(journal)
  }

  async #partialsBehind(after: string): Promise<string[]> {
    const { storage, dir } = this.#spec
    const ids = (await storage.listPartials(dir)).map(({ id }) => id)
    return ids.filter((id) => id > after && !isScratch(id)).sort()
  }

  async #entryOf(record: HeldStream): Promise<HeldEntry> {
    const { name, contentId, size, fileDigest, publishedAtMs, verifiedAtMs } = record
    const state = await this.#stateOf(record)
    const heldBytes = state === 'held' ? size : 0
    const described = { contentId, size, heldBytes, fileDigest, publishedAtMs, verifiedAtMs }
    return { ...encodeName(name), kind: 'file', state, entries: null, ...described }
  }

  /** Rejects when it cannot be told. */
  async #stateOf(record: HeldStream): Promise<HeldState> {
    const { storage, dir, store } = this.#spec
    try {
      const file = await storage.openHeld(dir, record.name)
      try {
        const isSame = await store.holdings.isDescribed(await storage.identityOf(file), record)
        return isSame ? 'held' : 'changed'
      } finally {
        storage.closeFile(file)
      }
    } catch (error) {
      if (isOfNoFile(error)) return 'missing'
      // A disk that has a part of it.
      if (error instanceof FrError && error.code === 'ERR_FR_DATA_DIR_GONE') return 'partial'
      throw error
    }
  }
}

/** Nothing is there, or something else is in its place or on the way to it. */
function isOfNoFile(error: unknown): boolean {
  const codes: readonly unknown[] = ['ERR_FR_NOT_HELD', 'ERR_FR_NAME', 'ERR_FR_IS_DIRECTORY']
  return error instanceof FrError && codes.includes(error.code)
}

function verdict(
  { status, badBlocks, badBytes }: VerifiedFile,
  { size: bytes, fileDigest }: HeldStream,
): Omit<Verified, 'type'> {
  const found = { bytes, badBytes, fileDigest, tree: null }
  if (status === 'ok') return { code: null, text: '', ...found }
  if (status === 'missing')
    return { code: 'ERR_FR_NOT_HELD', text: 'somebody else has removed the file', ...found }
  const changed = status === 'changed' ? 'somebody else has changed the file' : null
  const blocks = badBlocks === 0 ? 'its digests are lost' : `${badBlocks} of its blocks are wrong`
  return { code: 'ERR_FR_DIGEST', text: changed ?? blocks, ...found }
}

function unfinished({ header, runs, whole }: ReadJournal): HeldEntry {
  const { name, contentId, blockBytes } = header
  const heldBytes = runs.reduce((sum, { length }) => sum + length, 0)
  // How much there is to be of what was still written is not known.
  const size = blockBytes === 'sections' ? heldBytes : header.size
  const { fileDigest = null } = whole
  const times = { publishedAtMs: null, verifiedAtMs: null }
  const described = { contentId, size, heldBytes, entries: null, fileDigest, ...times }
  return { ...encodeName(name), kind: 'file', state: 'partial', ...described }
}

/** What one request removes. */
class RemovalSum {
  readonly how: Removing
  #entries = 0
  #kept = 0
  #failedCount = 0
  #text = ''

  constructor({ isRemoving, signal }: Removing) {
    this.how = { signal, isRemoving: (entries) => isRemoving(this.#entries + entries) }
  }

  took(entries: number): void {
    this.#entries += entries
    this.how.isRemoving(0)
  }

  add({ entries, kept, failedCount, text }: Removal = nothingRemoved): void {
    this.#entries += entries
    this.#kept += kept
    this.#failedCount += failedCount
    if (this.#text === '') this.#text = text
  }

  /** One of several that a transfer has stays; throws what is no ERR_FR_BUSY. */
  busy(name: Uint8Array, error: unknown): void {
    if (!(error instanceof FrError) || error.code !== 'ERR_FR_BUSY') throw error
    this.add({ ...nothingRemoved, failedCount: 1, text: `${shown(name)}: ${error.message}` })
  }

  get isNothing(): boolean {
    return this.#entries + this.#kept + this.#failedCount === 0
  }

  get removal(): Removal {
    const [entries, kept, failedCount] = [this.#entries, this.#kept, this.#failedCount]
    return { entries, kept, failedCount, text: cleanText(this.#text) }
  }
}

const nothingRemoved: Removal = { entries: 0, kept: 0, failedCount: 0, text: '' }
