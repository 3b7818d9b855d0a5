/** Bounds of the doors through which programs reach a node without its own protocol: HTTP. */

const kib = 1024

export const doorLimits = {
  /** Bytes of the request line and of all headers together, and how many headers. */
  headerBytes: 16 * kib,
  headers: 100,
  /** Bytes of a request's target. */
  targetBytes: 8 * kib,
  /** Milliseconds in which all headers of a request come. */
  headersMs: 10_000,
  /** Milliseconds that a connection stays open without a request. */
  keepAliveMs: 15_000,
  /** Milliseconds in which no byte goes in either direction, in the midst of a request. */
  idleMs: 30_000,
  /** Milliseconds for which an answer waits for what still grows or arrives. */
  arriveMs: 60_000,
  /**
   * Bytes per second that a reader takes at least, unless said otherwise; of pieces of so many
   * bytes at first, and of more for those who take one within so many milliseconds.
   */
  leastBytesPerSecond: kib,
  paceBytes: 1024 * kib,
  paceBytesMax: 32 * 1024 * kib,
  promptMs: 1_000,
  /** Milliseconds for which an answer waits for a digest that is not known yet. */
  digestMs: 250,
  /** Doors that may have the same files, and milliseconds in which one says whether it has. */
  peers: 64,
  peerMs: 2_000,
  /** Milliseconds that the rest of a request has, of which nobody wants to know any more. */
  lingerMs: 1_000,
  /**
   * Connections that are served, at most this part of the files that the process may open; and
   * those beyond that are told that there are too many.
   */
  connections: 16_384,
  connectionsOfFiles: 0.25,
  connectionsOverMax: 256,
  /** Names under which a door is known beside its addresses. */
  hosts: 64,
  /** Links between sites that `/metrics` of a master has. */
  linksMeasured: 1_000,

  /** Films of which the segments are remembered, and analyses in a row for one answer. */
  playlists: 32,
  playlistReads: 8,

  // --- control API ---
  /** Bytes of a JSON body, and milliseconds in which it comes. */
  jsonBytes: 1024 * kib,
  jsonMs: 20_000,
  /** Streams of events at the same time; bytes that one, and all, may lag behind; a beat. */
  eventStreams: 512,
  eventQueueBytes: 32 * 1024 * kib,
  eventQueuesBytes: 128 * 1024 * kib,
  eventBeatMs: 10_000,
  /** Milliseconds between two words about a status, at least, at most and unless asked. */
  eventEveryMsMin: 250,
  eventEveryMsMax: 60_000,
  eventEveryMs: 1_000,
  /** Transfers that run and were begun here; how many that are over are kept, and how long. */
  transfers: 32,
  ended: 64,
  endedMs: 3_600_000,
  waitSecondsMax: 60,
  /** Keys of requests that are carried out once, and milliseconds that each is remembered. */
  idempotencyKeys: 4_096,
  idempotencyMs: 3_600_000,
  /** Directories of which files may be sent. */
  sources: 16,
  /** Uploads that are open, bytes of each, and milliseconds that one nobody touches is kept. */
  uploads: 64,
  uploadBytes: 16 * 1024 ** 4,
  uploadMs: 86_400_000,
  /** Nodes that one upload may name. */
  uploadNodes: 256,
  /** Rows of one answer, at most and unless asked. */
  rowsMax: 10_000,
  rows: 1_000,

  // --- container registries ---
  /** Bytes of a manifest or of the index of a repository, as registries have them. */
  manifestBytes: 4 * 1024 * kib,
  /** Manifests of a repository that are read to find those that refer to another. */
  referringManifests: 1_024,

  /** Bytes of a file of SHA-256 that came with a tree, and trees of which they are remembered. */
  sumsBytes: 32 * 1024 * kib,
  sumsKnown: 4,

  // --- model hub ---
  /** Files of a model, entries of a page of its tree, and paths that one request asks about. */
  modelFiles: 100_000,
  modelPage: 1_000,
  modelPaths: 1_000,
  /** Milliseconds for which an answer waits for SHA-256 that the node has to work out. */
  modelDigestsMs: 5_000,

  // --- bearer tokens ---
  tokenChars: 256,
  tokensFileBytes: 1024 * kib,
  tokens: 4_096,
  /** Milliseconds between two looks at the file of tokens. */
  tokensLookMs: 500,
} as const
