/**
 * Removes entries of a tree that its record knows: all, or some of them. What somebody else has put
 * there stays, and so do the directories that it is in.
 *
 * The idea: rows come in walk order, so a directory is over as soon as a row stands elsewhere, and
 * memory holds no more than the directories above one row and the steps of one call.
 */
import { limits } from '../../base/limits.js'
import { isWithin, nameBelow, splitName } from '../../base/names.js'
import type { DataDirHandle, EntryStep, Storage } from '../../ports.js'
import { openAbove, shutAgain } from './above.js'
import { fullName, shown } from './full-name.js'
import type { TreeRow } from './segment.js'

export interface RemovalSpec {
  readonly storage: Pick<Storage, 'lookAt' | 'placeEntries'>
  readonly dir: DataDirHandle
  /** Of the tree. */
  readonly name: Uint8Array
  /** In walk order. */
  readonly rows: AsyncIterable<TreeRow>
  /** Whether an entry of this name goes, relative to the tree; `''` is the tree itself. */
  readonly goes: (name: Uint8Array) => boolean
  /** Called as entries go. */
  readonly isRemoving: (entries: number) => void
  readonly signal: AbortSignal
}

export interface Removal {
  /** That are gone. */
  readonly entries: number
  /** Directories that hold what the record does not know. */
  readonly kept: number
  readonly failedCount: number
  /** Why the first of these is still there; empty: none is. */
  readonly text: string
}

const stepsAtOnce = 1_024

interface Above {
  readonly name: Uint8Array
  readonly goes: boolean
}

export class Removing {
  readonly #spec: RemovalSpec
  readonly #above: Above[] = []
  #names: { readonly name: Uint8Array; readonly isDirectory: boolean }[] = []
  #entries = 0
  #kept = 0
  #failedCount = 0
  #text = ''

  constructor(spec: RemovalSpec) {
    this.#spec = spec
  }

  /** An aborted signal ends it early; what is gone stays gone. */
  async run(): Promise<Removal> {
    const { rows, goes, signal } = this.#spec
    if (goes(new Uint8Array())) this.#above.push({ name: new Uint8Array(), goes: true })
    const depth = this.#above.length
    for await (const { kind, name } of rows) {
      if (signal.aborted) break
      if (name.length === 0) continue
      this.#leave(name, depth)
      this.#enter(name, depth, kind === 'directory')
      if (kind !== 'directory' && goes(name)) this.#names.push({ name, isDirectory: false })
      if (this.#names.length >= stepsAtOnce) await this.#flush()
    }
    while (!signal.aborted && this.#above.length > 0) this.#pop()
    await this.#flush()
    const [entries, kept, failedCount] = [this.#entries, this.#kept, this.#failedCount]
    return { entries, kept, failedCount, text: this.#text }
  }

  /** Directories that this name is not in are over. */
  #leave(name: Uint8Array, depth: number): void {
    while (this.#above.length > depth && !isWithin(name, this.#nameAbove)) this.#pop()
  }

  get #nameAbove(): Uint8Array {
    return this.#above.at(-1)?.name ?? new Uint8Array()
  }

  #pop(): void {
    const above = this.#above.pop()
    if (above?.goes) this.#names.push({ name: above.name, isDirectory: true })
  }

  /** The directories that the name is in, and itself if it is one. */
  #enter(name: Uint8Array, depth: number, isDirectory: boolean): void {
    const parts = splitName(Buffer.from(name))
    const until = isDirectory ? parts.length : parts.length - 1
    for (let at = this.#above.length - depth; at < until; at++) {
      const above = nameBelow(this.#nameAbove, parts[at] as Buffer)
      this.#above.push({ name: above, goes: this.#spec.goes(above) })
    }
  }

  async #flush(): Promise<void> {
    const { storage, dir, name: tree, isRemoving } = this.#spec
    const names = this.#names
    this.#names = []
    const full = names.map(({ name }) => fullName(tree, name))
    const before = await storage.lookAt(dir, full)
    const shut = await openAbove(storage, dir, full)
    const steps = full.map((name): EntryStep => ({ kind: 'remove', name }))
    const outcomes = await storage.placeEntries(dir, steps)
    for (const [at, { failure }] of outcomes.entries()) {
      const isDirectory = names[at]?.isDirectory === true
      if (failure === null) this.#entries += before[at] ? 1 : 0
      else if (isDirectory && failure.code === 'ERR_FR_IS_DIRECTORY') this.#kept++
      else {
        this.#failedCount++
        if (this.#text === '') this.#text = `${shown(full[at] as Uint8Array)}: ${failure.text}`
      }
    }
    await shutAgain(storage, dir, shut)
    isRemoving(this.#entries)
  }
}

/** Entries that are still there, of those that were to go. */
export async function* without(
  rows: AsyncIterable<TreeRow>,
  { storage, dir, name: tree, goes }: Pick<RemovalSpec, 'storage' | 'dir' | 'name' | 'goes'>,
): AsyncGenerator<TreeRow> {
  let some: TreeRow[] = []
  async function* left(): AsyncGenerator<TreeRow> {
    const gone = some.filter(({ name }) => goes(name))
    const looks = await storage.lookAt(
      dir,
      gone.map(({ name }) => fullName(tree, name)),
    )
    const isGone = new Set(gone.filter((_, at) => looks[at] === null))
    for (const row of some) if (!isGone.has(row)) yield row
    some = []
  }
  for await (const row of rows) {
    some.push(row)
    if (some.length >= limits.listPageFiles) yield* left()
  }
  yield* left()
}
