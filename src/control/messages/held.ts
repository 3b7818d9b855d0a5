/** What a node holds, as clients list, remove and verify it. Pure data. */
import type { FrErrorCode } from '../../base/errors.js'
import type { RangePair } from '../../base/ranges.js'
import type { NameText } from './copying.js'

export const heldStates = [
  ...(['held', 'partial', 'changed', 'missing', 'prepared'] as const),
  'growing',
] as const
export type HeldState = (typeof heldStates)[number]

/** There is no file of it yet that could be fetched whole, or read again. */
export function isUnfinished(state: HeldState): boolean {
  return state === 'partial' || state === 'prepared' || state === 'growing'
}

/** `tree` is all that a push of a directory has brought, as one; the last two are in a tree. */
export const heldKinds = ['file', 'tree', 'directory', 'symlink'] as const
export type HeldKind = (typeof heldKinds)[number]

/** What a node has of one file, of a tree, or of an entry of a tree. */
export interface HeldEntry extends NameText {
  readonly kind: HeldKind
  /**
   * - held: all of it, and the file is as the node left it.
   * - partial: what an unfinished transfer left; of a tree: its last push has not ended well; of a
   *   striped file: a disk that has a part of it is not there.
   * - changed, missing: somebody else changed or removed the file.
   * - prepared: a version beside what has the name, about which nodes decide together.
   * - growing: it is still written, and comes; how much there will be nobody knows, and `size` is
   *   what is verified so far.
   */
  readonly state: HeldState
  /** Null for a tree, and for what came in one. */
  readonly contentId: string | null
  /** Of a tree: of all files in it. */
  readonly size: number
  /** Bytes that are there and right, as far as the node knows. */
  readonly heldBytes: number
  /** Entries of a tree; else null. */
  readonly entries: number | null
  /** Null where there is none, and for a partial: the digest is not known yet. */
  readonly fileDigest: string | null
  /** Unix milliseconds, by the clock of the node; null where that is not known. */
  readonly publishedAtMs: number | null
  readonly verifiedAtMs: number | null
}

export const versionKinds = ['file', 'tree'] as const

/**
 * A version of a file, or of a tree that changes all at once: the present one, or an earlier one
 * that the node keeps.
 */
export interface VersionEntry {
  readonly kind: (typeof versionKinds)[number]
  /** 0: it has the name; N: it is NAME@-N. */
  readonly back: number
  readonly state: HeldState
  /** Null of a tree. */
  readonly contentId: string | null
  /** Public key, 64 hex digits; null of a tree. */
  readonly author: string | null
  /** Of a tree: of all files in it. */
  readonly size: number
  /** Of a tree `tree:` and 64 hex digits: a digest of its names, digests and links. */
  readonly fileDigest: string
  /** Bytes that its removal would give back. */
  readonly diskBytes: number
  /** Unix milliseconds, by the clock of the node. */
  readonly publishedAtMs: number
  /** When another version took the name; null of the present one. */
  readonly keptAtMs: number | null
}

export interface VersionedEntry extends NameText {
  /** The newest first. */
  readonly versions: readonly VersionEntry[]
}

/**
 * - ok: it takes files.
 * - full: nothing more may be written.
 * - failing: a transfer has failed there lately, so others are given new files.
 * - away: it does not answer, or is no longer at its path.
 * - missing: it was not there at the start.
 */
export const diskStates = ['ok', 'full', 'failing', 'away', 'missing'] as const
export type DiskState = (typeof diskStates)[number]

/** A data directory of a node. */
export interface DiskEntry {
  readonly path: string
  readonly state: DiskState
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[]
  /** Of the file system, for all; null: not known. */
  readonly sizeBytes: number | null
  readonly freeBytes: number
  readonly heldFiles: number
  readonly heldBytes: number
  /** What unfinished transfers left. */
  readonly partialBytes: number
  /** Transfers that land there, and bytes that they will still write. */
  readonly transfers: number
  readonly waitingBytes: number
  /** Of its device in the last second or so; null: not known. */
  readonly load: {
    /** Of the time in which it had anything to do, in millionths. */
    readonly busyPpm: number
    /** From a request to its end, on the average. */
    readonly requestMicros: number
    readonly readBytesPerSecond: number
    readonly writtenBytesPerSecond: number
  } | null
  /** What a busy second has written; null: not known. */
  readonly speedBytesPerSecond: number | null
}

/** A file by its name and content: what a file set is made of. */
export interface SetEntry extends NameText {
  readonly size: number
  readonly fileDigest: string
}

/** What was found in a tree, or beneath a directory of it. */
export interface HeldTreeVerdict {
  /** Entries that were looked at: of files the bytes, of links the targets. */
  readonly entries: number
  readonly failedCount: number
  /** At most `limits.treeFailuresTold` of them, with their whole names. */
  readonly failures: readonly HeldFailure[]
}

/** What a client asks for of a tree. */
export interface PackAsk {
  /** Where the part begins: `next` of the one before; empty: the first. */
  readonly from: string
  /**
   * Entries of the listing of this part of which alone it is, or null: of all. An empty list: the
   * listing of all, without bytes.
   */
  readonly only: readonly RangePair[] | null
}

/** A part of a tree that is offered to a client as a bundle, and what had to be left out of it. */
export interface PackOffer extends Pick<HeldTreeVerdict, 'failedCount' | 'failures'> {
  /** What came before, if anything, is of another state of the tree: it begins anew. */
  readonly isFirst: boolean
  /** False: the last push of the tree has not ended well at the node. */
  readonly isWhole: boolean
  /** Of all files, in the first part; else null. */
  readonly bytes: number | null
  /** Where the next part begins; null: this is the last one, and has nothing in it. */
  readonly next: string | null
}

export interface HeldFailure extends NameText {
  readonly code: FrErrorCode
  readonly text: string
}

export type HeldFrame =
  /** The next files that the node holds, behind the place where the last answer ended. */
  | {
      readonly type: 'list'
      /** Null: all files and trees; else what matches, in trees too. */
      readonly glob: NameText | null
      /** `next` of the last answer; empty: from the start. */
      readonly after: string
      /** Files in the answer at most. */
      readonly limit: number
    }
  | {
      readonly type: 'listed'
      /** Unix milliseconds, by the clock of the node. */
      readonly nowMs: number
      readonly entries: readonly HeldEntry[]
      /** Where to go on; null: this was all. An answer may be empty and not the last. */
      readonly next: string | null
      /** Path of the data directory that these are in, of a node that has several. */
      readonly disk?: string
    }
  /** How much room the data directories have, and how busy they are. */
  | { readonly type: 'disks' }
  | { readonly type: 'disksTold'; readonly disks: readonly DiskEntry[] }
  /** The file, tree, or entry of a tree of this name; or all that matches it as a pattern. */
  | ({ readonly type: 'remove'; readonly isGlob: boolean } & NameText)
  /** Comes again and again until `removed`. */
  | { readonly type: 'removing'; readonly entries: number }
  | {
      readonly type: 'removed'
      /** Files, links and directories that are gone. */
      readonly entries: number
      /** Directories that stay, because something is in them that the node did not bring. */
      readonly kept: number
      readonly failedCount: number
      /** Why the first of these could not be removed. */
      readonly text: string
    }
  /** Read the file and compare it with its digests. The peer may hang up, which ends it. */
  | ({ readonly type: 'verify' } & NameText)
  /** Comes again and again until `verified`. */
  | { readonly type: 'verifying'; readonly readBytes: number; readonly bytes: number }
  | {
      readonly type: 'verified'
      /** Null: the file is right. */
      readonly code: FrErrorCode | null
      readonly text: string
      readonly bytes: number
      /** Bytes in blocks that are wrong; of files in trees all their bytes. */
      readonly badBytes: number
      /** Of the content that the node holds under this name; null when it holds none. */
      readonly fileDigest: string | null
      /** Null: the name is that of a file. */
      readonly tree: HeldTreeVerdict | null
    }
  /** Versions of files, then of trees, name by name, behind where the last answer ended. */
  | {
      readonly type: 'versions'
      /** Null: of all names of which an earlier version is kept; else of all that match. */
      readonly glob: NameText | null
      readonly after: string
    }
  | {
      readonly type: 'versionsListed'
      readonly nowMs: number
      readonly entries: readonly VersionedEntry[]
      readonly next: string | null
    }
  /** Give the name to a version of it. `verifying` comes again and again while that is read. */
  | ({ readonly type: 'rollback'; readonly version: string } & NameText)
  | {
      readonly type: 'rolledBack'
      readonly fileDigest: string
      readonly bytes: number
      /** Of what had the name before; null: nothing that the node knew. */
      readonly before: string | null
    }
  /** Which of these does the node lack? */
  | { readonly type: 'lacks'; readonly entries: readonly SetEntry[] }
  | {
      readonly type: 'lacking'
      /** Index of each one that it lacks, ascending, and what it has under the name instead. */
      readonly entries: readonly { readonly index: number; readonly has: string | null }[]
    }
