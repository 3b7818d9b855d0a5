import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { cheapestTree, type PriceOf } from '../../../../src/control/copies/cheapest-tree.js'
import fc from '../../../support/property.js'

/** The least sum over all ways to give each place one that it copies from. */
function bruteForce(count: number, priceOf: PriceOf): number {
  let least = Number.POSITIVE_INFINITY
  const parents = new Array<number>(count).fill(0)
  const visit = (place: number, sum: number): void => {
    if (sum >= least) return
    if (place === count) {
      if (isTree(parents)) least = sum
      return
    }
    for (let from = 0; from < count; from++) {
      if (from === place) continue
      parents[place] = from
      visit(place + 1, sum + priceOf(from, place))
    }
  }
  visit(1, 0)
  return least
}

function isTree(parents: readonly number[]): boolean {
  return parents.every((_, place) => {
    let at = place
    for (let steps = 0; steps < parents.length; steps++) {
      if (at === 0) return true
      at = parents[at] as number
    }
    return at === 0
  })
}

const sumOf = (parents: readonly number[], priceOf: PriceOf) =>
  parents.slice(1).reduce((sum, from, i) => sum + priceOf(from, i + 1), 0)

describe('cheapestTree', () => {
  it('costs what the cheapest of all trees does', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }).chain((count) =>
          fc.tuple(
            fc.constant(count),
            fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(Infinity)), {
              minLength: count * count,
              maxLength: count * count,
            }),
          ),
        ),
        ([count, prices]) => {
          const priceOf: PriceOf = (from, to) => prices[from * count + to] as number
          const least = bruteForce(count, priceOf)
          const tree = cheapestTree(count, priceOf, () => [])
          expect(tree === null).toBe(least === Number.POSITIVE_INFINITY)
          if (tree === null) return
          expect(tree[0]).toBe(-1)
          expect(isTree([0, ...tree.slice(1)])).toBe(true)
          expect(sumOf(tree, priceOf)).toBe(least)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('joins many places in the order in which they are cheapest', () => {
    const count = limits.exactTreeSites + 10
    const price: PriceOf = (from, to) => Math.abs(from - to)
    const beside = (place: number) => [place - 1, place + 1].filter((one) => one % count > 0)
    const inOrder = Array.from({ length: count - 1 }, (_, i) => i)
    const to5 = (from: number, to: number) => (to === 5 ? Infinity : price(from, to))
    for (const near of [beside, () => []]) {
      const tree = cheapestTree(count, price, near) as number[]
      expect(isTree([0, ...tree.slice(1)])).toBe(true)
      if (near === beside) expect(tree.slice(1)).toEqual(inOrder)
      expect(cheapestTree(count, to5, near)).toBeNull()
    }
  })
})
