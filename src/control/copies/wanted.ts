/** What a node lacks of what the sets want there, as far as it has room and takes it. */
import type { FileId } from './demand.js'
import { bytesOf } from './held.js'
import type { Member } from './member.js'
import type { Refusals } from './refusals.js'
import type { CopyScheduler } from './scheduler.js'
import type { Version, Versions } from './versions.js'

interface Known {
  readonly versions: Versions
  readonly scheduler: CopyScheduler
  readonly refusals: Refusals
}

/** `wanted`: with priorities. `lacksRoom`: names of files that there is no room for. */
export function wantedAt(
  member: Member,
  { versions, scheduler, refusals }: Known,
  nowMs: number,
): { readonly wanted: Map<FileId, number>; readonly lacksRoom: readonly string[] } {
  const wanted = new Map<FileId, number>()
  const lacksRoom: string[] = []
  const hasRoom = roomAt(member, versions)
  for (const { name, digest, set } of member.isDrained ? [] : member.set.wanted.values()) {
    const version = versions.find(name, digest)
    if (version === undefined) continue
    const { holders } = scheduler.fileOf(version.id)
    const isThere = member.held.get(version.id) === null || holders.hasAll(member.id)
    if (!version.isGrowing && isThere) continue
    if (refusals.causeOf(version.id, member, nowMs) !== null) continue
    if (hasRoom(version)) wanted.set(version.id, set.priority)
    else lacksRoom.push(name)
  }
  member.isShort = lacksRoom.length > 0
  return { wanted, lacksRoom }
}

/** Whether there is room for one more; what is wanted already has its own. */
function roomAt(member: Member, versions: Versions): (version: Version) => boolean {
  const lacks = ({ id, size }: Version) => size - bytesOf(member.held.get(id), size)
  let needed = 0
  for (const id of member.wants) needed += lacks(versions.of(id))
  return (version) => {
    if (member.wants.has(version.id)) return true
    if (needed + lacks(version) > member.freeBytes) return false
    needed += lacks(version)
    return true
  }
}
