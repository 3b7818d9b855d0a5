/**
 * Every bound of the product, in one place, with the relations between them asserted at load.
 * Units are in the name. Nothing here is tuned per run: what the user may set lives in options.
 */

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

export const limits = {
  /** Wire protocol version spoken and accepted. */
  protocolVersion: 1,

  // --- addresses ---
  /** The port where an address names none. */
  defaultPort: 7400,

  // --- handshake (before authentication) ---
  helloBytes: 4 * KIB,
  helloMs: 5_000,
  unauthenticatedConnections: 256,
  /** One connection. */
  connectMs: 3_000,
  /** Peers with a wrong key that are logged in one minute, each once; others are counted. */
  strangersLogged: 32,
  /** Look-ups fail when none has ended for this long; glibc skips two dead servers in it. */
  lookupMs: 12_000,
  /** Look-ups under way at a time, each a small process. */
  lookupsAtOnce: 16,
  /** Addresses of one host that are tried, and how long each has before the next is tried too. */
  addressesPerHost: 8,
  attemptMs: 250,
  /** Names in the list of digests of a greeting, and the length of one. */
  capabilities: 16,
  capabilityChars: 64,
  /** The key and, during rotation, the one before it. */
  keysPerSide: 2,

  // --- control links ---
  frameBytes: 512 * KIB,
  linkQueueBytes: 8 * MIB,
  /** Milliseconds in which a peer must take something from a full link: ERR_FR_PEER_STALLED. */
  linkStallMs: 5_000,
  macBytes: 16,
  /** Ed25519 (RFC 8032). */
  publicKeyBytes: 32,
  signatureBytes: 64,
  /** Of the file that keeps a node's or client's key. */
  identityFileBytes: 4 * KIB,
  nonceBytes: 32,
  keyBytesMin: 32,
  keyBytesMax: 4 * KIB,
  /** How long a pipe may take to bring a key: whoever writes it may be asked for a password. */
  keyReadMs: 60_000,
  /** A host name of 253 characters, brackets, zone, port. */
  addressChars: 300,
  /** Texts that travel beside an error code are cut to this many UTF-16 units. */
  errorTextChars: 512,
  /** Bytes handed to a socket in one write, the grain at which a stalled peer is noticed. */
  linkWriteBytes: 64 * KIB,
  /** How long a closing connection may take to deliver its last words. */
  lingerMs: 1_000,

  // --- heartbeats ---
  progressMs: 250,
  /** A backlog report that says nothing new is sent this often: it is a sign of life. */
  sameReportMs: 100,
  suspectMs: 1_000,
  /** A node that is silent for this long is away: others make good what it was to send. */
  awayMs: 2_000,
  /** Milliseconds of silence that end a node's membership (`--silence`): ERR_FR_NODE_SILENT. */
  silenceMs: 15_000,
  silenceMsMin: 1_000,
  silenceMsMax: 3_600_000,
  /** How much longer a node waits for a word of the origin, so that the origin judges first. */
  originGraceMs: 4_000,
  /** The origin says at least this often that it is alive. */
  beatMs: 1_000,
  /** With no word of the origin for this long, a node does not ask it for what has not come. */
  originQuietMs: 1_750,
  /** Milliseconds by which connections outlive the silence, so that silence is the named cause. */
  connectionGraceMs: 5_000,

  // --- no wait without an end ---
  /** From an open control link to the node's answer to the offer. */
  acceptMs: 5_000,
  /** How much of it the accept hook of a node may take. */
  decideMs: 3_000,
  /** Windows over which a node's rate is held against the least rate that the caller wants. */
  rateWindowMs: 10_000,
  /** The longest time-out of a push: 30 days. */
  timeoutMsMax: 2_592_000_000,
  /** How long an offer waits at a node for a name whose holder has no plan, or has just ended. */
  claimMs: 1_500,
  /** From a push that found a name taken to its next try: at first, and at most. */
  waitMs: 250,
  waitMsMax: 2_000,
  /** Milliseconds in which a living node must land or verify something: ERR_FR_TIMEOUT. */
  stallMs: 30_000,
  /** The same for a node that holds everything and only has to make it durable. */
  publishMs: 600_000,
  /** The feed of a mate that is gone may still bring what was under way for this long. */
  drainMs: 300,
  /**
   * A node whose feed broke while its control link is open has this long to say why; only then the
   * broken feed is the cause.
   */
  wordMs: 1_000,
  /** A node that misses something asks again after this long without a byte; then twice as long. */
  askMs: 2_000,
  askMsMax: 10_000,
  /** Origin: how often the counters of its feeds are looked at. */
  countMs: 50,

  // --- relays that are not what they say ---
  /**
   * Bytes that a relay says it has passed on and no mate has received before its word is doubted:
   * more than buffers on the way hold.
   */
  relayClaimBytes: 8 * MIB,
  /** From a mate's first report that contradicts a relay to the one that is believed. */
  relayClaimMs: 1_000,
  /** With fewer mates it is word against word. */
  relayClaimMates: 2,
  /** Origin: how often words are compared. */
  relayClaimLookMs: 250,

  // --- joining a push that runs ---
  /** Once one node is ready the plan waits this long for the others; later ones join. */
  readyMs: 500,
  /** Requests to add a node that one node may have open at the origin. */
  joinsPerNode: 8,
  /** Attempts of others than its caller to add nodes to one push. */
  joinsPerPush: 32,
  /** How long a node waits for the origin's answer to such a request. */
  addMs: 25_000,

  // --- trying again ---
  /** Unless the caller says otherwise, a node of a push is dialled for this long. */
  reachMs: 10_000,
  /** From a dial that failed to the next: at first, and at most. */
  redialMs: 100,
  redialMsMax: 1_000,
  /** Attempts after the first that a node gets, unless the caller says otherwise, and at most. */
  retries: 2,
  retriesMax: 100,
  /** From an attempt that failed to the next: at first, and at most. */
  retryMs: 500,
  retryMsMax: 8_000,

  // --- transfers ---
  nodesPerPush: 64,
  /** Nodes and their attempts: each has a place of its own. */
  placesPerPush: 256,
  /** Nodes, their attempts, and who began the push. */
  membersPerPlan: 257,
  /** Routes that one node has in one plan. */
  routesPerPlan: 64,
  /** Members that may take over from the coordinator. */
  standbys: 3,
  /** Standbys hear of a deal that changes at most this often, in at most so many ranges. */
  dealMs: 1_000,
  dealRanges: 1_024,
  /** Sentences in `warnings` of a result; later ones are left out. */
  warningsPerPush: 32,
  /** Bytes in all up to which sending all copies is faster than opening feeds between nodes. */
  unicastBytes: 2 * MIB,
  /** The same for small files, which are soon sent to all of a small group. */
  unicastFileBytes: 1 * MIB,
  unicastFilesBytes: 8 * MIB,
  /** How long a group of nodes takes to open its feeds, where the origin's uplink is known. */
  groupMs: 50,
  transfersPerNode: 128,
  feedsPerTransfer: 2 * 64 + 2,
  /** Connections of mates that wait until a node can take them: 2 s for the offer, 5 s for more. */
  earlyDataConnections: 256,
  earlyDataMs: 2_000,
  manifestPageBytes: 256 * KIB,
  manifestPages: 4_096,
  manifestPageEntries: 4_096,
  streamsPerTransfer: 1_000_000,
  nameBytes: 4_096,
  nameComponentBytes: 255,
  fileBytes: Number.MAX_SAFE_INTEGER,
  /** Of the address space of a transfer. */
  spaceBytes: Number.MAX_SAFE_INTEGER,
  needRanges: 4_096,
  siteChars: 64,

  // --- pulls between mates ---
  /** Bytes of one request, or one block where that is more. */
  pullUnitBytes: 256 * KIB,
  /** Requests open at one holder, once it has served some; the holder takes twice as many. */
  pullRequests: 4,
  /** Holders that one node asks at the same time. */
  pullHolders: 4,
  /** A mate that is not connected, or has not answered, in this time is not waited for. */
  pullAnswerMs: 200,
  /** A holder that brings nothing for this long loses its requests, and is left alone a while. */
  pullQuietMs: 1_000,
  pullPauseMs: 2_000,
  /**
   * A request that is not served by then is lost, whatever else its holder brings; later where much
   * was listed before it, by as long as that takes a slow link.
   */
  pullServedMs: 5_000,
  pullSlowBytesPerMs: 64,
  /**
   * No request lives longer, whatever its holder says; and when for so long not even a unit of what
   * was promised has come, no mate is asked for what is open.
   */
  pullPatienceMs: 10_000,
  /** What nobody has promised by then comes from the origin. */
  pullSearchMs: 400,

  // --- records on a feed ---
  recordHeaderBytes: 32,
  recordPayloadBytes: 1 * MIB,
  recordHoleBytes: 1 * GIB,
  recordDigestBytes: 256 * KIB,
  /** Digest records of one feed that the author has not signed; the rest are not looked at. */
  wrongDigestsPerFeed: 64,

  // --- blocks ---
  blocksTarget: 65_536,
  blockBytesMin: 64 * KIB,
  blockBytesMax: 64 * MIB,
  /** A node keeps a few bytes for each block of a file: 64 TiB in the largest blocks. */
  blocksPerFile: 1_048_576,
  /** Repairs of one block before the node fails with ERR_FR_BAD_BLOCK. */
  repairTries: 3,

  // --- hashing ---
  /** Bytes of one hash task; a task holds whole blocks, at least one. */
  hashTaskBytes: 8 * MIB,
  /** Runs no larger than this are hashed at once on the calling thread. */
  hashInlineBytes: 1 * MIB,
  /** Bytes without data that are hashed at once, without reading. */
  hashHolesBytes: 1 * GIB,
  hashTasksInFlight: 8,
  /**
   * Files no larger than this are hashed on the calling thread, in runs of hashInlineBytes: that
   * takes less time than starting a worker.
   */
  hashSmallFileBytes: 8 * MIB,
  /** The origin hashes at most this far ahead of what its feeds have sent. */
  hashAheadBytes: 64 * MIB,

  // --- storage ---
  fallocateStepBytes: 64 * MIB,
  keepPartialsSeconds: 7 * 24 * 3600,
  minFreeBytes: 64 * MIB,
  /** How often a node looks whether its data directory is still at its path. */
  lookMs: 1_000,
  /** A look that takes longer is told in the status. */
  lookLateMs: 1_000,
  /** Names of kept partial files in a status, and what is kept of one in the name of the file. */
  keptNames: 8,
  keptNameChars: 64,
  /** Warnings of one node in its `complete`. */
  warningsPerNode: 8,

  // --- trace of a push ---
  /** Events of one trace; more are counted and left out. About 130 bytes each. */
  traceEvents: 250_000,
  /** Of these, kept free for what is rare: stages, lags, needs, failures. */
  traceEventsRare: 25_000,
  /** Bytes of a piece that is written at once, and bytes that may wait for the disk. */
  traceChunkBytes: 64 * KIB,
  traceQueueBytes: 4 * MIB,

  // --- engine ---
  /** Ranges that one feed may have listed by its caller; what it lists of itself does not count. */
  listedRanges: 65_536,
  /** Pieces in which one stream may have landed; a feed that would make more is closed by name. */
  landedPieces: 1_048_576,
  /** Digest payload bytes one feed may have listed but not sent. */
  digestQueueBytes: 8 * MIB,
} as const

/**
 * blockBytes = clamp(pow2ceil(F / 65,536), 64 KiB, 64 MiB): of the file's size only (decision 6).
 */
export function blockBytesFor(fileBytes: number): number {
  let block: number = limits.blockBytesMin
  while (block < limits.blockBytesMax && block * limits.blocksTarget < fileBytes) block *= 2
  return block
}

function relation(holds: boolean, text: string): void {
  if (!holds) throw new Error(`limits contradict each other: ${text}`)
}
relation(limits.manifestPageBytes < limits.frameBytes, 'a manifest page fits a frame')
relation(limits.frameBytes < limits.linkQueueBytes, 'a frame fits the link queue')
relation(
  limits.attemptMs * limits.addressesPerHost < limits.connectMs,
  'every address of a host is tried in the time to connect',
)
relation(limits.progressMs * 3 < limits.suspectMs, 'three lost reports before suspicion')
relation(limits.suspectMs < limits.awayMs, 'suspected before away')
relation(
  limits.progressMs * 2 <= limits.relayClaimMs && limits.relayClaimMs < limits.askMs,
  'a mate reports twice before it is believed, and before it has the bytes elsewhere',
)
relation(limits.awayMs < limits.silenceMs, 'away before lost')
relation(limits.drainMs * 2 < limits.wordMs, 'a node waits for its origin for less than it may')
relation(limits.wordMs < limits.awayMs, 'a broken feed is found before silence')
relation(
  limits.silenceMsMin <= limits.silenceMs && limits.silenceMs <= limits.silenceMsMax,
  'the silence of a push that says nothing about it is one that may be asked for',
)
relation(
  limits.beatMs * 3 < limits.silenceMsMin + limits.originGraceMs,
  'three lost beats before the origin counts as lost',
)
relation(
  limits.beatMs < limits.originQuietMs && limits.originQuietMs < limits.askMs,
  'a node knows that the origin is quiet before it asks',
)
relation(limits.originGraceMs < limits.connectionGraceMs, 'silence ends first, then connections')
relation(limits.pullAnswerMs < limits.pullSearchMs, 'a mate may answer while others are sought')
relation(limits.pullSearchMs < limits.askMs, 'the origin is asked before a node asks again')
relation(limits.pullServedMs < limits.pullPatienceMs, 'a promise has its time')
relation(limits.pullPatienceMs * 3 <= limits.stallMs, 'mates that lie are left in good time')
relation(limits.pullQuietMs < limits.pullServedMs, 'quiet holders are found before slow ones')
relation(limits.askMsMax * 2 < limits.stallMs, 'a node asks again before it is given up')
relation(limits.decideMs < limits.acceptMs, 'a hook that is too late is named to the origin')
relation(
  limits.decideMs + limits.claimMs < limits.acceptMs,
  'a name is waited for within the answer to an offer',
)
relation(limits.readyMs < limits.acceptMs, 'the plan waits for less than a node may take')
relation(limits.nodesPerPush * (1 + limits.retries) <= limits.placesPerPush, 'places for retries')
relation(limits.placesPerPush <= limits.dealRanges, 'a deal has a range for each member')
relation(limits.placesPerPush < limits.membersPerPlan, 'a plan can name who began the push')
relation(limits.connectMs < limits.reachMs, 'a node is dialled more than once')
relation(limits.redialMsMax * 3 < limits.reachMs, 'a node that comes up is found soon')
relation(limits.reachMs + 2 * limits.acceptMs < limits.addMs, 'a node can join in that time')
relation(limits.progressMs * 10 < limits.rateWindowMs, 'a rate is judged by many reports')
relation(limits.stallMs < limits.publishMs, 'making a file durable may take longest')
relation(limits.recordPayloadBytes <= limits.fallocateStepBytes, 'a record spans two steps at most')
relation(
  Math.max(limits.hashTaskBytes, limits.blockBytesMax) <= limits.hashHolesBytes,
  'a task without data is hashed at once',
)
relation(
  limits.signatureBytes + (limits.hashTaskBytes / limits.blockBytesMin) * 32 <=
    limits.recordDigestBytes,
  'the digests of one hash task fit a record',
)
relation(limits.hashInlineBytes <= limits.hashTaskBytes, 'inline runs are small tasks')
relation(limits.traceEventsRare < limits.traceEvents, 'a trace has room for what is common')
relation(limits.traceChunkBytes < limits.traceQueueBytes, 'a piece of a trace fits its queue')
relation(limits.blocksTarget <= limits.blocksPerFile, 'the blocks aimed at are allowed')
relation(
  blockBytesFor(limits.hashSmallFileBytes) <= limits.hashInlineBytes,
  'a block of a small file is hashed at once',
)

/** Bytes in the unit of their size, two or three digits: `96 MiB`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let power = 0
  while (power < units.length - 1 && bytes >= 999.5 * 1024 ** power) power++
  const value = bytes / 1024 ** power
  const digits = power === 0 || value >= 9.95 ? 0 : 1
  return `${value.toFixed(digits)} ${units[power]}`
}
