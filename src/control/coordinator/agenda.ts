/**
 * Which nodes are to be judged: those to whom something has happened, and those whose time has
 * come. All others are as they were, so nobody looks at them.
 */
import { LeastFirst } from '../../base/least-first.js'
import type { Peer } from '../members/peer.js'
import { inOrder, type Peers } from '../members/peers.js'
import type { OriginLimits } from './limits.js'
import type { PeerWatch } from './watch.js'

export class Agenda {
  readonly #peers: Peers
  readonly #watch: PeerWatch
  readonly #limits: OriginLimits
  readonly #times = new LeastFirst<Peer>()
  readonly #touched: { take(): Set<Peer> }

  constructor(peers: Peers, watch: PeerWatch, limits: OriginLimits) {
    this.#peers = peers
    this.#watch = watch
    this.#limits = limits
    this.#touched = peers.follow(true)
  }

  /** In the order of their numbers. */
  take(nowMs: number): Peer[] {
    const judged = this.#note()
    for (const node of this.#watch.look(nowMs)) judged.add(this.#peers.of(node))
    for (const peer of this.#times.upTo(nowMs)) judged.add(peer)
    for (const peer of this.#limits.due(nowMs)) judged.add(peer)
    return inOrder(this.#limits.isOver(nowMs) ? this.#peers.unsettled : judged)
  }

  /** When the next node is to be judged; Infinity: never. */
  deadlineMs(): number {
    this.#note()
    return Math.min(this.#times.least, this.#watch.deadlineMs(), this.#limits.deadlineMs())
  }

  #note(): Set<Peer> {
    const touched = this.#touched.take()
    for (const peer of touched) this.#times.set(peer, Math.min(this.#watch.dueMs(peer), peer.dueMs))
    return touched
  }
}
