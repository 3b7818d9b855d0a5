/** Bounds of contents that are published by criteria: a part of limits.ts. */
import { directoryLimits } from './directory-limits.js'

const KIB = 1024
const MIB = 1024 * KIB

export const contentLimits = {
  ...directoryLimits,
  /** Bytes of one signed announcement. */
  announcementBytes: 96 * KIB,
  /** Milliseconds from the publication of a content to its expiry, at least and at most: a year. */
  publishTtlMs: 1_000,
  publishTtlMsMax: 31_622_400_000,
  /** Publications of one name that a node tells of. */
  publishedPerName: 64,
  /** Track files of one content, and characters of the name of one. */
  tracks: 8,
  trackNameChars: 32,
  /** Ranges of all track files of a content, and places where decoding can begin. */
  trackRanges: 256,
  trackCuts: 2_048,
  /** Bits per second of a track. */
  bitRateMax: 1e12,
  /** Block files last about so long where the bit rate is known. */
  blockFileSeconds: 2,
  /** Bytes of a block file: of one of unknown bit rate, and of the smallest and the largest. */
  blockFileBytes: 1 * MIB,
  blockFileBytesMin: 64 * KIB,
  blockFileBytesMax: 64 * MIB,
  /** Block files of one content, about; they are larger where there would be more. */
  blockFiles: 65_536,
  /** Bytes that the analysis of a payload reads, and how often; bytes of one table in it. */
  analysisReadBytes: 64 * MIB,
  analysisReads: 16_384,
  analysisTableBytes: 4 * MIB,
  /** Bytes that are read ahead of what is asked, at first and at most. */
  analysisAheadBytes: 4 * KIB,
  analysisAheadBytesMax: 256 * KIB,
  /** Places where decoding can begin that the analysis of a payload notes. */
  analysisStarts: 262_144,
  /**
   * Seconds of a segment of a playlist, at least where it can end then, and at most; beyond the
   * last, a film has gone on somewhere else.
   */
  segmentSeconds: 4,
  segmentSecondsMax: 10,
  segmentGapSeconds: 30,
  /** Segments of one playlist: of more, the last. */
  segments: 8_192,
} as const
