/**
 * To which nodes the coordinator opens a data connection before anything is to be sent to them.
 *
 * The idea: of one group it feeds everybody, of several the first. These connections are opened
 * with the links, so that the first byte need not wait for them. Any other node is fed by nodes,
 * and gets a connection with the first thing that is sent to it (outbox.ts): the counters of all
 * that are open are read many times a second. Who is in the first group is foreseen from what the
 * caller says; where nodes that cannot be reached or say more of themselves change that, the first
 * bytes to another head wait for its connection.
 */
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { Placed } from '../plan/layout.js'
import { planTree } from '../plan/tree.js'

export class OriginFeeds {
  /** Null: everybody is fed. */
  readonly #foreseen: ReadonlySet<number> | null

  constructor({ shape, chain }: Dealer, peers: readonly Peer[]) {
    if (shape === 'unicast' || shape === 'group') this.#foreseen = null
    else {
      const able = peers.filter(({ phase }) => phase === 'connecting')
      const places = able.filter(({ isReceiver }) => isReceiver).map(placeOf)
      const [first] = planTree(places, chain.wish).groups
      const senders = able.filter(({ isReceiver }) => !isReceiver).map(({ node }) => node)
      this.#foreseen = new Set([...(first?.nodes ?? []), ...senders])
    }
  }

  /** Something will be sent to it as soon as the plan is made. */
  isForeseen(node: number): boolean {
    return this.#foreseen?.has(node) ?? true
  }
}

/** A node as far as its place in a tree depends on it. */
export function placeOf({ node, usable, maxFeeds }: Peer): Placed {
  return { ...usable, node, ...(maxFeeds !== undefined && { maxFeeds }) }
}
