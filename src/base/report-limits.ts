/** Bounds of what nodes report by way of leaders, and of traces; a part of `limits` (limits.ts). */

const kib = 1024
const mib = 1024 * kib

export const reportLimits = {
  // --- leaders of groups ---
  /** Milliseconds between two words of a leader of a group, and between reports to it. */
  groupReportMs: 100,
  /**
   * Milliseconds in which the nodes of a group are to be heard of after a leader was named; and
   * from then on, the leader and those that it leads.
   */
  leaderFirstMs: 1_500,
  leaderMs: 600,
  ledMs: 900,

  // --- trace of a push ---
  /** Events of one trace, about 130 bytes each; more are counted and left out. */
  traceEvents: 250_000,
  /** Events of a trace reserved for rare ones: stages, lags, needs, failures. */
  traceEventsRare: 25_000,
  /** Bytes of a trace written at once, and bytes that may wait for the disk. */
  traceChunkBytes: 64 * kib,
  traceQueueBytes: 4 * mib,
} as const
