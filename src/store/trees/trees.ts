/**
 * Trees at a node: bundles that have landed become entries.
 *
 * The idea: a bundle says all that is to be done with it, so that what is kept between bundles is
 * little: what is known of each file that was placed (tree-record.ts, on the disk), and which names
 * a push has listed (push-state.ts, in memory). A node that loses the latter deletes nothing. One
 * bundle of a tree is applied at a time.
 */
import { lstat, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { hiddenDir, nameBelow, splitName } from '../../base/names.js'
import type { Applied } from '../../control/messages/applied.js'
import type { DataDirHandle, EntryStep, FileHandle, Storage } from '../../ports.js'
import { type Listing, listingHeadBytes } from '../../protocol/listing.js'
import { readListingHead } from '../../protocol/listing-reader.js'
import { isSameFile } from '../catalogue/same-file.js'
import { openKept } from '../files/durable.js'
import type { Holdings } from '../held/holdings.js'
import type { HeldWork } from '../held/work.js'
import { Filter } from '../rules/filter.js'
import { Applying } from './applying.js'
import { dryStorage, Removals } from './dry-run.js'
import { hashOf } from './name-table.js'
import { PushState } from './push-state.js'
import { type Removal, type RemovalSpec, Removing, without } from './removal.js'
import type { TreeRow } from './segment.js'
import { sweep } from './sweep.js'
import { keyOfTree, nameOfRecord, TreeRecord } from './tree-record.js'
import { readChanged } from './unchanged.js'

export interface TreesSpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  /** Path of `dir`. */
  readonly dataDir: string
  readonly holdings: Holdings
  readonly work: HeldWork
  readonly log: Logger
}

export interface BundleToApply {
  /** Of the partial, which is whole and verified. */
  readonly id: string
  readonly file: FileHandle
  readonly bytes: number
  /** Of the tree. */
  readonly name: Uint8Array
  readonly originId: string
  readonly algorithm: DigestAlgorithm
}

const noName = new Uint8Array()

export type RemovalWish = Pick<RemovalSpec, 'goes' | 'isRemoving' | 'signal'>

export interface RefreshedRow {
  readonly before: TreeRow
  readonly row: TreeRow
}

export class Trees {
  readonly #spec: TreesSpec
  readonly #pushes = new Map<string, PushState>()
  /** Last work on each tree, by its key. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #isClosed = false

  constructor(spec: TreesSpec) {
    this.#spec = spec
  }

  /** Removes what a process that was killed left aside, and records of trees that are gone. */
  async start(): Promise<void> {
    const { storage, dir, log } = this.#spec
    try {
      await storage.placeEntries(dir, [])
      await this.#expire()
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      log({ level: 'warn', event: 'trees-not-settled', fields: { code, text } })
    }
  }

  /** Rejects where nothing of the bundle was applied, or not all of it is durable. */
  apply(bundle: BundleToApply): Promise<Applied> {
    return this.#inTurn(bundle.name, () => this.#apply(bundle))
  }

  /** Waits for what is being applied. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#turns.values())
    this.#pushes.clear()
  }

  #inTurn<T>(name: Uint8Array, work: () => Promise<T>): Promise<T> {
    const key = keyOfTree(name)
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(() => {
      if (this.#isClosed) throw new FrError('ERR_FR_CLOSED', 'the node is closing')
      return work()
    })
    const settled = turn
      .catch(() => {})
      .then(() => {
        if (this.#turns.get(key) === settled) this.#turns.delete(key)
      })
    this.#turns.set(key, settled)
    return turn
  }

  async #apply(bundle: BundleToApply): Promise<Applied> {
    const { name, algorithm, file } = bundle
    const bytes = await this.#read(bundle)
    const { tree, options } = readListingHead(bytes)
    if (options.isAtomic)
      throw new FrError('ERR_FR_UNSUPPORTED', 'this node cannot change a tree all at once')
    const push = await this.#pushOf(bundle.originId, tree)
    const record = await TreeRecord.open(this.#treesDir, name)
    try {
      const { storage, dir } = this.#spec
      const asked = { storage, dir, name, algorithm, bytes, bundleBytes: bundle.bytes }
      const seen = (...of: [Uint8Array, number]): boolean => push.see(...of)
      // Names that clash are looked at one by one.
      const rows = push.isFolding ? undefined : record.rows()
      const { listing, entries, held } = await readChanged({ ...asked, rows, seen })
      const isFirst = await push.take(listing)
      const { owners } = push
      const clash = (of: Uint8Array): string | null => push.clash(of)
      const removals = options.isDry ? new Removals(name) : undefined
      const used = removals ? dryStorage(storage, removals.add) : storage
      const about = { listing, entries, held, owners, clash }
      const given = { ...this.#spec, storage: used, name, algorithm, file, record, ...about }
      const applying = new Applying(given)
      const isClosed = await applying.run()
      push.note(applying.result(), !isFirst || isClosed)
      const isEnd = listing.final !== null && isClosed
      if (isEnd) await this.#finish(used, bundle, listing, push, applying)
      if (removals === undefined) await this.#settle(name, record, listing, push, isEnd)
      if (isEnd) push.end()
      const result = applying.result()
      return { ...result, ...(result.dry && { dry: { ...result.dry, ...removals?.told } }) }
    } finally {
      await record.close()
    }
  }

  async #finish(
    storage: Storage,
    { name }: BundleToApply,
    listing: Omit<Listing, 'entries'>,
    push: PushState,
    applying: Applying,
  ): Promise<void> {
    const { deletes } = listing.options
    if (push.isOver) return
    const isWhole = push.isWhole(listing)
    if (deletes && !isWhole) {
      const text = 'the node was restarted during the push, and has deleted nothing'
      applying.fail(0, 'ERR_FR_NODE_CLOSED', text)
    }
    if (deletes && isWhole) {
      const warn = (text: string): void => applying.warn(text)
      const { listed } = push
      const { include = [], exclude = [] } = listing.rules ?? {}
      const filter = new Filter(include, exclude)
      const removed = await sweep({ ...this.#spec, storage, name, listed, filter, warn })
      if (removed > 0 && !listing.options.isDry) {
        const fields = { name: Buffer.from(name).toString(), removed }
        this.#spec.log({ level: 'info', event: 'tree-swept', fields })
      }
    }
  }

  /** What the record says of the tree as a whole: at the end, rows of what was deleted go. */
  async #settle(
    name: Uint8Array,
    record: TreeRecord,
    listing: Omit<Listing, 'entries'>,
    push: PushState,
    isEnd: boolean,
  ): Promise<void> {
    if (push.isOver) return record.merge()
    if (!isEnd) return record.setWhole(false)
    const isWhole = push.isWhole(listing)
    const goes = (of: Uint8Array): boolean => push.listed.get(hashOf(of)) === undefined
    if (listing.options.deletes && isWhole)
      await record.keep((rows) => without(rows, { ...this.#spec, name, goes }))
    else await record.merge()
    await record.setWhole(isWhole && push.failed === 0)
  }

  /**
   * Removes entries of a tree that its record knows: all with its name `''`. Rejects with
   * ERR_FR_NOT_HELD when there is no record of the tree, or the signal's reason.
   */
  remove(name: Uint8Array, how: RemovalWish): Promise<Removal> {
    return this.#inTurn(name, async () => {
      if ((await nameOfRecord(this.#treesDir, keyOfTree(name))) === null)
        throw new FrError('ERR_FR_NOT_HELD')
      const record = await TreeRecord.open(this.#treesDir, name)
      const spec = { ...this.#spec, ...how, name }
      try {
        const removal = await new Removing({ ...spec, rows: record.behind(null) }).run()
        if (removal.entries > 0) await record.setWhole(false)
        const isAll = how.goes(noName) && removal.failedCount === 0
        if (isAll && !how.signal.aborted) {
          await record.remove()
          await this.#removeEmptyAbove(name)
        } else await record.keep((rows) => without(rows, spec))
        how.signal.throwIfAborted()
        return removal
      } finally {
        await record.close()
      }
    })
  }

  /** As `Storage.remove` does. */
  async #removeEmptyAbove(name: Uint8Array): Promise<void> {
    const { storage, dir } = this.#spec
    const parts = splitName(Buffer.from(name)).slice(0, -1)
    const above = parts.map((_, at) => parts.slice(0, at + 1).reduce<Uint8Array>(nameBelow, noName))
    await storage.placeEntries(
      dir,
      above.reverse().map((one): EntryStep => ({ kind: 'remove', name: one })),
    )
  }

  /** Rows, in walk order, that were read again, each in place of the one that it was made from. */
  refresh(name: Uint8Array, rows: readonly RefreshedRow[]): Promise<void> {
    return this.#inTurn(name, async () => {
      const record = await TreeRecord.open(this.#treesDir, name)
      try {
        const now = await record.lookUp(rows.map(({ row }) => row.name))
        const unchanged = rows.filter(({ before }, at) => {
          const row = now[at]
          return row !== undefined && isSameFile(row.identity, before.identity)
        })
        await record.add(unchanged.map(({ row }) => row))
      } finally {
        await record.close()
      }
    })
  }

  get #treesDir(): string {
    return join(this.#spec.dataDir, hiddenDir, 'trees')
  }

  /** Its listing. */
  async #read({ id, bytes }: BundleToApply): Promise<Uint8Array> {
    const file = await openKept(join(this.#spec.dataDir, hiddenDir, 'partials', id))
    if (file === null) throw new FrError('ERR_FR_IO', 'the bundle is gone')
    try {
      const head = Buffer.alloc(listingHeadBytes)
      const { bytesRead } = await file.read(head, 0, head.length, 0)
      const { bytes: listingBytes } = readListingHead(head.subarray(0, bytesRead))
      const listing = Buffer.alloc(Math.min(listingBytes, bytes))
      for (let at = 0; at < listing.length; ) {
        const read = await file.read(listing, at, listing.length - at, at)
        if (read.bytesRead === 0) break
        at += read.bytesRead
      }
      return listing
    } finally {
      await file.close()
    }
  }

  async #pushOf(originId: string, tree: string): Promise<PushState> {
    const key = `${originId}:${tree}`
    const nowMs = Date.now()
    const found = this.#pushes.get(key) ?? new PushState(await this.#isFolding(), nowMs)
    found.usedMs = nowMs
    this.#pushes.delete(key)
    this.#pushes.set(key, found)
    // The one that was used longest ago is the first.
    for (const [other, { usedMs }] of this.#pushes) {
      const isOld = nowMs - usedMs > limits.treePushMs
      if (this.#pushes.size <= limits.treePushes && !isOld) break
      this.#pushes.delete(other)
    }
    return found
  }

  /** Whether the file system takes names in another letter case for the same. */
  async #isFolding(): Promise<boolean> {
    const other = join(this.#spec.dataDir, hiddenDir, 'PARTIALS')
    return lstat(other).then(
      () => true,
      () => false,
    )
  }

  /** Records of trees that are not there any more, or of more than are kept. */
  async #expire(): Promise<void> {
    const { dataDir } = this.#spec
    const found: { readonly path: string; readonly usedMs: number }[] = []
    for (const key of await readdir(this.#treesDir).catch(() => [])) {
      const path = join(this.#treesDir, key)
      const name = await readFile(join(path, 'name')).catch(() => null)
      const tree = name && Buffer.concat([Buffer.from(`${dataDir}/`), name])
      const isThere = tree !== null && (await lstat(tree).catch(() => null)) !== null
      if (isThere) found.push({ path, usedMs: (await stat(path)).mtimeMs })
      else await rm(path, { recursive: true, force: true })
    }
    found.sort((a, b) => b.usedMs - a.usedMs)
    for (const { path } of found.slice(limits.treesKept))
      await rm(path, { recursive: true, force: true })
  }
}
