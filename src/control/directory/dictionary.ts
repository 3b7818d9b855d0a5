/**
 * What the bits of a directory mean: each is one attribute, `key=value`.
 *
 * The root keeps the dictionary and only appends to it, so a node that knows the first n bits is
 * brought up to date with the rest. One that differs in another way has another id. The name and
 * the id of a node have no bits: each node has others.
 */
import { type Attributes, givenKeys } from '../../base/attributes.js'
import { type Criteria, holds, judged, type Term, type Verdict } from '../../base/criteria.js'
import { limits } from '../../base/limits.js'
import { Bits } from './bits.js'

/** What is known of some nodes together. */
export interface Summary {
  /** Attributes that some of them have, and that all have. */
  readonly some: Bits
  readonly every: Bits
  readonly count: number
  /** False: some have attributes without a bit, or nothing is known of them. */
  readonly isWhole: boolean
}

interface Entry {
  readonly value: string
  readonly bit: number
}

export class Dictionary {
  readonly id: string
  /** No bit is left. */
  isFull = false
  readonly #entries: string[] = []
  readonly #bits = new Map<string, number>()
  readonly #byKey = new Map<string, Entry[]>()

  constructor(id: string, entries: Iterable<string> = []) {
    this.id = id
    for (const entry of entries) this.add(entry)
  }

  get size(): number {
    return this.#entries.length
  }

  get entries(): readonly string[] {
    return this.#entries
  }

  /** False: there is no bit left for it. */
  add(entry: string): boolean {
    if (this.#bits.has(entry)) return true
    if (this.size >= limits.dictionaryBits) return false
    const bit = this.size
    this.#entries.push(entry)
    this.#bits.set(entry, bit)
    const [key, value] = keyAndValue(entry)
    const same = this.#byKey.get(key)
    if (same === undefined) this.#byKey.set(key, [{ value, bit }])
    else same.push({ value, bit })
    return true
  }

  has(entry: string): boolean {
    return this.#bits.has(entry)
  }

  /** Of one node. */
  summaryOf(attributes: Attributes): Summary {
    const bits = new Bits()
    let isWhole = true
    for (const entry of entriesOf(attributes)) {
      const bit = this.#bits.get(entry)
      if (bit === undefined) isWhole = false
      else bits.add(bit)
    }
    return { some: bits, every: bits, count: 1, isWhole }
  }

  /** Whether criteria match all of them (`yes`), or none of them (`no`). */
  judge(criteria: Criteria, summary: Summary): Verdict {
    if (summary.count === 0) return 'no'
    if (!summary.isWhole) return 'maybe'
    return judged(criteria, (term) => this.#judge(term, summary))
  }

  #judge(term: Term, { some, every }: Summary): Verdict {
    if (givenKeys.includes(term.key)) return 'maybe'
    let verdict: Verdict = 'no'
    for (const { value, bit } of this.#byKey.get(term.key) ?? []) {
      if (!some.has(bit) || !holds(term, { [term.key]: value })) continue
      if (every.has(bit)) return 'yes'
      verdict = 'maybe'
    }
    return verdict
  }
}

/** Of attributes that have bits. */
export function entriesOf(attributes: Attributes): string[] {
  const entries = Object.entries(attributes).filter(([key]) => !givenKeys.includes(key))
  return entries.map(([key, value]) => `${key}=${value}`)
}

export function keyAndValue(entry: string): [key: string, value: string] {
  const at = entry.indexOf('=')
  return [entry.slice(0, at), entry.slice(at + 1)]
}

/** Both together. */
export function joined(one: Summary, other: Summary): Summary {
  if (one.count === 0) return other
  if (other.count === 0) return one
  return {
    some: one.some.or(other.some),
    every: one.every.and(other.every),
    count: one.count + other.count,
    isWhole: one.isWhole && other.isWhole,
  }
}

export const nobody: Summary = { some: new Bits(), every: new Bits(), count: 0, isWhole: true }
