/**
 * Whom the columns do not reach as they go now: nodes of groups that a column passes by, and those
 * to whom a node that passes it on has no feed any more. The coordinator brings these what the
 * column carries, bytes and digests.
 */
import type { Chain } from '../plan/chain.js'

export class Beyond {
  readonly #chain: Chain
  /** Whom a node that passes bytes on no longer reaches. */
  readonly #unreached = new Map<number, Set<number>>()
  readonly #of = new Map<number, readonly number[]>()
  /** The newest one when they were looked for: no column goes another way without a newer one. */
  #route = 0

  constructor(chain: Chain) {
    this.#chain = chain
  }

  /** Both live, and nothing goes from one to the other. */
  edgeLost(from: number, to: number): void {
    this.#unreached.set(from, (this.#unreached.get(from) ?? new Set()).add(to))
    this.#of.clear()
  }

  edgeBack(from: number, to: number): void {
    this.#unreached.get(from)?.delete(to)
    this.#of.clear()
  }

  /** Some of them may have left. They are looked for once for a way, not for each unit. */
  of(column: number): readonly number[] {
    if (this.#route !== this.#chain.newestRoute) this.#of.clear()
    this.#route = this.#chain.newestRoute
    const known = this.#of.get(column)
    if (known !== undefined) return known
    const nodes = this.#look(column)
    this.#of.set(column, nodes)
    return nodes
  }

  #look(column: number): readonly number[] {
    const chain = this.#chain
    const beyond = new Set(chain.skipped(column))
    if (this.#unreached.size === 0) return [...beyond]
    for (const from of chain.entriesOf(column)) {
      const ends = new Set(chain.endsOf(column, from))
      // What a head does not bring to another one is the dealer's.
      const isHead = chain.isHead(from)
      for (const to of this.#unreached.get(from) ?? [])
        if (ends.has(to) && !(isHead && chain.isHead(to))) beyond.add(to)
    }
    return [...beyond]
  }
}
