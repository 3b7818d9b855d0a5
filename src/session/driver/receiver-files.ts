/** What a transfer at a node has done to its files. */
import type { RangePair } from '../../base/ranges.js'
import type { SoughtPiece } from '../../control/messages/delta.js'
import type { HashRun } from '../../control/messages/facts.js'

/** Each is answered by a fact, given to `post`. */
export interface ReceiverFiles {
  /** -> claimed, then prepared, or fileFailed. */
  prepare(): void
  /** Blocks of another file here, to be copied before they are hashed. */
  bring(ranges: readonly RangePair[]): void
  /** -> filled or fileFailed. */
  fill(piece: SoughtPiece): void
  /** -> hashed or fileFailed. */
  hash(run: HashRun): void
  /** -> copied or fileFailed. */
  copyIn(offset: number, length: number): void
  /** The file digest of all block digests. */
  sum(digests: Uint8Array): string
  /** -> published or fileFailed. */
  publish(): void
}
