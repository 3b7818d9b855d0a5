/** Bounds of nodes that switch a name together: a part of limits.ts. */
export const commitLimits = {
  /** Milliseconds without the author after which the first member asks for a decision. */
  commitGraceMs: 2_000,
  /** Each further member waits for so much longer, so that most often one asks. */
  commitStaggerMs: 100,
  /** Milliseconds after which an unanswered question is asked again: at first, and at most. */
  commitAgainMs: 500,
  commitAgainMsMax: 60_000,
  /** How long members that have not prepared yet are waited for without the author. */
  commitPatienceMs: 15_000,
  /**
   * Nodes that decide together. A word with the list of 512 of them is 55 KB at usual lengths of
   * addresses and fits a frame at any; the author of a commit says four such to each: 112 MB.
   */
  commitMembers: 512,
  /** Members that one process asks at the same time. */
  commitCalls: 64,
  /** How long a question about a decision waits for what its answer needs, a write most often. */
  commitAnswerMs: 1_000,
  /** How often an author without anything to say is heard, and after which silence it is gone. */
  commitBeatMs: 500,
  commitQuietMs: 2_000,
  /** How long an author waits where no time limit is given, and for those that are to switch. */
  commitAuthorMs: 60_000,
  commitSwitchMs: 10_000,
  /** Between two attempts to carry out a verdict: at first, and at most. */
  commitApplyMs: 250,
  commitApplyMsMax: 30_000,
  /** Names of which a node knows how often they were committed; more are refused. */
  commitNames: 16_384,
  /** Bytes of these names as JSON has them. */
  commitNamesBytes: 16 * 1_048_576,
  /** Of a record of a decision on the disk. */
  commitRecordBytes: 512 * 1_024,
  /** Decisions that a node tells of in its status. */
  commitsTold: 64,
  /** Decisions that a node takes part in at the same time. */
  commitsOpen: 1_024,
  /** Of those: carried out here, and not by a member that is away. It is told no others. */
  commitsUntold: 512,
  /** Verdicts that a node still knows when it has nothing more to do with them. */
  commitsKept: 1_024,
} as const
