/** Types about nodes that switch a name together. */

import type { DecisionStatus } from '../agent/commit-status.js'
import type { FrErrorCode } from '../base/errors.js'
import type { Committed } from '../control/view/committed.js'
import type { Credentials } from './credential-types.js'

export type { Committed, DecisionStatus }

export interface CommitOptions {
  /**
   * The file takes the name at all nodes, or at none: once each of them has it, verified and
   * durable beside what has the name (`all`), or most of them have (`quorum`). One that was away
   * comes to the same version by itself. At most 512 nodes; not for directories.
   */
  commit?: 'all' | 'quorum'
}

/** Of the status of a node. */
export interface Deciding {
  /** Versions that are ready beside what has their names, until the nodes have decided. */
  readonly decisions: readonly DecisionStatus[]
}

export interface TogetherOptions extends Credentials {
  /** At least 6 hex digits of its digest, or -1 for the one before, -2, ..; default -1. */
  version?: string
  commit: 'all' | 'quorum'
  signal?: AbortSignal
  /** Milliseconds after which the nodes are waited for no longer; default 60,000. */
  timeoutMs?: number
}

/** What became of `rollbackTogether`. */
export interface TogetherResult {
  readonly event: 'result'
  readonly name: string
  readonly nameBase64: string | null
  /** Of the version that was to take the name. */
  readonly digest: string
  readonly commit: Committed
  readonly nodes: readonly {
    readonly node: string
    readonly status: 'complete' | 'failed'
    readonly code: FrErrorCode | null
    readonly reason: string | null
  }[]
}

export interface ForceOptions extends Credentials {
  verdict: 'commit' | 'abort'
  signal?: AbortSignal
  /** Milliseconds that the answer may take; default 10,000. */
  timeoutMs?: number
}

export interface ForcedResult {
  readonly event: 'forced'
  readonly node: string
  readonly name: string
  readonly nameBase64: string | null
  /** Of the version that was in doubt. */
  readonly digest: string
  readonly verdict: 'commit' | 'abort'
}
