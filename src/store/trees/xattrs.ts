/**
 * Which entries have the extended attributes and ACLs that are listed for them, so that a push
 * which changes nothing sets nothing.
 *
 * The idea: they are read as the sender of a tree reads its own, by path, and believed only of what
 * has the inode that the storage has found at that name. What cannot be read is set again.
 */
import { join } from 'node:path'
import type { TreeFiles } from '../../ports/tree-files.js'
import type { EntryLook } from '../../ports.js'
import type { TreeAttributes, TreeEntry } from '../../protocol/listing.js'
import { isEqual } from './entry-lists.js'

export interface XattrSpec {
  /** Path of the data directory. */
  readonly dataDir: string
  /** What reads entries at the node; undefined: nothing is compared. */
  readonly treeFiles?: (() => Promise<TreeFiles>) | undefined
}

export interface Listed {
  readonly entry: TreeEntry
  /** Beneath the data directory. */
  readonly full: Uint8Array
  readonly look: EntryLook | null
}

type Xattrs = NonNullable<TreeAttributes['xattrs']>

const wants = { xattrs: true, acls: true }
const readsAtOnce = 16
/** Of the inode in a TreeIdentity. */
const inodeAt = 8

/** Those that have all that is listed, and of which some is. Never rejects. */
export async function withXattrs<T extends Listed>(
  { dataDir, treeFiles }: XattrSpec,
  listed: readonly T[],
): Promise<Set<TreeEntry>> {
  const found = new Set<TreeEntry>()
  const asked = listed.filter(({ entry, look }) => {
    const { xattrs } = entry.attributes
    return look !== null && xattrs !== undefined && xattrs.length > 0
  })
  if (asked.length === 0 || treeFiles === undefined) return found
  const files = await treeFiles().catch(() => undefined)
  if (files?.hasXattrs !== true) return found
  const above = Buffer.from(join(dataDir, '/'))
  for (let at = 0; at < asked.length; at += readsAtOnce)
    await Promise.all(
      asked.slice(at, at + readsAtOnce).map(async ({ entry, full, look }) => {
        const path = Buffer.concat([above, full])
        const looked = await files.look(path, wants).catch(() => undefined)
        const inode = looked && String(looked.identity.readBigUInt64LE(inodeAt))
        const { xattrs = [] } = entry.attributes
        if (inode === look?.identity.inode && hasAll(looked?.xattrs ?? [], xattrs)) found.add(entry)
      }),
    )
  return found
}

function hasAll(there: Xattrs, listed: Xattrs): boolean {
  return listed.every(({ name, value }) =>
    there.some((one) => one.name === name && isEqual(one.value, value)),
  )
}
