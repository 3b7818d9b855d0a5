/** How members of a transfer reach a node behind a gateway. Pure data. */
import type { FrErrorCode } from '../../base/errors.js'

/** The origin's: these are nodes of the transfer, and others may be connected to them, too. */
export interface ReachFrame {
  readonly type: 'reach'
  readonly transfer: string
  /** HOST:PORT of each. */
  readonly targets: readonly string[]
}

/** A ticket for a connection to this node of the transfer is wanted. */
export interface BridgeFrame {
  readonly type: 'bridge'
  /** A number of the asker's own. */
  readonly request: number
  readonly transfer: string
  /** HOST:PORT, as it was named in `reach`. */
  readonly target: string
}

/** The answer of the gateway to a `bridge` of the same number. */
export interface BridgedFrame {
  readonly type: 'bridged'
  readonly request: number
  /** Null: here is the ticket. */
  readonly code: FrErrorCode | null
  readonly text: string
  /** 64 hex digits, good for one connection; empty where there is a code. */
  readonly ticket: string
}
