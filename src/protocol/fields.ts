/**
 * Typed getters over a JSON object from outside. Each checks shape and bounds, and throws
 * ERR_FR_PROTOCOL that names the field. Results are new values, so nothing unchecked travels on.
 * Unknown fields are ignored, so that a later version can add some.
 */
import { cleanText, textOf } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import type { RangePair } from '../base/ranges.js'

export function protocolError(text: string): FrError {
  return new FrError('ERR_FR_PROTOCOL', text)
}

/** A frame that has no place where it came. */
export function unexpectedFrame({ type }: { readonly type: string }): FrError {
  return protocolError(`unexpected frame '${type}'`)
}

/** Parses UTF-8 JSON that must be an object; `where` names the message in error texts. */
export function parseObject(bytes: Uint8Array, where: string): Fields {
  const text = textOf(bytes)
  if (text === null) throw protocolError(`${where}: not UTF-8`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw protocolError(`${where}: not JSON`)
  }
  return new Fields(value, where)
}

export class Fields {
  readonly #object: object
  readonly #where: string

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw protocolError(`${where}: not an object`)
    }
    this.#object = value
    this.#where = where
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name)
  }

  isNull(name: string): boolean {
    return this.#value(name) === null
  }

  /** A whole number from `least` to `most`, inclusive. */
  integer(name: string, least: number, most: number): number {
    return this.#integer(this.#value(name), name, least, most)
  }

  /** The same as a field of its own, for objects in which it may be missing. */
  optional<N extends string>(name: N, least: number, most: number): { [P in N]?: number } {
    if (!this.has(name)) return {}
    return { [name]: this.integer(name, least, most) } as { [P in N]?: number }
  }

  boolean(name: string): boolean {
    const value = this.#value(name)
    if (typeof value !== 'boolean') throw this.#error(name, 'is not a boolean')
    return value
  }

  /** A string of at most `most` UTF-16 units. */
  string(name: string, most: number): string {
    const value = this.#value(name)
    if (typeof value !== 'string') throw this.#error(name, 'is not a string')
    if (value.length > most) throw this.#error(name, `is longer than ${most} characters`)
    return value
  }

  /** Text for people, made safe (cleanText) and cut instead of refused. */
  text(name: string): string {
    return cleanText(this.string(name, Number.MAX_SAFE_INTEGER))
  }

  /** Exactly `digits` lower-case hexadecimal digits. */
  hex(name: string, digits: number): string {
    const value = this.string(name, digits)
    if (value.length !== digits || !/^[0-9a-f]*$/.test(value)) {
      throw this.#error(name, `is not ${digits} hex digits`)
    }
    return value
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#value(name)
    const choice = choices.find((known) => known === value)
    if (choice === undefined) throw this.#error(name, `is not one of ${choices.join(', ')}`)
    return choice
  }

  object(name: string): Fields {
    return new Fields(this.#value(name), `${this.#where}.${name}`)
  }

  /** An object of at most `most` strings of at most `longest` units each. */
  map(name: string, most: number, longest: number): Record<string, string> {
    const value = this.#value(name)
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.#error(name, 'is not an object')
    const entries = Object.entries(value)
    if (entries.length > most) throw this.#error(name, `has more than ${most} items`)
    const isShort = (item: unknown): boolean => typeof item === 'string' && item.length <= longest
    if (!entries.every(([, item]) => isShort(item)))
      throw this.#error(name, 'holds something other than short strings')
    return Object.fromEntries(entries) as Record<string, string>
  }

  /** A list of integers, each from `least` to `most`. */
  integers(name: string, count: number, least: number, most: number): number[] {
    return this.#array(name, count).map((item) => this.#integer(item, name, least, most))
  }

  /** A list of at most `most` objects. */
  list<T>(name: string, most: number, read: (item: Fields) => T): T[] {
    return this.#array(name, most).map((item, index) =>
      read(new Fields(item, `${this.#where}.${name}[${index}]`)),
    )
  }

  /** A list of at most `most` strings of at most `longest` units each. */
  strings(name: string, most: number, longest: number): string[] {
    return this.#array(name, most).map((item) => {
      if (typeof item !== 'string' || item.length > longest) {
        throw this.#error(name, `holds something other than short strings`)
      }
      return item
    })
  }

  /** A list of at most `most` texts for people, each read like `text`. */
  texts(name: string, most: number): string[] {
    return this.#array(name, most).map((item) => {
      if (typeof item !== 'string') throw this.#error(name, 'holds something other than strings')
      return cleanText(item)
    })
  }

  /** [offset, length] pairs below 2^53: sorted, disjoint, not touching, none empty. */
  ranges(name: string, most: number): RangePair[] {
    let end = -1
    return this.#array(name, most).map((item) => {
      if (!Array.isArray(item) || item.length !== 2) throw this.#error(name, 'is not a range list')
      const offset = this.#integer(item[0], name, 0, Number.MAX_SAFE_INTEGER)
      const length = this.#integer(item[1], name, 1, Number.MAX_SAFE_INTEGER - offset)
      if (offset <= end) throw this.#error(name, 'is not sorted, or its ranges overlap or touch')
      end = offset + length
      return [offset, length]
    })
  }

  /** For other rules; `problem` completes "field x ...". */
  refuse(name: string, problem: string): never {
    throw this.#error(name, problem)
  }

  #value(name: string): unknown {
    // Own properties only: a field's name must not reach Object.prototype.
    const found = Object.getOwnPropertyDescriptor(this.#object, name)
    if (found === undefined) throw this.#error(name, 'is missing')
    return found.value
  }

  #array(name: string, most: number): unknown[] {
    const value = this.#value(name)
    if (!Array.isArray(value)) throw this.#error(name, 'is not a list')
    if (value.length > most) throw this.#error(name, `has more than ${most} items`)
    return value
  }

  #integer(value: unknown, name: string, least: number, most: number): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw this.#error(name, 'is not a whole number')
    }
    if (value < least || value > most) throw this.#error(name, `is not in ${least}..${most}`)
    return value + 0 // JSON knows -0; nothing behind this line should
  }

  #error(name: string, problem: string): FrError {
    return protocolError(`${this.#where}: field ${name} ${problem}`)
  }
}
