/** Bounds of masters of which one leads, and of what they keep: a part of copy-limits.ts. */

const KIB = 1024
const MIB = 1024 * KIB

export const leadingLimits = {
  /** Milliseconds that one leads from when it wrote last, and between two writes. */
  leaseMs: 1_200,
  leaseBeatMs: 300,
  /** Milliseconds in which others see nothing new before one of them leads, and between looks. */
  leasePatienceMs: 1_600,
  leaseLookMs: 150,
  /** Milliseconds for an answer of what they keep it in, and until it is asked again. */
  leaseRequestMs: 400,
  leaseRetryMs: 250,
  /** Bytes of one value there, of the head, and of all together. */
  statePieceBytes: 512 * KIB,
  stateHeadBytes: 64 * KIB,
  stateBucketBytes: 512 * MIB,
  /** Values after a snapshot, and masters that wrote them, before there is another one. */
  stateJournalPieces: 4_096,
  stateJournalTerms: 256,
  /** Values that are asked for at one time. */
  statePiecesAtOnce: 16,
  /** Masters that a node may be given, servers that keep a state, and characters of a bucket. */
  nodeMasters: 16,
  stateServers: 16,
  bucketChars: 64,
  /** Milliseconds of silence after which a node looks for another of its masters; between words. */
  mastersSilenceMs: 9_000,
  mastersStateMs: 2_500,
  /** Milliseconds at most until a node asks again who leads, and a client does. */
  leaderRedialMsMax: 1_000,
  leaderAskMs: 300,
  /** Times that who is asked names another one who leads. */
  leaderHops: 4,
} as const
