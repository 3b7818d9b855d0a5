/**
 * Nodes of secondary groups: when their turn comes, and who has the file then.
 *
 * The idea: whoever joins a tree of groups takes nothing from it. It knows the nodes of one group,
 * and once none of these receives any more it has everything from them, as a node that pulls. When
 * all of them are gone the coordinator itself brings it.
 */
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { Chain } from '../plan/chain.js'

export class Later {
  readonly #chain: Chain
  readonly #peers: Peers

  constructor(chain: Chain, peers: Peers) {
    this.#chain = chain
    this.#peers = peers
  }

  /** Those of these nodes that wait and need not any longer. */
  due(nodes: readonly number[]): Peer[] {
    return nodes.map((node) => this.#peers.of(node)).filter((peer) => this.#isDue(peer))
  }

  /** Who has all that this node lacks, and can send it. */
  holderFor({ node }: Peer): number | undefined {
    return this.#chain.above(node).find((other) => {
      const { phase, hasLink } = this.#peers.of(other)
      return phase === 'complete' && hasLink
    })
  }

  #isDue({ node, phase, lag }: Peer): boolean {
    if (phase !== 'running' || lag !== 'waiting') return false
    return this.#chain.above(node).every((other) => this.#peers.of(other).phase !== 'running')
  }
}
