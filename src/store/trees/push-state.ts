/** What a node knows of one push of a tree while its bundles come. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import type { Applied } from '../../control/messages/applied.js'
import type { Listing } from '../../protocol/listing.js'
import type { AtomicPush } from './atomic-push.js'
import { shown } from './full-name.js'
import { foldedName, HashTable, hashOf } from './name-table.js'
import { LackingFiles } from './older-bytes.js'
import { Owners } from './owners.js'

export class PushState {
  /** Names of all listings so far. */
  listed = new HashTable()
  /** All that comes last has been done. */
  isOver = false
  readonly lacking = new LackingFiles()
  readonly #bundles = new Set<number>()
  /** As the file system compares them; undefined where it tells all names apart. */
  readonly #folded: HashTable | undefined
  #owners: Owners | undefined
  #failed = 0
  /** Where all becomes visible at once. */
  atomic: AtomicPush | undefined
  usedMs: number

  constructor(folds: boolean, nowMs: number) {
    this.#folded = folds ? new HashTable() : undefined
    this.usedMs = nowMs
  }

  get owners(): Owners | undefined {
    return this.#owners
  }

  /** The file system takes some names for the same. */
  get isFolding(): boolean {
    return this.#folded !== undefined
  }

  /** Why this name cannot be kept beside those before it; null if it can. */
  clash(name: Uint8Array): string | null {
    if (this.#folded === undefined) return null
    const [exact] = hashOf(name)
    const key = hashOf(foldedName(name))
    if (this.#folded.add(key, exact) || this.#folded.get(key) === exact) return null
    return `${shown(name)} differs from another name only in ways that the file system ignores`
  }

  /** A listing has this name, the first `length` of these bytes; false: it came before. */
  see(name: Uint8Array, length: number): boolean {
    return this.listed.add(hashOf(name, length))
  }

  /** Entries that are not in their places, of listings to which nothing follows. */
  get failed(): number {
    return this.#failed
  }

  /** What became of a listing; `isLast`: what was lacking will not come. */
  note({ failedCount, lacks }: Applied, isLast: boolean): void {
    this.#failed += failedCount + (isLast ? lacks.length : 0)
  }

  /** A listing has come. False: its bundle has come before. */
  async take({ options, bundle }: Omit<Listing, 'entries'>): Promise<boolean> {
    if (options.owner) this.#owners ??= await Owners.read()
    const isFirst = !this.#bundles.has(bundle)
    if (this.#bundles.size < limits.treeBundles) this.#bundles.add(bundle)
    return isFirst
  }

  /** What it needed for what comes last is of no more use. */
  end(): void {
    this.isOver = true
    this.listed = new HashTable()
    this.lacking.clear()
    this.#bundles.clear()
  }

  /** Whether all that was listed in this push came to this process. */
  isWhole({ final }: Pick<Listing, 'final'>): boolean {
    return (
      final !== null && this.#bundles.size === final.bundles && this.listed.size === final.entries
    )
  }
}

/** Whether the file system takes names in another letter case for the same. */
export function isFolding(dataDir: string): Promise<boolean> {
  return lstat(join(dataDir, hiddenDir, 'PARTIALS')).then(
    () => true,
    () => false,
  )
}
