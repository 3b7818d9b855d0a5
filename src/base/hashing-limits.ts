/** Bounds of reading and hashing files. */

const MIB = 1024 * 1024
const GIB = 1024 * MIB

export const hashingLimits = {
  /** Bytes of one hash task, which holds whole blocks and at least one. */
  hashTaskBytes: 8 * MIB,
  /** Bytes of a run that is hashed immediately on the calling thread. */
  hashInlineBytes: 1 * MIB,
  /** Bytes of a hole that is hashed immediately, without reading. */
  hashHolesBytes: 1 * GIB,
  hashTasksInFlight: 8,
  /**
   * Bytes of a file that is hashed on the calling thread, in runs of hashInlineBytes; starting a
   * worker would take longer.
   */
  hashSmallFileBytes: 8 * MIB,
  /** Bytes that the origin hashes ahead of what its feeds have sent. */
  hashAheadBytes: 64 * MIB,
} as const
