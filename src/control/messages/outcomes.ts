/** How a push ends for a node. Pure data. */
import type { FrErrorCode } from '../../base/errors.js'
import type { Applied, NodeTree } from './applied.js'
import type { NodeDescriptors } from './descriptors.js'

/** What became of one node of a push. */
export interface NodeSettled {
  /** How often it was tried: 1, and one more for each retry or later adding. */
  readonly attempts: number
  /** It was lost or had failed, and came back under a new number in the same push. */
  readonly rejoined: boolean
  /** Connections to it that broke, or were silent, and were opened again. */
  readonly reopened: number
  /** HOST:PORT as the caller wrote it. */
  readonly node: string
  readonly status: 'complete' | 'failed' | 'refused'
  readonly bytes: number
  readonly digest: string | null
  readonly repairedBytes: number
  /** Payload bytes it has received from the origin and its mates, by its last report. */
  readonly receivedBytes: number
  /** Of `receivedBytes`, dropped because they had landed before. */
  readonly duplicateBytes: number
  /** Bytes of the file that were there before, verified, and did not have to be sent. */
  readonly heldBytes: number
  /** Of blocks that were not there whole: bytes that older content of the name had. */
  readonly filledBytes: number
  /** Bytes of the file that came as holes: they are announced, not sent. */
  readonly holeBytes: number
  /** The error code of the one error table; null when complete. */
  readonly code: FrErrorCode | null
  /** True when the same node may succeed later without anybody changing anything. */
  readonly retryable: boolean
  /** `CODE: text`, null when complete. */
  readonly reason: string | null
  /** What a complete node could not keep, or what is worth a look; one sentence each. */
  readonly warnings: readonly string[]
  /** What a complete node has made of a bundle. */
  readonly applied?: Applied
}

/** Of the payload that a node received, by its last report: who brought it. */
export interface Brought {
  readonly fromOriginBytes: number
  /** Other nodes of the push. */
  readonly fromMatesBytes: number
  readonly fromMirrorsBytes: number
  /** Nodes that only pass on. */
  readonly fromRelaysBytes: number
}

/**
 * How far the verified prefix of a node is behind what there is at the origin of a content that is
 * still written: from when bytes were there to its word that it has them. Of nothing all are 0.
 */
export interface LagFigures {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p50Bytes: number
  readonly p99Bytes: number
  /** What it has not reached of what there is now. */
  readonly behindBytes: number
}

export interface NodeOutcome extends Omit<NodeSettled, 'applied'>, Brought {
  /** From the start of the push to this outcome. */
  readonly seconds: number
  /** The node that sent it the file in the origin's stead, HOST:PORT; null: this push itself. */
  readonly servedBy: string | null
  /** Of a push of a tree. */
  readonly tree?: NodeTree
  /** Of a push of descriptors. */
  readonly descriptors?: NodeDescriptors
  /** Of a push of what is still written. */
  readonly lag?: LagFigures
}
