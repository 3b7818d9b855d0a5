/** Bounds of what a new version of a name takes from the one before. */

const KIB = 1024
const MIB = 1024 * KIB

export const deltaLimits = {
  /** Bytes of a file from which on it is compared with what has its name: less is soon sent. */
  olderBytesMin: 1 * MIB,
  /** Files with older content that are looked at: the present one, and kept versions. */
  olderFiles: 3,
  /** Bytes of a page of an index; of a content-defined chunk: least, about the mean, most. */
  indexPageBytes: 4 * KIB,
  chunkBytesMin: 4 * KIB,
  chunkBytesMean: 16 * KIB,
  chunkBytesMax: 64 * KIB,
  /** Bytes of content that one `indexed` frame is about, at most: of pages, of chunks. */
  pagesPieceBytes: 8 * MIB,
  chunksPieceBytes: 64 * MIB,
  /** Bytes of content whose index one node has asked for and not been told, at most. */
  indexAskedBytes: 256 * MIB,
  /** Pieces of an index that an origin makes at the same time, and bytes that it keeps of them. */
  indexTasks: 4,
  indexKeptBytes: 32 * MIB,
  /**
   * Bytes of a file, and of older content of it, from which on samples tell first whether they have
   * anything in common; how many samples, and bytes of each.
   */
  indexSampledBytesMin: 64 * MIB,
  indexSamples: 16,
  indexSampleBytes: 512 * KIB,
  /** Bytes by which what a sample is of may have moved to be found. */
  indexSampleReach: 4 * MIB,
  /** Milliseconds that the plan waits for nodes that compare, and for each GiB of the file. */
  compareMs: 1_000,
  compareMsPerGib: 2_000,
  /** Chunks of older content among which those of the new one are looked for. */
  indexChunks: 4_194_304,
  /** Milliseconds in which a node that compares says so again. */
  comparingMs: 1_000,
  /** The same from the last step on after which it says so no more. */
  comparingMsMax: 60_000,
  /** `fills` frames of one node, of limits.needRanges ranges each. */
  fillFrames: 8,
} as const
