/** Whether a file is as it was, by what the file system tells. */
import type { FileIdentity, FileTime } from '../../ports.js'

/** False after any change of content through the file system, and after a replacement. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return isSameButLinked(one, other) && isSameTime(one.ctime, other.ctime)
}

/**
 * The same of a file that gets and loses other names, which moves its ctime: one whose time was set
 * back after a change is not told apart.
 */
export function isSameButLinked(one: FileIdentity, other: FileIdentity): boolean {
  return one.size === other.size && one.inode === other.inode && isSameTime(one.mtime, other.mtime)
}

function isSameTime(one: FileTime, other: FileTime): boolean {
  return one.seconds === other.seconds && one.nanos === other.nanos
}
