/**
 * A tree on the disk of whoever sends it: what is in a directory, and the bytes of many small
 * files. One half of the ports (../ports.ts).
 *
 * Paths and names are bytes. No symlink is followed in the last component of a path, and what is
 * opened is what was looked at, or the answer is ERR_FR_SOURCE_CHANGED.
 */
import type { DigestAlgorithm } from '../base/digests.js'
import type { FrErrorCode } from '../base/errors.js'
import type { FileTime } from './storage.js'

export type LookedKind = 'directory' | 'file' | 'symlink' | 'other'

/** One entry as lstat tells it. */
export interface Looked {
  readonly name: Buffer
  readonly kind: LookedKind
  /** With the bits of its kind. */
  readonly mode: number
  readonly links: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Bytes that are no hole, as far as the file system tells. */
  readonly dataBytes: number
  readonly mtime: FileTime
  readonly ctime: FileTime
  readonly identity: TreeIdentity
  /** Of a symlink. */
  readonly target?: Buffer | undefined
  /** Where they were asked for. */
  readonly xattrs?: readonly { readonly name: string; readonly value: Uint8Array }[] | undefined
  /** It could not be looked at: the number of the system's error. All else is 0 then. */
  readonly errno?: number | undefined
}

/**
 * 48 bytes: u64 device | u64 inode | u64 size | i64 seconds of mtime, of ctime | u32 nanoseconds of
 * both. Whatever changes the content of a file changes it.
 */
export type TreeIdentity = Buffer

export interface TreeWants {
  /** `user.*` and `security.capability`. */
  readonly xattrs: boolean
  /** `system.posix_acl_access` and `system.posix_acl_default`. */
  readonly acls: boolean
}

/** A file to read, at most limits.bundledFileBytes. */
export interface FileToRead {
  readonly path: Buffer
  readonly identity: TreeIdentity
  /** Where its bytes go, ascending. */
  readonly at: number
}

/** The raw file digest, or why there is none. */
export type FileRead = Uint8Array | { readonly code: FrErrorCode; readonly text: string }

export interface TreeFiles {
  /** False: `TreeWants` bring nothing. */
  readonly hasXattrs: boolean
  /**
   * What is in a directory, sorted by name, in lists of at most some thousand. Reading begins with
   * the call, not with the first list. Rejects with ERR_FR_SOURCE.
   */
  list(directory: Buffer, identity: TreeIdentity, wants: TreeWants): AsyncIterable<Looked[]>
  /** One path. */
  look(path: Buffer, wants: TreeWants): Promise<Looked>
  /**
   * Reads files, hashes each and writes its bytes to a descriptor, if there is one, which stays
   * open meanwhile. Rejects where that cannot be written. A file that is not as it was looked at is
   * ERR_FR_SOURCE_CHANGED, one that cannot be read ERR_FR_SOURCE.
   */
  read(files: readonly FileToRead[], algorithm: DigestAlgorithm, into?: number): Promise<FileRead[]>
}
