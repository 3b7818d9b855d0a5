/** What a client that publishes by criteria says to the node that holds the content first. */
import type { Initiator } from './announcing.js'
import type { NameText } from './copying.js'

/** A content that a node holds under a name. */
export interface Publishable {
  /** 32 hex digits. */
  readonly contentId: string
  readonly fileDigest: string
  readonly size: number
  /** Criteria in canonical form of who may have it; null: whoever asks. */
  readonly only: string | null
}

/** A publication that a node knows of, as far as it takes to withdraw it. */
export interface PublishedContent extends Publishable {
  /** Ed25519 public key, 64 hex digits. */
  readonly author: string
  readonly initiator: Initiator
  /** Unix milliseconds, by the clock of the author. */
  readonly issuedAtMs: number
}

export type PublishingFrame =
  /** Client to node: what is there of this name? */
  | ({ readonly type: 'publishing' } & NameText)
  | {
      readonly type: 'publishable'
      /** The node, as others reach it. */
      readonly initiator: Initiator
      /** Null: it holds no file of the name. */
      readonly held: Publishable | null
      /** Of the name, by any author. */
      readonly published: readonly PublishedContent[]
    }
  /** Client to node: spread this record. The other fields repeat what it says, for rights. */
  | ({
      readonly type: 'announce'
      /** It ends a publication. */
      readonly withdraws: boolean
      /** A signed announcement, in base64url. */
      readonly record: string
    } & NameText)
  /** The node knows it, and has told its neighbours. */
  | { readonly type: 'announced'; readonly id: string }
