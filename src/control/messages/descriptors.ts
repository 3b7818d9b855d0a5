/** How a push of descriptors ends, for a node and as a whole. Pure data. */
import type { FrErrorCode } from '../../base/errors.js'

/** What one node has of the descriptors. */
export interface NodeDescriptors {
  /** How many of them are published there. */
  readonly complete: number
  /**
   * When it had enough of them to be of use, in seconds from the start; null: it has fewer. Those
   * with the same bytes count as one.
   */
  readonly usableSeconds: number | null
}

export interface DescriptorFigures {
  /** How many descriptors make a node usable. */
  readonly enough: number
  /** Nodes that have as many. */
  readonly usable: number
  /** In the order in which they were named. */
  readonly each: readonly DescriptorResult[]
}

export interface DescriptorResult {
  /** At the nodes. */
  readonly name: string
  readonly bytes: number
  readonly digest: string | null
  /** HOST:PORT of the node that it was dealt to; others stand in for one that is lost. */
  readonly relay: string
  /** Nodes that have published it. */
  readonly nodes: number
  /** Why it was given up as a whole; null: it was not. */
  readonly code: FrErrorCode | null
  readonly reason: string | null
}
