/** Whether a file is as it was, by what the file system tells. */
import type { FileIdentity, FileTime } from '../../ports.js'

/** False after any change of content through the file system, and after a replacement. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return (
    one.size === other.size &&
    one.inode === other.inode &&
    isSameTime(one.mtime, other.mtime) &&
    isSameTime(one.ctime, other.ctime)
  )
}

function isSameTime(one: FileTime, other: FileTime): boolean {
  return one.seconds === other.seconds && one.nanos === other.nanos
}
