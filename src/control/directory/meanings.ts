/**
 * The dictionary at one node: what it knows of it, and the attributes here and below that have no
 * bit yet. A root gives bits; every other node asks its parent for them.
 *
 * A root that had the dictionary of another one before makes one of its own, with the same entries,
 * before it gives the first bit: no two roots give bits under one id.
 */
import { limits } from '../../base/limits.js'
import type { TreeFrame } from '../messages/directory.js'
import type { Bits } from './bits.js'
import { Dictionary } from './dictionary.js'

type Page = Extract<TreeFrame, { type: 'dictionary' }>

export class Meanings {
  readonly #run: string
  #dictionary: Dictionary
  /** Of this node: how many dictionaries it has made. */
  #made = 0
  #ownId: string
  #arriving: Dictionary | undefined
  readonly #wanted = new Set<string>()
  /** Of them those that the parent was asked for. */
  readonly #asked = new Set<string>()
  #anewMs = 0

  constructor(run: string) {
    this.#run = run
    this.#ownId = this.#nextId()
    this.#dictionary = new Dictionary(this.#ownId)
  }

  get dictionary(): Dictionary {
    return this.#dictionary
  }

  /** Some attributes have no bit, and may get one. */
  get isWanting(): boolean {
    return this.#wanted.size > 0
  }

  want(entries: readonly string[]): void {
    const { dictionary } = this
    for (const entry of entries) {
      if (dictionary.has(entry) || this.#wanted.size > 2 * limits.dictionaryBits) continue
      this.#wanted.add(entry)
    }
  }

  /** What is to be asked of the parent now. */
  toAsk(): string[] {
    const asked: string[] = []
    for (const entry of this.#wanted) {
      if (asked.length === limits.dictionaryPage) break
      if (!this.#asked.has(entry)) asked.push(entry)
    }
    for (const entry of asked) this.#asked.add(entry)
    return asked
  }

  /** There is another parent, or none: nothing was asked of it. */
  reparented(): void {
    this.#asked.clear()
    this.#arriving = undefined
  }

  /**
   * A page from the parent. True: the dictionary is another one, or longer; null: the page does
   * not follow what came before.
   */
  given({ id, at, entries, isLast, isFull }: Page): boolean | null {
    const before = this.#arriving ?? (id === this.#dictionary.id ? this.#dictionary : undefined)
    const into = before?.id === id && at > 0 ? before : new Dictionary(id)
    if (at !== into.size) return null
    for (const entry of entries) into.add(entry)
    if (into.size !== at + entries.length) return null
    into.isFull = isFull
    this.#arriving = isLast ? undefined : into
    if (!isLast) return false
    this.#dictionary = into
    this.#settle()
    return true
  }

  /**
   * As a root. `used`: the bits that anybody is known to have; null: that is not known of all.
   * True: the dictionary is another one, or longer.
   */
  giveBits(used: Bits | null, nowMs: number): boolean {
    if (this.#wanted.size === 0) return false
    const { size, isFull } = this.#dictionary
    if (this.#dictionary.id !== this.#ownId) this.#anew(this.#dictionary.entries)
    let isRoom = this.#addWanted()
    if (!isRoom && used !== null && this.#mayBeAnew(used, nowMs)) {
      this.#anewMs = nowMs
      const { entries } = this.#dictionary
      this.#anew([...used].map((bit) => entries[bit] as string))
      isRoom = this.#addWanted()
    }
    this.#dictionary.isFull = !isRoom
    this.#wanted.clear()
    return this.#dictionary.size !== size || this.#dictionary.isFull !== isFull
  }

  #addWanted(): boolean {
    let isRoom = true
    for (const entry of this.#wanted) isRoom = this.#dictionary.add(entry) && isRoom
    return isRoom
  }

  #mayBeAnew(used: Bits, nowMs: number): boolean {
    if (this.#anewMs > 0 && nowMs < this.#anewMs + limits.dictionaryAnewMs) return false
    let count = 0
    for (const bit of used) if (bit < this.#dictionary.size) count += 1
    return count <= limits.dictionaryUsed * limits.dictionaryBits
  }

  #anew(entries: Iterable<string>): void {
    // The first one is of this node, and may be known under its id.
    this.#ownId = this.#nextId()
    this.#dictionary = new Dictionary(this.#ownId, entries)
  }

  #settle(): void {
    const { dictionary } = this
    for (const entry of this.#wanted)
      if (dictionary.isFull || dictionary.has(entry)) this.#wanted.delete(entry)
    for (const entry of this.#asked) if (!this.#wanted.has(entry)) this.#asked.delete(entry)
  }

  #nextId(): string {
    this.#made += 1
    return `${this.#run}${this.#made.toString(16).padStart(8, '0')}`
  }
}

/** What is told of a dictionary to somebody who knows so many bits of it. */
export function pagesOf(dictionary: Dictionary, from: number): Page[] {
  const { id, entries, isFull } = dictionary
  const pages: Page[] = []
  let at = from
  do {
    const page = entries.slice(at, at + limits.dictionaryPage)
    const isLast = at + page.length >= entries.length
    pages.push({ type: 'dictionary', id, at, entries: page, isLast, isFull })
    at += page.length
  } while (at < entries.length)
  return pages
}
