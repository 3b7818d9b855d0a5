/** Types about versions of files, and file sets. */

import type { FrErrorCode } from '../base/errors.js'
import type { HeldState } from '../control/messages/types.js'
import type { Credentials } from './credential-types.js'
import type { SealOptions } from './seal.js'

/** Options of a node. */
export interface VersionOptions {
  /**
   * Earlier versions that are kept of each file, and of each tree that was pushed with `atomic`;
   * default 0 (of such a tree 1), at most 64. A push may ask for more of its name.
   */
  keep?: number
  /** Earlier versions go, the oldest first, where they take more; default: any space. */
  maxSpaceBytes?: number
  /** And where they have been kept for longer; default: for ever. */
  maxAgeSeconds?: number
  /** But never these of each name, also where an offer needs the space; default 1. */
  minVersions?: number
}

/** A version of a file at a node, or of a tree that was pushed with `atomic`. */
export interface FileVersion {
  readonly event: 'version'
  /** HOST:PORT that was asked. */
  readonly node: string
  readonly name: string
  /** The bytes of the name in base64url where `name` does not show them all, else null. */
  readonly nameBase64: string | null
  readonly kind: 'file' | 'tree'
  /** 0: the present version; N: the one that is called NAME@-N. */
  readonly back: number
  readonly isPresent: boolean
  /**
   * changed, missing: somebody else changed or removed the file. partial: the last push of the tree
   * has not ended well, or something of it was removed.
   */
  readonly state: HeldState
  /** Of a tree `tree:` and 64 hex digits, of its names, contents and links. */
  readonly digest: string
  /** Of a tree: of all files in it. */
  readonly bytes: number
  /** Bytes that its removal would give back. */
  readonly diskBytes: number
  /** Of whoever signed the content first: a public key, 64 hex digits; null of a tree. */
  readonly author: string | null
  /** Null of a tree. */
  readonly contentId: string | null
  /** Seconds since it was published at the node under this name. */
  readonly ageSeconds: number
  /** Seconds since another version took the name; null of the present one. */
  readonly keptSeconds: number | null
}

export interface VersionsOptions extends Credentials {
  /** Of all names that match, as in `ListOptions`; by default of those with earlier versions. */
  glob?: string | Uint8Array
  signal?: AbortSignal
  /** Milliseconds that each page may take; default 10,000. */
  timeoutMs?: number
}

export interface RollbackOptions extends Credentials {
  /** At least 6 hex digits of its digest, or -1 for the one before, -2, ..; default -1. */
  version?: string
  signal?: AbortSignal
  /** Milliseconds without a word of the node; default 35,000. */
  timeoutMs?: number
}

/** What has the name after `rollback`. */
export interface RollbackResult {
  readonly event: 'rolledBack'
  readonly node: string
  readonly name: string
  readonly nameBase64: string | null
  readonly digest: string
  readonly bytes: number
  /** Digest of what had the name before; null: nothing that the node knew. */
  readonly before: string | null
}

/** A file of a file set; what `list` says of a file is one. */
export interface FileSetEntry {
  readonly name: string
  readonly nameBase64?: string | null
  readonly digest: string
  readonly bytes: number
}

/** A file of the set that a node lacks. */
export interface LackedFile {
  readonly name: string
  readonly nameBase64: string | null
  readonly digest: string
  readonly bytes: number
  /** Digest of what the node has under the name; null: nothing. */
  readonly has: string | null
}

/** What one node lacks of a file set. */
export interface Lacking {
  readonly node: string
  readonly files: readonly LackedFile[]
}

export interface LackingOptions extends Credentials {
  signal?: AbortSignal
  /** Milliseconds that each answer may take; default 10,000. */
  timeoutMs?: number
}

export interface GetSetOptions extends Credentials, SealOptions {
  /** HOST[:PORT] of nodes that hold the files. */
  from: readonly string[]
  /** The directory that is to hold the files of the set, by their names; default: this one. */
  output?: string
  engine?: 'native' | 'portable'
  signal?: AbortSignal
}

/** What became of one file of a set. */
export interface SetFileOutcome {
  readonly event: 'file'
  readonly name: string
  readonly nameBase64: string | null
  /** present: it was there, and was read. */
  readonly status: 'present' | 'fetched' | 'failed'
  readonly bytes: number
  readonly code: FrErrorCode | null
  readonly reason: string | null
}

export interface GetSetResult {
  readonly event: 'result'
  readonly files: number
  readonly bytes: number
  readonly fetchedFiles: number
  readonly fetchedBytes: number
  readonly failedFiles: number
}
