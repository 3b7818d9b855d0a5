/** Bounds of several data directories at one node: a part of limits.ts. */

export const diskLimits = {
  /** Data directories of one node. */
  disksPerNode: 16,
  /** Parts among which the bytes of one striped file are spread. */
  stripedParts: 32,
  /** Bytes of the path of one, as it is told. */
  diskPathBytes: 4096,
  /** Sentences about what is wrong with one. */
  diskProblems: 4,
  /** Milliseconds between two tries to open one that was missing at the start. */
  diskRetryMs: 5_000,
  /** Milliseconds that a look-up of a name waits for one. */
  diskAnswerMs: 2_000,
  /** Seconds that one which has failed a transfer is given no new name, where another takes it. */
  diskRestSeconds: 60,
  /** Seconds of queue that make no difference. */
  diskWaitSeconds: 1,
  /** Part of the largest room by which others may have less and count as equal: one in so many. */
  diskRoomParts: 64,
  /** What a device writes in a second as long as none has been measured. */
  diskBytesPerSecond: 128 * 1024 * 1024,
  /** Nodes of one machine, or of one name, in a directory that nodes share. */
  sharedNodesPerMachine: 64,
  /** Nodes of such a directory whose files one that only reads serves. */
  sharedPlaces: 64,
  /**
   * Milliseconds between two words of who brings a content there; without one until somebody else
   * does; between two looks of who waits; between two looks for what nobody has any more.
   */
  sharedRenewMs: 2_000,
  sharedExpireMs: 15_000,
  sharedLookMs: 200,
  sharedSweepMs: 60_000,
  /** Bytes of what each process of a node says of itself there. */
  sharedServerBytes: 4096,
  /** Milliseconds for which a hand-over counts as a transfer that the process does not tell yet. */
  sharedHandedMs: 5_000,
  /** Nodes that whoever dials one is told to dial instead, one after the other. */
  movedHops: 4,
  /** Milliseconds between two readings of the counters of a device. */
  diskLoadMs: 1_000,
} as const
