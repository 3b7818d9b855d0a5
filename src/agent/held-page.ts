/** One page of a list of what a node holds: what it has taken, and when it is full. */
import { base64urlOf, bytesOfBase64url } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { Glob } from '../base/glob.js'
import { limits } from '../base/limits.js'
import { nowMs } from '../base/time/awake.js'
import type { HeldEntry } from '../control/messages/types.js'

export class Page<Entry = HeldEntry> {
  readonly entries: Entry[] = []
  /** Null: all, and trees as one entry each. */
  readonly glob: Glob | null
  readonly #limit: number
  readonly #beganMs = nowMs()
  #bytes = 0
  #names = 0

  constructor(glob: Uint8Array | null, limit: number) {
    this.glob = glob === null ? null : new Glob(glob)
    this.#limit = limit
  }

  get isFull(): boolean {
    return (
      this.entries.length >= this.#limit ||
      this.#bytes >= limits.listPageBytes ||
      this.#names >= limits.listNames ||
      (this.glob?.steps ?? 0) >= limits.listSteps ||
      nowMs() - this.#beganMs >= limits.listMs
    )
  }

  /** Entries that it may take yet. */
  get room(): number {
    return this.#limit - this.entries.length
  }

  isWanted(name: Uint8Array): boolean {
    this.#names++
    return this.glob === null || this.glob.matches(name)
  }

  add(entry: Entry): void {
    this.entries.push(entry)
    this.#bytes += Buffer.byteLength(JSON.stringify(entry))
  }
}

/**
 * Where a list goes on: behind a file, behind an entry of a tree (empty: behind the tree's own),
 * behind a tree, or behind a partial.
 */
export type Place =
  | { readonly in: 'files'; readonly name: Uint8Array | null }
  | { readonly in: 'trees'; readonly tree: Uint8Array; readonly within: Uint8Array | null }
  | { readonly in: 'partials'; readonly id: string }

/** As a page names it. */
export function cursorOf(place: Place): string {
  if (place.in === 'files') return `h${base64urlOf(place.name ?? new Uint8Array())}`
  if (place.in === 'partials') return `p${place.id}`
  const tree = base64urlOf(place.tree)
  return place.within === null ? `t${tree}` : `e${tree}.${base64urlOf(place.within)}`
}

/** Throws ERR_FR_PROTOCOL for what no page named. */
export function placeOf(after: string): Place {
  if (after === '') return { in: 'files', name: null }
  const [kind, rest] = [after[0], after.slice(1)]
  if (kind === 'p' && /^[\w.-]{1,128}$/.test(rest)) return { in: 'partials', id: rest }
  const [name, within = null, ...more] = rest.split('.').map(bytesOfBase64url)
  if (name && more.length === 0) {
    if (kind === 'h' && within === null) return { in: 'files', name }
    if (kind === 't' && within === null) return { in: 'trees', tree: name, within }
    if (kind === 'e' && within !== null) return { in: 'trees', tree: name, within }
  }
  throw new FrError('ERR_FR_PROTOCOL', 'a list goes on at a place that no page named')
}

/** Index of the first of these, which are in the order of names, whose name comes behind this. */
export function firstBehind<T>(
  items: readonly T[],
  nameOf: (item: T) => Uint8Array,
  name: Uint8Array,
): number {
  let [from, to] = [0, items.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (Buffer.compare(nameOf(items[middle] as T), name) > 0) to = middle
    else from = middle + 1
  }
  return from
}
