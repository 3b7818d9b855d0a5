/**
 * Nodes beside the tree of a fluid push: each asks a few of the group that feeds it for all there
 * is once they are complete, and has at each of them what that brings in a moment.
 */
import { limits } from '../base/limits.js'
import type { Chain } from '../control/plan/chain.js'
import type { FluidEdge } from './fluid-edges.js'
import type { FluidNetwork } from './fluid-network.js'

/** Milliseconds for which a node has asked ahead, as in pulling/window.ts. */
const aheadMs = 300

/** The holders that each node asks: those who feed several share these out. */
export function pullEdges({ slow, above }: PullTree): FluidEdge[] {
  return slow.flatMap(({ node }, turn) => {
    const holders = above(node)
    const count = Math.min(limits.pullHolders, holders.length)
    return Array.from({ length: count }, (_, i): FluidEdge => {
      const holder = holders[(turn * count + i) % holders.length] as number
      return { from: holder + 1, to: node + 1, parent: -1, isEntry: false }
    })
  })
}

type PullTree = Pick<Chain, 'slow'> & { readonly above: (node: number) => readonly number[] }

interface Asker {
  readonly row: number
  readonly above: readonly number[]
  readonly edges: readonly number[]
  readonly windowBytes: number
  openBytes: number
}

export class FluidPulls {
  readonly #network: FluidNetwork
  readonly #latencyMs: number
  #askers: Asker[]

  /** `downlink`: bytes a millisecond that a row can receive. */
  constructor(
    network: FluidNetwork,
    edges: readonly FluidEdge[],
    bytes: number,
    latencyMs: number,
    { slow, above }: PullTree,
    downlink: (row: number) => number,
  ) {
    this.#network = network
    this.#latencyMs = latencyMs
    this.#askers = slow.map(({ node }) => {
      const row = node + 1
      const own = [...edges.keys()].filter((i) => edges[i]?.parent === -1 && edges[i]?.to === row)
      const windowBytes = Math.max(
        2 * limits.pullUnitBytes,
        (downlink(row) * (aheadMs + 2 * latencyMs)) / own.length,
      )
      return { row, above: above(node), edges: own, windowBytes, openBytes: bytes }
    })
  }

  /** `completeMs`: of each node when it was complete, or is to be. */
  ask(completeMs: readonly number[], nowMs: number): void {
    for (const asker of this.#askers) {
      // The last one says so, the asker hears of it and asks.
      const begunMs = asker.above.reduce(
        (last, node) => Math.max(last, completeMs[node] as number),
        0,
      )
      if (nowMs < begunMs + 3 * this.#latencyMs) continue
      const most = Math.max(limits.pullUnitBytes, asker.openBytes / asker.edges.length)
      for (const edge of asker.edges) {
        const room = Math.min(asker.windowBytes - this.#network.waits(edge), most)
        const asked = Math.max(0, Math.min(room, asker.openBytes))
        asker.openBytes -= asked
        this.#network.ask(edge, asked)
      }
    }
    this.#askers = this.#askers.filter(({ openBytes }) => openBytes > 0)
  }
}
