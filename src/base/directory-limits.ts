/** Bounds of the directory: the tree of attributes, and announcements that flood it. */

const MIB = 1024 * 1024

export const directoryLimits = {
  // --- the tree ---
  /** Bits of a dictionary: attributes, key and value, that there may be in one directory. */
  dictionaryBits: 4_096,
  /** Of them in one frame. */
  dictionaryPage: 512,
  /** Bits in use, of all, up to which a full dictionary is made anew without the others. */
  dictionaryUsed: 3 / 4,
  /** Milliseconds between two such times. */
  dictionaryAnewMs: 60_000,
  /** Milliseconds without a parent after which a node that has one elsewhere gives bits itself. */
  orphanMs: 5_000,
  /** Children of one node (`--max-children`), unless told otherwise, and at most. */
  children: 16,
  childrenMax: 1_024,
  /** Parents that a node is told of (`--parent`). */
  parents: 16,
  /** Nodes from the root to a node. */
  treeDepth: 64,
  /** Times that a node is passed down before it begins anew. */
  passedDown: 64,
  /** Milliseconds until a parent that was dialled has answered, and an approval has come. */
  enrollMs: 10_000,
  approveMs: 5_000,
  /** Approvals that one node waits for at the same time. */
  approvals: 1_024,
  /** Milliseconds until a parent is looked for again, at first and at most. */
  parentRedialMs: 100,
  parentRedialMsMax: 15_000,
  /** Milliseconds until a node moves to a place nearer to the root, at first and at most. */
  riseMs: 60_000,
  riseMsMax: 600_000,
  /** So many steps nearer at least. */
  riseSteps: 2,
  /** Milliseconds between two roll-ups of a node in which only the number of nodes is another. */
  rollUpCountMs: 1_000,
  /** Queries that one node has under way, nodes that one may find, and of them in one frame. */
  findsAtOnce: 256,
  findNodes: 100_000,
  findPage: 256,
  /** Milliseconds that a query has, and the part of it that it has one node further. */
  findMs: 8_000,
  findMsMin: 50,
  findNext: 0.9,
  /** Milliseconds between two signs of life on a link, and of silence after which it is over. */
  directoryBeatMs: 2_000,
  directorySilenceMs: 8_000,

  // --- nodes of a site ---
  /** Those that a node knows of, that it dials, and that it has links with. */
  kinKnown: 16,
  matesDialled: 2,
  matesMost: 8,
  /** Milliseconds that changes of them are collected for, and until one is dialled again. */
  kinMs: 500,
  mateRedialMs: 2_000,
  mateRedialMsMax: 60_000,

  // --- announcements ---
  /** Announcements that a node keeps, their bytes, and how many of them one author may have. */
  historyCount: 4_096,
  historyBytes: 32 * MIB,
  historyPerAuthor: 1_024,
  /** Milliseconds since it was issued after which an announcement is taken from nobody: a year. */
  announcementAgeMs: 31_622_400_000,
  /** Milliseconds that the clock of an author may be ahead. */
  announcementAheadMs: 600_000,
  /** Announcements of one author, and from one neighbour: at once, and a second after that. */
  authorBurst: 256,
  authorPerSecond: 8,
  neighbourBurst: 1_024,
  neighbourPerSecond: 128,
  /** Authors whose pace is known at a node. */
  authorsKnown: 1_024,
  /** Ids of announcements that a neighbour asks for at once. */
  wantedAtOnce: 16,
  /** Milliseconds until a neighbour that was too fast is asked what it has. */
  historyAskMs: 10_000,
} as const
