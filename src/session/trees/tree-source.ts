/** What a push of a tree is handed: the tree, batch by batch (store/walk). */

import type { FrErrorCode } from '../../base/errors.js'
import type { RangePair } from '../../base/ranges.js'
import type { Listing } from '../../protocol/listing.js'

/** A file that is too large for bundles. */
export interface AloneFile {
  readonly path: Uint8Array
  readonly name: Uint8Array
  /** Raw; null: it was never hashed. */
  readonly digest: Uint8Array | null
  /** It is at the nodes, with this raw digest. */
  sent(digest: Uint8Array): Promise<void>
}

/** A content that begins with a listing. */
export interface TreeBundle {
  readonly listing: Listing
  /** Opens it, until it is released. */
  readonly path: string
  /** Files of the listing that go by themselves, by their index. */
  readonly alone: ReadonlyMap<number, AloneFile>
  release(): Promise<void>
}

/** Entries that are listed together. */
export interface TreeBatch {
  /** The last one: everything else has to be over before a bundle is made of it. */
  readonly isFinal: boolean
  /** How many of its entries were listed in batches before it. */
  readonly again: number
  /** Of files that go in bundles. */
  readonly bundledBytes: number
  /** A bundle without bytes. */
  list(): Promise<TreeBundle>
  /**
   * A bundle with the bytes of all files; or, of the last such or `list`, of the entries with these
   * indices in it, which alone are listed then; where it closes, with directories if `isLast`, and
   * without links if not.
   */
  pack(wanted?: readonly RangePair[], isLast?: boolean): Promise<TreeBundle>
  release(): Promise<void>
}

export interface TreeSource extends AsyncIterable<TreeBatch>, AsyncDisposable {
  /** The same tree was sent before: nodes may have most of it. */
  readonly wasSent: boolean
  readonly counts: { readonly entries: number; readonly files: number; readonly bytes: number }
  /** What could not be read, and was left out. */
  readonly failed: { readonly count: number; readonly told: readonly SourceFailure[] }
  /** What comes once all else has ended, if the last batch was not final. It has no bytes. */
  closing(): AsyncIterable<TreeBatch>
  /** What was found out is kept for the next push. Never rejects. */
  keep(): Promise<void>
}

export interface SourceFailure {
  readonly name: Uint8Array
  readonly code: FrErrorCode
  readonly text: string
}
