/**
 * One push at a node that changes its tree all at once: it builds a version, and shows it at the
 * end.
 *
 * States: building -> shown, when the last bundle is applied and everything that was listed is in
 * the version; building -> over, when something is not, another push of the tree began, or the tree
 * was removed, and whatever was built goes. A process that is killed leaves a version that nobody
 * has seen (versions.ts).
 */
import { type Failure, FrError } from '../../base/errors.js'
import type { Applied } from '../../control/messages/applied.js'
import type { EntryStep, LostAttribute, PublishSpec, Storage } from '../../ports.js'
import type { Listing, TreeEntry } from '../../protocol/listing.js'
import { type LinkSpec, linkRest, linkUnchanged, type Rest } from './bring-along.js'
import { shown } from './full-name.js'
import { HashTable, hashOf } from './name-table.js'
import { versionKeyOf } from './version-records.js'
import { Versions, type VersionsSpec } from './versions.js'
import type { XattrSpec } from './xattrs.js'

export interface AtomicSpec extends VersionsSpec, XattrSpec {
  readonly storage: Storage
}

type Prepared = Pick<LinkSpec, 'record' | 'algorithm' | 'owners' | 'only'>

export class AtomicPush {
  readonly #spec: AtomicSpec
  readonly #tree: Uint8Array
  readonly #versions: Versions
  /** The version before; null: there is none. */
  readonly #last: Uint8Array | null
  readonly #number: number
  /** Names that are in the version. */
  readonly #placed = new HashTable()
  /** Of the listing that is being applied. */
  #entries: readonly TreeEntry[] = []
  #state: 'building' | 'shown' | 'over' = 'building'
  #failure: Failure | null = null

  private constructor(
    spec: AtomicSpec,
    tree: Uint8Array,
    versions: Versions,
    { present, next }: { readonly present: number | null; readonly next: number },
  ) {
    this.#spec = spec
    this.#tree = tree
    this.#versions = versions
    this.#last = present === null ? null : versions.nameOf(present)
    this.#number = next
  }

  /** `keep`: earlier versions that are to be kept, at least; undefined: as many as before. */
  static async begin(
    spec: AtomicSpec,
    tree: Uint8Array,
    keep: number | undefined,
  ): Promise<AtomicPush> {
    const versions = new Versions(spec, tree)
    return new AtomicPush(spec, tree, versions, await versions.begin(keep))
  }

  isOf(tree: Uint8Array): boolean {
    return Buffer.compare(this.#tree, tree) === 0
  }

  /** Where the tree is made, as a name of the storage. */
  get next(): Uint8Array {
    return this.#versions.nameOf(this.#number)
  }

  /** Of the record of what is built. */
  get recordKey(): string {
    return versionKeyOf(this.#tree, this.#number)
  }

  /** The name of the tree leads to what this push has built. */
  get isShown(): boolean {
    return this.#state === 'shown'
  }

  get isBuilding(): boolean {
    return this.#state === 'building'
  }

  /** Another push builds the tree now, or the tree is removed. */
  end(): void {
    if (this.isBuilding) this.#state = 'over'
  }

  /** Throws ERR_FR_BUSY once it is over. */
  requireLiving(): void {
    if (this.#state !== 'over') return
    const tree = shown(this.#tree)
    const text = `this push of ${tree} is over: another one has begun, or it was removed`
    throw new FrError('ERR_FR_BUSY', text)
  }

  /** Before the listing is applied: what is unchanged is in its place then. */
  async prepare(spec: Prepared, listing: Listing): Promise<void> {
    this.#entries = listing.entries
    if (this.#state !== 'building' || this.#last === null) return
    const [tree, last, next] = [this.#tree, this.#last, this.next]
    await linkUnchanged({ ...this.#spec, ...spec, tree, last, next }, listing)
  }

  /** After it was applied. */
  note({ lacks, failed, failedCount }: Applied): void {
    const [first] = failed
    if (failedCount > 0)
      this.#failure ??= first ?? { code: 'ERR_FR_INTERNAL', text: 'an entry is not in place' }
    const missing = new Set(
      lacks.flatMap(([from, count]) => Array.from({ length: count }, (_, at) => from + at)),
    )
    for (const [index, { name }] of this.#entries.entries())
      if (!missing.has(index)) this.#placed.add(hashOf(name))
    this.#entries = []
  }

  /** Where a file of the tree is, as a name of the storage; `name` is beneath that of the tree. */
  placeOf(name: Uint8Array): Uint8Array {
    return Buffer.concat([this.next, name.subarray(this.#tree.length)])
  }

  /** Gives a file that came by itself, and is whole and verified, its place. */
  async place(
    name: Uint8Array,
    { file, id, mode, mtime }: PublishSpec,
  ): Promise<readonly LostAttribute[]> {
    this.requireLiving()
    const { storage, dir } = this.#spec
    const { size } = await storage.identityOf(file)
    const where = { name: this.placeOf(name), replacesDirectories: true }
    const attributes = { mode, mtime }
    const step: EntryStep = { kind: 'partial', ...where, id, size, attributes }
    const [outcome] = await storage.placeEntries(dir, [step])
    if (outcome?.failure) throw new FrError(outcome.failure.code, outcome.failure.text)
    return (['mode', 'mtime'] as const).filter((what) => outcome?.lost.includes(what))
  }

  /**
   * The last bundle was applied: shows the version, or says why the tree stays as it was. `whole`:
   * the number of names in all listings; null: not all of them came to this process. `settle` is
   * done once all is in the version, before anybody sees it.
   */
  async finish(
    whole: number | null,
    rest: Rest,
    settle: () => Promise<void>,
  ): Promise<Failure | null> {
    if (this.#state === 'shown') return null
    const failure = this.#obstacle(whole) ?? (await this.#show(rest, settle).catch(failureOf))
    if (failure === null) return null
    this.#state = 'over'
    await this.#versions.remove(this.#number)
    return { ...failure, text: `${shown(this.#tree)} stays as it was: ${failure.text}` }
  }

  #obstacle(whole: number | null): Failure | null {
    if (whole === null) {
      const text = 'the node was restarted during the push'
      return { code: 'ERR_FR_NODE_CLOSED', text }
    }
    if (this.#failure !== null) return this.#failure
    const missing = whole - this.#placed.size
    const text = `${missing} entries did not come`
    return missing === 0 ? null : { code: 'ERR_FR_SOURCE_CHANGED', text }
  }

  async #show(rest: Rest, settle: () => Promise<void>): Promise<null> {
    await this.#versions.make(this.#number)
    if (this.#last !== null)
      await linkRest({ ...this.#spec, last: this.#last, next: this.next }, rest)
    await settle()
    await this.#versions.show(this.#number)
    this.#state = 'shown'
    return null
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof FrError) return { code: error.code, text: error.message }
  throw error
}
