/**
 * What a node answers about the trees it holds (store/trees): one line for each, or what is within,
 * removal, verification. Files that are too large for bundles have records of their own, and are
 * listed by those.
 */
import { cleanText } from '../base/bytes.js'
import type { Glob } from '../base/glob.js'
import { isWithin } from '../base/names.js'
import type { Frame, HeldEntry } from '../control/messages/types.js'
import { encodeName } from '../protocol/manifest.js'
import type { HeldWork } from '../store/held/work.js'
import type { NodeStore } from '../store/node-store.js'
import { fullName } from '../store/trees/full-name.js'
import type { HeldTrees, RowState } from '../store/trees/held-trees.js'
import { digestText } from '../store/trees/local-copies.js'
import type { Removal } from '../store/trees/removal.js'
import type { TreeRow } from '../store/trees/segment.js'
import type { TreeRecord } from '../store/trees/tree-record.js'
import type { RemovalWish, Trees } from '../store/trees/trees.js'
import { faultText, type TreeFound, verifyTree } from '../store/trees/verifying.js'
import type { Page, Place } from './held-page.js'

export type Removing = Pick<RemovalWish, 'isRemoving' | 'signal'>
type Verified = Extract<Frame, { type: 'verified' }>

export interface TreeAnswersSpec {
  readonly trees: HeldTrees
  /** Undefined where nothing is written. */
  readonly writer: Trees | undefined
  readonly store: NodeStore
  readonly work: HeldWork
}

/** Rows that are looked at together, and bytes of their names. */
const looksAtOnce = 64
const nameBytesAtOnce = 32 * 1024

export class TreeAnswers {
  readonly #spec: TreeAnswersSpec

  constructor(spec: TreeAnswersSpec) {
    this.#spec = spec
  }

  /** Which names are in a tree. */
  async within(): Promise<(name: Uint8Array) => boolean> {
    const names = new Set<string>()
    for (const name of await this.#spec.trees.names())
      names.add(Buffer.from(name).toString('latin1'))
    return (name) => this.#spec.trees.isInTree(name, names)
  }

  /** Adds trees, or what is in them, from this place on; the place to go on, null at the end. */
  async list(page: Page, from: Extract<Place, { in: 'trees' }> | null): Promise<Place | null> {
    for (const name of await this.#spec.trees.names()) {
      const order = from === null ? 1 : Buffer.compare(name, from.tree)
      const within = order === 0 ? (from?.within ?? null) : null
      if (order < 0 || (order === 0 && within === null)) continue
      const next = await this.#tree(page, name, within)
      if (next !== null) return next
    }
    return null
  }

  async #tree(page: Page, name: Uint8Array, within: Uint8Array | null): Promise<Place | null> {
    const record = await this.#spec.trees.open(name)
    if (record === undefined) return null
    try {
      if (within === null && page.isWanted(name)) page.add(await this.#entryOf(name, record))
      if (page.glob?.couldBeIn(name) !== true)
        return page.isFull ? { in: 'trees', tree: name, within: null } : null
      if (page.isFull) return { in: 'trees', tree: name, within: new Uint8Array() }
      const last = await this.#rows(page, name, record, within)
      return last === null ? null : { in: 'trees', tree: name, within: last }
    } finally {
      await record.close()
    }
  }

  /** The last name that was looked at, where the page is full. */
  async #rows(
    page: Page,
    tree: Uint8Array,
    record: TreeRecord,
    within: Uint8Array | null,
  ): Promise<Uint8Array | null> {
    const { trees, store } = this.#spec
    let [some, nameBytes]: [TreeRow[], number] = [[], 0]
    const flush = async (): Promise<void> => {
      const states = await trees.statesOf(tree, some)
      for (const [at, row] of some.entries())
        page.add(entryOf(fullName(tree, row.name), row, states[at] as RowState))
      some = []
      nameBytes = 0
    }
    for await (const row of record.behind(within)) {
      if (row.name.length === 0) continue
      const full = fullName(tree, row.name)
      if (page.isWanted(full) && store.catalogue.get(full) === undefined) {
        some.push(row)
        nameBytes += full.length
      }
      const isMuch = some.length >= Math.min(looksAtOnce, page.room) || nameBytes > nameBytesAtOnce
      if (isMuch || page.isFull) await flush()
      if (page.isFull) return row.name
    }
    await flush()
    return null
  }

  async #entryOf(name: Uint8Array, record: TreeRecord): Promise<HeldEntry> {
    const { rows, fileBytes: size } = await record.totals()
    const wholeAtMs = await record.wholeAtMs()
    const isThere = await this.#spec.trees.isThere(name)
    const state = !isThere ? 'missing' : wholeAtMs === null ? 'partial' : 'held'
    const heldBytes = isThere ? size : 0
    const times = { publishedAtMs: wholeAtMs, verifiedAtMs: null }
    const described = { contentId: null, size, heldBytes, entries: rows, fileDigest: null }
    return { ...encodeName(name), kind: 'tree', state, ...described, ...times }
  }

  /**
   * Reads the tree of this name, a version of one (TREE@VERSION), or the entry, with all that is in
   * it. Undefined: there is none. Rejects with ERR_FR_NAME where several versions are meant, or the
   * signal's reason.
   */
  async verify(
    name: Uint8Array,
    isReading: (readBytes: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Verified | undefined> {
    const { trees } = this.#spec
    const place = await trees.meant(name)
    if (place === undefined) return undefined
    const { tree, row } = place
    const record = await trees.open(tree)
    if (record === undefined) return undefined
    try {
      const bytes = row?.identity.size ?? (await record.totals()).fileBytes
      const rows = row === undefined ? record.behind(null) : rowsIn(record, row)
      const found = await verifyTree({
        ...{ trees, held: this.#spec.store.holdings, work: this.#spec.work, signal, tree, rows },
        isReading: (readBytes) => isReading(readBytes, Math.max(bytes, readBytes)),
        refresh: async (some) => this.#spec.writer?.refresh(tree, some),
      })
      const called = name.subarray(0, name.length - (row ? row.name.length + 1 : 0))
      const faults = found.faults.map((fault) => {
        return { ...fault, name: fullName(called, fault.name.subarray(tree.length + 1)) }
      })
      return verdictOf({ ...found, faults }, row)
    } finally {
      await record.close()
    }
  }

  /** A file with a record of its own was found to be wrong, or was removed: it may be in a tree. */
  async spoil(name: Uint8Array): Promise<void> {
    const { trees, writer } = this.#spec
    const place = await trees.find(name)
    if (place?.row.kind !== 'file') return
    const row = { ...place.row, value: new Uint8Array() }
    await writer?.refresh(place.tree, [{ before: place.row, row }])
  }

  /** The tree, or the entry of one, of this name, with all in it. Undefined: there is none. */
  async remove(name: Uint8Array, how: Removing): Promise<Removal | undefined> {
    const { trees, writer } = this.#spec
    if (await trees.has(name)) return writer?.remove(name, { ...how, goes: () => true })
    const place = await trees.find(name)
    if (place === undefined) return undefined
    const { row, tree } = place
    const goes = (of: Uint8Array): boolean => of.length > 0 && isWithin(of, row.name)
    return writer?.remove(tree, { ...how, goes })
  }

  /** Whether it is the name of a tree, or of an entry of one. */
  async knows(name: Uint8Array): Promise<boolean> {
    const { trees } = this.#spec
    return (await trees.has(name)) || (await trees.find(name)) !== undefined
  }

  /** Whether it is the name of a tree that changes all at once. */
  hasVersions(name: Uint8Array): Promise<boolean> {
    return this.#spec.trees.versions.has(name)
  }

  /** ERR_FR_NOT_HELD, or ERR_FR_NAME where it is the present one. */
  async removeVersion(name: Uint8Array, version: string): Promise<void> {
    await this.#spec.writer?.versions.remove(name, version)
  }

  /** Trees that match, or that something in may match. */
  async reachedBy(glob: Glob): Promise<Uint8Array[]> {
    const names = await this.#spec.trees.names()
    return names.filter((name) => glob.matches(name) || glob.couldBeIn(name))
  }

  async removeMatching(tree: Uint8Array, glob: Glob, how: Removing): Promise<Removal | undefined> {
    const isAll = glob.matches(tree)
    const goes = (of: Uint8Array): boolean =>
      isAll || (of.length > 0 && glob.matches(fullName(tree, of)))
    return this.#spec.writer?.remove(tree, { ...how, goes })
  }
}

/** The row, and those of what is in it. */
async function* rowsIn(record: TreeRecord, row: TreeRow): AsyncGenerator<TreeRow> {
  yield row
  if (row.kind !== 'directory') return
  for await (const inner of record.behind(row.name)) {
    if (!isWithin(inner.name, row.name)) return
    yield inner
  }
}

function entryOf(full: Uint8Array, row: TreeRow, state: RowState): HeldEntry {
  const { kind, identity } = row
  const size = kind === 'file' ? identity.size : 0
  const publishedAtMs = kind === 'directory' ? null : identity.ctime.seconds * 1000
  return {
    ...{ ...encodeName(full), kind, state, contentId: null, size, entries: null },
    heldBytes: state === 'held' ? size : 0,
    fileDigest: digestOf(row),
    publishedAtMs,
    verifiedAtMs: null,
  }
}

function digestOf({ kind, value, algorithm, identity }: TreeRow): string | null {
  if (kind !== 'file' || algorithm === null || value.length === 0) return null
  return digestText(algorithm, identity.size, Buffer.from(value).toString('hex'))
}

/** `row`: of the only file that was read. */
function verdictOf(found: TreeFound, row: TreeRow | undefined): Verified {
  const { entries, bytes, badBytes, failedCount, faults } = found
  const isEntry = row !== undefined && row.kind !== 'directory'
  const [fault] = faults
  const failures = faults.map(({ name, code, text }) => {
    return { ...encodeName(name), code, text: cleanText(text) }
  })
  return {
    type: 'verified',
    code: fault?.code ?? null,
    text: isEntry ? (fault?.text ?? '') : faultText(faults, failedCount),
    ...{ bytes, badBytes },
    fileDigest: isEntry ? digestOf(row) : null,
    tree: isEntry ? null : { entries, failedCount, failures },
  }
}
