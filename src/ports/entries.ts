/**
 * Many entries of a data directory at once: directories, files, links. A part of the storage that a
 * tree needs, because a call for each of its files would cost more than their bytes.
 */
import type { FrErrorCode } from '../base/errors.js'
import type { FileHandle, FileIdentity, FileTime } from './file.js'

/** What is at a name. */
export interface EntryLook {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other'
  /** The root of a mount. */
  readonly isMount: boolean
  readonly mode: number
  readonly links: number
  readonly uid: number
  readonly gid: number
  readonly identity: FileIdentity
}

/**
 * A look as bytes: u8 kind (0 nothing, 1 file, 2 directory, 3 symlink, 4 other) | u8 1 where it is
 * the root of a mount | u16 mode | u32 links | u64 size, inode | i64 seconds of mtime, of ctime
 * | u32 nanoseconds of both | u32 owner, group. What tells of a change of content is in one run.
 */
export const packedLook = { bytes: 56, mode: 2, identity: 8, identityBytes: 40, file: 1 } as const
export const lookKinds = [undefined, 'file', 'directory', 'symlink', 'other'] as const

/**
 * A new file as bytes, for many at once: u8 2 | u8 flags | u16 mode | u32 nanoseconds and i64
 * seconds of its time | u64 where its bytes begin in a file, and how many they are | 8 bytes 0
 * | u32 handle of that file | u32 0 | u16 bytes of its name | 6 bytes 0 | its name.
 */
export const packedFile = {
  ...{ bytes: 56, kind: 2, flags: 1, mode: 2, nanos: 4, seconds: 8 },
  ...{ offset: 16, size: 24, file: 40, nameBytes: 48 },
  /** Flags: always, and where what is zero becomes holes. */
  ...{ hasAttributes: 1, isSparse: 4 },
} as const

export interface ListedEntry {
  /** The last component. */
  readonly name: Uint8Array
  readonly look: EntryLook
}

export interface ExtendedAttribute {
  readonly name: string
  readonly value: Uint8Array
}

export interface EntryAttributes {
  /** Setuid, setgid and sticky bits are not set. */
  readonly mode: number
  readonly mtime: FileTime
  readonly owner?: { readonly uid: number; readonly gid: number }
  readonly xattrs?: readonly ExtendedAttribute[]
}

/** One entry to be put in its place; `name` is relative to the data directory, or in a version. */
export type EntryStep = { readonly name: Uint8Array } & (
  | {
      /** Is there, and open to its owner. What is no directory is replaced by it. */
      readonly kind: 'directory'
      readonly mode: number
    }
  | {
      /** A new file of `size` bytes from `offset` of an open file. */
      readonly kind: 'file'
      readonly file: FileHandle
      readonly offset: number
      readonly size: number
      /** What is zero becomes holes, as far as the file system has them. */
      readonly isSparse: boolean
      readonly attributes: EntryAttributes
      readonly replacesDirectories: boolean
    }
  | {
      /** So many new files of one open file; `name` is of none of them. */
      readonly kind: 'files'
      readonly file: FileHandle
      readonly count: number
      /** As `packedFile` has each, all of this file. */
      readonly rows: Uint8Array
    }
  | {
      /** A partial of this id and size, which is open nowhere. */
      readonly kind: 'partial'
      readonly id: string
      readonly size: number
      readonly attributes: EntryAttributes
      readonly replacesDirectories: boolean
    }
  | {
      readonly kind: 'symlink'
      readonly target: Uint8Array
      readonly attributes: EntryAttributes
      readonly replacesDirectories: boolean
    }
  | {
      /** A further name of the file or symlink `to`; ERR_FR_NOT_HELD when neither is there. */
      readonly kind: 'hardlink'
      readonly to: Uint8Array
      readonly replacesDirectories: boolean
    }
  /** Of what is there; ERR_FR_NOT_HELD when nothing is. */
  | { readonly kind: 'attributes'; readonly attributes: EntryAttributes }
  /**
   * A directory only when it is empty (else ERR_FR_IS_DIRECTORY), or, with `isWhole`, with all that
   * is in it (ERR_FR_NAME where a mount is in it: nothing goes then); nothing there is no error.
   */
  | { readonly kind: 'remove'; readonly isWhole?: boolean }
)

export type LostEntryAttribute = 'mode' | 'mtime' | 'owner' | 'xattrs'

export interface EntryOutcome {
  /** Null: it is in its place. */
  readonly failure: { readonly code: FrErrorCode; readonly text: string } | null
  /** What the file system did not keep. */
  readonly lost: readonly LostEntryAttribute[]
  /** What is there now; null when nothing is, or after a failure. */
  readonly look: EntryLook | null
  /** Of `files`, of which the above says nothing. */
  readonly files?: FilesOutcome
}

export interface FilesOutcome {
  /** Of each what is there now, as `packedLook` has it; of nothing after a failure. */
  readonly looks: Uint8Array
  /** Those that failed or lost something, by their numbers. */
  readonly others: ReadonlyMap<number, EntryOutcome>
}
