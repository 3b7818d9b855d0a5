/**
 * What a receiver's machine is told and what it asks for, beside the words that it shares with the
 * coordinator's (messages/facts.ts).
 */
import type { Detection } from '../../base/detection.js'
import type { RangePair } from '../../base/ranges.js'
import type { BlockBytes } from '../../base/sections.js'
import type { HeldRun } from '../holdings/have.js'
import type { SoughtPiece } from '../messages/delta.js'
import type { EndWish, Fact, PaceWish, ReadmitWish, Wish } from '../messages/facts.js'
import type { Applied, Term } from '../messages/types.js'
import type { ServeWish } from '../pulling/events.js'

export interface NodeConfig {
  /** Of a content that is still written: what there was when it was offered. */
  readonly bytes: number
  /** By sections where it is still written. */
  readonly blockBytes: BlockBytes
  readonly digestBytes: number
  /** The node at the other end of the control link. */
  readonly originId: string
  /** See NodeWaits. */
  readonly silenceMs: number
  /** As usual unless given. */
  readonly detection?: Detection | undefined
  /** By which its waits differ from those of other nodes. */
  readonly seed?: number
  /** It passes on what comes to it, and keeps nothing: it lacks nothing, and is never complete. */
  readonly isGateway?: boolean
  /** It takes no plan with a data connection that is not sealed. */
  readonly mustSeal?: boolean
}

/** Blocks that are in the file already, with their digests. */
export interface Found {
  /** Of this content, and verified. */
  readonly held?: readonly HeldRun[]
  /** Of this content, and verified once; whether they are still there only reading them tells. */
  readonly unread?: readonly HeldRun[]
  /** Perhaps of this content: the digests are those of the bytes that are there. */
  readonly candidates?: readonly HeldRun[]
  /** Perhaps of this content, and perhaps not there: the digests are of what was there once. */
  readonly unreadCandidates?: readonly HeldRun[]
  /** Perhaps of this content, in another file, from where `bring` has them copied. */
  readonly elsewhere?: readonly HeldRun[]
  /** Bytes of that other file; blocks may be filled from it. */
  readonly olderBytes?: number
}

/** What came of the publication. */
export interface Told {
  /** What could not be kept, one sentence each. */
  readonly warnings: readonly string[]
  /** Of a bundle alone. */
  readonly applied?: Applied
}

/** What a receiver's machine is told. */
export type NodeFact =
  | Fact
  /** The name is this transfer's. */
  | { readonly type: 'claimed' }
  | ({ readonly type: 'prepared' } & Found)
  /** Bytes are in the file, or with `scratch` beside it. */
  | {
      readonly type: 'landed'
      readonly scratch: boolean
      readonly offset: number
      readonly length: number
      /** Of these bytes, if the engine has hashed them already. */
      readonly digests?: Uint8Array | undefined
    }
  /** A record of digests came. */
  | {
      readonly type: 'digests'
      readonly offset: number
      readonly length: number
      /** Of the author; null: the author has not signed them, and what the record said is lost. */
      readonly digests: Uint8Array | null
      /** The content ends where the record does. */
      readonly isFinal?: boolean
    }
  /** What older content had of a piece is in the file: these ranges. */
  | {
      readonly type: 'filled'
      readonly offset: number
      readonly length: number
      readonly ranges: readonly RangePair[]
    }
  | { readonly type: 'copied'; readonly offset: number; readonly length: number }
  | ({ readonly type: 'published' } & Told)
  /** A member has taken over, and this node follows it: `refusal` said null. */
  | { readonly type: 'succeeded'; readonly term: Term; readonly nodeId: string }
  /** Another transfer writes the name: this one gives way where its coordinator is gone. */
  | { readonly type: 'outbid' }

/** What a receiver's machine asks for. */
export type NodeWish =
  | Wish
  | PaceWish
  | ReadmitWish
  | ServeWish
  /**
   * Check the name, reserve the space, create the partial; `claimed` and `prepared` follow, or
   * `fileFailed`.
   */
  | { readonly type: 'prepare' }
  /** These bytes are in the file already: they have landed. */
  | { readonly type: 'hold'; readonly ranges: readonly RangePair[] }
  /** Copy what older content has of a piece; `filled` follows. */
  | ({ readonly type: 'fill' } & SoughtPiece)
  /** These blocks of the other file are of this content: copy them before they are hashed. */
  | { readonly type: 'bring'; readonly ranges: readonly RangePair[] }
  /** These bytes are passed on with the route once they have landed. */
  | { readonly type: 'assign'; readonly ranges: readonly RangePair[]; readonly route: number }
  /** List these bytes for the member as repairs, if there is a data connection to it. */
  | { readonly type: 'mend'; readonly member: number; readonly ranges: readonly RangePair[] }
  /**
   * So much may come of a content that is still written. `isFinal`: that is all of it, however
   * much might have come.
   */
  | { readonly type: 'grow'; readonly bytes: number; readonly isFinal: boolean }
  /** The digest of the beginning of a block is wanted once it is there: it has `landed` then. */
  | { readonly type: 'cut'; readonly offset: number; readonly length: number }
  /** What is kept to be passed on of all before this is needed no more. */
  | { readonly type: 'forget'; readonly before: number }
  /** All before this is verified, for whoever reads it. `isFinal`: the content ends there. */
  | { readonly type: 'reach'; readonly bytes: number; readonly isFinal: boolean }
  /** The routes of the plan have changed. */
  | { readonly type: 'route' }
  /** Close the data connection from the member; another one may come. */
  | { readonly type: 'unfeed'; readonly member: number }
  /** Copy verified repairs into the file; `copied` or `fileFailed` follows. */
  | { readonly type: 'copyIn'; readonly offset: number; readonly length: number }
  /** Make the file durable under its name; `published` or `fileFailed` follows. */
  | { readonly type: 'publish' }
  /** Coordinate the transfer from now on, in this term. */
  | { readonly type: 'takeOver'; readonly term: Term }
  /** `keepPartial`: for a later resumption. */
  | (EndWish & { readonly keepPartial: boolean })

export type NodePhase =
  /** -> accepted | ended: the session prepares the partial. */
  | 'preparing'
  /** -> receiving | passing | ended: waits for the plan. */
  | 'accepted'
  /** -> summing | orphaned | ended: bytes land and are verified. */
  | 'receiving'
  /** -> ended: what comes goes on, and nothing is kept; it lacks nothing, and is never complete. */
  | 'passing'
  /** -> receiving | summing | ended: the coordinator is gone; what lands is verified and kept. */
  | 'orphaned'
  /** -> publishing | ended: everything is verified and sealed. */
  | 'summing'
  /** -> complete | ended */
  | 'publishing'
  /** -> ended: serves mates until the origin says finish or is gone. */
  | 'complete'
  | 'ended'

export function hasPlan(phase: NodePhase): boolean {
  return phase !== 'preparing' && phase !== 'accepted'
}

/** The origin is there, and more may come of it. */
export function isRunning(phase: NodePhase): boolean {
  return phase === 'accepted' || phase === 'receiving' || phase === 'passing'
}

/** Only the disk of this node is left to do. */
export function isDisk(phase: NodePhase): boolean {
  return phase === 'summing' || phase === 'publishing'
}
