/** What is said of contents that are pushed while they are still written. */
export interface FollowOptions {
  /**
   * The source is still written: what is appended to the file, or comes on the stream, is sent as
   * it comes, signed and verified block by block. The nodes have the file under its name once it is
   * final: `finish` was called, nothing has come for `finalAfterMs`, or the stream has ended. Else
   * it is not sealed, and another push of the same file goes on. A file that is truncated, replaced
   * or written over ends the push with ERR_FR_SOURCE_CHANGED. Digests are BLAKE3.
   */
  follow?: boolean
  /** Milliseconds without anything new after which the content is final; default: never. */
  finalAfterMs?: number
}
