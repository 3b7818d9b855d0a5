/**
 * What a node answers about the files it holds: pages of a list, removal, verification.
 *
 * The idea: a page is bounded in files, bytes, work and time, and says where to go on, so nothing
 * is kept between two questions. A record is believed only while the file has the identity that it
 * had when it was verified; that is looked at for the files of the page alone.
 */
import { base64urlOf, bytesOfBase64url } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { Glob } from '../base/glob.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { nowMs } from '../base/time/awake.js'
import type { Frame, HeldEntry, HeldState } from '../control/messages/types.js'
import type { DataDirHandle, Storage } from '../ports.js'
import { encodeName } from '../protocol/manifest.js'
import type { HeldStream } from '../store/catalogue/record.js'
import { isSameFile } from '../store/catalogue/same-file.js'
import { type VerifiedFile, verifyHeld } from '../store/held/verify.js'
import type { HeldWork } from '../store/held/work.js'
import { type ReadJournal, readJournal } from '../store/journal/journal.js'
import type { NodeStore } from '../store/node-store.js'
import { isScratch } from '../store/partial.js'
import type { Claimant, NameClaims } from './name-claims.js'

export interface ListSpec {
  /** Null: all. */
  readonly glob: Uint8Array | null
  /** `next` of the last page; empty: from the start. */
  readonly after: string
  readonly limit: number
}

type Verified = Extract<Frame, { type: 'verified' }>
type Listed = Extract<Frame, { type: 'listed' }>

export interface HeldFilesSpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  readonly store: NodeStore
  readonly work: HeldWork
  readonly names: Pick<NameClaims<Claimant>, 'without'>
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
    const next =
      (place.partial === null ? await this.#held(page, place.name) : null) ??
      (await this.#partials(page, place.partial ?? ''))
    return { type: 'listed', nowMs: Date.now(), entries: page.entries, next }
  }

  /**
   * Removes the file, and what unfinished transfers of this name left. Rejects with
   * ERR_FR_NOT_HELD when there is neither, ERR_FR_BUSY while a transfer has the name,
   * ERR_FR_READ_ONLY.
   */
  async remove(name: Uint8Array): Promise<void> {
    this.#spec.store.requireWritable()
    return this.#spec.names.without(name, () => this.#remove(name))
  }

  async #remove(name: Uint8Array): Promise<void> {
    const { storage, dir, store, log } = this.#spec
    const { catalogue } = store
    const isHeld = catalogue.get(name) !== undefined
    const left = await store.makeWay(name)
    if (!isHeld && left === 0) throw new FrError('ERR_FR_NOT_HELD')
    if (isHeld) {
      // Somebody else may have removed it already.
      await storage.remove(dir, name).catch((error: unknown) => {
        if (!isOfNoFile(error)) throw error
      })
      await catalogue.remove(name)
    }
    log({ level: 'info', event: 'removed', fields: { name: Buffer.from(name).toString('utf8') } })
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
      return { type: 'verified', code, text, bytes: 0, badBytes: 0, fileDigest: null }
    } finally {
      this.#verifying--
    }
  }

  async #verify(
    name: Uint8Array,
    isReading: (readBytes: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Verified> {
    const { store, work } = this.#spec
    const record = store.catalogue.get(name)
    if (record === undefined) throw new FrError('ERR_FR_NOT_HELD')
    const found: VerifiedFile[] = []
    const spec = { held: store.holdings, work, nowMs: Date.now, isReading }
    await verifyHeld(spec, [name], signal, (file) => found.push(file))
    const [file] = found
    const text = 'a push or a removal took its place meanwhile'
    if (file === undefined) throw new FrError('ERR_FR_BUSY', text)
    return { type: 'verified', ...verdict(file, record) }
  }

  /** Adds the records behind this name; the place to go on where the page is full, else null. */
  async #held(page: Page, after: Uint8Array | null): Promise<string | null> {
    const records = this.#spec.store.catalogue.list()
    for (let at = after === null ? 0 : firstBehind(records, after); at < records.length; at++) {
      const record = records[at] as HeldStream
      if (page.isWanted(record.name)) page.add(await this.#entryOf(record))
      if (page.isFull) return `h${base64urlOf(record.name)}`
    }
    return null
  }

  async #partials(page: Page, after: string): Promise<string | null> {
    for (const id of await this.#partialsBehind(after)) {
      const journal = await readJournal(this.#spec.store.leftovers.pathOf(id), null)
      if (journal !== null && page.isWanted(journal.header.name)) page.add(unfinished(journal))
      if (page.isFull) return `p${id}`
    }
    return null
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
    return { ...encodeName(name), state, ...described }
  }

  /** Rejects when it cannot be told. */
  async #stateOf(record: HeldStream): Promise<HeldState> {
    const { storage, dir } = this.#spec
    try {
      const file = await storage.openHeld(dir, record.name)
      try {
        const isSame = isSameFile(await storage.identityOf(file), record.identity)
        return isSame ? 'held' : 'changed'
      } finally {
        storage.closeFile(file)
      }
    } catch (error) {
      if (isOfNoFile(error)) return 'missing'
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
  const found = { bytes, badBytes, fileDigest }
  if (status === 'ok') return { code: null, text: '', ...found }
  if (status === 'missing')
    return { code: 'ERR_FR_NOT_HELD', text: 'somebody else has removed the file', ...found }
  const changed = status === 'changed' ? 'somebody else has changed the file' : null
  const blocks = badBlocks === 0 ? 'its digests are lost' : `${badBlocks} of its blocks are wrong`
  return { code: 'ERR_FR_DIGEST', text: changed ?? blocks, ...found }
}

function unfinished({ header, runs, whole }: ReadJournal): HeldEntry {
  const { name, contentId, size } = header
  const heldBytes = runs.reduce((sum, { length }) => sum + length, 0)
  const { fileDigest = null } = whole
  const times = { publishedAtMs: null, verifiedAtMs: null }
  return { ...encodeName(name), state: 'partial', contentId, size, heldBytes, fileDigest, ...times }
}

/** What one page has taken, and when it is full. */
class Page {
  readonly entries: HeldEntry[] = []
  readonly #glob: Glob | null
  readonly #limit: number
  readonly #beganMs = nowMs()
  #bytes = 0
  #names = 0

  constructor(glob: Uint8Array | null, limit: number) {
    this.#glob = glob === null ? null : new Glob(glob)
    this.#limit = limit
  }

  get isFull(): boolean {
    return (
      this.entries.length >= this.#limit ||
      this.#bytes >= limits.listPageBytes ||
      this.#names >= limits.listNames ||
      (this.#glob?.steps ?? 0) >= limits.listSteps ||
      nowMs() - this.#beganMs >= limits.listMs
    )
  }

  isWanted(name: Uint8Array): boolean {
    this.#names++
    return this.#glob === null || this.#glob.matches(name)
  }

  add(entry: HeldEntry): void {
    this.entries.push(entry)
    this.#bytes += Buffer.byteLength(JSON.stringify(entry))
  }
}

/** Where a list goes on: behind the record of a name, or behind a partial. */
function placeOf(after: string): { name: Uint8Array | null; partial: string | null } {
  if (after === '') return { name: null, partial: null }
  const rest = after.slice(1)
  const name = after.startsWith('h') ? bytesOfBase64url(rest) : null
  if (name !== null) return { name, partial: null }
  if (after.startsWith('p') && /^[\w.-]{1,128}$/.test(rest)) return { name: null, partial: rest }
  throw new FrError('ERR_FR_PROTOCOL', 'a list goes on at a place that no page named')
}

/** Index of the first record whose name comes behind this one. */
function firstBehind(records: readonly HeldStream[], name: Uint8Array): number {
  let [from, to] = [0, records.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    const isBehind = Buffer.compare((records[middle] as HeldStream).name, name) > 0
    if (isBehind) to = middle
    else from = middle + 1
  }
  return from
}
