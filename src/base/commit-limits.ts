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
  /** Decisions that a node takes part in at the same time. */
  commitsOpen: 1_024,
  /** Decisions that a node still knows after all have carried them out. */
  commitsKept: 1_024,
} as const
