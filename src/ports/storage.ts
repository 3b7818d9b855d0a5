/**
 * The files of an engine: sources, the data directory, what lands in it and what is published. One
 * half of the ports (../ports.ts says what holds for both).
 */
import type { EntryLook, EntryOutcome, EntryStep, ListedEntry } from './entries.js'
import type { FileHandle, FileIdentity, FileTime } from './file.js'

export type * from './file.js'

export type DataDirHandle = number

export interface ByteRange {
  readonly offset: number
  readonly length: number
}

export interface SourceFile {
  readonly file: FileHandle
  readonly size: number
  readonly mode: number
  readonly mtime: FileTime
  /** Bytes that are no hole, as far as the file system tells; `size` where it does not. */
  readonly dataBytes: number
  /** Large holes, in order: a hint for plans, because the file may be written. */
  readonly holes: readonly ByteRange[]
}

/** What a second look at a source tells; none of it is a change of content by itself. */
export interface SourceLook {
  /** Its times, links or mode are not those of the opening. */
  readonly isTouched: boolean
  /** It had a name at the opening and has none now. */
  readonly isRemoved: boolean
  /**
   * Whether anybody else had it open, or mapped, for writing, at the opening or now. What is
   * written through a mapping may move no time stamp. `unknown`: the system does not tell.
   */
  readonly writers: 'none' | 'some' | 'unknown'
}

export interface PublishSpec {
  readonly file: FileHandle
  /** The id the partial was created under. */
  readonly id: string
  readonly name: Uint8Array
  readonly mode: number
  readonly mtime: FileTime
  readonly noClobber: boolean
}

/** What a file system does not keep of a published file. */
export type LostAttribute = 'mode' | 'mtime'

/** A partial once its bytes are durable. */
export interface FlushedFile {
  readonly size: number
  /** Bytes on the disk: fewer than `size` where there are holes, or the disk compresses. */
  readonly allocatedBytes: number
  /** Its size or mtime moved while it was flushed. */
  readonly wasTouched: boolean
  /** Of a joined file: a part has failed, and its units have no bytes now. The rest is durable. */
  readonly wasLost: boolean
}

/** The parts of a file (native/core/file/joined.h says how they have its bytes). */
export interface JoinSpec {
  /** Of the head. */
  readonly dir: DataDirHandle
  /** The head: as long as all of it, its header written. */
  readonly file: FileHandle
  /** Bytes of a unit, which is in one part; a power of two. */
  readonly unitBytes: number
  /** Bytes that stay free on each device. */
  readonly reserveBytes: number
  /** Parts that are missing are made, and units get parts as they are written. */
  readonly isWritten: boolean
  /** Of each unit the number of its part; 0: none yet. Beyond its end: none. */
  readonly map: Uint8Array
  /** `number`: 1 to 32. `dir`: of the device that has it. */
  readonly parts: readonly JoinedPart[]
}

export interface JoinedPart {
  readonly number: number
  readonly dir: DataDirHandle
  readonly path: string
}

/** A partial that nobody in this process holds open. */
export interface Leftover {
  readonly id: string
  readonly allocatedBytes: number
}

/**
 * Files. Names are bytes, relative, and confined to the data directory by the kernel
 * (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS). Rejections are FrError.
 *
 * A tree that changes all at once is a symlink to a version of it, by a relative path that is
 * exactly the one to `.fastreplica/versions/KEY/N` of the same data directory. What is beneath its
 * name is found through it, and through no other symlink. `lookAt`, `listEntries`,
 * `placeEntries` and `openHeld` also take names of versions, and in them, which are nobody else's.
 */
export interface Storage {
  /**
   * A directory is ERR_FR_IS_DIRECTORY; whatever else cannot be opened for reading, is not a
   * regular file, or holds more or less than the size it tells is ERR_FR_SOURCE. Symlinks are
   * followed.
   */
  openSource(path: string): Promise<SourceFile>
  /** Rejects with ERR_FR_SOURCE_CHANGED when the size is not that of the opening. */
  checkSource(file: FileHandle): Promise<SourceLook>
  /** Opens (making DATA itself if only that is missing), locks (flock) and prepares
   *  DATA/.fastreplica; ERR_FR_DATA_DIR, ERR_FR_DATA_DIR_LOCKED. `isReadOnly`: nothing is made,
   *  locked or written; what writes there must not be called. */
  openDataDir(path: string, isReadOnly?: boolean): Promise<DataDirHandle>
  /**
   * Looks the path up again. True: another directory is there now, or what is in .fastreplica was
   * removed; the handle stands for what is there from now on, and partials that were open can be
   * published no more. A directory that was moved elsewhere, or whose disk was unmounted, is
   * ERR_FR_DATA_DIR_GONE, one that is not writable ERR_FR_DATA_DIR, one that another node serves
   * ERR_FR_DATA_DIR_LOCKED; nothing has changed then, and it may be asked again.
   */
  refreshDataDir(dir: DataDirHandle): Promise<boolean>
  /**
   * Refuses what could not be published later: ERR_FR_NAME (empty, absolute, `.`, `..`, empty
   * component, NUL, over-long, under .fastreplica, a symlink anywhere, a file where a directory
   * must be, a directory that is not writable, a file that may not be replaced), ERR_FR_EXISTS,
   * ERR_FR_IS_DIRECTORY. Directories that are missing are no refusal where they can be made:
   * `publish` makes them.
   */
  checkName(dir: DataDirHandle, name: Uint8Array, noClobber: boolean): Promise<void>
  /**
   * A hidden file of the given size (sparse, 0600) under DATA/.fastreplica/partials. The id is 1 to
   * 128 of [A-Za-z0-9._-], not starting with a dot (else TypeError); one that exists is
   * ERR_FR_EXISTS.
   */
  createPartial(dir: DataDirHandle, id: string, size: number): Promise<FileHandle>
  /**
   * Opens a partial that was left behind, for reading and writing, as it is: it keeps its size, and
   * it is in use like one that was created. ERR_FR_NOT_HELD when there is no regular file of this
   * id, or it has more names than `names` (1). TypeError when it is open in this process.
   */
  openPartial(dir: DataDirHandle, id: string, names?: number): Promise<FileHandle>
  /**
   * Opens a published file for reading. ERR_FR_NOT_HELD when no regular file has this name (a
   * symlink is none), ERR_FR_NAME as of `checkName` for what is wrong with it or in its way.
   */
  openHeld(dir: DataDirHandle, name: Uint8Array): Promise<FileHandle>
  /**
   * Removes a published file, and then the directories above it that are empty, but never DATA
   * itself; durable once it resolves. Errors as of `openHeld`; nothing but a regular file is
   * removed. Files that are open stay readable.
   */
  remove(dir: DataDirHandle, name: Uint8Array): Promise<void>
  /**
   * What is at each of these names, no link followed; null where nothing is, and where a name, or
   * what is on the way to it, is refused: that shows when the name is used.
   */
  lookAt(dir: DataDirHandle, names: readonly Uint8Array[]): Promise<(EntryLook | null)[]>
  /** The same, for many: `names` are behind u16 lengths; of each a look as `packedLook` has it. */
  lookAtPacked(dir: DataDirHandle, names: Uint8Array): Promise<Uint8Array>
  /**
   * What is in a directory, or in the version behind the symlink of a tree, in no order; the
   * reserved directory is in it like any other. ERR_FR_NOT_HELD when no directory has this name,
   * ERR_FR_NAME when it is a mount, ERR_FR_LIMIT when it holds more than 1,048,576 entries.
   */
  listEntries(dir: DataDirHandle, name: Uint8Array): Promise<ListedEntry[]>
  /**
   * Puts up to 65,536 entries in their places, in order, and tells what became of each. What is new
   * is made out of sight and durable before it gets its name in one rename, so that nothing is ever
   * seen half; the directories are synced at the end. A step that fails keeps no other from its
   * place. Missing directories on the way are made. Rejects when the call itself fails: nothing is
   * in its place then, or not all of it is durable. ERR_FR_DATA_DIR_GONE as of `publish`.
   */
  placeEntries(dir: DataDirHandle, steps: readonly EntryStep[]): Promise<EntryOutcome[]>
  /** Of any file, as it is now. */
  identityOf(file: FileHandle): Promise<FileIdentity>
  /** At most limits.readBytes; fewer at the end of the file. */
  read(file: FileHandle, range: ByteRange): Promise<Uint8Array>
  /** Copies bytes of a file into a partial, to the same place there unless `at` says another. */
  copyIn(from: FileHandle, to: FileHandle, range: ByteRange, at?: number): Promise<void>
  /** Tries out on a partial what `publish` will do with it, and answers as `publish` will. */
  probe(dir: DataDirHandle, spec: PublishSpec): Promise<readonly LostAttribute[]>
  /** Makes the bytes of a partial durable; what is seen then tells whether others were at it. */
  flush(file: FileHandle): Promise<FlushedFile>
  /**
   * Mode (setuid, setgid and sticky bits stripped), mtime, fsync, rename, fsync of directories.
   * Resolves to what the file system did not keep. ERR_FR_DATA_DIR_GONE when the directory is not
   * at its path; ERR_FR_IO when the partial has another size than it was made with.
   */
  publish(dir: DataDirHandle, spec: PublishSpec): Promise<readonly LostAttribute[]>
  /**
   * Before anything else is done with an open file: from now on its bytes are in the parts. `flush`
   * and `publish` write the map into the head, behind its header of 64 bytes; `trim` writes what
   * has lost its place. A part that fails loses its units, which is an ERR_FR_IO of whoever writes
   * there; byte 48 of the header is 1 then. One that is full, or read-only, loses the unit that was
   * written. `identityOf` writes the map as well.
   */
  joinFile(spec: JoinSpec): Promise<void>
  /** Gives back what of a partial was allocated ahead and never written. */
  trim(file: FileHandle): Promise<void>
  /** Removes a partial; a missing one is no error. */
  discard(dir: DataDirHandle, id: string): Promise<void>
  /**
   * Removes partials untouched (ctime) for this long, except those in use; resolves to their
   * number. Those that stay are trimmed.
   */
  expirePartials(dir: DataDirHandle, olderThanSeconds: number): Promise<number>
  /** Partials that are not in use, at most 65,536. */
  listPartials(dir: DataDirHandle): Promise<readonly Leftover[]>
  /** Bytes an ordinary user may still write. */
  freeBytes(dir: DataDirHandle): Promise<number>
  closeFile(file: FileHandle): void
  /** Unlocks, after what has been asked of the directory before. */
  closeDataDir(dir: DataDirHandle): void
}
