/** Bounds of nodes that serve held files, and of clients that fetch them: a part of limits.ts. */

const mib = 1024 * 1024

export const servingLimits = {
  /** Clients that one node serves at the same time, unless `--max-serves` says so. */
  servesPerNode: 32,
  servesPerNodeMax: 128,
  /** Milliseconds without a request after which a node serves a client no more. */
  serveIdleMs: 60_000,
  /** Milliseconds between two looks of a node at a file that it serves. */
  serveLookMs: 1_000,
  /** Bytes of one request of a client; a request is one block where blocks are larger. */
  fetchUnitBytes: 4 * mib,
  /** Requests that a client has open at one holder. */
  fetchRequests: 4,
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
  /** Bytes fetched ahead of where the reader of an output that is read in order is. */
  fetchAheadBytes: 64 * mib,
} as const
