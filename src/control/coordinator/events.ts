/**
 * What the coordinator's machine is told and what it asks for, beside the words that it shares with
 * a receiver's (messages/facts.ts), and what it is made with. The number of a node is its position
 * in the list that the caller gave; nodes that are added follow.
 */
import type { Detection } from '../../base/detection.js'
import type { Failure, FrErrorCode } from '../../base/errors.js'
import type { Send } from '../dealing/dealer.js'
import type { IndexedPiece, IndexPiece } from '../messages/delta.js'
import type { EndWish, Fact, PaceWish, RedialWish, UnfeedOutWish, Wish } from '../messages/facts.js'
import type { NodeSettled } from '../messages/types.js'
import type { NodeLink, PlanMade } from '../plan/plan.js'
import type { CutWish } from './cuts.js'
import type { DigestRun } from './digests.js'
import type { Extent } from './extent.js'
import type { SiteWish } from './site-shares.js'

/** What the coordinator's machine is told. */
export type OriginFact =
  | Fact
  /**
   * The source has the size it had. `isDoubtful`: whether its content is what was read can only be
   * told by reading it once more.
   */
  | { readonly type: 'sourceChecked'; readonly isDoubtful: boolean }
  /** The source is known to have changed. */
  | { readonly type: 'sourceFailed'; readonly code: FrErrorCode; readonly text: string }
  /**
   * There are so many bytes of a content that is still written, from the first on; the engine can
   * send them. `isFinal`: nothing more comes.
   */
  | { readonly type: 'grew'; readonly bytes: number; readonly isFinal: boolean }
  /** The digest of the `cut` that was wished for; none where it has no bytes. */
  | ({ readonly type: 'cutMade'; readonly digests: Uint8Array } & CutWish)
  /** A piece of the index was made. */
  | ({ readonly type: 'indexed' } & IndexedPiece)
  /** The caller wants one node more; `answerAdd` of the same number follows. */
  | { readonly type: 'nodeAdded'; readonly request: number; readonly link: NodeLink }

/** What the coordinator's machine asks for. */
export type OriginWish =
  | Wish
  | PaceWish
  | RedialWish
  | UnfeedOutWish
  | EndWish
  /** Say the offer and the manifest to the member. `planned`: the exchange has begun elsewhere. */
  | { readonly type: 'offer'; readonly member: number; readonly planned: boolean }
  /** List a range on the data connection to the member. */
  | ({ readonly type: 'list'; readonly member: number } & Omit<Send, 'node' | 'relay'> & {
        /** The route of the range at the member. */
        readonly route: number
      })
  /** Send a run of digests on the data connection to the member, with this route. */
  | {
      readonly type: 'sendDigests'
      readonly member: number
      readonly offset: number
      readonly length: number
      readonly route: number
      readonly digests: Uint8Array
      /** The content ends where the run does; the record says so. */
      readonly isFinal?: boolean
    }
  /** Hash one block, or its beginning, as the last of what there is; `cutMade` follows. */
  | ({ readonly type: 'cut' } & CutWish)
  /** Make a piece of the index; `indexed` or `fileFailed` follows. */
  | ({ readonly type: 'index' } & IndexPiece)
  /** Look whether the source has changed; `sourceChecked` or `sourceFailed` follows. */
  | { readonly type: 'checkSource' }
  | { readonly type: 'announcePlan'; readonly plan: PlanMade }
  | { readonly type: 'announceOutcome'; readonly member: number; readonly outcome: NodeSettled }
  /** What became of a node that the caller added; null: it has joined. */
  | { readonly type: 'answerAdd'; readonly request: number; readonly failure: Failure | null }
  /** A sentence about the whole push, for the log and the result. */
  | { readonly type: 'warn'; readonly event: string; readonly text: string }

export interface OriginConfig {
  /** Of the node that coordinates. */
  readonly nodeId: string
  /** What both ends of a data connection prove themselves by; nothing unless given. */
  readonly edgeOf?: (
    member: number,
    other: number,
  ) => { readonly id: string; readonly secret: string }
  /** Every data connection is sealed; else those of nodes that want it. */
  readonly isSealed?: boolean
  readonly extent: Extent
  /** Bytes of these that are in no hole; all unless given. */
  readonly dataBytes?: number
  readonly digestBytes: number
  /**
   * Digests of all blocks, from an earlier reading of the same content, in the runs in which they
   * travel; else it is hashed.
   */
  readonly known?: readonly DigestRun[]
  readonly nodes: readonly NodeLink[]
  /**
   * Those that hold the content, perhaps, and are asked to pass it on; they are dialled once its
   * file digest is known.
   */
  readonly mirrors?: readonly NodeLink[]
  /** Those that are to pass on what comes to them, and keep nothing. */
  readonly gateways?: readonly NodeLink[]
  /** What links between sites carry at most, and where the coordinator stands. */
  readonly sites?: SiteWish
  /** How long a node is dialled again and again. */
  readonly connectMs: number
  /** Attempts after the first that a node gets; 0 unless given. */
  readonly retries?: number
  /**
   * How long a node that was lost is waited for once all others have their outcomes; it is dialled
   * for as long. 0, or nothing: it is dialled for `connectMs`, as any.
   */
  readonly rejoinMs?: number
  /** How long the push may take; for ever unless given. */
  readonly timeoutMs?: number | undefined
  /** What a node has to land at least (limits.ts); anything unless given. */
  readonly minRateBytesPerSecond?: number | undefined
  /** For what is to differ from push to push; 0 unless given. */
  readonly seed?: number
  readonly progressMs: number
  /** How long a silent node stays a member of the push. */
  readonly silenceMs: number
  /** As usual unless given. */
  readonly detection?: Detection | undefined
  /** A name that another push writes ends this one as a whole, for its caller to try it again. */
  readonly wait?: boolean
  /** Whoever holds the key may add nodes, and not only the caller. */
  readonly allowAdd?: boolean
  /** limits.relayClaimBytes unless given. */
  readonly relayClaimBytes?: number
  /** limits.hashAheadBytes unless given. */
  readonly hashAheadBytes?: number
}

/** How far a node is: by far the most frequent facts, and urgent for nobody but that node. */
export function isReport(fact: OriginFact): fact is OriginFact & { type: 'said' } {
  if (fact.type !== 'said') return false
  const { type } = fact.frame
  return type === 'backlog' || type === 'progress' || type === 'reached'
}
