/** What a node knows of one push of a tree while its bundles come. */
import { limits } from '../../base/limits.js'
import type { Listing } from '../../protocol/listing.js'
import { shown } from './full-name.js'
import { foldedName, HashTable, hashOf } from './name-table.js'
import { Owners } from './owners.js'

export class PushState {
  /** Names of all listings so far. */
  readonly listed = new HashTable()
  readonly #bundles = new Set<number>()
  /** As the file system compares them; undefined where it tells all names apart. */
  readonly #folded: HashTable | undefined
  #owners: Owners | undefined
  usedMs: number

  constructor(isFolding: boolean, nowMs: number) {
    this.#folded = isFolding ? new HashTable() : undefined
    this.usedMs = nowMs
  }

  get owners(): Owners | undefined {
    return this.#owners
  }

  async prepare({ options }: Listing): Promise<void> {
    if (options.owner) this.#owners ??= await Owners.read()
  }

  /** Why this name cannot be kept beside those before it; null if it can. */
  clash(name: Uint8Array): string | null {
    if (this.#folded === undefined) return null
    const [exact] = hashOf(name)
    const key = hashOf(foldedName(name))
    if (this.#folded.add(key, exact) || this.#folded.get(key) === exact) return null
    return `${shown(name)} differs from another name only in ways that the file system ignores`
  }

  /** What the listing names is marked. */
  take(listing: Listing): void {
    for (const { name } of listing.entries) this.listed.add(hashOf(name))
    if (this.#bundles.size < limits.treeBundles) this.#bundles.add(listing.bundle)
  }

  /** Whether all that was listed in this push came to this process. */
  isWhole({ final }: Listing): boolean {
    return (
      final !== null && this.#bundles.size === final.bundles && this.listed.size === final.entries
    )
  }
}
