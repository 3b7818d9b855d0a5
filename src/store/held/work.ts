/** Hashing and signing of held files, handed in by the session. */
import type { HeldRun } from '../../control/holdings/have.js'
import type { FileHandle } from '../../ports.js'
import type { DigestRun, HeldStream } from '../catalogue/record.js'

export type HeldGeometry = Pick<HeldStream, 'size' | 'blockBytes' | 'algorithm'>

export interface HeldWork {
  /** Public key of this node, 64 hex digits. */
  readonly author: string
  /** A content id that nobody has. */
  freshId(): string
  /**
   * Digests of all blocks, in order. Ends early with the signal's reason; nothing reads the file
   * once it has ended.
   */
  hash(file: FileHandle, geometry: HeldGeometry, signal: AbortSignal): AsyncIterable<HeldRun>
  /** The file digest of all block digests. */
  sum(geometry: HeldGeometry, digests: Uint8Array): string
  /** Digests of the whole file as runs that this node has signed. */
  sign(content: HeldGeometry & Pick<HeldStream, 'contentId'>, digests: Uint8Array): DigestRun[]
}
