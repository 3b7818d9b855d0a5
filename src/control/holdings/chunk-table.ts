/**
 * Content-defined chunks of a file, found by their entries: length and hash. Flat arrays with open
 * addressing, since a large file has millions; of equal chunks the first is kept.
 */
import { chunkEntryBytes, chunkLength } from '../messages/delta.js'

const none = -1

export class ChunkTable {
  readonly #most: number
  /** Of the chunk in each place of the table; `none`: it is free. A power of two, half is free. */
  #offsets = new Float64Array(64).fill(none)
  #entries = new Uint8Array(64 * chunkEntryBytes)
  #count = 0

  /** `most`: chunks; further ones are left out. */
  constructor(most: number) {
    this.#most = most
  }

  get isFull(): boolean {
    return this.#count >= this.#most
  }

  /** The chunks that lie one behind the other from this offset on. Returns where they end. */
  add(offset: number, entries: Uint8Array): number {
    let end = offset
    for (const [at, length] of chunksOf(entries)) {
      if (!this.isFull) this.#put(end, entries, at)
      end += length
    }
    return end
  }

  /** Where there is a chunk of this entry; undefined: nowhere. */
  find(entries: Uint8Array, at: number): number | undefined {
    const offset = this.#offsets[this.#placeOf(entries, at)]
    return offset === undefined || offset === none ? undefined : offset
  }

  #put(offset: number, entries: Uint8Array, at: number): void {
    if (2 * this.#count >= this.#offsets.length) this.#grow()
    const place = this.#placeOf(entries, at)
    if (this.#offsets[place] !== none) return
    this.#offsets[place] = offset
    this.#entries.set(entries.subarray(at, at + chunkEntryBytes), place * chunkEntryBytes)
    this.#count++
  }

  /** Of the entry, or the free one where it would be. */
  #placeOf(entries: Uint8Array, at: number): number {
    const mask = this.#offsets.length - 1
    let hash = 0
    for (let i = at + 3; i < at + 7; i++) hash = (hash << 8) | (entries[i] as number)
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      if (this.#offsets[place] === none || this.#isAt(place, entries, at)) return place
    }
  }

  #isAt(place: number, entries: Uint8Array, at: number): boolean {
    const own = place * chunkEntryBytes
    for (let i = 0; i < chunkEntryBytes; i++)
      if (this.#entries[own + i] !== entries[at + i]) return false
    return true
  }

  #grow(): void {
    const [offsets, entries] = [this.#offsets, this.#entries]
    this.#offsets = new Float64Array(4 * offsets.length).fill(none)
    this.#entries = new Uint8Array(4 * entries.length)
    for (const [place, offset] of offsets.entries()) {
      if (offset === none) continue
      const at = place * chunkEntryBytes
      const next = this.#placeOf(entries, at)
      this.#offsets[next] = offset
      this.#entries.set(entries.subarray(at, at + chunkEntryBytes), next * chunkEntryBytes)
    }
  }
}

/** Of each entry its place, and the length of its chunk. */
export function* chunksOf(entries: Uint8Array): IterableIterator<readonly [number, number]> {
  for (let at = 0; at + chunkEntryBytes <= entries.length; at += chunkEntryBytes) {
    yield [at, chunkLength(entries, at)]
  }
}

/** A run of bytes, and where the same are in another file. */
export interface Moved {
  readonly offset: number
  readonly length: number
  readonly from: number
}

/** What a table has of the chunks that lie one behind the other from this offset on. */
export function foundIn(table: ChunkTable, offset: number, entries: Uint8Array): Moved[] {
  const found: Moved[] = []
  let end = offset
  for (const [at, length] of chunksOf(entries)) {
    const from = table.find(entries, at)
    const last = found.at(-1)
    const isNext =
      last !== undefined && last.offset + last.length === end && last.from + last.length === from
    if (isNext) found[found.length - 1] = { ...last, length: last.length + length }
    else if (from !== undefined) found.push({ offset: end, length, from })
    end += length
  }
  return found
}
