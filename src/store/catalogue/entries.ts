/** The records of a catalogue by their names and contents. */
import { isHidden } from '../../base/names.js'
import { keyOf } from '../files/plain.js'
import type { IndexEntry } from './index-file.js'
import { type HeldStream, mayBecome } from './record.js'

export class Entries {
  readonly #entries = new Map<string, IndexEntry>()
  /** By file digest; a set where several files have the same. */
  readonly #byDigest = new Map<string, HeldStream | Set<HeldStream>>()
  /** The records in the order of names; undefined after a change. */
  #sorted: readonly HeldStream[] | undefined
  #bytes = 0

  get size(): number {
    return this.#entries.size
  }

  /** Sizes of the files. */
  get bytes(): number {
    return this.#bytes
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  get(key: string): IndexEntry | undefined {
    return this.#entries.get(key)
  }

  keys(): string[] {
    return [...this.#entries.keys()]
  }

  values(): IndexEntry[] {
    return [...this.#entries.values()]
  }

  [Symbol.iterator](): Iterator<[string, IndexEntry]> {
    return this.#entries[Symbol.iterator]()
  }

  /** The record stays: only its line is elsewhere. */
  move(key: string, entry: IndexEntry): void {
    this.#entries.set(key, entry)
  }

  /** Null: the name is removed. */
  set(key: string, entry: IndexEntry | null): void {
    this.#sorted = undefined
    const before = this.#entries.get(key)?.record
    if (before !== undefined) {
      this.#bytes -= before.size
      this.#entries.delete(key)
      const same = this.#byDigest.get(before.fileDigest)
      if (same instanceof Set) same.delete(before)
      if (!(same instanceof Set) || same.size === 0) this.#byDigest.delete(before.fileDigest)
    }
    if (entry === null) return
    const { record } = entry
    this.#bytes += record.size
    this.#entries.set(key, entry)
    const same = this.#byDigest.get(record.fileDigest)
    if (same === undefined) this.#byDigest.set(record.fileDigest, record)
    else if (same instanceof Set) same.add(record)
    else this.#byDigest.set(record.fileDigest, new Set([same, record]))
  }

  /** A record of this content, under any name. `use`: what of all is of use; default: all. */
  withDigest(
    fileDigest: string,
    size: number,
    use: (record: HeldStream) => boolean = () => true,
  ): HeldStream | undefined {
    const found = this.#byDigest.get(fileDigest)
    for (const record of found instanceof Set ? found : [found])
      if (record?.size === size && !isHidden(record.name) && use(record)) return record
    return undefined
  }

  /**
   * The same, of this name rather than of another one, for a content that those of `only` may have:
   * what others may have, too, or the same.
   */
  ofContent(
    name: Uint8Array,
    fileDigest: string,
    size: number,
    only: string | undefined,
  ): HeldStream | undefined {
    const use = (record: HeldStream): boolean => mayBecome(record, only)
    const own = this.get(keyOf(name))?.record
    const isIt = own?.fileDigest === fileDigest && own.size === size && use(own)
    return isIt ? own : this.withDigest(fileDigest, size, use)
  }

  /** Of files whose names begin so, also those in versions of trees that nobody is to see yet. */
  beneath(prefix: Uint8Array): readonly HeldStream[] {
    const start = keyOf(prefix)
    const found: HeldStream[] = []
    for (const [key, { record }] of this.#entries) if (key.startsWith(start)) found.push(record)
    return found
  }

  /** In the order of names, as bytes. Sorted anew only after a change. */
  list(): readonly HeldStream[] {
    this.#sorted ??= [...this.#entries]
      .filter(([, { record }]) => !isHidden(record.name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { record }]) => record)
    return this.#sorted
  }
}
