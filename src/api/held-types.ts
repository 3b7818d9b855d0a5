/** Types of `client.list`, `client.remove` and `client.verify`. */

import type { FrErrorCode } from '../base/errors.js'
import type { HeldKind, HeldState } from '../control/messages/types.js'
import type { Credentials } from './credential-types.js'

/** What a node has of one file, of a tree, or of an entry of a tree. */
export interface HeldFile {
  readonly event: 'held'
  /** HOST:PORT that was asked. */
  readonly node: string
  /** Name at the node; bytes that are not UTF-8 are shown as U+FFFD. */
  readonly name: string
  /** The bytes of the name in base64url where `name` does not show them all, else null. */
  readonly nameBase64: string | null
  /** `tree` is all that a push of a directory has brought; its entries are listed by a glob. */
  readonly kind: HeldKind
  /**
   * - held: all of it, and the file is as the node left it.
   * - partial: what an unfinished transfer left; it runs no more. A tree is partial from the first
   *   change by a push until one has ended without a failure at this node.
   * - changed, missing: somebody else changed or removed the file; it is not served.
   * - prepared: a version that is ready beside what has the name, until nodes have decided.
   * - growing: it is still written, and comes: `get` with `follow` reads it. `bytes` is what is
   *   verified so far, as `heldBytes` is, also of what a push left that reached no end.
   */
  readonly state: HeldState
  /** Of a tree: of all files in it. */
  readonly bytes: number
  /** Bytes that are there and right, as far as the node knows without reading the file. */
  readonly heldBytes: number
  /** Files, links and directories in a tree; else null. */
  readonly entries: number | null
  /** As in the result of a push; null for a partial, and for what is no file. */
  readonly digest: string | null
  /** When it was published, in UTC, and the first digits of the digest; null for a partial. */
  readonly version: string | null
  /** Seconds since it was published at the node; null for a partial. */
  readonly ageSeconds: number | null
  /** Seconds since the node last compared the file with its digests; null for a partial. */
  readonly verifiedSecondsAgo: number | null
  /** The data directory that it is in; null where the node has one. */
  readonly disk: string | null
}

export interface ListOptions extends Credentials {
  /**
   * Only names that match, also in trees, which are one line each without a pattern: `*` is any
   * characters of one component, `?` one of them, a component `**` any number of components, and a
   * backslash takes the next character as it is.
   */
  glob?: string | Uint8Array
  signal?: AbortSignal
  /** Milliseconds that each page of files may take; default 10,000. */
  timeoutMs?: number
}

/** Options of `remove`. */
export interface RemoveOptions extends Credentials {
  /** The name is a pattern, as in `ListOptions`: all that matches goes. */
  glob?: boolean
  signal?: AbortSignal
  /** Default 35,000. */
  timeoutMs?: number
}

/** What `remove` came to. */
export interface RemoveResult {
  readonly event: 'removed'
  readonly node: string
  readonly name: string
  readonly nameBase64: string | null
  /** Files, links and directories that are gone. */
  readonly entries: number
  /** Directories of trees that stay, because something is in them that was not pushed. */
  readonly kept: number
  readonly failedCount: number
  /** Why the first of these is still there; null: none is. */
  readonly reason: string | null
}

export interface VerifyOptions extends Credentials {
  /**
   * Names to verify: of files, of trees, of what is in one. By default all that the node lists,
   * except partials.
   */
  names?: readonly (string | Uint8Array)[]
  /** Instead of names: all that matches, as in `ListOptions`. */
  glob?: string | Uint8Array
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

/** An entry of a tree that is not as it was pushed. */
export interface HeldFault {
  readonly name: string
  readonly nameBase64: string | null
  readonly code: FrErrorCode
  readonly text: string
}

/** What a node found when it read one file, or all files of a tree. */
export interface VerifyReport {
  readonly event: 'verified'
  readonly node: string
  readonly name: string
  readonly nameBase64: string | null
  /** good: every byte is as it was published. */
  readonly status: 'good' | 'failed'
  readonly bytes: number
  /**
   * Bytes in blocks that are wrong; the node does not hold them any more. In a tree: of files that
   * are wrong.
   */
  readonly badBytes: number
  /** Entries that were looked at, of a tree or a directory in it; null for a file. */
  readonly entries: number | null
  readonly failedCount: number
  /** The first of those in a tree, at most 64, with their whole names; `fr ls` tells them all. */
  readonly failures: readonly HeldFault[]
  readonly digest: string | null
  readonly code: FrErrorCode | null
  readonly retryable: boolean
  /** `CODE: text`, null when good. */
  readonly reason: string | null
}
