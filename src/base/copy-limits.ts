/** Bounds of the master, which decides who copies what from whom: a part of limits.ts. */
import { leadingLimits } from './leading-limits.js'

import { swarmLimits } from './swarm-limits.js'

const KIB = 1024
const MIB = 1024 * KIB

export const copyLimits = {
  ...swarmLimits,
  ...leadingLimits,
  /** Sites, links between them, and hops of a route from one site to another. */
  masterSites: 4_096,
  masterLinks: 65_536,
  routeHops: 8,
  /** Windows of the day in which a link has a capability of its own. */
  budgetWindows: 48,
  /** Nodes, files and demands of one master. */
  masterNodes: 20_000,
  masterFiles: 1_000_000,
  masterDemands: 4_000_000,
  /** Copies into one node, and out of one, at the same time. */
  copiesInto: 4,
  copiesOutOf: 16,
  /** Copies by order that a node has under way, and how long one may bring nothing, in ms. */
  ordersPerNode: 256,
  orderSilenceMs: 6_000,
  /** Bytes of a content up to which it has no journal where it comes at once. */
  orderSmallBytes: 64 * KIB,
  /** Part of what a link carries that is no header: 1,448 of 1,514 bytes, less what is said. */
  payloadShare: 0.95,
  /** Milliseconds until what a node has refused is ordered there again, at first and at most. */
  refusedMs: 2_000,
  refusedMsMax: 900_000,
  /** Milliseconds that the files of a content stay open after the last of its copies. */
  orderLingerMs: 2_000,
  /** Sources of a content that stay connected while no copy uses them, and for how many ms. */
  orderRests: 16,
  orderRestMs: 1_500,
  /** The same of what is still written. */
  growingLingerMs: 600_000,
  /** Contents that have ended at a node which still says so to who follows them; for how long. */
  endedGrowths: 16,
  endedGrowthMs: 60_000,
  /** Milliseconds without a new byte of it after which people are told that nothing comes. */
  growingQuietMs: 60_000,
  /**
   * Milliseconds that a copy takes at its rate: so far ahead a decision reaches. Short where few
   * nodes want anything, so that their mates soon have it; longer by so much for each demand.
   */
  copyMsMin: 2_000,
  copyMsPerDemand: 2,
  copyMs: 10_000,
  /** Nodes of its own site that a node gives a content to at a time while that is written. */
  growingMates: 2,
  /** Seconds that a copy takes at least: a rate beyond that is of no use to it. */
  copySecondsMin: 0.05,
  /** Bytes of a copy: at least, unless no more is missing, and what it is a multiple of. */
  copyBytesMin: 4 * MIB,
  copyUnitBytes: 1 * MIB,
  /** Part of what the narrowest link of a route can carry below which no copy is begun. */
  leastShare: 1 / 16,
  /** Ways into sites that are looked at when nothing more comes over them by the schedule. */
  idleWays: 64,
  /** Copies on a resource that are looked at when some of it is left; what they get at least. */
  copiesRaised: 16,
  raisedShare: 1 / 4,
  /** Milliseconds after which a demand keeps what its route needs from all others. */
  starvedMs: 30_000,
  /** Demands of a node, and sources of a range, that one decision looks at. */
  demandsLooked: 16,
  sourcesLooked: 32,
  /** Sites that one decision looks at where no schedule says which. */
  sitesLooked: 8,
  /** Demands that are looked at again when a link has room. */
  wokenPerRelease: 4,
  /** Sources that were best at the last look, and changes after which all are looked at again. */
  sourcesKept: 8,
  changesKept: 65_536,
  /** Failures that make a component fail, what half of them are forgotten in, and for how long. */
  componentFaults: 3,
  componentHalfLifeMs: 300_000,
  componentMs: 30_000,
  componentMsMax: 900_000,
  /** Pieces of a file that go different ways in the schedule that is computed ahead. */
  planSlices: 16,
  /** Of more sites that hold a file some, and those that are near, are looked at for a schedule. */
  holdersPlanned: 64,
  /** Ways between two sites that one revision of it looks at, for all files and slices together. */
  planWays: 40_000,
  /** How much longer than the shortest time all may take, so that it costs less. */
  planSlack: 1.25,
  /** Nodes that are looked at for what they lack before others have their turn. */
  membersAtOnce: 512,
  /** Decisions before others have their turn. */
  decisionsAtOnce: 256,
  /** Milliseconds, with three times what it should take, before a copy nobody speaks of is over. */
  copySilenceMs: 30_000,
  /** Milliseconds after which a source that lacked what it had said to hold is believed again. */
  doubtMs: 15_000,
  /** Milliseconds in which nodes tell a master that follows another one what they copy already. */
  masterListensMs: 3_000,
  /** Sites up to which the cheapest tree is found exactly. */
  exactTreeSites: 64,
  /** Contents, and files that are gone, in one frame that says what a node holds; its bytes. */
  masterPageFiles: 1_000,
  masterPageBytes: 256 * KIB,
  /** Ranges of one content that a node tells; what lies behind them once there are fewer. */
  masterRanges: 1_000,
  /** Contents that one node may hold, and files that it may be told to hold. */
  masterNodeFiles: 200_000,
  /** Copies under way at one node, of this run of the master and of those before. */
  masterNodeCopies: 64,
  /** Characters of why a copy failed. */
  copyCauseChars: 64,
  /** Milliseconds that changes at a node wait for more; and that it says nothing at most. */
  masterChangesMs: 100,
  masterStateMs: 10_000,
  /** Milliseconds of silence after which either side takes the link for broken. */
  masterSilenceMs: 30_000,
  /** Milliseconds that a node with no list of a master waits for one before it pulls a name. */
  masterListMs: 10_000,
  /** Milliseconds until a node dials its master again, at first and at most. */
  masterRedialMs: 100,
  masterRedialMsMax: 15_000,
} as const
