/**
 * The cheapest way from where a file is to all who want it: each has one from whom it copies, and
 * nobody comes back to himself.
 *
 * Edmonds' algorithm (J. Res. Natl. Bur. Stand. 71B, 1967): everybody takes the cheapest way into
 * him; where that makes a circle, the circle becomes one place, into which each way costs what it
 * costs more than the one it would replace. For many places that is too slow, and each is joined
 * to the tree so far in the order in which it is cheapest (Prim): the same where ways cost as much
 * there as back. Of many places only ways to near ones are looked at, while these reach everybody.
 */
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'

/** Infinite: there is no way. */
export type PriceOf = (from: number, to: number) => number

/** Places that are one link away from a place. */
export type NearOf = (place: number) => Iterable<number>

/**
 * From whom each of `count` places copies, where place 0 is where the file is; null: some place
 * cannot be reached. Place 0 has -1. `nearOf` is asked where there are many places.
 */
export function cheapestTree(count: number, priceOf: PriceOf, nearOf: NearOf): number[] | null {
  if (count <= limits.exactTreeSites) return edmonds(count, priceOf)
  return primNear(count, priceOf, nearOf) ?? prim(count, priceOf)
}

interface Edge {
  readonly from: number
  readonly to: number
  readonly price: number
  /** The edge that it was before a circle was contracted. */
  readonly of: Edge | null
}

function edmonds(count: number, priceOf: PriceOf): number[] | null {
  const edges: Edge[] = []
  for (let to = 1; to < count; to++) {
    for (let from = 0; from < count; from++) {
      if (from === to) continue
      const price = priceOf(from, to)
      if (price < Number.POSITIVE_INFINITY) edges.push({ from, to, price, of: null })
    }
  }
  const chosen = contract(count, edges)
  if (chosen === null) return null
  const parents = new Array<number>(count).fill(-1)
  for (const { from, to } of chosen) parents[to] = from
  return parents
}

/** The edges of the cheapest tree from place 0; null: there is none. */
function contract(count: number, edges: readonly Edge[]): Edge[] | null {
  const best = new Array<Edge | undefined>(count)
  for (const edge of edges) {
    const known = best[edge.to]
    if (edge.to !== 0 && (known === undefined || edge.price < known.price)) best[edge.to] = edge
  }
  for (let place = 1; place < count; place++) if (best[place] === undefined) return null
  const { group, groups, isCircle } = circlesOf(count, best)
  if (groups === count) return best.slice(1) as Edge[]
  const outer: Edge[] = []
  for (const edge of edges) {
    const [from, to] = [group[edge.from] as number, group[edge.to] as number]
    if (from === to) continue
    const paid = isCircle[to] === true ? (best[edge.to] as Edge).price : 0
    outer.push({ from, to, price: edge.price - paid, of: edge })
  }
  const tree = contract(groups, outer)
  if (tree === null) return null
  // Each circle is broken where the tree enters it.
  const kept = new Map<number, Edge>()
  for (let place = 1; place < count; place++) kept.set(place, best[place] as Edge)
  for (const { of } of tree) if (of !== null) kept.set(of.to, of)
  return [...kept.values()]
}

interface Circles {
  /** The place that each belongs to once circles are one place; that of place 0 is 0. */
  readonly group: readonly number[]
  readonly groups: number
  readonly isCircle: readonly boolean[]
}

function circlesOf(count: number, best: readonly (Edge | undefined)[]): Circles {
  const group = new Array<number>(count).fill(-1)
  const isCircle: boolean[] = [false]
  const seenBy = new Array<number>(count).fill(-1)
  group[0] = 0
  seenBy[0] = 0
  for (let start = 1; start < count; start++) {
    let at = start
    while (seenBy[at] === -1) {
      seenBy[at] = start
      at = (best[at] as Edge).from
    }
    if (seenBy[at] !== start || group[at] !== -1) continue
    const circle = isCircle.length
    isCircle.push(true)
    for (let on = at; group[on] === -1; on = (best[on] as Edge).from) group[on] = circle
  }
  for (let place = 1; place < count; place++) {
    if (group[place] !== -1) continue
    group[place] = isCircle.length
    isCircle.push(false)
  }
  return { group, groups: isCircle.length, isCircle }
}

/** Null: near ones do not reach everybody. */
function primNear(count: number, priceOf: PriceOf, nearOf: NearOf): number[] | null {
  const parents = new Array<number>(count).fill(-1)
  const prices = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
  const isIn = new Uint8Array(count)
  const open = new LeastFirst<number>()
  const look = (from: number, to: number): void => {
    if (isIn[to] === 1) return
    const price = priceOf(from, to)
    if (price >= (prices[to] as number)) return
    prices[to] = price
    parents[to] = from
    open.set(to, price)
  }
  isIn[0] = 1
  for (let place = 1; place < count; place++) look(0, place)
  for (let joined = 1; joined < count; joined++) {
    const [next] = open.upTo(open.least)
    if (next === undefined) return null
    open.delete(next)
    isIn[next] = 1
    for (const place of nearOf(next)) look(next, place)
    // And some that are not near: where no link is known, nobody is.
    for (let step = 1; step < count; step *= 2) look(next, (next + step) % count)
  }
  return parents
}

function prim(count: number, priceOf: PriceOf): number[] | null {
  const parents = new Array<number>(count).fill(-1)
  const prices = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
  const isIn = new Uint8Array(count)
  let last = 0
  for (let joined = 1; joined < count; joined++) {
    isIn[last] = 1
    let next = -1
    for (let place = 1; place < count; place++) {
      if (isIn[place] === 1) continue
      const price = priceOf(last, place)
      if (price < (prices[place] as number)) {
        prices[place] = price
        parents[place] = last
      }
      if (next === -1 || (prices[place] as number) < (prices[next] as number)) next = place
    }
    if (next === -1 || prices[next] === Number.POSITIVE_INFINITY) return null
    last = next
  }
  return parents
}
