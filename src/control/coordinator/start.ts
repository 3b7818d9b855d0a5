/**
 * From the first dial to the plan: when the exchange begins. Nodes hear of each other with the
 * plan, because what they do to dial each other would delay what the first byte waits for.
 *
 * The idea: nobody waits long for anybody. Nodes that are not known yet, or that decide slowly,
 * have limits.readyMs from the moment somebody is ready, and more where so many are dialled that it
 * takes longer; who could not be connected to at the first try is not waited for at all. Who has
 * older content of the name has longer, since others may need less by that. Whoever is ready later
 * joins. But no byte flows before each node that is connected has said whether the push
 * may write the name there: two pushes to one name must not have some nodes each.
 */
import { GIB, limits } from '../../base/limits.js'
import { inOrder, type Peers } from '../members/peers.js'
import type { OriginExchange } from './exchange.js'
import type { Extent } from './extent.js'
import type { OriginJoins } from './joins.js'

export class OriginStart {
  readonly #peers: Peers
  readonly #exchange: OriginExchange
  readonly #joins: OriginJoins
  readonly #extent: Extent
  /** Since when somebody is ready; undefined: nobody is, or the plan is made. */
  #readyMs: number | undefined

  constructor(peers: Peers, exchange: OriginExchange, joins: OriginJoins, extent: Extent) {
    this.#extent = extent
    this.#peers = peers
    this.#exchange = exchange
    this.#joins = joins
  }

  get deadlineMs(): number {
    // The answers have a limit of their own (watch.ts).
    if (this.#isClaiming) return Number.POSITIVE_INFINITY
    return (this.#readyMs ?? Number.POSITIVE_INFINITY) + this.#waitMs
  }

  get #waitMs(): number {
    const many = Math.max(0, this.#peers.length - limits.nodesPerGroup)
    const isCompared = this.#peers.comparing.size > 0
    const gib = this.#extent.bytes / GIB
    const compareMs = isCompared ? limits.compareMs + limits.compareMsPerGib * gib : 0
    return limits.readyMs + limits.readyMsPerNode * many + compareMs
  }

  get #isClaiming(): boolean {
    return this.#peers.claiming.size > 0
  }

  /**
   * The group is everyone who is ready once nobody is connecting or deciding any more, or the first
   * of them has waited for long enough. True once the plan has been made.
   */
  advance(nowMs: number): boolean {
    const { ready, coming, offered } = this.#peers
    if (![...ready].some((peer) => peer.isReceiver)) {
      this.#readyMs = undefined
      return false
    }
    this.#readyMs ??= nowMs
    const isOpen = coming.size > 0 || offered.size > 0
    if (this.#isClaiming) return false
    if (isOpen && nowMs < this.#readyMs + this.#waitMs) return false
    this.#readyMs = undefined
    const group = inOrder(ready)
    this.#exchange.start(group, nowMs)
    for (const peer of group) this.#joins.settled(peer, null)
    return true
  }
}
