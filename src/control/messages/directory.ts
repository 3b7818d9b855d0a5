/** What nodes of a directory say to each other, and clients to them. */
import type { Attributes } from '../../base/attributes.js'
import type { FrErrorCode } from '../../base/errors.js'

/** A node as others reach it. */
export interface DirectoryPeer {
  /** 32 hex digits, which it has proved to whoever says so. */
  readonly nodeId: string
  /** HOST:PORT. */
  readonly address: string
}

/** A place below a node that has so many nodes above it, and who is dialled to get there. */
export interface Room {
  readonly depth: number
  /** HOST:PORT; null: whoever says so. */
  readonly address: string | null
}

/** A node that criteria match. */
export interface FoundNode extends DirectoryPeer {
  /** Empty: it has none. */
  readonly name: string
}

/** What is true of all nodes of a subtree together. */
export interface RollUp {
  /** Id of the dictionary that the bits are of. */
  readonly dictionary: string
  /** Attributes that some of them have, and that all have: bits as hexadecimal digits. */
  readonly some: string
  readonly every: string
  readonly count: number
  /** False: some have attributes without a bit, or nothing is known of them. */
  readonly isWhole: boolean
  /** Steps down to the nearest of them that takes another child; null: none does. */
  readonly room: number | null
}

/** Between a node and its parent. */
export type TreeFrame =
  /** The first word of a child. */
  | {
      readonly type: 'enroll'
      /** HOST:PORT where others reach it; a host that means all: where it dials from. */
      readonly address: string
      readonly site: string
      /** Nodes below it. */
      readonly below: number
      /** The dictionary that it knows, and how many bits of it; empty: none. */
      readonly dictionary: string
      readonly bits: number
      /** It has had so many nodes above it, and looks for a place with fewer; null: for any. */
      readonly depth: number | null
    }
  /** The child is to dial that one instead, which has room. */
  | ({ readonly type: 'passDown' } & DirectoryPeer)
  /** The child is taken; again whenever this changes. */
  | {
      readonly type: 'lineage'
      /** Ids from the root to the parent. */
      readonly path: readonly string[]
      /** Address of the parent of the parent. */
      readonly grandparent: string | null
      /** Who takes over from the root. */
      readonly deputy: string | null
      /** The place nearest to the root that is not below the child. */
      readonly room: Room | null
    }
  /** Upward: may a node with others below it become part of this tree? */
  | { readonly type: 'mayEnroll'; readonly request: number; readonly nodeId: string }
  | {
      readonly type: 'enrollJudged'
      readonly request: number
      readonly code: FrErrorCode | null
      readonly text: string
    }
  /** Upward: of the child and all below it. */
  | ({ readonly type: 'rollUp' } & RollUp)
  /** Upward: attributes (key=value) that have no bit. */
  | { readonly type: 'define'; readonly entries: readonly string[] }
  /** Downward: what bits mean, from bit `at` on. */
  | {
      readonly type: 'dictionary'
      readonly id: string
      readonly at: number
      readonly entries: readonly string[]
      readonly isLast: boolean
      /** There is no bit for what is not in it. */
      readonly isFull: boolean
    }
  /** Downward: nodes of the same site. */
  | { readonly type: 'kin'; readonly mates: readonly DirectoryPeer[] }
  /** Down a subtree that may match, and up to the rest of the tree. */
  | {
      readonly type: 'find'
      readonly query: number
      readonly criteria: string
      /** Milliseconds in which the answer is of use. */
      readonly forMs: number
    }
  | {
      readonly type: 'found'
      readonly query: number
      readonly nodes: readonly FoundNode[]
      /** Nodes that were asked, in the last frame of the query; in others 0. */
      readonly asked: number
      readonly isLast: boolean
      /** False: somebody who may match gave no answer in time. */
      readonly isWhole: boolean
    }

/** Between neighbours of any kind: parent and child, and nodes of one site. */
export type NeighbourFrame =
  /** The first word of a node to another one of its site. */
  | { readonly type: 'mate'; readonly address: string; readonly site: string }
  | {
      readonly type: 'spread'
      /** 32 hex digits: see Announcement. */
      readonly id: string
      /** As its author signed it, in base64url. */
      readonly record: string
    }
  /** All that the sender knows, but for what the receiver has announced itself. */
  | { readonly type: 'known'; readonly ids: readonly string[] }
  | { readonly type: 'askKnown' }
  | { readonly type: 'wanted'; readonly ids: readonly string[] }
  /** All that was wanted was sent, as far as it is known. */
  | { readonly type: 'given' }

/** A client asks a node which nodes qualify. */
export type WhereAsked = { readonly type: 'where'; readonly criteria: string }
export type WhereAnswer =
  /** Any number of these before the answer. */
  | { readonly type: 'whereFound'; readonly nodes: readonly FoundNode[] }
  | {
      readonly type: 'whereTold'
      readonly count: number
      readonly asked: number
      readonly isWhole: boolean
    }

/** A client changes attributes of a node, and is told all that it has then. */
export interface AttributesChange {
  readonly set: Attributes
  readonly unset: readonly string[]
}
export type DescribeFrame =
  | ({ readonly type: 'describe' } & AttributesChange)
  | { readonly type: 'described'; readonly attributes: Attributes }

export type DirectoryFrame = TreeFrame | NeighbourFrame | WhereAsked | WhereAnswer | DescribeFrame
