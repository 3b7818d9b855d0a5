/** What worker threads do for sessions: they hash blocks, and code frames. */
import type { Coding } from '../base/coding.js'
import type { BlockAlgorithm } from '../base/digests.js'
import type { ByteRange } from './storage.js'

/** A file whose bytes are in parts (native/core/file/joined.h). */
export interface Spread {
  readonly unitBytes: number
  readonly size: number
  /** Of each unit the number of its part; 0: it has none, and is zeros. */
  readonly map: Uint8Array
  /** By number of the part; -1: it is not there. */
  readonly fds: readonly number[]
}

export type HashSource =
  | { readonly kind: 'native'; readonly file: number }
  | { readonly kind: 'fd'; readonly fd: number; readonly spread?: Spread }

/** A range of a file that becomes frames, each of `frameBytes` of it. */
export interface EncodeTask {
  readonly coding: Coding
  readonly source: HashSource
  /** Of a patch. */
  readonly base?: HashSource | undefined
  /** Bytes of the numbers that a patch looks at. */
  readonly width: number
  readonly range: ByteRange
  readonly frameBytes: number
}

/** Frames that become ranges of a file. */
export interface DecodeTask {
  readonly coding: Coding
  readonly coded: HashSource
  /** Where the first frame is in the coded content, and the length of each, u32 little-endian. */
  readonly at: number
  readonly lengths: Uint8Array
  readonly to: HashSource
  readonly base?: HashSource | undefined
  /** Where the range of the first frame is in the file, and bytes of the file. */
  readonly offset: number
  readonly fileBytes: number
  readonly frameBytes: number
}

/** Digests run in worker threads; `hash` resolves to the block digests laid end to end. */
export interface HashPool {
  hash(
    source: HashSource,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Promise<Uint8Array>
  /** Entries of the content-defined chunks of a range, as native/core/hash/chunks.h has them. */
  indexChunks(source: HashSource, range: ByteRange): Promise<Uint8Array>
  /**
   * The length of each frame, u32 little-endian, then the frames. ERR_FR_UNSUPPORTED where there is
   * no addon.
   */
  encode(task: EncodeTask): Promise<Uint8Array>
  /** ERR_FR_PROTOCOL for what is no frame; ERR_FR_UNSUPPORTED where there is no addon. */
  decode(task: DecodeTask): Promise<void>
  close(): Promise<void>
}
