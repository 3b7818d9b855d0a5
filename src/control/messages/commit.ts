/** What nodes that switch a name together say to each other, and keep on their disks. */
import type { Failure } from '../../base/errors.js'
import type { NameText } from './copying.js'

export const commitModes = ['all', 'quorum'] as const
/** Of the nodes, who must have the new version ready before any of them may switch. */
export type CommitMode = (typeof commitModes)[number]

export interface CommitMember {
  /** Empty: nobody has met it. It has no vote then, and is told what was decided. */
  readonly nodeId: string
  /** HOST:PORT. */
  readonly address: string
}

/** What is to be decided: whether this content takes this name at these nodes. */
export interface Decree extends NameText {
  /** 32 hex digits, for this question alone; the first 12 are its author's clock in Unix ms. */
  readonly id: string
  readonly mode: CommitMode
  /** A member's number is its place here. */
  readonly members: readonly CommitMember[]
  /** Of the content. */
  readonly fileDigest: string
}

/** Ordered by round, then by member. Round 0 is the author's alone. */
export interface Ballot {
  readonly round: number
  readonly by: number
}

/**
 * `order` counts what was committed under the name, from 1: of two versions that a node hears of,
 * the one with the higher order stays.
 */
export type Verdict =
  | { readonly type: 'commit'; readonly order: number }
  | { readonly type: 'abort' }

export interface Accepted {
  readonly ballot: Ballot
  readonly verdict: Verdict
}

/** What a member keeps on its disk from the offer until all have applied the verdict. */
export interface CommitRecord {
  readonly decree: Decree
  /** The number of this member. */
  readonly you: number
  /**
   * The content is verified and durable here, beside the present version; the order of what was
   * committed under the name before. Null: it is not.
   */
  readonly prepared: number | null
  /** Lower ballots are refused. */
  readonly promised: Ballot
  /** In the highest ballot in which it accepted something. */
  readonly accepted: Accepted | null
  readonly verdict: Verdict | null
  /** The verdict is carried out. */
  readonly isApplied: boolean
}

/** Requests say what they are about, because who hears them may never have been offered it. */
export type CommitFrame =
  | { readonly type: 'ballot'; readonly decree: Decree; readonly ballot: Ballot }
  | {
      readonly type: 'promised'
      readonly id: string
      readonly ballot: Ballot
      readonly prepared: number | null
      readonly accepted: Accepted | null
    }
  | {
      readonly type: 'propose'
      readonly decree: Decree
      readonly ballot: Ballot
      readonly verdict: Verdict
    }
  | { readonly type: 'accepted'; readonly id: string; readonly ballot: Ballot }
  /** The answer to a ballot that is too low. */
  | { readonly type: 'outbid'; readonly id: string; readonly promised: Ballot }
  /** `applied`: members of whom it is known that they have carried it out, in ascending order. */
  | {
      readonly type: 'decided'
      readonly decree: Decree
      readonly verdict: Verdict
      readonly applied: readonly number[]
    }
  | { readonly type: 'applied'; readonly id: string; readonly members: readonly number[] }

/**
 * How that is said: by questions on a status link, each with one answer. What a node has to say to
 * the author waits for its next question; to a member it asks a question of its own.
 */
export type CommitCall =
  /**
   * The author asks a node to prepare this version, which it holds, and to take part. `isNew`: it
   * was brought for this, so after an abort nobody wants it. `verifying` may come before the
   * answer.
   */
  | { readonly type: 'prepare'; readonly decree: Decree; readonly isNew: boolean }
  /** Null: the author is there, and has nothing to say. */
  | {
      readonly type: 'consult'
      readonly id: string
      /** Numbers of who asks, and of who is asked. */
      readonly by: number
      readonly to: number
      readonly frame: CommitFrame | null
    }
  /**
   * The answer to both; null: there is none yet. `never`: it has not prepared and never will,
   * whoever asks, and why.
   */
  | { readonly type: 'voted'; readonly frame: CommitFrame | null; readonly never: Failure | null }
  /** An operator decides about the version that is in doubt under this name. */
  | ({ readonly type: 'force'; readonly verdict: 'commit' | 'abort' } & NameText)
  | { readonly type: 'forced'; readonly fileDigest: string; readonly verdict: 'commit' | 'abort' }

export type CommitFact =
  /** The content is verified and durable; `order` is that of the name's present version, or 0. */
  | { readonly type: 'prepared'; readonly order: number }
  | { readonly type: 'said'; readonly member: number; readonly frame: CommitFrame }
  /** All writes up to this one are durable. */
  | { readonly type: 'stored'; readonly write: number }
  /** The verdict is carried out and durable. */
  | { readonly type: 'applied' }
  /** An operator decides for all, because those that could are lost for good. */
  | { readonly type: 'forced'; readonly verdict: 'commit' | 'abort' }
  /** There is a link to the author, or no longer. */
  | { readonly type: 'author'; readonly isThere: boolean }
  | { readonly type: 'due' }

export type CommitWish =
  | { readonly type: 'store'; readonly write: number; readonly record: CommitRecord }
  /** It may get lost. */
  | { readonly type: 'say'; readonly member: number; readonly frame: CommitFrame }
  /** Commit: the content takes the name, and is fetched first where it is not there. */
  | { readonly type: 'apply'; readonly verdict: Verdict }
  /** All have applied it, or need not be told: of the record its verdict is enough. */
  | { readonly type: 'forget' }
