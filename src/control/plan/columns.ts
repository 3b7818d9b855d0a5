/** The columns of groups of different sizes, and where each enters a group. */
import { limits } from '../../base/limits.js'

/** A column as a part of the file, as if each node of a group had an equal part of that: 0 to 1. */
export interface ColumnSpan {
  readonly from: number
  readonly to: number
}

/** The place at which a column enters a group of this many nodes. */
export function placeIn({ from, to }: ColumnSpan, size: number): number {
  return Math.min(size - 1, Math.floor(((from + to) / 2) * size))
}

/**
 * The columns with which groups of these sizes can all share a file evenly: one begins wherever
 * the part of a node begins in any of them. With equal sizes that is one for each node. Where they
 * are too many, those that begin close to others are left out.
 */
export function columnsFor(sizes: readonly number[]): ColumnSpan[] {
  const starts = new Set<number>()
  // The largest first: their parts are the ones that must not be split unevenly.
  for (const size of [...new Set(sizes)].sort((a, b) => b - a)) {
    for (let i = 0; i < size && starts.size < limits.columnsPerPush; i++) {
      const at = i / size
      const isNear = [...starts].some((other) => Math.abs(other - at) < spanMin)
      if (!isNear) starts.add(at)
    }
  }
  const sorted = [...starts].sort((a, b) => a - b)
  return sorted.map((from, i) => ({ from, to: sorted[i + 1] ?? 1 }))
}

/** A part of the file that is worth no column of its own: 1/240 is, for groups of 16 and 15. */
const spanMin = 0.002
