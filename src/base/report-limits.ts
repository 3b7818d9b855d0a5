/** Bounds of what nodes report by way of leaders, and of traces; a part of `limits` (limits.ts). */

const kib = 1024
const mib = 1024 * kib

export const reportLimits = {
  // --- leaders of groups ---
  /** Milliseconds between two words of a leader of a group, and between reports to it. */
  groupReportMs: 100,
  /** Milliseconds in which a leader is to be heard of: after it was named, and then. */
  leaderFirstMs: 5_000,
  leaderMs: 600,

  // --- trace of a push ---
  /** Events of one trace, about 130 bytes each; more are counted and left out. */
  traceEvents: 250_000,
  /** Events of a trace reserved for rare ones: stages, lags, needs, failures. */
  traceEventsRare: 25_000,
  /** Bytes of a trace written at once, and bytes that may wait for the disk. */
  traceChunkBytes: 64 * kib,
  traceQueueBytes: 4 * mib,
} as const
