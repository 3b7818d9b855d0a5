/** Bounds of whoever asks others for bytes that they hold, and of those: a part of limits.ts. */

const kib = 1024
const mib = 1024 * kib

export const servingLimits = {
  // --- pulls between mates ---
  /** Bytes of one request, at least and at most; it is one block where blocks are larger. */
  pullUnitBytes: 256 * kib,
  pullUnitBytesMax: 4 * mib,
  /** Bytes asked of one holder that have not come; a tenth of a second at 10 Gbit/s. */
  pullWindowBytes: 128 * mib,
  /** Requests open at one holder once it has answered some; a holder accepts twice as many. */
  pullRequests: 32,
  /** Holders that one node asks at the same time. */
  pullHolders: 4,
  /** Milliseconds that a mate has to connect or to answer before others are asked as well. */
  pullAnswerMs: 200,
  /** Milliseconds without a byte after which a holder loses its requests, and its pause then. */
  pullQuietMs: 1_000,
  pullPauseMs: 2_000,
  /**
   * Milliseconds after which an unserved request is lost even if its holder sends other bytes. The
   * limit grows by the time that a link of pullSlowBytesPerMs needs for everything listed before.
   */
  pullServedMs: 5_000,
  pullSlowBytesPerMs: 64,
  /**
   * Longest life of a request, whatever its holder says. Also how long mates may deliver less than
   * one unit of what they promised before they are no longer asked.
   */
  pullPatienceMs: 10_000,
  /** Milliseconds after which bytes that no mate has promised are asked of the origin. */
  pullSearchMs: 400,

  // --- clients that fetch held files ---
  /** Clients that one node serves at the same time, unless `--max-serves` says so. */
  servesPerNode: 32,
  servesPerNodeMax: 128,
  /** Milliseconds without a request after which a standing client gives its place to others. */
  serveRestMs: 500,
  /** Milliseconds without a request after which a node serves a client no more. */
  serveIdleMs: 60_000,
  /** Milliseconds between two looks of a node at a file that it serves. */
  serveLookMs: 1_000,
  /** Holders that one client may name. */
  fetchHolders: 64,
  /** Milliseconds that further holders have to answer once one has said what it holds. */
  fetchChooseMs: 1_000,
  /** Milliseconds that a holder has to answer a request, and its pause where it does not. */
  fetchAnswerMs: 2_000,
  fetchPauseMs: 500,
  /** Milliseconds that a holder has for each next digest record, and for a repair. */
  fetchDigestsMs: 3_000,
  fetchRepairMs: 5_000,
  /** Blocks whose digests are asked for at once. */
  fetchDigestBlocks: 16_384,
  /** Wrong blocks after which a holder is asked no more. */
  fetchWrongBlocks: 3,
  /** Milliseconds between attempts at a holder: the first wait and the longest. */
  fetchRedialMs: 250,
  fetchRedialMsMax: 4_000,
  /** Milliseconds that nothing may be verified; longer while a holder says that it is busy. */
  fetchSilenceMs: 15_000,
  fetchBusyMs: 60_000,
  /** Of a holder that is to bring a part of a tree, where another one may bring it. */
  fetchOtherMs: 6_000,
  /** Bytes fetched ahead of where the reader of an output that is read in order is. */
  fetchAheadBytes: 64 * mib,
  /** Bytes, and at least 4 blocks, asked ahead of what is verified of what is still written. */
  followAheadBytes: 16 * mib,

  // --- answers that others than nodes read ---
  /** Files that one engine sends to connections of its host's at the same time. */
  servesAtOnce: 16_384,
  /** Bytes that one read of a file brings into memory. */
  readBytes: 1024 * 1024,
  /** Contents whose SHA-256 is known, and those that wait for theirs. */
  sha256sKnown: 16_384,
  sha256sWaiting: 64,
} as const
