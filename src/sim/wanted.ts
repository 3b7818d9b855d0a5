/**
 * What a simulation is asked for, and what it answers, whichever model answers it. Rates are in
 * bytes a second, times of the answer in seconds from the first contact with a node.
 */
import { blockBytesFor, limits } from '../base/limits.js'
import type { DealtShape } from '../control/dealing/dealer.js'
import type { Strategy } from '../control/messages/types.js'
import type { GroupWish } from '../control/plan/layout.js'
import type { NodeLink } from '../control/plan/plan.js'
import { Random } from './random.js'

export interface Wanted {
  /** Both rates of each are known. */
  readonly nodes: readonly (NodeLink & Required<Rates>)[]
  readonly originUplinkBytesPerSecond: number
  readonly latencyMs: number
  readonly bytes: number
  readonly strategy: Strategy
  readonly shape: DealtShape
  readonly grouping: GroupWish
  readonly seed: number
  /** Nodes by their place whose process dies. */
  readonly kills: readonly { readonly node: number; readonly atMs: number }[]
  /** The planner is told the rates, as by a nodes file; otherwise it has to find them. */
  readonly tellsRates: boolean
}

interface Rates {
  readonly uplinkBytesPerSecond?: number
  readonly downlinkBytesPerSecond?: number
}

/** How much of their uplinks is used, each from the moment before to this one, from 0 to 1. */
export interface LinkUse {
  readonly seconds: number
  readonly origin: number
  /** Of all nodes: the least, the mean and the most. */
  readonly least: number
  readonly mean: number
  readonly most: number
}

export interface Answer {
  readonly model: 'sessions' | 'fluid'
  /** From the first contact to the last outcome, and from the plan on. */
  readonly seconds: number
  readonly exchangeSeconds: number
  /** When each node was complete, by its place; null: it failed. */
  readonly completeSeconds: readonly (number | null)[]
  /** Codes of nodes that failed. */
  readonly failures: readonly string[]
  readonly originBytes: number
  /** Control frames, and their bytes, that a node sends and receives: mean, and the origin's. */
  readonly messagesPerNode: number
  readonly messageBytesPerNode: number
  readonly originMessages: number
  readonly originMessageBytes: number
  readonly use: readonly LinkUse[]
  /** The grain of the model: bytes that move at once, bytes of a block; the fluid's step. */
  readonly grain: { readonly chunkBytes: number; readonly blockBytes: number } | { stepMs: number }
}

/** What takes a node its time beside the network, all of it from the seed. */
export interface NodePace {
  readonly connectMs: number
  readonly prepareMs: number
  readonly hashMs: number
  readonly publishMs: number
}

export function pacesOf({ nodes, latencyMs, seed }: Wanted): NodePace[] {
  const random = new Random(seed)
  return nodes.map(() => ({
    connectMs: 6 * latencyMs + random.between(0.5, 2),
    prepareMs: random.between(0.5, 2),
    hashMs: random.between(0.2, 1),
    publishMs: random.between(0.5, 2),
  }))
}

/** Blocks of a simulated file, about. */
const blocksWanted = 256

/** Larger than those of a push, so that there is less to simulate: nobody deals by blocks. */
export function simulatedBlockBytes(bytes: number): number {
  let blockBytes = blockBytesFor(bytes)
  while (blockBytes < limits.blockBytesMax && blockBytes * blocksWanted < bytes) blockBytes *= 2
  return blockBytes
}

interface Look {
  readonly atMs: number
  readonly sentBytes: readonly number[]
}

export class UseLog {
  everyMs: number
  readonly #rates: readonly number[]
  #looks: Look[] = []

  /** `rates`: of the uplinks in bytes a millisecond, the origin's first. */
  constructor(rates: readonly number[], everyMs: number) {
    this.#rates = rates
    this.everyMs = everyMs
  }

  look(atMs: number, sentBytes: readonly number[]): void {
    this.#looks.push({ atMs, sentBytes })
    if (this.#looks.length <= limits.simulatedLooks) return
    this.#looks = this.#looks.filter((_, i) => i % 2 === 0)
    this.everyMs *= 2
  }

  get use(): LinkUse[] {
    return this.#looks.slice(1).map(({ atMs, sentBytes }, i) => {
      const before = this.#looks[i] as Look
      const ms = atMs - before.atMs
      const [origin = 0, ...nodes] = sentBytes.map(
        (bytes, at) => (bytes - (before.sentBytes[at] ?? 0)) / ms / (this.#rates[at] as number),
      )
      const mean = nodes.reduce((sum, part) => sum + part, 0) / nodes.length
      const [least, most] = nodes.reduce(
        ([low, high], part) => [Math.min(low, part), Math.max(high, part)],
        [Number.POSITIVE_INFINITY, 0],
      )
      return { seconds: atMs / 1000, origin, least, mean, most }
    })
  }
}
