/** What is said of contents that are pushed while they are still written. */
export interface FollowOptions {
  /**
   * The source is still written: what is appended to the file, or comes on the stream, is sent as
   * it comes, signed and verified block by block. The nodes have the file under its name once it is
   * final: `finish` was called, nothing has come for `finalAfterMs`, or the stream has ended. Else
   * it is not sealed, and another push of the same file goes on. A file that is truncated, replaced
   * or written over ends the push with ERR_FR_SOURCE_CHANGED. Digests are BLAKE3. 'auto': so with a
   * stream that has not ended after 100 ms or 1 MiB, where digests are BLAKE3 and no other option
   * excludes it; else, as by default, a stream is read to its end first.
   */
  follow?: boolean | 'auto'
  /** Milliseconds without anything new after which the content is final; default: never. */
  finalAfterMs?: number
}
