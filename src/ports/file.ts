/** An open file, and what the file system tells of one. */
export type FileHandle = number

/** POSIX time, split because nanoseconds since 1970 pass 2^53. */
export interface FileTime {
  readonly seconds: number
  readonly nanos: number
}

/**
 * A file as the file system tells it: whatever changes its content through the file system changes
 * one of these.
 */
export interface FileIdentity {
  readonly size: number
  readonly mtime: FileTime
  readonly ctime: FileTime
  /** Decimal, of 64 bits. */
  readonly inode: string
}
