/** A copy that is under way, and what is decided of copies. */
import type { FileId } from './demand.js'
import type { NodeId, SiteId } from './network.js'
import type { ResourceId } from './resources.js'

export interface Copy {
  readonly id: number
  readonly file: FileId
  readonly source: NodeId
  readonly target: NodeId
  readonly offset: number
  readonly length: number
  /** Bytes a second that are allocated to it; infinite: nothing has to be. */
  rate: number
  readonly route: readonly ResourceId[]
  /** Between sites; that of the target is `into`. */
  readonly crosses: boolean
  readonly into: SiteId
  readonly startedMs: number
}

export type Decision =
  | { readonly kind: 'start'; readonly copy: Copy }
  /** From now on at this rate. */
  | { readonly kind: 'rate'; readonly copy: Copy }
  | { readonly kind: 'stop'; readonly copy: Copy }

/** A copy that was begun by another master, or that this one has given up since. */
export type Found = Pick<Copy, 'id' | 'file' | 'source' | 'target' | 'offset' | 'length' | 'rate'>
