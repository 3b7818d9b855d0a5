/**
 * Which entries of a tree are sent: rules of gitignore(5), by the package `ignore`.
 *
 * What `exclude` matches stays out, whatever `include` says; a directory that it matches is not
 * entered. `!rule` takes an exception out of the rules before it. Of the rest, where there are
 * rules to include, only what they match is sent, everything beneath a directory that they match,
 * and the directories above what is sent. Rules match names of the tree as text; bytes that are no
 * UTF-8 are matched as U+FFFD.
 */
import ignore, { type Ignore } from 'ignore'

/** The package remembers every path that it was asked about; so it is replaced now and then. */
const asksOfOne = 8_192

class Rules {
  readonly #rules: readonly string[]
  #ignore: Ignore | undefined
  #asks = 0

  constructor(rules: readonly string[]) {
    this.#rules = rules
  }

  matches(path: string): boolean {
    if (this.#ignore === undefined || this.#asks === asksOfOne) {
      this.#ignore = ignore({ ignorecase: false, allowRelativePaths: true }).add(this.#rules)
      this.#asks = 0
    }
    this.#asks += 1
    return this.#ignore.ignores(path)
  }
}

export type Verdict = 'in' | 'out' | 'perhaps'

export class Filter {
  readonly #exclude: Rules | null
  readonly #include: Rules | null

  constructor(include: readonly string[], exclude: readonly string[]) {
    this.#exclude = exclude.length === 0 ? null : new Rules(exclude)
    this.#include = include.length === 0 ? null : new Rules(include)
  }

  /** `perhaps`: a directory that is sent if something in it is. */
  verdict(name: Buffer, isDirectory: boolean): Verdict {
    if ((this.#exclude ?? this.#include) === null || name.length === 0)
      return this.#include === null ? 'in' : 'perhaps'
    const path = `${name.toString()}${isDirectory ? '/' : ''}`
    if (this.#exclude?.matches(path) === true) return 'out'
    if (this.#include === null || this.#include.matches(path)) return 'in'
    return isDirectory ? 'perhaps' : 'out'
  }
}
