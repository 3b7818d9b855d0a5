/** Bounds of reports by way of leaders, of traces, of watching; a part of `limits` (limits.ts). */

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

  // --- watching nodes ---
  /** Milliseconds from an answer of a node that is watched to the next question. */
  watchMsMin: 100,
  watchMsMax: 3_600_000,
  /** Nodes that one process watches: each is a link that stays open. */
  watchedNodes: 1_024,
  /** Milliseconds until a watched node that failed is asked again: the first and the longest. */
  watchAgainMs: 500,
  watchAgainMsMax: 8_000,

  // --- trace of a push ---
  /** Events of one trace, about 130 bytes each; more are counted and left out. */
  traceEvents: 250_000,
  /** Events of a trace reserved for rare ones: stages, lags, needs, failures. */
  traceEventsRare: 25_000,
  /** Bytes of a trace written at once, and bytes that may wait for the disk. */
  traceChunkBytes: 64 * kib,
  traceQueueBytes: 4 * mib,
} as const
