/**
 * How long the push waits for nodes that it had reached and lost: a process that was killed, a
 * machine that is being restarted.
 *
 * The idea: as long as others are not done, dialling those that were lost costs nothing and delays
 * nobody, so there is no limit. Once nobody else is waited for, they have the rejoin time.
 */
import type { Peer } from '../members/peer.js'
import { inOrder, type Peers } from '../members/peers.js'
import type { OriginConfig } from './events.js'

export class OriginRejoins {
  readonly #rejoinMs: number
  readonly #peers: Peers
  /** Since when only lost nodes are waited for; undefined: others are, too. */
  #aloneMs: number | undefined

  constructor({ rejoinMs = 0 }: OriginConfig, peers: Peers) {
    this.#rejoinMs = rejoinMs
    this.#peers = peers
  }

  /** When `overdue` has somebody if nothing happens; Infinity: never. */
  get dueMs(): number {
    const sinceMs = this.#rejoinMs > 0 ? this.#aloneMs : undefined
    return sinceMs === undefined ? Number.POSITIVE_INFINITY : sinceMs + this.#rejoinMs
  }

  /** Those that are waited for no longer. */
  overdue(nowMs: number): Peer[] {
    const { lost, unsettled } = this.#peers
    const isAlone = lost.size > 0 && lost.size === unsettled.size
    this.#aloneMs = isAlone ? (this.#aloneMs ?? nowMs) : undefined
    return nowMs >= this.dueMs ? inOrder(lost) : []
  }
}
