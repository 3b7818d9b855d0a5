/** Types of `client.list`, `client.remove` and `client.verify`. */
import type { FrErrorCode } from '../base/errors.js'
import type { HeldState } from '../control/messages/types.js'

/** What a node has of one file. */
export interface HeldFile {
  readonly event: 'held'
  /** HOST:PORT that was asked. */
  readonly node: string
  /** Name at the node; bytes that are not UTF-8 are shown as U+FFFD. */
  readonly name: string
  /** The bytes of the name in base64url where `name` does not show them all, else null. */
  readonly nameBase64: string | null
  /**
   * - held: all of it, and the file is as the node left it.
   * - partial: what an unfinished transfer left; it runs no more.
   * - changed, missing: somebody else changed or removed the file; it is not served.
   */
  readonly state: HeldState
  readonly bytes: number
  /** Bytes that are there and right, as far as the node knows without reading the file. */
  readonly heldBytes: number
  /** As in the result of a push; null for a partial. */
  readonly digest: string | null
  /** When it was published, in UTC, and the first digits of the digest; null for a partial. */
  readonly version: string | null
  /** Seconds since it was published at the node; null for a partial. */
  readonly ageSeconds: number | null
  /** Seconds since the node last compared the file with its digests; null for a partial. */
  readonly verifiedSecondsAgo: number | null
}

export interface ListOptions {
  /**
   * Only names that match: `*` is any characters of one component, `?` one of them, a component
   * `**` any number of components, and a backslash takes the next character as it is.
   */
  glob?: string | Uint8Array
  key?: Uint8Array | string
  signal?: AbortSignal
  /** Milliseconds that each page of files may take; default 10,000. */
  timeoutMs?: number
}

/** Options of `remove`. */
export interface RemoveOptions {
  key?: Uint8Array | string
  signal?: AbortSignal
  /** Default 35,000. */
  timeoutMs?: number
}

export interface VerifyOptions {
  /** Names to verify; by default all files that the node lists, except partials. */
  names?: readonly (string | Uint8Array)[]
  key?: Uint8Array | string
  signal?: AbortSignal
  /** Milliseconds without a word of the node; default 35,000. */
  timeoutMs?: number
}

/** How far a node is with reading one file. */
export interface VerifyProgress {
  readonly event: 'verifying'
  readonly node: string
  readonly name: string
  readonly nameBase64: string | null
  readonly readBytes: number
  readonly bytes: number
}

/** What a node found when it read one file. */
export interface VerifyReport {
  readonly event: 'verified'
  readonly node: string
  readonly name: string
  readonly nameBase64: string | null
  /** good: every byte is as it was published. */
  readonly status: 'good' | 'failed'
  readonly bytes: number
  /** Bytes in blocks that are wrong; the node does not hold them any more. */
  readonly badBytes: number
  readonly digest: string | null
  readonly code: FrErrorCode | null
  readonly retryable: boolean
  /** `CODE: text`, null when good. */
  readonly reason: string | null
}
