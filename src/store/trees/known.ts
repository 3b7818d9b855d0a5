/** What is known of an entry at the node: its row, and whether that still holds. */
import type { DigestAlgorithm } from '../../base/digests.js'
import type { EntryLook, FileIdentity } from '../../ports.js'
import type { TreeEntry } from '../../protocol/listing.js'
import { mayBecome } from '../catalogue/record.js'
import { isSameFile } from '../catalogue/same-file.js'
import { isEqual } from './entry-lists.js'
import { type CopySpec, digestText } from './local-copies.js'
import type { TreeRow } from './segment.js'

export interface Known {
  /** Name of the file in the catalogue. */
  readonly full: Uint8Array
  readonly row: TreeRow | undefined
  /** Whether a file is as it was when it was recorded. */
  readonly isSame: (recorded: FileIdentity, now: FileIdentity) => boolean
}

/** Whether a file has the listed content, by its row or else by the catalogue. Reads nothing. */
export function hasContent(
  { holdings, algorithm, only }: Pick<CopySpec, 'holdings' | 'algorithm' | 'only'>,
  { size, digest }: TreeEntry & { readonly kind: 'file' },
  { identity }: EntryLook,
  { full, row, isSame }: Known,
): boolean {
  if (digest === null || identity.size !== size) return false
  if (size === 0) return true
  if (row?.kind === 'file' && isSame(row.identity, identity)) return isEqual(row.value, digest)
  const known = holdings.catalogue?.get(full)
  if (known === undefined || !isSame(known.identity, identity)) return false
  if (!mayBecome(known, only)) return false
  return known.fileDigest === digestText(algorithm, size, Buffer.from(digest).toString('hex'))
}

/** Null: it has none. Further names of a file have theirs from the file. */
export function rowOf(
  entry: TreeEntry,
  { identity }: EntryLook,
  algorithm: DigestAlgorithm,
): TreeRow | null {
  const { kind, name } = entry
  if (kind === 'directory')
    return { kind, name, identity, value: new Uint8Array(), algorithm: null }
  if (kind === 'symlink') return { kind, name, identity, value: entry.target, algorithm: null }
  if (kind !== 'file' || entry.digest === null) return null
  return { kind, name, identity, value: entry.digest, algorithm }
}

/** Whether the row tells of what is there. The identity of a directory changes with its entries. */
export function isRecorded(
  { kind }: TreeEntry,
  { identity }: EntryLook,
  row: TreeRow | undefined,
): boolean {
  if (row === undefined) return false
  return kind === 'directory' || isSameFile(row.identity, identity)
}
