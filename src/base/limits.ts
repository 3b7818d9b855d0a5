/**
 * Every bound of the product, in one place. Relations between bounds are asserted at load, and
 * units are part of the names. Nothing here is tuned per run: settings of the user are options.
 */

import { codingLimits } from './coding-limits.js'
import { commitLimits } from './commit-limits.js'
import { contentLimits } from './content-limits.js'
import { copyLimits } from './copy-limits.js'
import { criteriaLimits } from './criteria-limits.js'
import { deltaLimits } from './delta-limits.js'
import { descriptorLimits } from './descriptor-limits.js'
import { diskLimits } from './disk-limits.js'
import { documentLimits } from './document-limits.js'
import { growingLimits } from './growing-limits.js'
import { hashingLimits } from './hashing-limits.js'
import { reportLimits } from './report-limits.js'
import { servingLimits } from './serving-limits.js'
import { simulationLimits } from './simulation-limits.js'
import { treeLimits } from './tree-limits.js'
import { versionLimits } from './version-limits.js'

export { formatBytes } from './byte-text.js'

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

export const limits = {
  /** Version of the wire protocol; no other is spoken or accepted. */
  protocolVersion: 1,

  // --- addresses ---
  /** Port of an address that names none. */
  defaultPort: 7400,

  // --- handshake (before authentication) ---
  helloBytes: 4 * KIB,
  helloMs: 5_000,
  unauthenticatedConnections: 256,
  /** Milliseconds to connect to one node, over all of its addresses. */
  connectMs: 3_000,
  /** Peers with a wrong key that are logged per minute, each once; the rest are only counted. */
  strangersLogged: 32,
  /** Milliseconds without a finished look-up after which all fail; glibc skips two dead servers. */
  lookupMs: 12_000,
  /** Look-ups that run at the same time, each a small process. */
  lookupsAtOnce: 16,
  /** Addresses of one host that are tried, and milliseconds before the next one is tried too. */
  addressesPerHost: 8,
  attemptMs: 250,
  /** Digest algorithms in a greeting, and characters in the name of one. */
  capabilities: 16,
  capabilityChars: 64,
  /** Keys that one side accepts: the current key and, during rotation, the previous one. */
  keysPerSide: 2,

  // --- control links ---
  frameBytes: 512 * KIB,
  linkQueueBytes: 8 * MIB,
  /** Milliseconds in which a peer must read something from a full link: ERR_FR_PEER_STALLED. */
  linkStallMs: 5_000,
  /** Frames, and bytes of frames, after which a peer is told that they were heard. */
  heardFrames: 64,
  heardBytes: 16 * KIB,
  /** Milliseconds for which a broken control link is waited for until its dialler is gone. */
  resumeMs: 1_000,
  macBytes: 16,
  /** Bytes of an Ed25519 public key and signature (RFC 8032). */
  publicKeyBytes: 32,
  signatureBytes: 64,
  /** Ahead of the digests in a digest record: signature and flags. */
  digestHeadBytes: 65,
  /** Bytes of the file that keeps the key of a node or client. */
  identityFileBytes: 4 * KIB,
  nonceBytes: 32,
  keyBytesMin: 32,
  keyBytesMax: 4 * KIB,
  /** Milliseconds a pipe may take to deliver a key; its writer may be waiting for a password. */
  keyReadMs: 60_000,
  /** Characters of an address: a host name of 253, brackets, a zone, a port. */
  addressChars: 300,
  /** UTF-16 units of a text that travels with an error code; longer texts are cut. */
  errorTextChars: 512,
  /** Bytes handed to a socket in one write; a stalled peer is noticed once per write. */
  linkWriteBytes: 64 * KIB,
  /** Milliseconds a closing connection may take to deliver its last message. */
  lingerMs: 1_000,

  // --- heartbeats ---
  progressMs: 250,
  /** Milliseconds between backlog reports that do not change: they are a sign of life. */
  sameReportMs: 100,
  /** Milliseconds of silence after which a node is suspected (`--suspect-after`). */
  suspectMs: 1_000,
  suspectMsMin: 300,
  /** Members that bring nothing and are asked for a word by one node at the same time. */
  askedFeeders: 2,
  /**
   * Milliseconds of silence after which a node is away and others do its work (`--fail-after`).
   */
  awayMs: 2_000,
  /** Milliseconds of silence that end a node's membership (`--silence`): ERR_FR_NODE_SILENT. */
  silenceMs: 15_000,
  silenceMsMin: 1_000,
  silenceMsMax: 3_600_000,
  /** Milliseconds that a node waits longer than the origin, so that the origin judges first. */
  originGraceMs: 4_000,
  /** Longest interval between two signs of life of the origin. */
  beatMs: 1_000,
  /** Milliseconds of silence of the origin after which a node stops asking it for bytes. */
  originQuietMs: 1_750,
  /** Milliseconds that connections outlive the silence limit, so that silence is the cause. */
  connectionGraceMs: 5_000,

  // --- no wait without an end ---
  /** Milliseconds from an open control link to the node's answer to the offer. */
  acceptMs: 5_000,
  /**
   * Milliseconds between two words of a node that has the name and waits for another node, and for
   * which it has its time to answer again by such a word.
   */
  claimEveryMs: 1_500,
  claimWaitMs: 3_600_000,
  /** Milliseconds that the accept hook of a node may take, part of acceptMs. */
  decideMs: 3_000,
  /** Milliseconds over which a node's rate is compared with the push's minimum rate. */
  rateWindowMs: 10_000,
  /** Longest timeout of a push: 30 days. */
  timeoutMsMax: 2_592_000_000,
  /** Milliseconds that an offer waits for a name whose holder has no plan or has just ended. */
  claimMs: 1_500,
  /** Milliseconds between attempts of a push whose name is taken: first and longest wait. */
  waitMs: 250,
  waitMsMax: 2_000,
  /** Milliseconds in which a responsive node must land or verify something: ERR_FR_TIMEOUT. */
  stallMs: 30_000,
  /** Milliseconds that a node may take to make a complete file durable: ERR_FR_TIMEOUT. */
  publishMs: 600_000,
  /** Milliseconds that the feed of a lost mate stays open, for bytes already on their way. */
  drainMs: 300,
  /**
   * Milliseconds that a node has to explain a broken feed while its control link is open; after
   * that the broken feed itself is the reported cause.
   */
  wordMs: 1_000,
  /** Milliseconds without a byte after which a node asks again: the first wait and the longest. */
  askMs: 2_000,
  askMsMax: 10_000,
  /** Milliseconds between two readings of the origin's feed counters. */
  countMs: 50,

  // --- relays that are not what they say ---
  /** Bytes that a relay claims to have passed on and no mate has, before its claims are doubted. */
  relayClaimBytes: 8 * MIB,
  /** Blocks that have to be wrong through one relay before it relays nothing for a while. */
  spoiledBlocks: 16,
  /** Milliseconds from a mate's first report that contradicts a relay until it is believed. */
  relayClaimMs: 1_000,
  /** Mates needed to contradict a relay; fewer would be one node's word against another's. */
  relayClaimMates: 2,
  /** Milliseconds between two comparisons of what relays claim with what mates report. */
  relayClaimLookMs: 250,

  // --- relays that are too slow ---
  /** Part of the median rate of all relays below which one is demoted (`--demote-below`). */
  demoteBelow: 0.05,
  /** Milliseconds until one is tried again: at first, and at most. */
  demotedMs: 4_000,
  demotedMsMax: 60_000,

  // --- faults held against components ---
  /** Components against which one push, or one node, holds anything; those that it tells of. */
  faultAccounts: 256,
  faultsTold: 32,
  /** Milliseconds for which one that has failed is left out: at first, and at most. */
  failedMs: 10_000,
  failedMsMax: 300_000,

  // --- joining a push that runs ---
  /** Milliseconds that the plan waits for other nodes once the first is ready; later ones join. */
  readyMs: 500,
  /** The same for each node beyond one group: what a handshake takes of the coordinator. */
  readyMsPerNode: 2,
  /** Links that one push dials at once; who comes after that has its time to connect from then. */
  dialsAtOnce: 256,
  /** Requests to add a node that one node may have open at the origin. */
  joinsPerNode: 8,
  /** Attempts to add nodes to one push that come from anyone but its caller. */
  joinsPerPush: 32,
  /** Milliseconds that a node waits for the origin's answer to a request to add a node. */
  addMs: 25_000,

  // --- trying again ---
  /** Milliseconds for which a node of a push is dialled, unless the caller sets `connectMs`. */
  reachMs: 10_000,
  connectMsMax: 600_000,
  /** Milliseconds between a failed dial and the next: the first wait, the longest wait. */
  redialMs: 100,
  redialMsMax: 1_000,
  /** Milliseconds from a broken connection to opening it again, as most often it was one reset. */
  reopenSoonMs: 20,
  /** The same after it could not be opened: the first and the longest wait. */
  reopenMs: 200,
  reopenMsMax: 1_000,
  /** Milliseconds to connect where a link goes on, and for data. */
  reconnectMs: 2_000,
  /** Milliseconds that a connection is open before its next break counts as the first again. */
  steadyMs: 1_000,
  /** Milliseconds for which a broken connection between mates is waited for before a detour. */
  edgeMs: 2_000,
  /** How often a node bears that bytes were changed on data connections of one member. */
  spoiltFeeds: 4,
  /** Further attempts that a node gets: the default, and the most a caller may ask for. */
  retries: 2,
  retriesMax: 100,
  /** Milliseconds for which a node that was lost is waited for at the end, and at most. */
  rejoinMs: 60_000,
  rejoinMsMax: 86_400_000,
  /** Milliseconds between a failed attempt and the next: the first wait, the longest wait. */
  retryMs: 500,
  retryMsMax: 8_000,

  // --- transfers ---
  nodesPerPush: 10_000,
  /** Nodes of one of several groups, of one group unless the caller sets a size, and at most. */
  groupSize: 16,
  groupSizeMax: 32,
  nodesPerGroup: 64,
  /** Member numbers of one push: each attempt of each node has its own. */
  placesPerPush: 30_000,
  /** Nodes in one frame to a standby. */
  rosterEntries: 256,
  /** Members of one plan: those whom a node has to know, or had to. */
  membersPerPlan: 257,
  /** Milliseconds for which a relay is dealt ahead at its rate. */
  dealtAheadMs: 150,
  /** Nodes of secondary groups that one group feeds. */
  fedLater: 32,
  /** Columns of groups that feed groups. */
  columnsPerPush: 48,
  /** Routes of one node in one plan. */
  routesPerPlan: 128,
  /** Members that may take over from the coordinator. */
  standbys: 3,
  /** Sentences in the `warnings` of a result; later ones are left out. */
  warningsPerPush: 32,
  /** Size times nodes up to which one copy per node is faster than feeds between nodes. */
  unicastBytes: 2 * MIB,
  /** The same for a small file: its size, and its size times nodes. */
  unicastFileBytes: 1 * MIB,
  unicastFilesBytes: 8 * MIB,
  /** Milliseconds that a group takes to open its feeds, used when the origin's uplink is known. */
  groupMs: 50,
  /** How long opening each end of a feed keeps a host busy: 4 ms of one of two processors. */
  feedMs: 2,
  transfersPerNode: 128,
  helpersPerPush: 8,
  /** Copies that one node is the origin of at the same time. */
  copiesPerNode: 8,
  /** Nodes that one copy is for: their addresses fit a frame. */
  nodesPerCopy: 512,
  /** Copies that are over whose results a node keeps, and for how many milliseconds. */
  copiesKept: 32,
  /** Transfers that are over of which a node tells, and the milliseconds for which it does. */
  endedTransfers: 32,
  endedMs: 3_600_000,
  copyKeptMs: 3_600_000,
  feedsPerTransfer: 2 * 512 + 2,
  /** Connections of one feed, where one does not fill a long way. */
  flowsPerFeed: 16,
  /** Connections beside the first ones that one process opens for all its transfers. */
  flowsPerProcess: 256,
  /** Round trips shorter than this are filled by one connection: no more is opened by itself. */
  flowsFarMs: 10,
  /** A feed is looked at for this long, or some round trips, before it is said to be held back. */
  flowsLookMs: 250,
  /** Where more flows brought nothing, that is tried again after this, then ever later. */
  flowsAgainMs: 2_000,
  /** Waiting connections: 2 s for the offer of their transfer, 5 s for its plan. */
  earlyDataConnections: 256,
  earlyDataMs: 2_000,
  /** Frames behind an offer that waits for its disk, or for whoever took over: plans, a few. */
  framesBehindOffer: 16,

  // --- bridges of a gateway ---
  /** Connections that one gateway joins to others at the same time. */
  bridgesPerNode: 2_048,
  /** Links on which a gateway is asked for bridges, and tickets that nobody has shown yet. */
  bridgeLinks: 1_024,
  bridgeTickets: 1_024,
  /** Milliseconds from a ticket to the connection that shows it. */
  bridgeTicketMs: 10_000,
  /** Milliseconds for which a gateway waits to be told of a node that somebody wants to reach. */
  bridgeReachMs: 2_000,
  /** Milliseconds that a gateway takes, with that, to find out whether it can reach a node. */
  bridgeMs: 11_000,
  /** Nodes named in one frame to a gateway. */
  bridgeTargets: 256,
  manifestPageBytes: 256 * KIB,
  manifestPages: 4_096,
  manifestPageEntries: 4_096,
  streamsPerTransfer: 1_000_000,
  nameBytes: 4_096,
  nameComponentBytes: 255,
  fileBytes: Number.MAX_SAFE_INTEGER,
  /** Bytes of the address space of a transfer. */
  spaceBytes: Number.MAX_SAFE_INTEGER,
  needRanges: 4_096,
  /** Ranges in which a node says what it lacks when a data connection to it opens. */
  lackRanges: 1_024,
  siteChars: 64,
  /** Links between sites whose speed a caller tells. */
  siteLinks: 1_024,

  // --- limits that users set ---
  /** Bytes per second: one of the smallest blocks a second is the least, 8,000 Tbit/s the most. */
  rateMin: 64 * KIB,
  rateMax: 1e15,
  /** Nodes that one node sends to at once, and as many that send to it. */
  feedsPerNodeMin: 1,
  feedsPerNodeMax: 65_536,
  /** Weight of a transfer against the others of a node. */
  priority: 10,
  priorityMin: 1,
  priorityMax: 100,

  ...codingLimits,
  ...servingLimits,
  ...reportLimits,
  ...simulationLimits,
  ...treeLimits,
  ...versionLimits,
  ...commitLimits,
  ...criteriaLimits,
  ...contentLimits,
  ...copyLimits,
  ...deltaLimits,
  ...descriptorLimits,
  ...diskLimits,
  ...documentLimits,
  ...growingLimits,
  ...hashingLimits,

  // --- asking a node what it holds ---
  /** Files in one page of a list, and bytes of the page: a long name may be 24 KiB in JSON. */
  listPageFiles: 1_000,
  listPageBytes: 256 * KIB,
  /** Characters of the place where a list goes on: a name in base64, or the id of a partial. */
  listCursorChars: 6 * KIB,
  /**
   * Steps of matching, names looked at, and milliseconds, after which a page ends with what it has
   * found.
   */
  listSteps: 4_000_000,
  listNames: 20_000,
  listMs: 1_000,
  /** Files, and pages, that one list of a client takes. */
  listFiles: 1_000_000,
  listPages: 100_000,
  /** What a client fetches that matches a pattern, and how many of it at the same time. */
  getMatches: 100_000,
  getFilesAtOnce: 4,
  /** Files that one node verifies at the same time; a further request is refused. */
  verifiesPerNode: 2,
  /** Milliseconds between two words of a node about a file that it verifies. */
  verifyingMs: 500,
  /** Milliseconds that a client keeps a link for its next question; a node keeps it longer. */
  askAgainMs: 2_000,

  // --- records on a feed ---
  recordHeaderBytes: 32,
  recordPayloadBytes: 1 * MIB,
  recordHoleBytes: 1 * GIB,
  recordDigestBytes: 256 * KIB,
  /** Digest records with a wrong signature on one feed; further records are ignored. */
  wrongDigestsPerFeed: 64,

  // --- blocks ---
  blocksTarget: 65_536,
  blockBytesMin: 64 * KIB,
  blockBytesMax: 64 * MIB,
  /** Blocks of one file: 64 TiB in the largest blocks. A node keeps a few bytes for each. */
  blocksPerFile: 1_048_576,
  /** Repairs of one block before the node fails with ERR_FR_BAD_BLOCK. */
  repairTries: 3,

  // --- storage ---
  fallocateStepBytes: 64 * MIB,
  keepPartialsSeconds: 7 * 24 * 3600,
  minFreeBytes: 64 * MIB,
  /** Milliseconds between two checks that the data directory is still at its path. */
  lookMs: 1_000,
  /** Milliseconds that such a check may be late before the status reports it as a problem. */
  lookLateMs: 1_000,
  /** Partial files named in a status, and characters of a name kept in the partial's own name. */
  keptNames: 8,
  keptNameChars: 64,
  /** Milliseconds between two entries in the journal of a partial. */
  journalMs: 500,
  /** Milliseconds after an entry in which a change of the partial is its killed writer's own. */
  journalOwnMs: 2_000,
  /** Journals that are looked at for one that is of the content that is offered. */
  journalsRead: 1_024,

  /** Warnings of one node in its `complete` frame. */
  warningsPerNode: 8,

  // --- what a machine holds ---
  /** Records in the catalogue of one data directory, and bytes of one line of its index. */
  heldStreams: 250_000,
  catalogueLineBytes: 32 * KIB,
  /** Bytes of signed digests that are in the line of their file; more are in another file. */
  catalogueLineDigestBytes: 2 * KIB,
  /** Lines of the index that may be dead beside as many that are not before it is rewritten. */
  catalogueDeadLines: 1_024,
  /** Bytes of the digest runs of one held file. */
  heldDigestBytes: 128 * MIB,
  /** Hash tasks of a held file that are in flight while it is adopted or verified. */
  heldHashTasks: 2,
  /** Files of which a user's cache keeps digests, bytes of one of them, and of all. */
  sentFiles: 1_024,
  sentFileBytes: 48 * MIB,
  sentBytes: 128 * MIB,
  /** Bytes of one batch of a journal, and of a journal for each block of its file. */
  journalBatchBytes: 1 * MIB,
  journalBytesPerBlock: 512,

  // --- engine ---
  /** Ranges listed on one feed by its caller; ranges that the feed lists itself do not count. */
  listedRanges: 65_536,
  /** Pieces in which one stream may have landed; the feed that would make more is closed. */
  landedPieces: 1_048_576,
  /** Bytes of digest payload listed on one feed and not sent yet. */
  digestQueueBytes: 8 * MIB,
  /**
   * Digest payload bytes that are kept of one stream to be passed on, for each of its blocks: one
   * block is a run of its own at the worst. What is more is not passed on.
   */
  relayedDigestBytesPerBlock: 97,
} as const

/**
 * blockBytes = clamp(pow2ceil(F / 65,536), 64 KiB, 64 MiB), which depends on the file size only.
 */
export function blockBytesFor(fileBytes: number): number {
  let block: number = limits.blockBytesMin
  while (block < limits.blockBytesMax && block * limits.blocksTarget < fileBytes) block *= 2
  return block
}
