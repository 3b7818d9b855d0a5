/** What a master knows of a node. */
import type { Attributes } from '../../base/attributes.js'
import type { RangePair } from '../../base/ranges.js'
import type { CopyOrder } from '../messages/mastering.js'
import type { FileId } from './demand.js'
import type { NodeId } from './network.js'
import type { FileSet, NodeSet } from './sets.js'

export interface Member {
  readonly id: NodeId
  readonly name: string
  attributes: Attributes
  isHere: boolean
  isDrained: boolean
  set: NodeSet
  /** The sets that it was found by; null: none since it joined, when it may know nothing. */
  judgedBy: readonly FileSet[] | null
  freeBytes: number
  /** It has said what it holds since it joined. */
  hasSpoken: boolean
  /** Copies that run there and that nobody has allocated anything for yet. */
  found: readonly CopyOrder[]
  /** What it said last; null: all of it, and no more comes. */
  readonly held: Map<FileId, readonly RangePair[] | null>
  /** Files that it has demands for. */
  readonly wants: Set<FileId>
}

export const emptySet: NodeSet = { wanted: new Map(), contradictions: [] }
