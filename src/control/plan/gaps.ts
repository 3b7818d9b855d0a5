/** What is missing where a way leads no further. */
import type { Way } from './ways.js'

/** Somebody is fed no more by a node that has left, or does not reach it. */
export interface Gap {
  readonly to: number
  /** What `to` finds elsewhere it passes on with this route. */
  readonly route: number
  readonly column: number
  /** Where it begins, or did. */
  readonly head: number
}

export function gapOf(to: number, { route, column, head }: Omit<Gap, 'to'>): Gap {
  return { to, route, column, head }
}

/** Who misses what this node fed it, on the newest way of each column. */
export function gapsBelow(
  node: number,
  ways: readonly Way[],
  has: (node: number) => boolean,
  beside: (to: number, way: Way) => readonly Gap[],
): Gap[] {
  const gaps = new Map<string, Gap>()
  // What is found goes along one way, the newest: whom it fed on an older one is told as well.
  for (const way of [...ways].reverse()) {
    const key = (to: number): string => `${way.column} ${to}`
    for (const to of way.next.get(node) ?? []) {
      const isTold = gaps.has(key(to))
      for (const one of isTold ? (way.next.get(to) ?? []) : [to])
        if (has(one) && !gaps.has(key(one))) gaps.set(key(one), gapOf(one, way))
      for (const gap of isTold ? [] : beside(to, way))
        if (!gaps.has(key(gap.to))) gaps.set(key(gap.to), gap)
    }
  }
  return [...gaps.values()]
}
