/** Entries, names and rows in lists. */
import type { RangePair } from '../../base/ranges.js'
import { compareNames, type TreeEntry } from '../../protocol/listing.js'
import type { TreeRow } from './segment.js'

/** In walk order; of several rows of one name the last. */
export function sortedRows(rows: TreeRow[]): TreeRow[] {
  const sorted = rows.sort((a, b) => compareNames(a.name, b.name))
  return sorted.filter((row, at) => !isEqual(row.name, sorted[at + 1]?.name))
}

export function isLink({ kind }: TreeEntry): boolean {
  return kind === 'symlink' || kind === 'hardlink'
}

export function isEqual(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0
}

/** Of a name, in maps and sets. */
export function keyOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')
}

/** Neighbouring indices as ranges. */
export function rangesOf(indices: readonly number[]): RangePair[] {
  const ranges: [number, number][] = []
  for (const index of [...indices].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[0] + last[1] === index) last[1]++
    else ranges.push([index, 1])
  }
  return ranges
}
