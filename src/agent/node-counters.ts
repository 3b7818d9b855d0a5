/** What a node counts since its start, for its status. */
export interface NodeCounters {
  connections: number
  refusedConnections: number
  /** Refused connections of peers that did not hold the key. */
  authFailures: number
  /** Digest records with a wrong signature. */
  wrongDigests: number
  transfersStarted: number
  transfersComplete: number
  transfersFailed: number
}

export function freshCounters(): NodeCounters {
  return {
    connections: 0,
    refusedConnections: 0,
    authFailures: 0,
    wrongDigests: 0,
    transfersStarted: 0,
    transfersComplete: 0,
    transfersFailed: 0,
  }
}
