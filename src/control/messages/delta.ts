/** Words about older content of a name, from which a node fills blocks of the new one. */
import type { RangePair } from '../../base/ranges.js'

/**
 * What an index tells of a piece of the content (docs/protocol.md, section 7): of each page of 4
 * KiB, or of each content-defined chunk.
 */
export type IndexKind = 'pages' | 'chunks'

/** Of one page: the first bytes of its hash. */
export const pageEntryBytes = 8
/** Of one chunk: its length, u24 big-endian, and the first bytes of its hash. */
export const chunkEntryBytes = 11

/** Of the chunk whose entry is there. */
export function chunkLength(entries: Uint8Array, at: number): number {
  const [high = 0, middle = 0, low = 0] = entries.subarray(at, at + 3)
  return high * 65_536 + middle * 256 + low
}

export interface IndexPiece {
  readonly kind: IndexKind
  readonly offset: number
  readonly length: number
}

export interface IndexedPiece extends IndexPiece {
  readonly entries: Uint8Array
}

/** A piece that a node looks for in its older content. */
export interface SoughtPiece extends IndexedPiece {
  /** Only to learn whether it is like it: what has moved far need not be found. */
  readonly isSample: boolean
}

export type DeltaFrame =
  // --- node -> origin, after `compares` and before `accept`
  /** Tell the index of these pieces. */
  | { readonly type: 'index'; readonly kind: IndexKind; readonly ranges: readonly RangePair[] }
  /** These bytes are here, in blocks that are not verified yet: they need not be sent. */
  | { readonly type: 'fills'; readonly ranges: readonly RangePair[] }
  /** All blocks that were filled, in part or whole, are verified. */
  | { readonly type: 'whole' }
  // --- origin -> node
  | ({ readonly type: 'indexed' } & IndexedPiece)
