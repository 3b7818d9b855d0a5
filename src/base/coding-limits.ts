/** Bounds of coded content. */
const mebibyte = 2 ** 20

export const codingLimits = {
  /** Bytes of a file that one frame of coded content stands for, and frames of one file. */
  codedFrameBytesMin: mebibyte,
  codedFrameBytesMax: 16 * mebibyte,
  codedFrames: 1_048_576,
  /** Bytes in front of the frames: their lengths, and the digests that the author has signed. */
  codedHeaderBytes: 16 * mebibyte,
  /** Bytes of a file that one task codes, and tasks of one file at a time. */
  codeTaskBytes: 16 * mebibyte,
  codeTasks: 4,
  /** Bytes of a file that is coded; for less, a transfer takes no time that could be saved. */
  codedFileBytesMin: 65_536,
  /** Places of a file at which it is tried what coding would bring, and bytes of each. */
  codingSamples: 16,
  codingSampleBytes: 65_536,
  /**
   * Sets of nodes of which a user's cache knows how fast they were sent to, for how long, and bytes
   * of a push that tells of that.
   */
  seenRates: 1_024,
  seenRateMs: 7 * 86_400_000,
  seenRateBytes: 4 * mebibyte,
  /** Bytes a second of an uplink of which nothing is known, where that decides about coding. */
  assumedUplink: 125_000_000,
  /** Nodes that took coded content and send others what they lack as it is. */
  codedMirrors: 8,
} as const
