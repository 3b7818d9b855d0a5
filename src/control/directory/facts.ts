/** What the directory of a node is told, and what it wishes. */
import type { Attributes } from '../../base/attributes.js'
import type { FrErrorCode } from '../../base/errors.js'
import type {
  DirectoryPeer,
  FoundNode,
  NeighbourFrame,
  RollUp,
  TreeFrame,
} from '../messages/directory.js'
import type { Kept } from './history.js'

export type LinkFrame =
  | TreeFrame
  | NeighbourFrame
  | { readonly type: 'refuse'; readonly code: FrErrorCode; readonly text: string }

export interface DirectorySpec {
  readonly nodeId: string
  /** HOST:PORT where others reach this node. */
  readonly address: string
  /** With its name, where it has one. */
  readonly attributes: Attributes
  /** HOST:PORT, the first is tried first. Empty: it is a root. */
  readonly parents: readonly string[]
  readonly maxChildren: number
  /** Who takes over when this node, a root, is gone. */
  readonly deputy: string | null
  /** Of this process: no two are the same. 24 hex digits. */
  readonly run: string
  readonly seed: number
}

/** What a link is for. */
export type LinkKind = 'parent' | 'mate'

export type DirectoryFact =
  /** A dial that was wished for. */
  | ({ readonly type: 'opened'; readonly link: number; readonly kind: LinkKind } & DirectoryPeer)
  | {
      readonly type: 'failed'
      readonly kind: LinkKind
      readonly address: string
      readonly text: string
    }
  /** Somebody has dialled this node, and says what it wants. */
  | {
      readonly type: 'called'
      readonly link: number
      readonly nodeId: string
      readonly frame: Extract<LinkFrame, { type: 'enroll' | 'mate' }>
    }
  | { readonly type: 'said'; readonly link: number; readonly frame: LinkFrame }
  /** A record of a `spread` of this link, which was verified. */
  | ({ readonly type: 'verified'; readonly link: number } & Kept)
  | { readonly type: 'closed'; readonly link: number }
  | { readonly type: 'attributes'; readonly attributes: Attributes }
  /** A client asks. `query`: of the caller. */
  | { readonly type: 'where'; readonly query: number; readonly criteria: string }
  | { readonly type: 'due' }

export type DirectoryWish =
  | { readonly type: 'dial'; readonly kind: LinkKind; readonly address: string }
  | { readonly type: 'say'; readonly link: number; readonly frame: LinkFrame }
  /** `closed` is not told of it. */
  | { readonly type: 'hangUp'; readonly link: number }
  | { readonly type: 'found'; readonly query: number; readonly nodes: readonly FoundNode[] }
  | {
      readonly type: 'answered'
      readonly query: number
      readonly asked: number
      readonly isWhole: boolean
    }
  | ({ readonly type: 'told' } & Kept)
  | ({ readonly type: 'keep' } & Kept)
  | { readonly type: 'forget'; readonly id: string }
  | { readonly type: 'note'; readonly note: DirectoryNote }

export type DirectoryNote =
  | ({ readonly about: 'parent' } & DirectoryPeer)
  /** The same again is not noted. */
  | { readonly about: 'orphan'; readonly code: FrErrorCode; readonly text: string }
  /** There is no bit for an attribute of this node. */
  | { readonly about: 'full'; readonly entry: string }

export type { RollUp }
