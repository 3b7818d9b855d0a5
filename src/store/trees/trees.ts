/**
 * Trees at a node: bundles that have landed become entries.
 *
 * The idea: a bundle says all that is to be done with it, so that what is kept between bundles is
 * little: what is known of each file that was placed (tree-record.ts, on the disk), and which names
 * a push has listed (push-state.ts, in memory). A node that loses the latter deletes nothing, and
 * shows no new version of a tree that changes all at once (atomic-push.ts). One bundle of a tree is
 * applied at a time.
 */
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { nameBelow, nameFault, splitName } from '../../base/names.js'
import type { Applied } from '../../control/messages/applied.js'
import type {
  DataDirHandle,
  EntryLook,
  EntryStep,
  FileHandle,
  LostAttribute,
  PublishSpec,
  Storage,
} from '../../ports.js'
import type { Listing } from '../../protocol/listing.js'
import { readListing, readListingHead } from '../../protocol/listing-reader.js'
import { mayBecome } from '../catalogue/record.js'
import { isSameFile } from '../catalogue/same-file.js'
import type { Holdings } from '../held/holdings.js'
import type { HeldWork } from '../held/work.js'
import { Filter } from '../rules/filter.js'
import { Applying } from './applying.js'
import { AtomicPush } from './atomic-push.js'
import { TreeCriteria } from './criteria.js'
import { dryStorage, Removals } from './dry-run.js'
import { expireRecords } from './expiring.js'
import { shown } from './full-name.js'
import { listingOf } from './listing-file.js'
import { hashOf } from './name-table.js'
import { NewFiles } from './new-files.js'
import { lackedFiles, type OlderBytes, olderBytesOf } from './older-bytes.js'
import { isFolding, PushState } from './push-state.js'
import { type Removal, type RemovalSpec, Removing, without } from './removal.js'
import type { TreeRow } from './segment.js'
import { sweep } from './sweep.js'
import { TreeRecord } from './tree-record.js'
import { type Clocks, TreeVersions } from './tree-versions.js'
import { readChanged } from './unchanged.js'
import { isRecorded, presentKeyOf, treeKeyOf, treesDirOf } from './version-records.js'
import { tidyVersions, Versions, type VersionsSpec } from './versions.js'
import type { XattrSpec } from './xattrs.js'

export interface TreesSpec extends XattrSpec, Pick<VersionsSpec, 'keep' | 'uses'> {
  readonly storage: Storage
  readonly dir: DataDirHandle
  readonly holdings: Holdings
  readonly work: HeldWork
  readonly clocks?: Clocks
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
  /** Earlier versions that are to be kept of a tree that changes all at once, at least. */
  readonly keep?: number | undefined
  /** Criteria: who else may hold the tree. */
  readonly only?: string | undefined
}

const noName = new Uint8Array()

export type RemovalWish = Pick<RemovalSpec, 'goes' | 'isRemoving' | 'signal'>

export interface RefreshedRow {
  readonly before: TreeRow
  readonly row: TreeRow
}

export interface LargePart {
  readonly originId: string
  /** Id of the push of the tree. */
  readonly tree: string
  /** Of the file. */
  readonly name: Uint8Array
}

export class Trees {
  readonly versions: TreeVersions
  readonly #spec: TreesSpec
  readonly #pushes = new Map<string, PushState>()
  /** Last work on each tree, by its key. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #criteria: TreeCriteria
  #isClosed = false

  constructor(spec: TreesSpec) {
    this.#spec = spec
    this.#criteria = new TreeCriteria(spec.dataDir)
    this.versions = new TreeVersions(spec, (name, work) => this.#inTurn(name, work), spec.clocks)
  }

  /** Removes what a process that was killed left aside, and records of trees that are gone. */
  async start(): Promise<void> {
    const { storage, dir, log } = this.#spec
    try {
      await storage.placeEntries(dir, [])
      await tidyVersions(this.#spec)
      await expireRecords(this.#spec.dataDir)
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
    const key = treeKeyOf(name)
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

  /**
   * Refuses the name of a tree: ERR_FR_NAME where it is none, or is within a tree that changes all
   * at once; ERR_FR_EXISTS where it is such a tree, and this push changes entry by entry;
   * ERR_FR_IS_DIRECTORY where it is the other way round; ERR_FR_ONLY where it is held for others
   * than those of `only`. With `onlyBy` ERR_FR_EXISTS where something has the name, unless bundles
   * of this push have come.
   */
  async check(
    tree: Uint8Array,
    isAtomic: boolean,
    only?: string,
    onlyBy?: { readonly originId: string; readonly tree: string },
  ): Promise<void> {
    const fault = nameFault(tree)
    if (fault !== null) throw new FrError('ERR_FR_NAME', `the name of the tree: ${fault}`)
    const { storage, dir } = this.#spec
    const components = splitName(Buffer.from(tree))
    const names = components.map((_, at) => Buffer.from(tree).subarray(0, endOf(components, at)))
    const looks = await storage.lookAt(dir, names)
    const there = looks.pop()
    const outer = names[looks.findIndex((look) => look?.kind === 'symlink')]
    if (outer !== undefined) {
      const text = `${shown(tree)} is within ${shown(outer)}, which is a link`
      throw new FrError('ERR_FR_NAME', text)
    }
    const isOwn = onlyBy && this.#pushes.has(keyOfPush(onlyBy.originId, onlyBy.tree))
    if (isOwn === false && there !== null)
      throw new FrError('ERR_FR_EXISTS', `${shown(tree)} is there already`)
    const isVersioned = there?.kind === 'symlink' && (await this.#versions(tree).present()) !== null
    if (isVersioned && !isAtomic) {
      const text = `${shown(tree)} changes only all at once: push it with --atomic`
      throw new FrError('ERR_FR_EXISTS', text)
    }
    if (isAtomic && (there?.kind === 'directory' || there?.kind === 'other')) {
      const text = `${shown(tree)} is there and was not pushed with --atomic: remove it first`
      throw new FrError('ERR_FR_IS_DIRECTORY', text)
    }
    await this.#criteria.require(tree, only)
  }

  placeOf({ originId, tree, name }: LargePart): {
    readonly name: Uint8Array
    readonly give: (spec: PublishSpec) => Promise<readonly LostAttribute[]>
  } {
    const push = this.#pushes.get(keyOfPush(originId, tree))?.atomic
    if (push === undefined) {
      const text = 'the node was restarted during the push'
      throw new FrError('ERR_FR_NODE_CLOSED', text)
    }
    return { name: push.placeOf(name), give: (spec) => push.place(name, spec) }
  }

  /** What the tree has where this push lacks files: see older-bytes.ts. */
  async olderOf(
    tree: Uint8Array,
    push: { readonly originId: string; readonly tree: string; readonly only?: string | undefined },
    id: string,
  ): Promise<OlderBytes | undefined> {
    const names = this.#pushes.get(keyOfPush(push.originId, push.tree))?.lacking.names ?? []
    if (names.length === 0) return undefined
    const { catalogue } = this.#spec.holdings
    const isUsable = (full: Uint8Array): boolean => mayBecome(catalogue?.get(full) ?? {}, push.only)
    return olderBytesOf({ ...this.#spec, name: await this.#presentOf(tree), id, isUsable }, names)
  }

  async #apply(bundle: BundleToApply): Promise<Applied> {
    const { name, algorithm, file, keep, only } = bundle
    const bytes = await listingOf(this.#spec.dataDir, bundle)
    const { tree, options } = readListingHead(bytes)
    await this.check(name, options.isAtomic, only)
    const push = await this.#pushOf(bundle.originId, tree)
    const isBuilt = options.isAtomic && !options.isDry
    const atomic = isBuilt ? await this.#atomicOf(push, name, keep) : undefined
    const record = await this.#recordOf(name, atomic)
    try {
      const { storage, dir } = this.#spec
      if (!options.isDry && record.only !== only) await record.setOnly(only)
      const made = atomic?.next ?? (options.isAtomic ? await this.#presentOf(name) : name)
      let isFirst: boolean | undefined
      if (atomic !== undefined) {
        const whole = readListing(bytes, bundle.bytes, algorithm)
        isFirst = await push.take(whole)
        await atomic.prepare({ record, algorithm, only, owners: push.owners }, whole)
      }
      const asked = { storage, dir, name: made, algorithm, bytes, bundleBytes: bundle.bytes }
      let last: Uint8Array = noName
      const seen = (of: Uint8Array, length: number): boolean => {
        last = of.subarray(0, length)
        return push.see(of, length)
      }
      // Names that clash are looked at one by one.
      const rows = push.isFolding ? undefined : record.rows()
      const files = push.isFolding || options.isDry ? undefined : new NewFiles(made, file)
      const { listing, entries, held } = await readChanged({ ...asked, rows, files, seen })
      isFirst ??= await push.take(listing)
      const clash = (of: Uint8Array): string | null => push.clash(of)
      const removals = options.isDry ? new Removals(name) : undefined
      const used = removals ? dryStorage(storage, removals.add) : storage
      const about = { listing, entries, files, bytes, held, owners: push.owners, clash }
      const place = { storage: used, name: made, recorded: name }
      const given = { ...this.#spec, ...place, algorithm, file, record, only, ...about }
      const applying = new Applying(given)
      const isClosed = await applying.run()
      push.note(applying.result(), !isFirst || isClosed)
      atomic?.note(applying.result())
      const isEnd = listing.final !== null && isClosed
      const settle = (): Promise<void> =>
        removals ? Promise.resolve() : this.#settle(made, record, listing, push)
      if (isEnd) {
        await this.#finish(used, bundle, listing, push, applying, settle)
        push.end()
      } else if (removals === undefined && !push.isOver) await record.setWhole(null)
      const result = applying.result()
      if (isFirst) push.lacking.lack(listing.bundle, lackedFiles(entries, result.lacks))
      else push.lacking.came(listing.bundle, last)
      return { ...result, ...(result.dry && { dry: { ...result.dry, ...removals?.told } }) }
    } finally {
      await record.close()
    }
  }

  /** What is known of the tree as it is, or as a push builds it. */
  async #recordOf(name: Uint8Array, push?: AtomicPush): Promise<TreeRecord> {
    const { dataDir } = this.#spec
    const key = push?.recordKey ?? (await presentKeyOf(dataDir, name))
    return TreeRecord.open(treesDirOf(dataDir), name, key)
  }

  /** Where the present version of a tree is that changes all at once, or would be. */
  async #presentOf(tree: Uint8Array): Promise<Uint8Array> {
    const versions = this.#versions(tree)
    const present = await versions.present()
    return present === null ? tree : versions.nameOf(present)
  }

  async #atomicOf(
    push: PushState,
    tree: Uint8Array,
    keep: number | undefined,
  ): Promise<AtomicPush> {
    if (push.atomic === undefined) {
      for (const other of this.#builtOf(tree)) other.end()
      push.atomic = await AtomicPush.begin(this.#spec, tree, keep)
    }
    push.atomic.requireLiving()
    return push.atomic
  }

  /** Pushes that build a version of the tree. */
  #builtOf(tree: Uint8Array): AtomicPush[] {
    const all = [...this.#pushes.values()].flatMap(({ atomic }) => atomic ?? [])
    return all.filter((push) => push.isBuilding && push.isOf(tree))
  }

  /** Versions that are not kept any more go. A push that builds one had that done as it began. */
  async #tidy(tree: Uint8Array): Promise<void> {
    if (this.#builtOf(tree).length === 0) await this.#versions(tree).tidy()
  }

  async #finish(
    storage: Storage,
    { name }: BundleToApply,
    listing: Omit<Listing, 'entries'>,
    push: PushState,
    applying: Applying,
    settle: () => Promise<void>,
  ): Promise<void> {
    const { deletes } = listing.options
    if (push.isOver) return
    const isWhole = push.isWhole(listing)
    const { listed, atomic } = push
    const { include = [], exclude = [] } = listing.rules ?? {}
    const filter = new Filter(include, exclude)
    const warn = (text: string): void => applying.warn(text)
    if (atomic !== undefined) {
      const stays = (of: Uint8Array, { kind }: EntryLook): boolean =>
        !deletes || filter.verdict(Buffer.from(of), kind === 'directory') === 'out'
      const whole = isWhole ? listed.size : null
      const rest = { listed, stays, warn }
      const failure = await atomic.finish(whole, rest, settle)
      if (failure !== null) applying.fail(0, failure.code, failure.text)
      else this.#inTurn(name, () => this.#tidy(name)).catch(() => {})
      return
    }
    if (deletes && !isWhole) {
      const text = 'the node was restarted during the push, and has deleted nothing'
      applying.fail(0, 'ERR_FR_NODE_CLOSED', text)
    } else if (deletes) {
      const removed = await sweep({ ...this.#spec, storage, name, listed, filter, warn })
      if (removed > 0 && !listing.options.isDry) {
        const fields = { name: Buffer.from(name).toString(), removed }
        this.#spec.log({ level: 'info', event: 'tree-swept', fields })
      }
    }
    await settle()
  }

  /** What the record says of the tree as a whole, at the end: rows of what was deleted go. */
  async #settle(
    name: Uint8Array,
    record: TreeRecord,
    listing: Omit<Listing, 'entries'>,
    push: PushState,
  ): Promise<void> {
    const isWhole = push.isWhole(listing)
    const goes = (of: Uint8Array): boolean => push.listed.get(hashOf(of)) === undefined
    if (listing.options.deletes && isWhole)
      await record.keep((rows) => without(rows, { ...this.#spec, name, goes }))
    else await record.merge()
    await record.setWhole(isWhole && push.failed === 0 ? listing.tree : null)
  }

  /**
   * Removes entries of a tree that its record knows: all with its name `''`. Rejects with
   * ERR_FR_NOT_HELD when there is no record of the tree, or the signal's reason.
   */
  remove(name: Uint8Array, how: RemovalWish): Promise<Removal> {
    return this.#inTurn(name, async () => {
      if (!(await isRecorded(this.#spec.dataDir, name))) throw new FrError('ERR_FR_NOT_HELD')
      const record = await this.#recordOf(name)
      const spec = { ...this.#spec, ...how, name }
      try {
        const removal = await new Removing({ ...spec, rows: record.behind(null) }).run()
        if (removal.entries > 0) await record.setWhole(null)
        const isAll = how.goes(noName) && removal.failedCount === 0
        if (isAll && !how.signal.aborted) {
          for (const push of this.#builtOf(name)) push.end()
          await record.remove()
          await this.#versions(name).removeAll()
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
      // Its version may be gone.
      if (!(await isRecorded(this.#spec.dataDir, name))) return
      const record = await this.#recordOf(name)
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

  #versions(tree: Uint8Array): Versions {
    return new Versions(this.#spec, tree)
  }

  async #pushOf(originId: string, tree: string): Promise<PushState> {
    const key = keyOfPush(originId, tree)
    const nowMs = Date.now()
    const found = this.#pushes.get(key) ?? new PushState(await isFolding(this.#spec.dataDir), nowMs)
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
}

function keyOfPush(originId: string, tree: string): string {
  return `${originId}:${tree}`
}

/** Where the component of this number ends in a name. */
function endOf(components: readonly Buffer[], at: number): number {
  return components.slice(0, at + 1).reduce((sum, { length }) => sum + length + 1, -1)
}
