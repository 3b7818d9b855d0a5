/** What a node has made of a bundle, entry by entry of its listing. Pure data. */
import type { FrErrorCode } from '../../base/errors.js'
import type { RangePair } from '../../base/ranges.js'

export interface Applied {
  /** Entries whose bytes are neither here nor in the bundle, as ranges of indices. */
  readonly lacks: readonly RangePair[]
  /** Entries that were there before and are unchanged. */
  readonly held: number
  /** Entries that were brought into place. */
  readonly done: number
  /** At most `limits.treeFailuresTold`, of `failedCount`. */
  readonly failed: readonly EntryFailure[]
  readonly failedCount: number
  /** What could not be kept, one sentence each. */
  readonly warnings: readonly string[]
  /** Nothing was changed, and `done` counts what would have been. */
  readonly dry?: DryApplied
}

/** What a bundle would change at a node, besides what is lacking. */
export interface DryApplied {
  /** Entries that would be made or set without bytes from elsewhere, as ranges of indices. */
  readonly sets: readonly RangePair[]
  /**
   * Names relative to the tree, bytes that are no text as replacement characters: the first of what
   * would be removed, at most `limits.treeRemovalsTold`.
   */
  readonly removes: readonly string[]
  readonly removedCount: number
}

/** Why one entry is not in place. */
export interface EntryFailure {
  readonly index: number
  readonly code: FrErrorCode
  readonly text: string
}

/** The tree that a transfer brings a part of. */
export interface TreePart {
  /** Of one push of the tree, 32 hex digits. */
  readonly id: string
  /** The content is a bundle, and the name that of the tree; else it is one file of the tree. */
  readonly isBundle: boolean
  /** What comes becomes visible all at once. */
  readonly isAtomic: boolean
}

/** An entry of a tree that is not in place. */
export interface NamedFailure {
  /** Relative to the tree; bytes that are no text are shown as replacement characters. */
  readonly name: string
  readonly code: FrErrorCode
  readonly text: string
}

/** What became of a tree at one node. */
export interface NodeTree {
  /** Entries that were there before, unchanged. */
  readonly unchanged: number
  /** Entries that were brought into place. */
  readonly changed: number
  readonly failedCount: number
  /** At most `limits.treeFailuresTold` of them. */
  readonly failures: readonly NamedFailure[]
}

/** What a push of a tree would change. */
export interface TreeChange {
  /** Relative to the tree; bytes that are no text are shown as replacement characters. */
  readonly name: string
  /** Its bytes would be sent; or it would be made or set without; or it would be removed. */
  readonly change: 'send' | 'set' | 'remove'
  /** Nodes at which it would change. */
  readonly nodes: number
}

export interface TreeDry {
  /** Entries that would change somewhere, by kind of change. */
  readonly send: number
  readonly set: number
  readonly remove: number
  /** At most `limits.treeChangesTold` of them, as they were found. */
  readonly changes: readonly TreeChange[]
}

/** What was pushed, of a push of a tree. */
export interface TreeFigures {
  readonly entries: number
  readonly files: number
  /** What bundles and large files carried, each counted once, whatever the number of nodes. */
  readonly movedBytes: number
  /** Transfers that the push was made of. */
  readonly transfers: number
  /** Only where nothing was changed: what would have been. */
  readonly dry?: TreeDry
  /** Entries of the source that could not be read, and were left out. */
  readonly failedCount: number
  /** At most `limits.treeFailuresTold` of them. */
  readonly failures: readonly NamedFailure[]
}
