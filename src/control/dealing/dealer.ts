/**
 * The dealer decides who is sent what, and who relays it. It is a value the origin holds: facts go
 * in, sends come out. It keeps the deal (which ranges each node was given to relay), because that
 * is what must be made good when a node dies. It must never know about connections or time-outs.
 *
 * What somebody holds at the start is no work for a relay: the others have it from there. A mirror
 * holds everything and is a relay like the others: what it is dealt nobody has to send to it. A
 * gateway is one too, and no receiver: with an uplink of u it can carry u/n of what n nodes get.
 *
 * A dealer that deals piece by piece answers `reported`, `counted` and `ticked` with more sends.
 */
import type { RangePair, RangeSet } from '../../base/ranges.js'
import type { Role, Strategy } from '../messages/types.js'
import type { Chain } from '../plan/chain.js'
import type { TreeShape } from '../plan/layout.js'

export type DealtShape = 'unicast' | TreeShape

export interface Send {
  readonly node: number
  readonly offset: number
  readonly length: number
  readonly relay: boolean
  readonly scratch: boolean
  readonly why: SendReason
  /** The column that carries it on from the node, where groups feed groups. */
  readonly column?: number
}

/**
 * Why a range is sent to a node:
 * - share: it is the node's to pass on.
 * - everybody: the origin sends this range to every node itself.
 * - bypass: the feed from the relay that was dealt it is broken.
 * - answer: the node asked for it.
 * - hole: the range holds no data; the origin announces it to every node itself.
 * - level: the node joined later, and no mate brings it.
 */
export type SendReason = 'hole' | 'share' | 'everybody' | 'bypass' | 'answer' | 'level'

export type DealerFact =
  /** The plan is made: these nodes take part, each with an open feed. */
  | {
      readonly type: 'started'
      readonly nodes: readonly number[]
      /** What nodes hold already; nothing unless given. */
      readonly have?: ReadonlyMap<number, RangeSet>
      /** What no node is dealt: each group has it in itself, or all do; nothing unless given. */
      readonly leftOut?: RangeSet
      /** Those who lack nothing: they only pass on what they are dealt. */
      readonly mirrors?: ReadonlySet<number>
      /** Those who pass on what they are dealt, and are to have nothing of it. */
      readonly gateways?: ReadonlySet<number>
      /** More of the content may come to be; nobody knows how much. */
      readonly isGrowing?: boolean
      readonly nowMs: number
    }
  /** There is more of the content: this range behind all that there was. */
  | { readonly type: 'grown'; readonly range: RangePair; readonly nowMs: number }
  /**
   * All who keep up hold everything before this. It is dealt to nobody any more, and who was dealt
   * it is forgotten.
   */
  | { readonly type: 'floored'; readonly bytes: number }
  /**
   * One node more. `missing`: what it lacks and no living relay has been dealt, so that none brings
   * it; what is not dealt yet may be among it.
   */
  | {
      readonly type: 'nodeJoined'
      readonly node: number
      readonly missing: readonly RangePair[]
      readonly role?: Role
      readonly nowMs: number
    }
  /** A node's own report: what it holds and how far behind its relay feeds are. */
  | {
      readonly type: 'reported'
      readonly node: number
      /** By the node's own clock. */
      readonly atMs: number
      readonly landedBytes: number
      /** Payload received from the origin. */
      readonly receivedBytes: number
      readonly backlogBytes: number
      readonly behind: readonly number[]
      readonly nowMs: number
    }
  /** Counters of the origin's feed to this node. */
  | {
      readonly type: 'counted'
      readonly node: number
      readonly sentBytes: number
      readonly queuedBytes: number
      readonly unackedBytes: number
      /** How long a message to this node and its answer take; absent: not known. */
      readonly rttMs?: number
      /** When they were read, by a clock that also goes on while this process has no turn. */
      readonly atMs: number
      readonly nowMs: number
    }
  | { readonly type: 'nodeFailed'; readonly node: number; readonly nowMs: number }
  /** What `from` relays no longer reaches `to`, although both live. */
  | { readonly type: 'edgeLost'; readonly from: number; readonly to: number }
  /** It does again. */
  | { readonly type: 'edgeBack'; readonly from: number; readonly to: number }
  | {
      readonly type: 'needed'
      readonly node: number
      readonly scratch: boolean
      readonly ranges: readonly RangePair[]
      readonly nowMs: number
    }
  /** A column does not reach this node, on whose feed so much waits: the unit goes past it. */
  | {
      readonly type: 'bypassed'
      readonly node: number
      readonly range: RangePair
      readonly queuedBytes: number
    }
  /** What this node says it has passed on is taken for true so far. */
  | { readonly type: 'confirmed'; readonly node: number }
  /** It is not true: the node is dealt nothing more to relay, and others get what it had. */
  | { readonly type: 'distrusted'; readonly node: number; readonly nowMs: number }
  /** It fails again and again, and is dealt nothing to relay until it is tried again. */
  | {
      readonly type: 'rested'
      readonly node: number
      readonly isResting: boolean
      readonly nowMs: number
    }
  | { readonly type: 'ticked'; readonly nowMs: number }

export interface Dealer {
  readonly strategy: Strategy
  readonly shape: DealtShape
  /** Who is in which group. */
  readonly chain: Chain
  /** How often nodes are to report their backlog; 0: never. */
  readonly reportMs: number
  /** Whether this node may be given ranges to relay, now or later; known from `started` on. */
  mayRelay(node: number): boolean
  /** The part of the file that is this node's to relay; null: that follows from how it goes. */
  share(node: number): RangePair | null
  /** Nodes whose backlog is not to count, ascending: they lag, are silent, or catch up. */
  excluded(): readonly number[]
  /** Nodes that are dealt nothing to relay for now, since they are far slower than others. */
  readonly demoted: readonly number[]
  handle(fact: DealerFact): Send[]
  /** Ranges given to this node to relay so far. */
  dealt(node: number): readonly RangePair[]
  /** Ranges that went along this column. */
  along(column: number): readonly RangePair[]
  /** Sum of `dealt`. */
  dealtBytes(node: number): number
  /** Bytes that were sent to every node directly, each counted once. */
  readonly directBytes: number
  /** Bytes not dealt yet. */
  readonly openBytes: number
  /** Bytes dealt to this node that it has not passed on; null: it relays nothing. */
  queueBytes(node: number): number | null
  /** Bytes this node says it has passed on to its mates; null: this dealer has no such word. */
  claimedBytes(node: number): number | null
  /** When it wants a `ticked`; null: never. */
  deadlineMs(): number | null
}
