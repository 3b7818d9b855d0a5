/**
 * Which data connections of a push are sealed: all, those of nodes that want it, and those between
 * two sites whose link is to be sealed.
 */
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import { originNumber } from '../messages/types.js'
import type { GroupWish } from '../plan/layout.js'

export class Sealing {
  readonly #peers: Peers
  /** Of the origin. */
  readonly #site: string | undefined
  /** Sites to which a link is sealed, by site. */
  readonly #sealed = new Map<string, Set<string>>()

  constructor({ site, siteLinks = [] }: Pick<GroupWish, 'site' | 'siteLinks'>, peers: Peers) {
    this.#peers = peers
    this.#site = site
    for (const { sites, isSealed } of siteLinks) {
      if (isSealed !== true) continue
      for (const [from, to] of [sites, [...sites].reverse()] as [string, string][])
        this.#sealed.set(from, (this.#sealed.get(from) ?? new Set()).add(to))
    }
  }

  ofOrigin(to: number): boolean {
    return this.between(originNumber, to)
  }

  /** Numbers of members; who is no peer is the origin. */
  between(one: number, other: number): boolean {
    const [from, to] = [this.#peers.all[one], this.#peers.all[other]]
    if (from?.isSealed === true || to?.isSealed === true) return true
    return this.#sealed.get(this.#siteOf(from) ?? '')?.has(this.#siteOf(to) ?? '') === true
  }

  /** Who takes over knows no links: what such a node has to do with others is sealed then. */
  isAlways(peer: Peer): boolean {
    return peer.isSealed || this.#sealed.has(peer.link.site ?? '')
  }

  #siteOf(peer: Peer | undefined): string | undefined {
    return peer === undefined ? this.#site : peer.link.site
  }
}
