/** Attributes of entries, as they are listed and as they are at the node. */
import type { EntryAttributes, EntryLook } from '../../ports.js'
import type { TreeAttributes } from '../../protocol/listing.js'
import type { Owners } from './owners.js'
import { timeGrainNanos } from './unchanged.js'

/** What is set here; owners only where they are known. */
export function attributesHere(
  { mode, mtimeSeconds: seconds, mtimeNanos: nanos, owner, xattrs }: TreeAttributes,
  owners: Owners | undefined,
): EntryAttributes {
  return {
    mode,
    mtime: { seconds, nanos },
    ...(owner !== undefined && owners !== undefined && { owner: owners.of(owner) }),
    ...(xattrs !== undefined && xattrs.length > 0 && { xattrs }),
  }
}

export function hasTime({ identity: { mtime } }: EntryLook, listed: TreeAttributes): boolean {
  const grain = Math.abs(mtime.nanos - listed.mtimeNanos)
  return mtime.seconds === listed.mtimeSeconds && grain < timeGrainNanos
}

/** `hasXattrs`: it has the extended attributes that are listed (xattrs.ts). */
export function hasAttributes(
  look: EntryLook,
  listed: TreeAttributes,
  owners: Owners | undefined,
  hasXattrs: boolean,
): boolean {
  const { mode, uid, gid } = look
  const { owner, xattrs } = attributesHere(listed, owners)
  const isTime = hasTime(look, listed)
  const isOwner = owner === undefined || (owner.uid === uid && owner.gid === gid)
  const isRest = isOwner && (xattrs === undefined || hasXattrs)
  return isTime && isRest && (mode & 0o777) === (listed.mode & 0o777)
}
