/** Bounds of versions: a part of limits.ts. */

export const versionLimits = {
  /** Versions of one name that are kept at most. */
  versionsPerName: 64,
  /** Versions of one tree that are kept at most: each is a directory with all names of the tree. */
  versionsPerTree: 16,
  /** Versions of trees of which a node remembers what their records say together. */
  treeVersionsKnown: 256,
  /** Characters of the version in NAME@VERSION. */
  versionChars: 128,
  /** Names in one page of a list, each with all of its versions. */
  versionPageNames: 256,
  /** Files of a file set in one question, and in all. */
  setPageFiles: 500,
  setFiles: 1_000_000,
  /** Files of a set that are fetched at the same time; bytes of the text of one. */
  setGetsAtOnce: 4,
  setTextBytes: 512 * 1024 * 1024,
  /** A version of a tree stays for so long after somebody has asked for a part of it. */
  treeUseMs: 60_000,
  /** Between two looks for what is too old. */
  versionsExpireMs: 60_000,
} as const
