/**
 * What the origin's machine is told (facts, past tense) and what it asks for (wishes, imperative).
 * `node` is a node's place: its position in the list the caller gave, added nodes behind them.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import type { RangePair } from '../../base/ranges.js'
import type { Send } from '../dealing/dealer.js'
import type { Frame, NodeSettled, RosterFrame, Shape, Strategy } from '../messages/types.js'
import type { NodeLink } from '../plan/plan.js'

export interface FeedCount {
  readonly node: number
  readonly payloadBytes: number
  readonly queuedBytes: number
  readonly unackedBytes: number
}

export type OriginEvent =
  /** The node's name is being looked up; it ends with `lookUpEnded`, or `linkClosed`. */
  | { readonly type: 'lookUpBegan'; readonly node: number }
  | { readonly type: 'lookUpEnded'; readonly node: number }
  | {
      readonly type: 'linkOpened'
      readonly node: number
      readonly nodeId: string
      /** Differs for machines that were copied with their node id. */
      readonly incarnation?: number
      /** HOST:PORT that the node says its mates should dial. */
      readonly advertise?: string
      /** How long a message and its answer took; absent: not measured. */
      readonly rttMs?: number
    }
  /** The control link could not be opened, or is gone. */
  | {
      readonly type: 'linkClosed'
      readonly node: number
      readonly code: FrErrorCode
      readonly text: string
    }
  | { readonly type: 'feedOpened'; readonly node: number }
  | {
      readonly type: 'feedClosed'
      readonly node: number
      readonly code: FrErrorCode
      readonly text: string
    }
  | { readonly type: 'frameArrived'; readonly node: number; readonly frame: Frame }
  | {
      readonly type: 'hashed'
      readonly offset: number
      readonly length: number
      readonly digests: Uint8Array
    }
  | { readonly type: 'summed'; readonly fileDigest: string }
  /** Blocks that were hashed before have been hashed once more, from the file as it is now. */
  | {
      readonly type: 'rehashed'
      readonly offset: number
      readonly length: number
      readonly digests: Uint8Array
    }
  /**
   * The source has the size it had. `isDoubtful`: whether its content is what was read can only be
   * told by reading it once more.
   */
  | { readonly type: 'sourceChecked'; readonly isDoubtful: boolean }
  /** The source is known to have changed. */
  | { readonly type: 'sourceFailed'; readonly code: FrErrorCode; readonly text: string }
  /** Reading the source failed; whether it changed is not known yet. */
  | { readonly type: 'readFailed'; readonly code: FrErrorCode; readonly text: string }
  /** `atMs`: when, by a clock that goes on while this process has no turn, as the bytes do. */
  | { readonly type: 'sampled'; readonly atMs: number; readonly feeds: readonly FeedCount[] }
  /** The caller wants one node more; answered by `answerAdd` of the same number. */
  | { readonly type: 'nodeAdded'; readonly request: number; readonly link: NodeLink }
  | { readonly type: 'cancelled'; readonly text: string }
  | { readonly type: 'ticked' }

export interface PlanMade {
  readonly strategy: Strategy
  readonly shape: Shape
  readonly nodes: readonly number[]
  readonly shares: readonly RangePair[]
}

export type OriginCommand =
  | { readonly type: 'dial'; readonly node: number }
  /** Send offer and manifest, and dial the data connection. */
  | { readonly type: 'offer'; readonly node: number; readonly planned: boolean }
  | { readonly type: 'send'; readonly node: number; readonly frame: Frame }
  | ({ readonly type: 'list' } & Send)
  | {
      readonly type: 'digests'
      readonly node: number
      readonly offset: number
      readonly length: number
      readonly relay: boolean
      readonly digests: Uint8Array
    }
  | { readonly type: 'hash'; readonly offset: number; readonly length: number }
  /** Hash blocks once more that were hashed before; answered by `rehashed`. */
  | { readonly type: 'rehash'; readonly offset: number; readonly length: number }
  | { readonly type: 'checkSource' }
  | { readonly type: 'sum'; readonly digests: Uint8Array }
  /** Look at the counters of the engine (`sampled`). */
  | { readonly type: 'sample' }
  /** Close what is open to this node, after what was sent. */
  | { readonly type: 'drop'; readonly node: number }
  | { readonly type: 'announcePlan'; readonly plan: PlanMade }
  | { readonly type: 'announceOutcome'; readonly node: number; readonly outcome: NodeSettled }
  /** What became of a node that the caller added; null: it has joined. */
  | { readonly type: 'answerAdd'; readonly request: number; readonly failure: Failure | null }
  | {
      readonly type: 'log'
      readonly level: 'info' | 'warn'
      readonly event: string
      readonly node: number
      readonly text: string
    }
  /** A sentence about the whole push, for the log and the result. */
  | { readonly type: 'warn'; readonly event: string; readonly text: string }
  /** All is over; `failure` when the push as a whole failed. Always the last command. */
  | { readonly type: 'end'; readonly failure: Failure | null }

/** From whom a coordinator takes over. */
export interface Succession {
  /** The number of the member that takes over. */
  readonly member: number
  readonly roster: RosterFrame
}

export interface OriginConfig {
  /** Of the node that coordinates. */
  readonly nodeId: string
  /** The coordinator takes over from another one; `nodes` says nothing then. */
  readonly succeeds?: Succession
  /** What both ends of a data connection prove themselves by; nothing unless given. */
  readonly edgeOf?: (
    member: number,
    other: number,
  ) => { readonly id: string; readonly secret: string }
  readonly bytes: number
  /** Of these, what is no hole; `bytes` unless given. */
  readonly dataBytes?: number
  readonly blockBytes: number
  readonly digestBytes: number
  readonly nodes: readonly NodeLink[]
  /** How long a node is dialled again and again. */
  readonly connectMs: number
  /** Attempts after the first that a node gets; 0 unless given. */
  readonly retries?: number
  /** How long the push may take; for ever unless given. */
  readonly timeoutMs?: number | undefined
  /** What a node has to land at least (origin-limits.ts); anything unless given. */
  readonly minRateBytesPerSecond?: number | undefined
  /** For what is to differ from push to push; 0 unless given. */
  readonly seed?: number
  readonly progressMs: number
  /** How long a silent node stays a member of the push. */
  readonly silenceMs: number
  /** A name that another push writes ends this one as a whole, for its caller to try it again. */
  readonly wait?: boolean
  /** Whoever holds the key may add nodes, and not only the caller. */
  readonly allowAdd?: boolean
  /** limits.relayClaimBytes unless given. */
  readonly relayClaimBytes?: number
  /** limits.hashAheadBytes unless given. */
  readonly hashAheadBytes?: number
}

/** How far a node is: by far the most frequent events, and urgent for nobody but that node. */
export function isReport(event: OriginEvent): event is OriginEvent & { type: 'frameArrived' } {
  if (event.type !== 'frameArrived') return false
  const { type } = event.frame
  return type === 'backlog' || type === 'progress'
}
