/**
 * When each node hears that the coordinator lives: everybody every limits.beatMs, a few dozen at a
 * time, so that thousands of links are not written to at one moment.
 */
import { limits } from '../../base/limits.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'

/** Nodes that hear it together. */
const together = 64

export class Beats {
  readonly #peers: Peers
  #turn = 0
  /** Infinity: nobody is connected to. */
  dueMs = Number.POSITIVE_INFINITY

  constructor(peers: Peers) {
    this.#peers = peers
  }

  /** Somebody has its link. */
  linked(nowMs: number): void {
    this.dueMs = Math.min(this.dueMs, nowMs + limits.beatMs / this.#turns)
  }

  /** Whose turn it is now. */
  take(nowMs: number): Peer[] {
    const turns = this.#turns
    const turn = this.#turn++ % turns
    this.dueMs = nowMs + limits.beatMs / turns
    const peers: Peer[] = []
    for (let node = turn; node < this.#peers.length; node += turns) {
      const peer = this.#peers.of(node)
      if (peer.hasLink) peers.push(peer)
    }
    return peers
  }

  get #turns(): number {
    return Math.max(1, Math.ceil(this.#peers.length / together))
  }
}
