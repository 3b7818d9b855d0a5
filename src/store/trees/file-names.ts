/**
 * Which names of a tree are names of the same file, by its record.
 *
 * The idea: hashes of what tells files apart find those that come twice, and only the names of
 * these are kept. Rows are claims: whoever uses it looks whether both are still the same file.
 */
import { limits } from '../../base/limits.js'
import { HashTable, hashOf } from './name-table.js'
import type { TreeRow } from './segment.js'

export interface FileNames {
  /** The name that comes first in walk order; undefined: this one does, or it is the only one. */
  firstOf(name: Uint8Array): Uint8Array | undefined
}

/** `rows`: in walk order, each time the same. Beyond the bound names are files of their own. */
export async function fileNamesOf(rows: () => AsyncIterable<TreeRow>): Promise<FileNames> {
  const shared = await sharedOf(rows())
  const firsts = new Map<string, Uint8Array>()
  const names = new Map<string, Uint8Array>()
  if (shared.size === 0) return { firstOf: () => undefined }
  for await (const row of rows()) {
    const file = fileOf(row)
    if (row.kind !== 'file' || !shared.has(file)) continue
    const first = firsts.get(file)
    // A row is a part of a block that is not to be kept.
    if (first === undefined) firsts.set(file, Uint8Array.from(row.name))
    else if (names.size < limits.treeHardLinks) names.set(latin1(row.name), first)
  }
  return { firstOf: (name) => names.get(latin1(name)) }
}

async function sharedOf(rows: AsyncIterable<TreeRow>): Promise<Set<string>> {
  const seen = new HashTable()
  const shared = new Set<string>()
  for await (const row of rows) {
    if (row.kind !== 'file' || shared.size === limits.treeHardLinks) continue
    const file = fileOf(row)
    if (!seen.add(hashOf(Buffer.from(file)))) shared.add(file)
  }
  return shared
}

/** The inode of a file that is gone may be that of another one: its time is not. */
function fileOf({ identity: { inode, size, mtime } }: TreeRow): string {
  return `${inode} ${size} ${mtime.seconds} ${mtime.nanos}`
}

function latin1(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}
