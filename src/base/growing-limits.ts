/** Bounds of contents that are sent while they are still written. */

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

export const growingLimits = {
  /** Bytes of the address space that a growing content has, and so the most it may come to. */
  growingSpanBytes: 2 ** 42,
  /** Bytes of its first section; each following one is twice as long, as are its blocks. */
  sectionBytes: 4 * GIB,
  /** Bytes of a block on average, of a content of that many; bounds count with it. */
  growingBlockBytes: 4 * MIB,
  /** Bytes that a content is planned for as long as nobody knows how many will come. */
  growingPlanBytes: 1 * GIB,
  /** Milliseconds that a record waits beyond the size that the stream may have so far. */
  beyondMs: 5_000,
  /** Bytes that a node may be behind the frontier before the floor does not wait for it. */
  growingWindowBytes: 16 * GIB,
  /** Bytes of digest records that end inside a block, kept of one stream to be passed on. */
  tailDigestBytes: 256 * KIB,
  /** How far the size that nodes are told runs ahead of the frontier: at least, and in time. */
  grownAheadBytes: 64 * MIB,
  grownAheadMs: 1_000,
  /** How much there was at which time, kept to tell how far members are behind. */
  lagMarks: 4_096,
  /** Milliseconds between two words about the floor, and about a verified prefix that moved. */
  floorMs: 250,
  reachedMs: 10,
  /**
   * Milliseconds that hashing has caught up with what there is before the beginning of a block is
   * signed; between two such cuts at least, and so many times as long as the last one took.
   */
  cutIdleMs: 1,
  cutMs: 5,
  cutShare: 4,
  /** Milliseconds between two looks at a file that is followed, where the system tells nothing. */
  followMs: 50,
  /** Milliseconds in which several appends are told together. */
  growthMs: 1,
  /** Bytes and milliseconds of a stream that are read before it counts as one that grows. */
  readAheadBytes: 1 * MIB,
  readAheadMs: 100,
  /** Growing files that a user's cache knows; bytes that it keeps of one of them, and of all. */
  keptGrowths: 256,
  keptGrowthFileBytes: 48 * MIB,
  keptGrowthBytes: 256 * MIB,
} as const
