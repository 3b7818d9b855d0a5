/**
 * Data connections from one node to another that bring nothing although both live: one that broke
 * and could not be opened again, one that breaks again and again, one that brings wrong blocks.
 *
 * The idea: such a link is left out of plans. Whoever was fed over it gets from others what it
 * lacks and from the origin what follows, and asks nothing over it. It is in the plans as before,
 * and whoever dials hears what is lacking, once those who said that it is lost say that it is back,
 * or after a while, when it is tried again (faults.ts says when).
 */
import type { FrErrorCode } from '../../base/errors.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { Reach } from '../members/reach.js'
import type { Chain } from '../plan/chain.js'
import type { Beyond } from './beyond.js'
import type { OriginDetours } from './detours.js'
import type { OriginDigestSends } from './digest-sends.js'
import type { OriginFaults } from './faults.js'
import type { OriginOutbox } from './outbox.js'
import type { OriginPlans } from './plans.js'
import type { OriginSends } from './sends.js'

export interface EdgeParts {
  readonly chain: Chain
  readonly peers: Peers
  readonly outbox: OriginOutbox
  readonly reach: Reach
  readonly beyond: Beyond
  readonly sends: OriginSends
  readonly digests: OriginDigestSends
  readonly detours: OriginDetours
  readonly plans: OriginPlans
  readonly faults: OriginFaults
}

export class OriginEdges {
  readonly #parts: EdgeParts
  /** By link, who says that it is lost; none: it is left out for another reason. */
  readonly #said = new Map<string, Set<Peer>>()

  constructor(parts: EdgeParts) {
    this.#parts = parts
  }

  /** One of the two says that the data connection is dead, or no better than that. */
  lost(from: Peer, to: Peer, by: Peer, code: FrErrorCode, nowMs: number): void {
    if (to.phase !== 'running' || !from.isServing) return
    const key = keyOf(from, to)
    this.#said.get(key)?.add(by)
    if (to.lostFrom.has(from.node)) return
    this.#said.set(key, new Set([by]))
    const { reach, outbox, faults } = this.#parts
    reach.lost(from, to, code)
    outbox.note('warn', 'edge-lost', to, `feed from ${from.link.address} (${code})`)
    faults.linkLost(from, to, code, nowMs)
    this.avoid(from, to)
  }

  /** Nothing goes over the link any more. */
  avoid(from: Peer, to: Peer): void {
    const { chain, beyond, sends, digests, detours, plans } = this.#parts
    to.lostFrom.add(from.node)
    sends.tell({ type: 'edgeLost', from: from.node, to: to.node })
    beyond.edgeLost(from.node, to.node)
    const gaps = chain.cut(from.node, to.node)
    if (gaps.every((gap) => gap.to === to.node)) detours.around(to, from, 'broken')
    digests.edgeLost(from.node, to)
    plans.tellNow()
    detours.fill(from, gaps, 'broken', to)
  }

  /** Who said that the data connection is dead says that it is open again. */
  back(from: Peer, to: Peer, by: Peer): void {
    const said = this.#said.get(keyOf(from, to))
    if (said?.delete(by) !== true || said.size > 0) return
    to.counts.reopened++
    this.#parts.faults.linkBack(from, to)
    this.#mend(from, to, 'edge-back')
  }

  /** The link between two addresses is tried again. */
  retry(fromAddress: string, toAddress: string): void {
    const { peers } = this.#parts
    this.#mend(peers.at(fromAddress).at(-1), peers.at(toAddress).at(-1), 'edge-retried')
  }

  /** What was planned goes over the link again, where both take part. */
  #mend(from: Peer | undefined, to: Peer | undefined, event: string): void {
    if (from?.isServing !== true || to?.phase !== 'running') return
    this.#said.delete(keyOf(from, to))
    if (!to.lostFrom.delete(from.node)) return
    const { chain, outbox, reach, beyond, sends, plans } = this.#parts
    outbox.note('info', event, to, `feed from ${from.link.address}`)
    reach.retried(from, to)
    sends.tell({ type: 'edgeBack', from: from.node, to: to.node })
    beyond.edgeBack(from.node, to.node)
    chain.mend(from.node, to.node)
    plans.changed()
  }
}

function keyOf(from: Peer, to: Peer): string {
  return `${from.node} ${to.node}`
}
