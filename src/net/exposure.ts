/** Whether a file that is a secret is one. */
import type { Stats } from 'node:fs'

/** Says who else can read or change the key and what to do about it; null when nobody can. */
export function exposure(path: string, { mode, uid, gid }: Stats): string | null {
  if (process.platform === 'win32') return null
  const isOthers = (mode & 0o007) !== 0
  const isChangedByGroup = (mode & 0o030) !== 0
  const isStrangersGroup = (mode & 0o040) !== 0 && !ownGroups().includes(gid)
  if (!isOthers && !isChangedByGroup && !isStrangersGroup) return null
  const text = `has mode ${(mode & 0o777).toString(8).padStart(4, '0')}: `
  const who = isOthers ? 'every user' : `group ${gid}`
  const why = isStrangersGroup && !isOthers ? ', and this process is not in that group' : ''
  const advice =
    uid === process.geteuid?.()
      ? `chmod 600 ${path}`
      : `as its owner (uid ${uid}) chgrp it to a group of this process ` +
        `(${ownGroups().join(', ')}) and chmod 440 ${path}`
  return `${text}${who} can read or change it${why}; ${advice}`
}

export function ownGroups(): number[] {
  const all = [process.getegid?.() ?? -1, ...(process.getgroups?.() ?? [])]
  return [...new Set(all)]
}
