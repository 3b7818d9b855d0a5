/**
 * What a node tells its master that it holds: files with a record, partials as far as they can be
 * proved to others, and what is still written as far as it is verified. What is told others may be
 * sent for, so nothing is told that could not be served.
 */
import { isHidden } from '../../base/names.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { HeldThere } from '../../control/messages/mastering.js'
import type { GrowingHere } from '../../session/growing-here.js'
import type { Filling } from '../../session/instructed/filling.js'
import { GrowingFilling } from '../../session/instructed/growing-filling.js'
import type { HeldChange, HeldStates } from '../../session/instructed-ports.js'
import type { Reception } from '../../session/receiver/reception.js'
import type { HeldStream } from '../../store/catalogue/record.js'
import type { Filled } from '../../store/leftovers.js'
import type { NodeStore } from '../../store/node-store.js'

export interface HeldHereSpec {
  /** Those that answer. */
  readonly stores: () => Iterable<Pick<NodeStore, 'holdings' | 'leftovers' | 'watchRecords'>>
  /** What lands and is still written. */
  readonly growing: () => Iterable<GrowingHere>
  readonly freeBytes: () => Promise<number>
}

export class HeldHere implements HeldStates {
  readonly #spec: HeldHereSpec
  readonly #listeners = new Set<(change: HeldChange) => void>()
  /** Contents that are filled, and told. */
  readonly #told = new Set<Filling>()
  /** Bytes of contents that are here in part, as they were told. */
  readonly #parts = new Map<string, number>()
  readonly #watched = new WeakSet<GrowingFilling>()
  #unwatch: (() => void)[] = []

  constructor(spec: HeldHereSpec) {
    this.#spec = spec
  }

  async *all(): AsyncGenerator<HeldThere> {
    for (const { holdings, leftovers } of this.#spec.stores()) {
      for (const record of holdings.catalogue?.list() ?? []) yield* stated(record.name, record)
      for await (const filled of leftovers.told()) yield* partOf(filled)
    }
    for (const growing of this.#spec.growing()) yield* growthOf(growing)
  }

  onChange(told: (change: HeldChange) => void): () => void {
    if (this.#listeners.size === 0)
      for (const store of this.#spec.stores())
        this.#unwatch.push(store.watchRecords((...records) => this.#changed(...records)))
    this.#listeners.add(told)
    return () => {
      this.#listeners.delete(told)
      if (this.#listeners.size > 0) return
      for (const end of this.#unwatch.splice(0)) end()
    }
  }

  freeBytes(): Promise<number> {
    return this.#spec.freeBytes()
  }

  /** There is more of a content that copies fill, it has got its name, or it is closed. */
  filled(filling: Filling | GrowingFilling): void {
    if (filling instanceof GrowingFilling) return this.#growing(filling)
    const { filled, isPublished, isClosed, isKept, isNew } = filling
    if (filled === undefined) return
    const key = `${filled.header.contentId} ${Buffer.from(filled.header.name).toString('latin1')}`
    if (!isPublished && !isClosed) {
      this.#told.add(filling)
      // What was kept of it is read again: to tell less meanwhile would have it ordered anew.
      if (!isNew && filled.here.bytes < (this.#parts.get(key) ?? 0)) return
      this.#parts.set(key, filled.here.bytes)
      return this.#tell(...[...partOf(filled)].map((held) => ({ held })))
    }
    if (!this.#told.has(filling)) return
    const { name, contentId } = filled.header
    // The record of the file tells of the same bytes, whoever has signed them.
    const isSame = isPublished && this.#recordOf(name)?.fileDigest === filled.whole.fileDigest
    if (!isSame && !isKept) this.#gone(name, contentId)
    if (!isKept) this.#parts.delete(key)
    // It is whole, and was not given its name.
    else if (!isPublished) this.#tell(...[...partOf(filled)].map((held) => ({ held })))
    if (isClosed) this.#told.delete(filling)
  }

  /** From when it is open; from then on it tells by itself. */
  #growing(filling: GrowingFilling): void {
    if (filling.growing === undefined || this.#watched.has(filling)) return
    this.#watched.add(filling)
    this.grows(filling)
  }

  /** Something lands, perhaps while it is still written. */
  grows({ growing, done }: Lands): void {
    if (growing === undefined) return
    const { name, entry } = growing.spec
    const end = growing.watch(() => {
      if (growing.failure === null) this.#tell(...[...growthOf(growing)].map((held) => ({ held })))
    })
    void done.then(() => {
      end()
      if (this.#recordOf(name)?.contentId !== entry.contentId) this.#gone(name, entry.contentId)
    })
  }

  #changed(before: HeldStream | undefined, now: HeldStream | undefined): void {
    if (before?.contentId === now?.contentId) return
    if (before !== undefined && !isHidden(before.name)) this.#gone(before.name, before.contentId)
    if (now !== undefined && !isHidden(now.name))
      this.#tell(...[...stated(now.name, now)].map((held) => ({ held })))
  }

  #recordOf(name: Uint8Array): HeldStream | undefined {
    for (const { holdings } of this.#spec.stores()) {
      const record = holdings.catalogue?.get(name)
      if (record !== undefined) return record
    }
    return undefined
  }

  #gone(name: Uint8Array, contentId: string): void {
    const text = textOf(name)
    if (text !== undefined) this.#tell({ gone: { name: text, contentId } })
  }

  #tell(...changes: readonly HeldChange[]): void {
    for (const change of changes) for (const told of this.#listeners) told(change)
  }
}

interface Lands extends Pick<Reception, 'growing'> {
  readonly done: Promise<unknown>
}

/** Nothing of a name that is no text: sets name files in text. */
function* stated(
  name: Uint8Array,
  { contentId, fileDigest: digest, size }: Pick<HeldStream, 'contentId' | 'fileDigest' | 'size'>,
  ranges: readonly RangePair[] | null = null,
): IterableIterator<HeldThere> {
  const text = textOf(name)
  if (text !== undefined) yield { name: text, contentId, digest, size, isGrowing: false, ranges }
}

type Part = Omit<Filled, 'signed' | 'publishing'>

function* partOf(part: Part): IterableIterator<HeldThere> {
  const { name, contentId, size } = part.header
  const ranges = toldOf(part).toArray()
  if (ranges.length > 0) yield* stated(name, { contentId, size, ...part.whole }, ranges)
}

/**
 * What others are told of it. What is all here and has no name, and nobody is about to give it one,
 * lacks its last block, so that somebody finishes it.
 */
export function toldOf({ header: { size, blockBytes }, here, isLeft }: Part): RangeSet {
  const last = Math.floor(Math.max(0, size - 1) / blockBytes) * blockBytes
  return RangeSet.of(here.present(0, isLeft() && here.contains(0, size) ? last : size))
}

function* growthOf({ spec, bytes }: GrowingHere): IterableIterator<HeldThere> {
  const name = textOf(spec.name)
  if (name === undefined || bytes === 0) return
  const { contentId } = spec.entry
  const ranges: RangePair[] = [[0, bytes]]
  yield { name, contentId, digest: null, size: bytes, isGrowing: true, ranges }
}

function textOf(name: Uint8Array): string | undefined {
  const text = Buffer.from(name).toString('utf8')
  return Buffer.from(text).equals(name) ? text : undefined
}
