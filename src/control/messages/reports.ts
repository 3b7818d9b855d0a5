/** What nodes report of themselves, many times a second. */

/** One line of what a node knows about each of its feeds to mates. */
export interface MateReport {
  readonly member: number
  readonly queuedBytes: number
  readonly unackedBytes: number
}

/** What a node has received from one mate. */
export interface MateBytes {
  readonly member: number
  /** Payload since the transfer began, what had landed before included. */
  readonly bytes: number
}

/** What a node has had of one mate whom it asked. */
export interface PullReport {
  readonly member: number
  /** Landed after the mate had promised them, since the transfer began. */
  readonly bytes: number
}

export interface ProgressFrame {
  readonly type: 'progress'
  /** When the counters were read, in milliseconds of the node's own clock. */
  readonly atMs: number
  /** Bytes of the file that are there, each once, holes included. */
  readonly landedBytes: number
  /** Of them, landed as holes. */
  readonly holeBytes: number
  readonly verifiedBytes: number
  readonly repairedBytes: number
  /** Payload sent to mates so far. */
  readonly sentBytes: number
  /** Payload received from anybody so far, and of it what had landed before. */
  readonly receivedBytes: number
  readonly duplicateBytes: number
  readonly mates: readonly MateReport[]
  /** Mates that payload has come from since the last report: also a sign of their life. */
  readonly received: readonly MateBytes[]
  /** Only mates that it has pulled from: for most nodes none. */
  readonly pulled: readonly PullReport[]
}

/** What the dealer at the origin steers by. */
export interface BacklogFrame {
  readonly type: 'backlog'
  /** When it was taken, by the node's own clock in whole ms: reports may arrive in a bunch. */
  readonly atMs: number
  readonly landedBytes: number
  /** Payload received from the origin, at the same moment as the rest. */
  readonly receivedBytes: number
  /** Listed and not acknowledged on the worst feed to a mate that is not lagging. */
  readonly backlogBytes: number
  /** Mates whose feeds are far behind the others. */
  readonly behind: readonly number[]
}

/** The newest reports of one node of a group; null: nothing since the last time. */
export interface GroupReport {
  readonly member: number
  readonly progress: ProgressFrame | null
  readonly backlog: BacklogFrame | null
}

/** Those of a group, from its leader, which may be one of them. */
export interface ReportsFrame {
  readonly type: 'reports'
  /** In the order of members. */
  readonly of: readonly GroupReport[]
}
