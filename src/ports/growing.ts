/**
 * What an engine does with a stream that is sent while it is still written (`StreamSpec.growing`).
 *
 * What both engines hold to (test/engine/conformance-growing.test.ts):
 * - A record that goes beyond the size so far waits unread on its connection, with all behind it.
 *   After limits.beyondMs its feed closes with ERR_FR_PROTOCOL.
 * - Blocks are cut by sections (base/sections.ts). A run that `landed` reports lies in one section
 *   and is of whole blocks, or ends where the content does once that is known.
 * - A partial of such a stream is made with no bytes and is as long as what has landed in it. What
 *   lies behind its end, and what it lacks to its final size, `trim` takes and gives.
 * - What is held, assigned, asked for or skipped before the line that `forget` drew does nothing,
 *   and what arrives there is dropped as duplicate. It can be sent.
 */
import type { TransferHandle } from './handles.js'

export interface GrowSpec {
  readonly stream: number
  /** Bytes that may come, or at the origin are there; less than before is ignored. */
  readonly size: number
  /**
   * It is the size of the whole content, also where more might have come, and never changes again:
   * the last block may be short. A record that goes beyond ends its feed with ERR_FR_PROTOCOL.
   */
  readonly isFinal?: boolean
}

/** The beginning of one block. */
export interface CutSpec {
  readonly stream: number
  /** Where the block begins. */
  readonly offset: number
  /** At most the block. */
  readonly length: number
}

export interface ForgetSpec {
  readonly stream: number
  readonly before: number
}

export interface GrowingEngine {
  /** Throws TypeError for a stream that does not grow, or has its final size. */
  grow(transfer: TransferHandle, spec: GrowSpec): void
  /**
   * Reports the digest of this beginning of a block by `landed` once all of it has landed: its
   * BLAKE3 subtree value. Of several that wait in a stream the newest is answered.
   */
  cut(transfer: TransferHandle, spec: CutSpec): void
  /**
   * Draws a line: what was kept of bytes before it is gone (routes, digest records to pass on), and
   * a feed that enters a table later starts there. It never goes beyond the bytes that have landed
   * from the beginning on without a gap, nor back.
   */
  forget(transfer: TransferHandle, spec: ForgetSpec): void
  /**
   * Values of larger blocks from BLAKE3 subtree values of smaller ones: each of `perValue` (a
   * power of two) values that follow each other, the last of what is left.
   */
  foldBlake3(values: Uint8Array, perValue: number): Uint8Array
}
