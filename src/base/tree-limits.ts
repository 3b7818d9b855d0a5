/** Bounds of trees: a part of limits.ts. */

const kib = 1024
const mib = 1024 * kib

export const treeLimits = {
  // --- trees ---
  /** Entries of one listing, its bytes, and bytes of the files in one bundle. */
  treeBatchEntries: 16_384,
  listingBytes: 8 * mib,
  treeBatchBytes: 128 * mib,
  /** What is enough of a listing to be sent to who has waited: entries, or bytes of files. */
  treeEagerEntries: 1_024,
  treeEagerBytes: 8 * mib,
  treeEagerMs: 50,
  /** Rules of what is sent, and their bytes in a listing. */
  treeRules: 1_024,
  treeRuleBytes: 64 * kib,
  /** A larger file is pushed by itself. */
  bundledFileBytes: 4 * mib,
  /** Entries and bundles of one tree. */
  treeEntries: 16_777_216,
  /** Files of a tree whose SHA-256 its author sends along. */
  treeSums: 100_000,
  treeBundles: 1_048_576,
  /** Bytes of the files in one bundle for a client that fetches a tree. */
  packBytes: 32 * mib,
  /** How often a client begins anew where the tree gets another state meanwhile. */
  treeGetRestarts: 3,
  /** A larger file of a tree is served by a record of its own alone; others are read first. */
  rowServedBytes: 256 * mib,
  /** Trees, as clients fetch them, of which a node keeps which names are names of one file. */
  treesServed: 4,
  /** Entries of which a node, or the origin, tells why they failed; the others are only counted. */
  treeFailuresTold: 64,
  /** What a push that changes nothing tells of what would be removed, by a node; of all changes. */
  treeRemovalsTold: 1_024,
  treeRemovalBytes: 64 * kib,
  treeChangesTold: 10_000,
  /** Directories that a walk reads ahead, together. */
  treeListsAhead: 16,
  /** Files of several names of which a walk has not met all; others are sent as files. */
  treeHardLinks: 65_536,
  /** Users, and groups, whose names are known. */
  treeOwners: 65_536,
  /** Files, and bytes, that are read in one go to be hashed and packed; goes at the same time. */
  treeReadFiles: 512,
  treeReadBytes: 8 * mib,
  treeReadsAtOnce: 2,
  /** Trees of which a user's cache keeps the digests, and bytes of all; files alone of one. */
  sentTrees: 64,
  sentTreesBytes: 512 * mib,
  sentTreeAlone: 65_536,
  /** Extended attributes of one entry, and bytes of the value of one: Linux takes no more. */
  treeXattrs: 256,
  treeXattrBytes: 64 * kib,
  /** Bundles, and files that are pushed by themselves, that are under way at once. */
  treeBundlesAtOnce: 2,
  treeFilesAtOnce: 4,
  /** Nodes that are asked whether they have the name of a tree, and milliseconds for answers. */
  treeNodesAsked: 16,
  treeAskMs: 1_000,
  /** Trees that a node knows of at the same time. */
  treesPerNode: 256,

  // --- trees at a node ---
  /** Pushes of trees of which a node knows what was listed, and milliseconds without a bundle. */
  treePushes: 64,
  treePushMs: 3_600_000,
  /** Trees of which a node keeps records, and files of one record before they are merged. */
  treesKept: 1_024,
  treeSegments: 64,
} as const
