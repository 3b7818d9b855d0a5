/** What a push is to do, as the caller of a run hands it over, and whom the run tells. */

import type { Detection } from '../../base/detection.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import type { Logger } from '../../base/log.js'
import type { RateLimits, TransferShare } from '../../base/rate-limits.js'
import type { ShapeWish } from '../../control/dealing/planning.js'
import type {
  Applied,
  Coded,
  NodeOutcome,
  Strategy,
  TreePart,
} from '../../control/messages/types.js'
import type { GroupWish } from '../../control/plan/layout.js'
import type { NodeLink } from '../../control/plan/plan.js'
import type { Plan } from '../../control/view/push-view.js'
import type { TraceSink } from '../../control/view/trace.js'
import type { Dialler } from '../../net/dial.js'
import type { Signer } from '../../protocol/primitives.js'
import type { FeedPlaces } from '../driver/feed-places.js'
import type { GrowingOrigin } from './growing-work.js'

/** What an earlier reading of a content has found: its own digests, or those its author signed. */
export type KnownContent = { readonly fileDigest: string } & (
  | { readonly digests: Uint8Array }
  | {
      /** Public key, 64 hex digits. */
      readonly author: string
      /** In order; together they cover the content. */
      readonly signed: readonly SignedRun[]
    }
)

/** The payload of a digest record, and what it covers. */
export interface SignedRun {
  readonly offset: number
  readonly length: number
  readonly payload: Uint8Array
}

export interface PushSpec {
  readonly transfer: string
  /** 32 hex digits: the identity of what the source holds. */
  readonly contentId: string
  /** Signs the offer, and the digests that nobody has signed before. */
  readonly signer: Signer
  readonly strategy: Strategy
  readonly shape: ShapeWish
  /** How nodes are grouped, as far as the caller says. */
  readonly groups?: GroupWish | undefined
  readonly name: Uint8Array
  /** Absent: a file, and part of no tree. */
  readonly tree?: TreePart
  /** Criteria in canonical form: who else may have it; absent: whoever asks. */
  readonly only?: string | undefined
  /** What the source stands for; absent: it is the file. */
  readonly coded?: Coded
  readonly nodes: readonly NodeLink[]
  /** The one of `nodes` that passes on all of it while it can; absent: each of them a part. */
  readonly dealtTo?: number
  /** Those that are asked to send what they hold of the content in the origin's stead. */
  readonly mirrors?: readonly NodeLink[]
  /** Those that pass on what comes to them and keep nothing. */
  readonly relays?: readonly NodeLink[]
  readonly originUplinkBytesPerSecond: number | undefined
  readonly algorithm: DigestAlgorithm
  /** The source is still written; absent: it is as it is. */
  readonly growing?: GrowingOrigin
  /** What an earlier reading of the same content has found; undefined: it is to be read. */
  readonly known: KnownContent | undefined
  readonly noClobber: boolean
  /** Earlier versions that nodes are to keep of the name, at least; undefined: as they do. */
  readonly keep?: number | undefined
  /** Nodes keep it as a version beside what has the name. */
  readonly beside?: boolean | undefined
  readonly strict: boolean
  readonly allowAdd: boolean
  readonly connectMs: number
  readonly silenceMs: number
  /** When silence counts for something before that; absent: as usual. */
  readonly detection?: Detection | undefined
  /** Part of the usual rate below which a relay is demoted; absent: limits.demoteBelow. */
  readonly demoteBelow?: number | undefined
  readonly retries: number
  readonly rejoinMs: number
  readonly timeoutMs?: number | undefined
  readonly minRateBytesPerSecond?: number | undefined
  /** What this push may use of each machine, the origin and every node. */
  readonly share?: TransferShare
  /** What all transfers of this machine together may use. */
  readonly ownRates?: RateLimits
  /** The data connections that this process sends on; absent: as many as are wanted. */
  readonly places?: FeedPlaces
  /** Reject with ERR_FR_BUSY, instead of outcomes, where another push writes the name. */
  readonly wait: boolean
  readonly dialler: Dialler
  readonly log: Logger
}

export interface PushHooks {
  /** The whole source was read, and is what was opened: what it came to. */
  readonly summed?: (fileDigest: string, digests: Uint8Array) => void
  /** The source is not what was read before, whenever that was. */
  readonly changed?: () => void
  readonly plan: (plan: Plan) => void
  readonly outcome: (outcome: NodeOutcome) => void
  /** Before the outcome of a node, HOST:PORT, that has applied a bundle. */
  readonly applied?: (node: string, applied: Applied) => void
  /** Where the events of a timeline go, when one is wanted. */
  readonly trace?: TraceSink
}
