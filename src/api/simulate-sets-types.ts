/** Types of a simulated master. Rates are bytes per second; sizes bytes; times seconds. */
import type { PushTarget } from './types.js'

export interface SimulateSetsOptions {
  /** A file as `fr master --topology` reads it. */
  topology: string
  /** A directory as `fr master --sets` reads it. */
  sets: string
  /** How many, in turn in all sites of the topology; or which, with their sites. */
  nodes: number | readonly (string | PushTarget)[]
  /** Of each file whose set does not tell its size. */
  bytes: number
  /** Of each node whose own is not known. */
  uplinkBytesPerSecond: number
  /** By default the uplink's. */
  downlinkBytesPerSecond?: number
  /** Where the node is that has all files at first; by default the first node. */
  site?: string
  /** One way, between a node and the master, and between two nodes; 0.3 by default. */
  latencyMs?: number
  /** The same seed is the same answer; 1 by default. */
  seed?: number
  signal?: AbortSignal
}

export interface SimulatedLink {
  readonly name: string
  readonly bytes: number
  readonly cost: number
  /** Of what it could have carried until the end, 0 to 1; null: it has no limit. */
  readonly use: number | null
}

export interface SimulateSetsResult {
  readonly event: 'result'
  readonly sites: number
  readonly nodes: number
  readonly files: number
  readonly seed: number
  /** What all nodes together were to get. */
  readonly bytes: number
  /** Until the last node had all of its files; null: some never came. */
  readonly seconds: number | null
  /** No schedule takes less; null: some of it has no way at all. */
  readonly leastSeconds: number | null
  readonly cost: number
  /** Every node from the one that has all at first: at least that time; null: there is no way. */
  readonly direct: { readonly seconds: number | null; readonly cost: number }
  /** Sets that mean none of the nodes. */
  readonly unmeant: readonly string[]
  /** What went from one site to another. */
  readonly crossedBytes: number
  readonly copies: number
  /** Files that nodes were to hold and did not get. */
  readonly missing: number
  /** Links between sites that carried something, the busiest first. */
  readonly links: readonly SimulatedLink[]
}
