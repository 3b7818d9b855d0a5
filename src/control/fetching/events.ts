/**
 * What the machine of a client that fetches a file is told and what it asks for, beside the words
 * that it shares with other machines (messages/facts.ts). Members are the holders that the caller
 * named, from 1 on.
 */
import type { RangePair } from '../../base/ranges.js'
import type { EndWish, Fact, Wish } from '../messages/facts.js'
import type { FetchOffer } from '../messages/types.js'

/** Bytes of a file, the last one included. */
export interface FetchRange {
  readonly first: number
  readonly last: number
}

export interface FetchConfig {
  /** HOST:PORT of each holder, the one whose content counts first. */
  readonly holders: readonly string[]
  /** Null: all of the file. */
  readonly range: FetchRange | null
  /** Bytes that are fetched ahead of what was delivered; null: there is no such bound. */
  readonly aheadBytes: number | null
  /** How long nothing may be verified. */
  readonly silenceMs: number
  /** How long all of it may take; null: there is no such bound. */
  readonly timeoutMs: number | null
  /** File digest of the content that is wanted; undefined: whatever the first of them holds. */
  readonly fileDigest?: string | undefined
  /** Bytes that no holder has got end it, once all that they have is here. */
  readonly isLackFinal?: boolean
  /** A holder that answers that it has no more yet is waited for without an end. */
  readonly isFollowing?: boolean
  /** More may be `wanted` when all of the range is here: its holders or `stopped` end it. */
  readonly isStanding?: boolean
}

/** The content that is fetched, as the holder described it whose word counts. */
export interface FetchedContent extends Omit<FetchOffer, 'you' | 'edge' | 'transfer'> {
  readonly size: number
  readonly blockBytes: number
  readonly digestBytes: number
  /** Whole blocks that are wanted. */
  readonly offset: number
  readonly length: number
}

/** Blocks that an earlier fetch of this content has left. */
export interface FoundRun {
  readonly offset: number
  readonly length: number
  /** Of what is in the file; null: it is to be hashed first. */
  readonly digests: Uint8Array | null
}

export type FetchFact =
  | Exclude<Fact, { type: 'sampled' }>
  /** The file that bytes land in is open. `digests`: of all blocks, if proved before. */
  | {
      readonly type: 'opened'
      readonly found: readonly FoundRun[]
      readonly digests?: Uint8Array | undefined
    }
  /** Bytes are in the file, or with `scratch` beside it. */
  | {
      readonly type: 'landed'
      readonly scratch: boolean
      readonly offset: number
      readonly length: number
      readonly digests?: Uint8Array | undefined
    }
  /** A record of digests came; null: they are not those that the holder said to have. */
  | {
      readonly type: 'digests'
      readonly member: number
      readonly offset: number
      readonly length: number
      readonly digests: Uint8Array | null
      /** The content ends where they do; said of one that is still written. */
      readonly isFinal?: boolean
    }
  | { readonly type: 'copied'; readonly offset: number; readonly length: number }
  /** Payload that has come from a member so far. */
  | { readonly type: 'received'; readonly member: number; readonly bytes: number }
  /** Blocks beyond the range, or of it once more. */
  | { readonly type: 'wanted'; readonly ranges: readonly RangePair[] }
  /** The reader of the output is at this byte of the file. */
  | { readonly type: 'delivered'; readonly offset: number }

export type FetchWish =
  | Wish
  /** Open the file of this content; `opened` or `fileFailed` follows. */
  | { readonly type: 'open'; readonly content: FetchedContent }
  /** These blocks are in the file already, and right. */
  | { readonly type: 'hold'; readonly offset: number; readonly length: number }
  /** Copy verified repairs into the file; `copied` or `fileFailed` follows. */
  | { readonly type: 'copyIn'; readonly offset: number; readonly length: number }
  /** These blocks are in the file and verified. `isFound`: an earlier fetch left them. */
  | {
      readonly type: 'verified'
      readonly offset: number
      readonly digests: Uint8Array
      readonly length: number
      readonly isFound: boolean
    }
  | EndWish
