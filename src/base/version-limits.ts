/** Bounds of versions: a part of limits.ts. */

export const versionLimits = {
  /** Versions of one name that are kept at most. */
  versionsPerName: 64,
  /** Versions of one tree that are kept at most: each is a directory with all names of the tree. */
  versionsPerTree: 16,
  /** Between two looks for what is too old. */
  versionsExpireMs: 60_000,
} as const
