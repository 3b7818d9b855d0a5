/** Types about the directory: the tree of nodes that knows who has which attributes. */
import type { PullProgress } from '../agent/swarm/pulled-content.js'
import type { Credentials } from './credential-types.js'

/** Options of `startNode`. */
export interface DirectoryOptions {
  /**
   * HOST[:PORT] of the parent in the directory; of several, at most 16, those behind the first are
   * for when it is gone. By default the node is the root of a directory of its own.
   */
  parent?: string | readonly string[]
  /** Children that it takes before it passes others down to them; default 16, at most 1,024. */
  maxChildren?: number
  /** Of a root: HOST[:PORT] of the node that its children go to when it is gone. */
  deputy?: string
}

/** Of the status of a node. */
export interface PlacedStatus {
  /** What is pulled because it was announced, then what is not, and why; 64 at most. */
  readonly pulls: readonly PullStatus[]
  /** Its place in the directory. */
  readonly directory: {
    /** HOST:PORT; null: it has none. */
    readonly parent: string | null
    /** Why there is no parent; null where there is one, or none is wanted. */
    readonly fault: string | null
    /** Nodes from the root to the parent. */
    readonly depth: number
    readonly children: number
    /** Nodes below it, as far as they have said. */
    readonly below: number
    /** Links with nodes of its site, beside parent and children. */
    readonly mates: number
    /** Attributes that the dictionary has, of at most 4,096. */
    readonly bits: number
    /** Attributes of this node that it has not: each query comes here for that. */
    readonly unknown: readonly string[]
    /** `ERR_FR_DICTIONARY_FULL`: why; null: it will have them soon, or there are none. */
    readonly code: string | null
    /** Announcements that are known, also withdrawals. */
    readonly announcements: number
    /** Announcements that came too fast, and are fetched later. */
    readonly dropped: number
  }
}

/** A content that was announced for the node and is pulled from others, or waits for that. */
export type PullStatus = PullProgress

export interface WhereOptions extends Credentials {
  /** HOST[:PORT] of any node of the directory. */
  via: string
  signal?: AbortSignal
  /** Default 35,000. */
  timeoutMs?: number
}

/** What is not named stays as it is; at least one attribute is named. */
export interface ChangeAttributesOptions extends Credentials {
  /** Attributes that the node has from now on. */
  set?: Readonly<Record<string, string>>
  /** Keys of those that it has no more. */
  unset?: readonly string[]
  signal?: AbortSignal
  timeoutMs?: number
}

/** All attributes of a node after a change. */
export interface AttributesApplied {
  readonly event: 'attributes'
  readonly node: string
  readonly attributes: Readonly<Record<string, string>>
}

/** A node that criteria match. */
export interface WhereNode {
  readonly event: 'node'
  readonly nodeId: string
  /** HOST:PORT. */
  readonly node: string
  /** Null: it has none. */
  readonly name: string | null
}

export interface WhereResult {
  readonly event: 'where'
  /** Criteria in canonical form. */
  readonly where: string
  /** HOST:PORT that was asked. */
  readonly node: string
  readonly nodes: readonly WhereNode[]
  /** Nodes that the query came to. */
  readonly asked: number
  /** False: somebody who may match gave no answer in time, so there may be more. */
  readonly isWhole: boolean
}
