/** Types of a simulated push. Rates are bytes per second; sizes bytes; times seconds. */
import type { FrErrorCode } from '../base/errors.js'
import type { PushOptions, PushTarget, Shape, Strategy } from './types.js'

export interface SimulateOptions {
  /** How many, or which: what is not known of a target is that of all. */
  nodes: number | readonly (string | PushTarget)[]
  bytes: number
  uplinkBytesPerSecond: number
  /** By default the uplink's. */
  downlinkBytesPerSecond?: number
  originUplinkBytesPerSecond?: number
  /** One way, between any two machines; 0.3 by default. */
  latencyMs?: number
  strategy?: Strategy
  shape?: Shape | 'auto'
  groupSize?: number
  /** The origin's, as of a push; those of nodes are theirs. */
  site?: string
  /** What two sites carry between them each way: all that crosses shares it. */
  siteLinks?: NonNullable<PushOptions['siteLinks']>
  /** Nodes whose process dies, by their number, the first is 1. */
  kill?: readonly { node: number; atSeconds: number }[]
  /** False: the planner is not told how fast links are. */
  speedsKnown?: boolean
  /** The same seed is the same answer; 1 by default. */
  seed?: number
  /**
   * - sessions: the shipping sessions of the origin and of every node, on a virtual network.
   * - fluid: the shipping planner and dealer, and bytes that flow; for thousands of nodes.
   * - auto (default): sessions for few nodes and where something is killed.
   */
  model?: 'auto' | 'sessions' | 'fluid'
  signal?: AbortSignal
}

export interface SimulateResult {
  readonly event: 'result'
  readonly model: 'sessions' | 'fluid'
  readonly nodes: number
  readonly bytes: number
  readonly seed: number
  readonly strategy: Strategy
  readonly shape: Shape
  /** Numbers of the nodes in each group; the first group is the one that the origin feeds. */
  readonly groups: readonly (readonly number[])[]
  /** Of each group the index of the one that feeds it; null: the origin does. */
  readonly parents: readonly (number | null)[]
  /** What no scheme beats, what the plan says before, and what limits it. */
  readonly boundSeconds: number | null
  readonly predictedSeconds: number | null
  readonly limiting: string | null
  /** From the first contact to the last outcome. */
  readonly seconds: number
  /** From the plan to the last outcome. */
  readonly exchangeSeconds: number
  /** The bound as a part of `seconds`. */
  readonly efficiency: number | null
  readonly complete: number
  readonly failed: number
  /** Of nodes that are complete; null where none is. */
  readonly completion: {
    readonly min: number
    readonly p50: number
    readonly p99: number
    readonly max: number
  } | null
  readonly failures: readonly { readonly code: FrErrorCode; readonly nodes: number }[]
  readonly originBytesSent: number
  /** Control frames that are sent and received; with the model `fluid` only reports. */
  readonly messagesPerNode: number
  readonly messageBytesPerNode: number
  readonly originMessages: number
  readonly originMessageBytes: number
  /** Bytes that move at once and bytes of a block, or how long a step is. */
  readonly grain: { readonly chunkBytes: number; readonly blockBytes: number } | { stepMs: number }
  /** By node; null: it failed. */
  readonly completeSeconds: readonly (number | null)[]
  /** Parts of the uplinks that are in use, from the moment before to this one. */
  readonly use: readonly {
    readonly seconds: number
    readonly origin: number
    readonly least: number
    readonly mean: number
    readonly most: number
  }[]
}
