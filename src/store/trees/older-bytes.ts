/**
 * Older content of a bundle: the files that the tree has where a listing found others lacking, one
 * behind the other, in one file without a name. What of the bundle is in it need not be sent,
 * whatever it is of (session/receiver/filler.ts).
 *
 * The idea: files of a tree are too small and too many to be compared one by one. A bundle and
 * these bytes are in the same order, so what has not changed has moved a little, and chunks find
 * it. Which names a push lacks is known from the answer to its listing; a bundle that brings some
 * of them says how far it goes, because all are in the order of names.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { DataDirHandle, FileHandle, FileIdentity, Storage } from '../../ports.js'
import { compareNames } from '../../protocol/listing.js'
import { fullName } from './full-name.js'
import type { ListedEntry } from './unchanged.js'

/** Of one push: names of files, relative to the tree, that its bundles are about to bring. */
export class LackingFiles {
  readonly #of = new Map<number, readonly Uint8Array[]>()

  /** As a listing was answered. More than two at a time no sender has under way. */
  lack(bundle: number, names: readonly Uint8Array[]): void {
    this.#of.delete(bundle)
    if (names.length > 0) this.#of.set(bundle, names)
    for (const [oldest] of this.#of) {
      if (this.#of.size <= limits.treeBundlesAtOnce) return
      this.#of.delete(oldest)
    }
  }

  /** Names of a bundle came with their bytes, up to this one. */
  came(bundle: number, last: Uint8Array): void {
    const left = this.#of.get(bundle)?.filter((name) => compareNames(name, last) > 0)
    this.lack(bundle, left ?? [])
  }

  clear(): void {
    this.#of.clear()
  }

  /** In the order in which they will come. */
  get names(): readonly Uint8Array[] {
    return [...this.#of.values()].flat()
  }
}

/** Of entries of a listing, names of the files that were lacking and that bundles bring. */
export function lackedFiles(
  entries: readonly ListedEntry[],
  lacks: Iterable<RangePair>,
): Uint8Array[] {
  const isLacking = RangeSet.of(lacks)
  return entries.flatMap(({ index, entry }) =>
    entry.kind === 'file' && !entry.isAlone && isLacking.contains(index, 1) ? [entry.name] : [],
  )
}

export interface OlderBytes {
  readonly file: FileHandle
  readonly identity: FileIdentity
}

export interface OlderSpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  /** Where the tree is. */
  readonly name: Uint8Array
  /** For the partial, which has no name once it is filled. */
  readonly id: string
  /** Whether bytes of a file of this name may be used. */
  readonly isUsable: (full: Uint8Array) => boolean
}

/**
 * As much as a bundle has, from the first name on. The caller closes the file. Undefined: there is
 * too little to compare, or too little room for a copy of it.
 */
export async function olderBytesOf(
  { storage, dir, name, id, isUsable }: OlderSpec,
  names: readonly Uint8Array[],
): Promise<OlderBytes | undefined> {
  const full = names.map((each) => fullName(name, each)).filter(isUsable)
  const found: { readonly name: Uint8Array; readonly size: number; readonly at: number }[] = []
  let bytes = 0
  for (const [at, look] of (await storage.lookAt(dir, full)).entries()) {
    if (look?.kind !== 'file' || look.identity.size === 0) continue
    const { size } = look.identity
    if (bytes + size > limits.treeBatchBytes) break
    found.push({ name: full[at] as Uint8Array, size, at: bytes })
    bytes += size
  }
  if (bytes < limits.olderBytesMin) return undefined
  const room = (await storage.freeBytes(dir)) - limits.minFreeBytes
  // The bundle itself, and what becomes of it, have their room already.
  if (room < 3 * bytes) return undefined
  await storage.discard(dir, id)
  const file = await storage.createPartial(dir, id, bytes)
  try {
    for (const { name: from, size, at } of found) await copy(storage, dir, from, file, size, at)
    // Losing its name is a change of it, too: nothing comes after that.
    await storage.discard(dir, id)
    return { file, identity: await storage.identityOf(file) }
  } catch (error) {
    storage.closeFile(file)
    await storage.discard(dir, id)
    throw error
  }
}

/** A file that has gone, or is shorter now, leaves zeros. */
async function copy(
  storage: Storage,
  dir: DataDirHandle,
  name: Uint8Array,
  to: FileHandle,
  length: number,
  at: number,
): Promise<void> {
  const from = await storage.openHeld(dir, name).catch(() => undefined)
  if (from === undefined) return
  try {
    await storage.copyIn(from, to, { offset: 0, length }, at).catch(() => {})
  } finally {
    storage.closeFile(from)
  }
}
