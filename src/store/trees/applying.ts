/**
 * A bundle becomes entries: what is there already stays, what is elsewhere at the node is copied,
 * what came with the bundle is put in its place, and what is left is told to be lacking.
 *
 * The idea: one look at all entries and one read of the record decide; the steps go to the storage
 * together. What was placed is recorded with its identity, so that the next push finds it
 * unchanged without a read.
 */
import type { DigestAlgorithm } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import type { Applied, EntryFailure } from '../../control/messages/applied.js'
import type {
  EntryAttributes,
  EntryLook,
  EntryOutcome,
  EntryStep,
  FileHandle,
  FilesOutcome,
  LostEntryAttribute,
} from '../../ports.js'
import { compareNames, type Listing, type TreeEntry } from '../../protocol/listing.js'
import { isSameFile } from '../catalogue/same-file.js'
import { openAbove } from './above.js'
import { attributesHere, hasAttributes, hasTime } from './attributes.js'
import { recordCopied } from './copied-records.js'
import { isEqual, isLink, keyOf, rangesOf, sortedRows } from './entry-lists.js'
import { fullName, shown } from './full-name.js'
import { hasContent, isRecorded, rowOf } from './known.js'
import { type Copied, type CopySpec, copyHere, identityWith, isHere } from './local-copies.js'
import type { NewFiles } from './new-files.js'
import type { Owners } from './owners.js'
import type { PackedRows, TreeRow } from './segment.js'
import type { ListedEntry } from './unchanged.js'
import { withXattrs, type XattrSpec } from './xattrs.js'

export interface ApplySpec extends CopySpec, XattrSpec {
  /** Of the tree that is made. */
  readonly name: Uint8Array
  readonly listing: Omit<Listing, 'entries'>
  /** Those of its entries about which something may have to be done, in order. */
  readonly entries: readonly ListedEntry[]
  /** Others that come with the bundle; nothing is where they will be. */
  readonly files: NewFiles | undefined
  /** The listing. */
  readonly bytes: Uint8Array
  /** How many others there are, which are here as they are listed. */
  readonly held: number
  readonly algorithm: DigestAlgorithm
  /** The bundle. */
  readonly file: FileHandle
  readonly owners: Owners | undefined
  /** Why a name cannot be kept beside those before; null if it can. */
  readonly clash: (name: Uint8Array) => string | null
}

const copiesAtOnce = 8

interface Item extends ListedEntry {
  readonly full: Uint8Array
}

interface Decided {
  readonly item: Item
  readonly look: EntryLook | null
  readonly row: TreeRow | undefined
  readonly step: EntryStep | 'held' | 'lacks'
}

export class Applying {
  readonly #spec: ApplySpec
  readonly #items: readonly Item[]
  readonly #failed: EntryFailure[] = []
  readonly #lacks: Item[] = []
  readonly #sets = new Set<number>()
  /** They have the extended attributes that are listed. */
  #same: ReadonlySet<TreeEntry> = new Set()
  readonly #rows: TreeRow[] = []
  #packed: PackedRows | undefined
  readonly #warnings: string[] = []
  readonly #lost = new Map<LostEntryAttribute, number>()
  /** Copied here, and not placed yet. */
  readonly #copies = new Map<number, Copied>()
  #failedCount = 0
  #held = 0
  #done = 0

  constructor(spec: ApplySpec) {
    this.#spec = spec
    this.#held = spec.held
    this.#items = spec.entries.map(({ index, entry, isAgain }) => {
      return { index, entry, isAgain, full: fullName(spec.name, entry.name) }
    })
  }

  /** True: what the listing closes is closed. */
  async run(): Promise<boolean> {
    const good = this.#items.filter((item) => this.#isGood(item))
    const links = good.filter(({ entry }) => isLink(entry))
    const { files } = this.#spec
    const others = good.filter((item) => !isLink(item.entry) && !this.#isMade(item))
    await this.#apply(others, files?.count === 0 ? undefined : files)
    // A dry run tells at once of all that would come.
    const isClosing = this.#spec.listing.isClosing && (this.#isDry || !this.#isWaiting)
    if (isClosing) {
      // A link changes what is known of the file that it leads to.
      if (links.length > 0) await this.#keepRows()
      await this.#apply(links)
      // What is in a directory changes its time, and its mode may shut its owner out.
      await this.#close(good.filter(({ entry }) => entry.kind === 'directory').reverse())
    } else await this.#postpone(links)
    await this.#keepRows()
    return isClosing
  }

  /** A directory that a dry run has told of already. */
  #isMade({ entry, isAgain }: Item): boolean {
    return this.#isDry && isAgain && entry.kind === 'directory'
  }

  async #keepRows(): Promise<void> {
    const rows = sortedRows(this.#rows.splice(0))
    const packed = this.#packed
    this.#packed = undefined
    if (!this.#isDry) await this.#spec.record.add(rows, packed)
  }

  /** Bytes are lacking that a bundle will bring: then nothing is closed, and all of it is again. */
  get #isWaiting(): boolean {
    return this.#lacks.some(({ entry }) => entry.kind === 'file' && !entry.isAlone)
  }

  /** Links that are not there, or lead to what is lacking, are lacking as well. */
  async #postpone(links: readonly Item[]): Promise<void> {
    if (links.length === 0) return
    const lacking = new Set(this.#lacks.map(({ entry }) => keyOf(entry.name)))
    for (const { item, step } of await this.#decideAll(links)) {
      const { entry } = item
      const isToBe = entry.kind === 'hardlink' && lacking.has(keyOf(entry.to))
      if (step === 'held' && !isToBe) this.#held++
      else this.#lacks.push(item)
    }
  }

  fail(index: number, code: EntryFailure['code'], text: string): void {
    this.#failedCount++
    if (this.#failed.length < limits.treeFailuresTold) this.#failed.push({ index, code, text })
  }

  warn(text: string): void {
    if (this.#warnings.length < limits.warningsPerNode) this.#warnings.push(text)
  }

  result(): Applied {
    for (const [what, count] of this.#lost)
      this.warn(`the file system did not keep the ${what} of ${count} entries`)
    return {
      lacks: rangesOf(this.#lacks.map(({ index }) => index)),
      held: this.#held,
      done: this.#done,
      failed: this.#failed,
      failedCount: this.#failedCount,
      warnings: this.#warnings,
      ...(this.#isDry && {
        dry: { sets: rangesOf([...this.#sets]), removes: [], removedCount: 0 },
      }),
    }
  }

  #isGood({ index, entry }: Item): boolean {
    const why = this.#spec.clash(entry.name)
    if (why !== null) this.fail(index, 'ERR_FR_NAME', why)
    return why === null
  }

  async #apply(items: readonly Item[], files?: NewFiles): Promise<void> {
    const { storage, dir } = this.#spec
    const steps: EntryStep[] = []
    const of: Item[] = []
    const take = (item: Item, step: EntryStep | 'held'): void => {
      if (step === 'held') this.#held++
      else {
        steps.push(step)
        of.push(item)
      }
    }
    const missing: Item[] = []
    for (const decided of await this.#decideAll(items)) {
      const { item, look, row } = decided
      let { step } = decided
      const isInDoubt = step === 'lacks' && row !== undefined && look !== null
      if (isInDoubt && (await this.#isSound(item, row))) step = this.#keep(item, look)
      if (step === 'held' && look !== null && !isRecorded(item.entry, look, row))
        this.#record(item.entry, look)
      if (step === 'lacks') missing.push(item)
      else take(item, step)
    }
    for (let at = 0; at < missing.length; at += copiesAtOnce)
      await Promise.all(missing.slice(at, at + copiesAtOnce).map((item) => this.#copy(item)))
    for (const item of missing) {
      const id = this.#copies.get(item.index)?.id
      if (id === undefined) this.#lacks.push(item)
      else take(item, this.#fileStep(item, id))
    }
    const names = steps.map(({ name }) => name)
    // Closing shuts them.
    await openAbove(storage, dir, names.concat(files?.someOfEach ?? []))
    // What they are in comes before them.
    if (files !== undefined) steps.push(files.step)
    const placed = this.#place(of, steps).catch(async (error: unknown) => {
      for (const { id } of this.#copies.values()) await storage.discard(dir, id)
      throw error
    })
    this.#done += await placed
    if (of.some(({ entry }) => entry.kind === 'hardlink')) await this.#refresh(items)
  }

  async #decideAll(items: readonly Item[]): Promise<Decided[]> {
    const { storage, dir, record } = this.#spec
    const looks = await storage.lookAt(
      dir,
      items.map(({ full }) => full),
    )
    const rows = await record.lookUp(items.map(({ entry }) => entry.name))
    await this.#compare(items, looks)
    const targets = await this.#targets(items)
    return items.map((item, at) => {
      const look = looks[at] ?? null
      const row = rows[at]
      return { item, look, row, step: this.#decide(item, look, row, targets) }
    })
  }

  async #targets(items: readonly Item[]): Promise<Map<string, EntryLook>> {
    const { storage, dir, name } = this.#spec
    const names = items.flatMap(({ entry }) => (entry.kind === 'hardlink' ? [entry.to] : []))
    const looks = await storage.lookAt(
      dir,
      names.map((to) => fullName(name, to)),
    )
    const found = new Map<string, EntryLook>()
    for (const [at, look] of looks.entries())
      if (look !== null) found.set(keyOf(names[at] as Uint8Array), look)
    return found
  }

  #decide(
    item: Item,
    look: EntryLook | null,
    row: TreeRow | undefined,
    targets: ReadonlyMap<string, EntryLook>,
  ): EntryStep | 'held' | 'lacks' {
    const { entry, full: name } = item
    const replacesDirectories = this.#replacesDirectories
    switch (entry.kind) {
      case 'directory': {
        if (look?.kind === 'directory' && !look.isMount) return 'held'
        return { kind: 'directory', name, mode: entry.attributes.mode }
      }
      case 'symlink': {
        const isTimed = look?.kind === 'symlink' && hasTime(look, entry.attributes)
        const isThere = isTimed && row?.kind === 'symlink'
        if (isThere && isSameFile(look.identity, row.identity) && isEqual(row.value, entry.target))
          return 'held'
        const attributes = this.#attributesOf(entry)
        return { kind: 'symlink', name, target: entry.target, attributes, replacesDirectories }
      }
      case 'hardlink': {
        const target = targets.get(keyOf(entry.to))
        const isOne = look?.kind === 'file' && target?.identity.inode === look.identity.inode
        if (isOne) return 'held'
        const to = fullName(this.#spec.name, entry.to)
        return { kind: 'hardlink', name, to, replacesDirectories }
      }
      case 'file': {
        const known = { full: name, row, isSame: isSameFile }
        if (look?.kind === 'file' && hasContent(this.#spec, entry, look, known))
          return this.#keep(item, look)
        return entry.at !== null || entry.size === 0 ? this.#fileStep(item) : 'lacks'
      }
      default:
        return entry satisfies never
    }
  }

  /** Of a file whose content is right. */
  #keep({ entry, full: name }: Item, look: EntryLook): EntryStep | 'held' {
    if (this.#hasAttributes(entry, look)) return 'held'
    return { kind: 'attributes', name, attributes: this.#attributesOf(entry) }
  }

  /**
   * Whether a file that was recorded and not written since has its content still. Its mode, or one
   * of its other names, has changed, or somebody has set its time back: the bytes tell.
   */
  async #isSound({ entry, full }: Item, row: TreeRow): Promise<boolean> {
    if (entry.kind !== 'file' || entry.digest === null || row.kind !== 'file') return false
    if (!isEqual(row.value, entry.digest)) return false
    const found = await identityWith(this.#spec, full, row, entry.digest)
    if (found !== undefined) this.#rows.push({ ...row, identity: found })
    return found !== undefined
  }

  async #compare(items: readonly Item[], looks: readonly (EntryLook | null)[]): Promise<void> {
    const listed = items.map((item, at) => ({ ...item, look: looks[at] ?? null }))
    this.#same = await withXattrs(this.#spec, listed)
  }

  #hasAttributes(entry: TreeEntry, look: EntryLook): boolean {
    return hasAttributes(look, entry.attributes, this.#spec.owners, this.#same.has(entry))
  }

  get #isDry(): boolean {
    return this.#spec.listing.options.isDry
  }

  /** Where rules leave something out it may be in such a directory, and stays. */
  get #replacesDirectories(): boolean {
    const { options, rules } = this.#spec.listing
    return options.deletes && rules === undefined
  }

  #attributesOf({ attributes }: TreeEntry): EntryAttributes {
    return attributesHere(attributes, this.#spec.owners)
  }

  /** From the bundle, or from a partial of this id. */
  #fileStep({ entry, full: name }: Item, id?: string): EntryStep {
    if (entry.kind !== 'file') throw new TypeError('no file')
    const { size, at, dataBytes } = entry
    const attributes = this.#attributesOf(entry)
    const replacesDirectories = this.#replacesDirectories
    if (id !== undefined)
      return { kind: 'partial', name, id, size, attributes, replacesDirectories }
    const from = { file: this.#spec.file, offset: at ?? 0, size, isSparse: dataBytes < size }
    return { kind: 'file', name, ...from, attributes, replacesDirectories }
  }

  async #copy({ index, entry }: Item): Promise<void> {
    if (entry.kind !== 'file' || entry.digest === null) return
    const { digest, size } = entry
    if (this.#isDry) {
      const isThere = await isHere(this.#spec, { digest, size })
      if (isThere) this.#copies.set(index, { id: 'none', blocks: new Uint8Array() })
      return
    }
    const { tree, bundle } = this.#spec.listing
    const found = await copyHere(this.#spec, { digest, size }, `${tree}.copy-${bundle}-${index}`)
    if (found !== undefined) this.#copies.set(index, found)
  }

  /** They are counted where they are looked at first. */
  async #close(items: readonly Item[]): Promise<void> {
    const { storage, dir } = this.#spec
    const looks = await storage.lookAt(
      dir,
      items.map(({ full }) => full),
    )
    await this.#compare(items, looks)
    const steps: EntryStep[] = []
    const of: Item[] = []
    for (const [at, item] of items.entries()) {
      const look = looks[at] ?? null
      const { full: name, entry } = item
      // In a dry run it is not made, and counted already.
      if (look === null && this.#isDry) continue
      if (look?.kind !== 'directory') {
        this.fail(item.index, 'ERR_FR_NAME', `${shown(name)} is no directory at the node`)
      } else if (!this.#hasAttributes(entry, look)) {
        steps.push({ kind: 'attributes', name, attributes: this.#attributesOf(entry) })
        of.push(item)
      }
    }
    await this.#place(of, steps)
  }

  /** How many are in place. */
  async #place(items: readonly Item[], steps: readonly EntryStep[]): Promise<number> {
    if (steps.length === 0) return 0
    let count = 0
    const outcomes = await this.#spec.storage.placeEntries(this.#spec.dir, steps)
    for (const [at, outcome] of outcomes.entries()) {
      const item = items[at]
      if (outcome.files !== undefined) count += this.#settleFiles(outcome.files)
      if (item === undefined) continue
      this.#settle(item.index, outcome)
      if (outcome.look !== null) this.#record(item.entry, outcome.look)
      if (outcome.failure === null) count++
      const copied = this.#copies.get(item.index)
      if (copied === undefined) continue
      if (outcome.failure !== null) await this.#spec.storage.discard(this.#spec.dir, copied.id)
      else if (outcome.look !== null) await recordCopied(this.#spec, item, outcome.look, copied)
    }
    return count
  }

  /** How many are in place. */
  #settleFiles(outcome: FilesOutcome): number {
    const { files, bytes, algorithm } = this.#spec
    if (files === undefined) return 0
    for (const [file, other] of outcome.others) this.#settle(files.index(file), other)
    this.#packed = files.rows(outcome, bytes, algorithm)
    const failed = [...outcome.others.values()].filter(({ failure }) => failure !== null)
    return files.count - failed.length
  }

  #settle(index: number, { failure, lost }: EntryOutcome): void {
    if (failure !== null) {
      this.fail(index, failure.code, failure.text)
      return
    }
    if (this.#isDry) this.#sets.add(index)
    for (const what of lost) this.#lost.set(what, 1 + (this.#lost.get(what) ?? 0))
    if (lost.length > 0 && this.#spec.listing.options.strict) {
      const text = `the file system did not keep: ${lost.join(', ')}`
      this.fail(index, 'ERR_FR_ATTRIBUTES', text)
    }
  }

  #record(entry: TreeEntry, look: EntryLook): void {
    const row = rowOf(entry, look, this.#spec.algorithm)
    if (row !== null) this.#rows.push(row)
  }

  /** A further name has changed what the file system tells of the file, and gets a row, too. */
  async #refresh(items: readonly Item[]): Promise<void> {
    const { storage, dir, name, record, holdings } = this.#spec
    const names = items.flatMap(({ entry }) => (entry.kind === 'hardlink' ? [entry.to] : []))
    const targets = names.sort(compareNames).filter((to, at) => !isEqual(to, names[at - 1]))
    const looks = await storage.lookAt(
      dir,
      targets.map((to) => fullName(name, to)),
    )
    const rows = await record.lookUp(targets)
    const linked = new Map<string, TreeRow>()
    for (const [at, to] of targets.entries()) {
      const [row, look] = [rows[at], looks[at]]
      if (look?.kind === 'file') await holdings.relinked(fullName(name, to), look.identity)
      if (row?.kind !== 'file' || look?.kind !== 'file') continue
      const { identity } = look
      const isSame = identity.inode === row.identity.inode && identity.size === row.identity.size
      const isWritten = identity.mtime.seconds !== row.identity.mtime.seconds
      if (isSame && !isWritten) linked.set(keyOf(row.name), { ...row, identity })
    }
    this.#rows.push(...linked.values())
    for (const { entry } of items) {
      const row = entry.kind === 'hardlink' ? linked.get(keyOf(entry.to)) : undefined
      if (row !== undefined) this.#rows.push({ ...row, name: entry.name })
    }
  }
}
