/** What people are told of a master: each is an object of `--json` too (docs/figures.md). */
import type { RangePair } from '../../base/ranges.js'

export type ResourceKind = 'uplink' | 'downlink' | 'site' | 'link'

export interface ResourceTold {
  readonly event: 'link'
  readonly kind: ResourceKind
  /** Of the node, the site and which way, or the link. */
  readonly name: string
  /** What copies may use now, and what is allocated to those that run. Null: no limit is known. */
  readonly capabilityBytesPerSecond: number | null
  readonly allocatedBytesPerSecond: number
  /** Of copies that ended in the last minute. */
  readonly usedBytesPerSecond: number
  readonly costPerGb: number
  /** Since the master was started. */
  readonly bytes: number
  readonly cost: number
  readonly isFailed: boolean
}

export interface ComponentTold {
  readonly event: 'component'
  readonly kind: 'node' | 'disk' | ResourceKind
  readonly name: string
  readonly isFailed: boolean
  /** Until it is tried again; null: it is not left out. */
  readonly retrySeconds: number | null
  /** How often it was declared failed. */
  readonly failures: number
  readonly causes: readonly { readonly cause: string; readonly count: number }[]
}

/** A copy that runs, or a part of a file that a site is to have from another by the schedule. */
export type PlanTold =
  | {
      readonly event: 'copy'
      readonly copy: number
      readonly name: string
      readonly range: RangePair
      readonly source: string
      readonly target: string
      /** Null: it has no cap. */
      readonly bytesPerSecond: number | null
      readonly seconds: number
    }
  | {
      readonly event: 'slice'
      readonly name: string
      readonly size: number
      readonly range: RangePair
      readonly from: string
      readonly to: string
      /** Nodes of the site that lack some of the file. */
      readonly nodes: number
    }

export interface SetTold {
  readonly event: 'set'
  readonly set: string
  readonly priority: number
  readonly files: number
  /** Nodes that are here and are to hold them, and those of them that do. */
  readonly nodes: number
  readonly complete: number
  readonly missingFiles: number
  readonly missingBytes: number
  /** What is left to come to nodes, and of files: those with most left. */
  readonly leftAtNodes: readonly {
    readonly node: string
    readonly files: number
    readonly bytes: number
  }[]
  readonly leftOfFiles: readonly {
    readonly name: string
    readonly nodes: number
    readonly bytes: number
  }[]
  /** Files that no node here holds in the version that is wanted. */
  readonly unknown: readonly string[]
  /**
   * Files whose author has not said where they end, and of which nothing has come for so long;
   * `bytes` were there.
   */
  readonly unended: readonly {
    readonly name: string
    readonly bytes: number
    readonly seconds: number
  }[]
  /** Files that other sets want in another version, with the set that decides. */
  readonly contradictions: readonly { readonly name: string; readonly set: string }[]
}

export interface NodeTold {
  readonly event: 'node'
  readonly node: string
  readonly site: string
  readonly isHere: boolean
  readonly isDrained: boolean
  readonly files: number
  readonly wanted: number
  readonly missing: number
  /** What is left to come of those. */
  readonly missingBytes: number
  readonly freeBytes: number
}

export interface SetChange {
  readonly event: 'change'
  readonly set: string
  readonly change: 'added' | 'removed' | 'changed'
  /** Fields that differ, `files` among them. */
  readonly fields: readonly string[]
  readonly added: number
  readonly removed: number
  /** In another version. */
  readonly changed: number
  /** Names of the first of them. */
  readonly filesAdded: readonly string[]
  readonly filesRemoved: readonly string[]
  readonly filesChanged: readonly string[]
}

export interface CandidateTold {
  readonly event: 'candidate'
  readonly source: string
  readonly site: string
  readonly range: RangePair
  readonly bytesPerSecond: number | null
  readonly costPerGb: number
  readonly hops: number
  /** How full the fullest link of the route would be, 0 to 1. */
  readonly fullness: number
  /** Nodes that hold the first byte of it, and copies that the source serves already. */
  readonly holders: number
  readonly serving: number
  readonly faults: number
  readonly score: number
  /** What each property adds to the score; null: a function of somebody's own decides. */
  readonly parts: Readonly<Record<string, number>> | null
}

export interface ExplainTold {
  readonly event: 'explain'
  readonly node: string
  readonly name: string
  /** Null: nobody has told of a version that is wanted. */
  readonly digest: string | null
  readonly size: number | null
  readonly heldBytes: number
  /** The set because of which the node is to hold it; null: none. */
  readonly set: string | null
  readonly state: ExplainState
  readonly text: string
  readonly copies: readonly Extract<PlanTold, { event: 'copy' }>[]
  /** The best first. */
  readonly candidates: readonly CandidateTold[]
}

export type ExplainState =
  /** The node is not here; it was drained; no set wants the file there. */
  | 'away'
  | 'drained'
  | 'unwanted'
  | 'declined'
  /** It holds all of it; nobody holds it; the node has no room for it. */
  | 'held'
  | 'unknown'
  | 'full'
  /** It has all there is of what is still written; of that nothing comes any more. */
  | 'growing'
  | 'unended'
  /** Copies of it run; it can be copied next; it waits for a source, or for room on a link. */
  | 'copying'
  | 'next'
  | 'source'
  | 'room'

export interface AuditTold {
  readonly event: 'audit'
  readonly node: string
  readonly name: string
  /** Nothing or a part of it; another version; the right one, of another size than its set says. */
  readonly fault: 'missing' | 'other' | 'size'
  readonly wanted: string | null
  readonly held: string | null
}

export type MasterRow =
  | ResourceTold
  | ComponentTold
  | PlanTold
  | SetTold
  | NodeTold
  | SetChange
  | ExplainTold
  | AuditTold
