/**
 * The data connections of the origin to its nodes: one that broke is opened again, for as long as a
 * silent node would be waited for, and so is one that could not be opened. What else it ends with,
 * a node says on its link within a second.
 */
import type { Failure } from '../../base/errors.js'
import { errorTable } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import { isBreak, Reopening } from '../members/reopening.js'
import type { MemberFact } from '../messages/facts.js'
import type { Lacking } from '../messages/types.js'
import type { OriginConfig } from './events.js'
import type { OriginExchange } from './exchange.js'
import type { OriginOutbox } from './outbox.js'

export class BrokenFeeds {
  readonly #silenceMs: number
  readonly #peers: Peers
  readonly #exchange: OriginExchange
  readonly #outbox: OriginOutbox
  readonly #reopening: Reopening
  /** Links that broke, until they have another connection. */
  readonly #brokenLinks = new Set<number>()

  constructor(
    { silenceMs, seed = 0 }: OriginConfig,
    peers: Peers,
    exchange: OriginExchange,
    outbox: OriginOutbox,
  ) {
    this.#silenceMs = silenceMs
    this.#peers = peers
    this.#exchange = exchange
    this.#outbox = outbox
    this.#reopening = new Reopening(seed)
  }

  /** It broke, or could not be opened. The node needs it, unless it has all. */
  unfed(peer: Peer, failure: Failure, nowMs: number): void {
    const { node, feed, state } = peer
    const { code } = failure
    // Another one is opened with the first thing that is sent, once the node has answered.
    if (state.phase === 'offered' && state.answer === 'elsewhere')
      return this.#reopening.forget(node)
    const opensAgain = isBreak(code) || (feed.is !== 'open' && errorTable[code].retryable)
    if (!opensAgain) {
      this.#reopening.forget(node)
      return peer.unfed(failure, nowMs + limits.wordMs)
    }
    const sinceMs = this.#reopening.broke(node, nowMs)
    if (sinceMs === nowMs) this.#outbox.note('info', 'feed-broke', peer, failure.text)
    peer.unfed(failure, sinceMs + this.#silenceMs)
  }

  /** It is open. Where it had broken before, what the node lacks of it is sent again. */
  fedOut(peer: Peer, lacking: Lacking | undefined, nowMs: number): void {
    const wasCut = peer.feed.is === 'cut'
    if (wasCut) peer.counts.reopened++
    this.#reopening.opened(peer.node, nowMs)
    this.#exchange.fedOut(peer, wasCut ? lacking : undefined, nowMs)
  }

  /**
   * Where the link was silent until it had another connection, and did not break, the way has most
   * likely forgotten it: the data needs another one, too, unless it goes on.
   */
  link(peer: Peer, fact: MemberFact & { readonly type: 'linkBroke' | 'linkBack' }, nowMs: number) {
    const { node: member, counts, presence } = peer
    if (fact.type === 'linkBroke') {
      this.#brokenLinks.add(member)
      return this.#outbox.note('info', 'link-broke', peer, fact.text)
    }
    counts.reopened++
    const isStill = presence !== 'alive' || nowMs >= counts.sentMs + limits.suspectMs
    if (this.#brokenLinks.delete(member) || !isStill || this.#reopening.isUnsteady(member, nowMs))
      return
    this.#outbox.wish({ type: 'unfeedOut', member })
  }

  advance(nowMs: number): void {
    for (const node of this.#reopening.due(nowMs)) {
      if (this.#peers.of(node).hasLink) this.#outbox.wish({ type: 'feed', member: node })
      else this.#reopening.forget(node)
    }
  }

  get dueMs(): number {
    return this.#reopening.dueMs
  }
}
