/** Which names belong to a tree. */
import { utf8 } from './bytes.js'

/** Rules of gitignore(5), as src/store/rules/filter.ts says. */
export interface TreeRules {
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

/** In a listing: docs/protocol.md, *Bundles*. */
export function rulesBytes({ include, exclude }: TreeRules): number {
  return [...include, ...exclude].reduce((bytes, rule) => bytes + 2 + utf8(rule).length, 4)
}
