/** The entries of a listing, as they are counted. Indices are those of the listing. */
import type { Listing } from '../../protocol/listing.js'

export interface Listed {
  readonly name: (index: number) => Uint8Array
  /** Of the files among these entries, large ones too. */
  readonly bytes: (from: number, length: number) => number
  readonly isAlone: (index: number) => boolean
  readonly isFile: (index: number) => boolean
  readonly entries: number
  /** How many of them were listed before. */
  readonly again: number
  /** Of the files that go in a bundle. */
  readonly packedBytes: number
}

/** `again`: of how many entries it is known that they were listed before. */
export function listedOf({ entries, isClosing }: Listing, again: number): Listed {
  const sums = new Float64Array(entries.length + 1)
  let packedBytes = 0
  for (const [i, entry] of entries.entries()) {
    const isHere = entry.kind === 'file' && !(isClosing && entry.isAlone)
    const bytes = isHere ? entry.size : 0
    if (entry.kind === 'file' && !entry.isAlone) packedBytes += bytes
    sums[i + 1] = (sums[i] as number) + bytes
  }
  const sumTo = (index: number): number => sums[Math.min(index, entries.length)] as number
  return {
    name: (index) => entries[index]?.name ?? new Uint8Array(),
    bytes: (from, length) => sumTo(from + length) - sumTo(from),
    isAlone: (index) => {
      const entry = entries[index]
      return entry?.kind === 'file' && entry.isAlone
    },
    isFile: (index) => entries[index]?.kind === 'file',
    entries: entries.length,
    again,
    packedBytes,
  }
}
