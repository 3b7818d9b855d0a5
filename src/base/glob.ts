/**
 * Patterns for names: `*` stands for any characters of one component, `?` for one of them, and a
 * component `**` for any number of components. A backslash makes the next character stand for
 * itself. Without these a pattern matches only the name that it spells.
 *
 * A match takes at most (length of the pattern + 2) * (length of the name + 1) steps, whatever both
 * are: a failed attempt goes back to the last wildcard only, because an earlier one could gain
 * nothing that the last one cannot.
 *
 * Never: regular expressions, which a pattern from outside could make endless.
 */
import { concat, textOf } from './bytes.js'
import { limits } from './limits.js'

/** Wildcards of a component, below all characters. */
const one = -1
const any = -2

/** The component `**`. */
const deep = 'deep'

type Component = readonly number[]

/** Why this can be no pattern, as the end of a sentence; null if it can. */
export function globFault(glob: Uint8Array): string | null {
  if (glob.length === 0) return 'it is empty'
  if (glob.length > limits.nameBytes) return `it is longer than ${limits.nameBytes} bytes`
  return glob.includes(0) ? 'it holds a NUL' : null
}

/** The pattern that matches this name alone. */
export function globOf(name: Uint8Array): Uint8Array {
  const bytes = [...name].flatMap((byte) => (wildBytes.includes(byte) ? [backslash, byte] : [byte]))
  return Uint8Array.from(bytes)
}

/** Where names are not UTF-8, a character is a byte. */
export class Glob {
  readonly #bytes: Uint8Array
  readonly #text: readonly (Component | typeof deep)[] | null
  #raw: readonly (Component | typeof deep)[] | undefined
  #steps = 0

  constructor(glob: Uint8Array) {
    this.#bytes = glob
    const text = textOf(glob)
    this.#text = text === null ? null : parse(codePointsOf(text))
  }

  /** Steps that all matches so far took. */
  get steps(): number {
    return this.#steps
  }

  /** Whether names beneath this one could match: what the pattern spells first leads there. */
  couldBeIn(directory: Uint8Array): boolean {
    const above = concat(directory, Uint8Array.of(slash))
    const wild = this.#bytes.findIndex((byte) => wildBytes.includes(byte))
    const head = this.#bytes.subarray(0, wild === -1 ? undefined : wild)
    const shared = Math.min(head.length, above.length)
    return head.subarray(0, shared).every((byte, i) => byte === above[i])
  }

  matches(name: Uint8Array): boolean {
    const text = this.#text === null ? null : textOf(name)
    if (text !== null) return this.#match(this.#text ?? [], componentsOf(codePointsOf(text)))
    this.#raw ??= parse([...this.#bytes])
    return this.#match(this.#raw, componentsOf([...name]))
  }

  #match(pattern: readonly (Component | typeof deep)[], name: readonly Component[]): boolean {
    return this.#fits(pattern, name, deep, (wanted, component) =>
      this.#fits(wanted as Component, component, any, (char, is) => char === is || char === one),
    )
  }

  /** Whether the items follow the pattern, in which `wild` stands for any number of items. */
  #fits<P, T>(
    pattern: readonly P[],
    items: readonly T[],
    wild: P,
    isFit: (wanted: P, item: T) => boolean,
  ): boolean {
    let [at, item] = [0, 0]
    // The last wildcard, and the first item after those that it has taken.
    let [wildAt, next] = [-1, 0]
    while (item < items.length) {
      this.#steps++
      if (at < pattern.length && pattern[at] === wild) {
        wildAt = at++
        next = item
      } else if (at < pattern.length && isFit(pattern[at] as P, items[item] as T)) {
        at++
        item++
      } else if (wildAt >= 0) {
        at = wildAt + 1
        item = ++next
      } else return false
    }
    while (at < pattern.length && pattern[at] === wild) at++
    return at === pattern.length
  }
}

function codePointsOf(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}

const codeOf = (character: string): number => character.charCodeAt(0)
const slash = codeOf('/')
const star = codeOf('*')
const backslash = codeOf('\\')
const wildBytes = [...'*?\\'].map(codeOf)

function componentsOf(codes: readonly number[]): Component[] {
  const components: number[][] = [[]]
  for (const code of codes) {
    if (code === slash) components.push([])
    else components.at(-1)?.push(code)
  }
  return components
}

function parse(codes: readonly number[]): (Component | typeof deep)[] {
  return componentsOf(codes).map((written) => {
    if (written.length === 2 && written.every((code) => code === star)) return deep
    const component: number[] = []
    for (let at = 0; at < written.length; at++) {
      const code = written[at] as number
      if (code === backslash && at + 1 < written.length) component.push(written[++at] as number)
      else if (code === codeOf('?')) component.push(one)
      else if (code !== star) component.push(code)
      else if (component.at(-1) !== any) component.push(any)
    }
    return component
  })
}
