/**
 * The links between sites of a simulated push, each direction by itself: all that crosses shares
 * them, and what is between two sites without such a link is limited by the machines alone.
 */
import type { GroupWish } from '../control/plan/layout.js'
import type { NodeLink } from '../control/plan/plan.js'

export class SiteLinks {
  /** Of each direction of each link. */
  readonly bytesPerSecond: readonly number[]
  /** By row. */
  readonly #sites: readonly (string | undefined)[]
  readonly #links = new Map<string, number>()

  constructor({ site, siteLinks = [] }: GroupWish, nodes: readonly NodeLink[]) {
    this.#sites = [site, ...nodes.map((node) => node.site)]
    this.bytesPerSecond = siteLinks.flatMap(({ bytesPerSecond: rate }) => [rate, rate])
    for (const [i, { sites }] of siteLinks.entries()) {
      const [one, other] = sites
      this.#links.set(keyOf(one, other), 2 * i)
      this.#links.set(keyOf(other, one), 2 * i + 1)
    }
  }

  get isEmpty(): boolean {
    return this.#links.size === 0
  }

  /**
   * Index of the link that carries what a host sends to another; undefined: none does. Hosts by
   * row, the origin's is 0.
   */
  between(from: number, to: number): number | undefined {
    const [a, b] = [this.#sites[from], this.#sites[to]]
    if (a === undefined || b === undefined || a === b) return undefined
    return this.#links.get(keyOf(a, b))
  }
}

function keyOf(from: string, to: string): string {
  return JSON.stringify([from, to])
}
