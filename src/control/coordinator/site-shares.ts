/**
 * What each member may send to other sites, so that all together keep to what the links between
 * sites have (plan/site-shares.ts), as plans change and nodes are done.
 *
 * Plans reach nodes at different times, so who is to have less is told first, and who is to have
 * more after `raiseMs`: until then it keeps what it has, or a hundredth of what it is to have.
 */
import { limits } from '../../base/limits.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { SiteShare } from '../messages/types.js'
import type { Chain } from '../plan/chain.js'
import { type GroupWish, siteRate } from '../plan/layout.js'
import { type Crosser, shareLink } from '../plan/site-shares.js'

export type SiteWish = Pick<GroupWish, 'site' | 'siteLinks'>

const raiseMs = limits.progressMs
const firstPart = 0.01

interface Crossing {
  readonly to: Peer
  readonly isColumn: boolean
}

export class SiteShares {
  readonly #wish: SiteWish
  readonly #origin: number
  readonly #chain: Chain
  readonly #peers: Peers
  /** By sender, those in other sites to whom it may send. */
  readonly #crossings = new Map<number, readonly Crossing[]>()
  /** By sender, then by site. */
  #shares = new Map<number, Map<string, number>>()
  #isRaising = false
  #loweredMs: number | undefined

  constructor(wish: SiteWish, origin: number, chain: Chain, peers: Peers) {
    this.#wish = wish
    this.#origin = origin
    this.#chain = chain
    this.#peers = peers
  }

  /** Whether there is anything to share. */
  get isOn(): boolean {
    return (this.#wish.siteLinks ?? []).length > 0
  }

  of(member: number): SiteShare[] {
    const shares = this.#shares.get(member) ?? new Map<string, number>()
    return [...shares].map(([site, bytesPerSecond]) => ({ site, bytesPerSecond }))
  }

  /** Where this node may send has changed. */
  look(peer: Peer): void {
    if (!this.isOn) return
    const { node } = peer
    const site = peer.isServing ? peer.link.site : undefined
    const isOther = (to: Peer): boolean => to.link.site !== undefined && to.link.site !== site
    const here = (nodes: readonly number[], isColumn: boolean): Crossing[] =>
      nodes
        .map((number) => this.#peers.of(number))
        .filter(isOther)
        .map((to) => ({ to, isColumn }))
    const routed =
      peer.relay === 'none'
        ? []
        : this.#chain.routes(node).flatMap(({ to }) => to.map(({ member }) => member))
    const crossings =
      site === undefined
        ? []
        : [
            ...here([...routed, ...this.#chain.below(node)], true),
            ...here(this.#chain.neighbours(node), false),
          ]
    if (crossings.length > 0) this.#crossings.set(node, crossings)
    else this.#crossings.delete(node)
  }

  /** What somebody has to be told once it is time. */
  isDue(nowMs: number): boolean {
    if (!this.#isRaising) return false
    this.#loweredMs ??= nowMs
    return nowMs >= this.#loweredMs + raiseMs
  }

  /** Divides the links anew. Returns whose shares are others now. */
  divide(serving: Iterable<Peer>, isUnicast: boolean): number[] {
    if (!this.isOn) return []
    const wanted = this.#wanted(serving, isUnicast)
    const isLate = this.#isRaising && this.#loweredMs !== undefined
    const isLess = [...this.#shares].some(([member, shares]) =>
      [...shares].some(([site, rate]) => (wanted.get(member)?.get(site) ?? 0) < rate),
    )
    this.#isRaising = isLess && !isLate
    this.#loweredMs = undefined
    const before = this.#shares
    this.#shares = this.#isRaising ? firstLess(wanted, before) : wanted
    const members = new Set([...before.keys(), ...wanted.keys()])
    const text = (shares: ReadonlyMap<string, number> | undefined): string =>
      JSON.stringify([...(shares ?? [])])
    return [...members].filter((one) => text(before.get(one)) !== text(this.#shares.get(one)))
  }

  #wanted(serving: Iterable<Peer>, isUnicast: boolean): Map<number, Map<string, number>> {
    /** By link, and then by sender, the columns. */
    const links = new Map<string, { rate: number; site: string; by: Map<number, number> }>()
    const add = (member: number, from: string | undefined, to: Peer, columns: number): void => {
      const site = to.link.site
      const rate = siteRate(this.#wish.siteLinks, from, site)
      if (site === undefined || site === from || rate === Number.POSITIVE_INFINITY) return
      const key = JSON.stringify([from, site])
      const link = links.get(key) ?? { rate, site, by: new Map<number, number>() }
      links.set(key, link)
      link.by.set(member, (link.by.get(member) ?? 0) + (lacks(to) ? columns : 0))
    }
    for (const peer of serving) {
      const { length } = this.#chain.columnsFrom(peer.node)
      add(this.#origin, this.#wish.site, peer, isUnicast ? 1 : length)
    }
    for (const [node, crossings] of this.#crossings) {
      const { site } = this.#peers.of(node).link
      for (const { to, isColumn } of crossings) add(node, site, to, isColumn ? 1 : 0)
    }
    const wanted = new Map<number, Map<string, number>>()
    for (const { rate, site, by } of links.values()) {
      const crossers = [...by].map(([member, columns]): Crosser => ({ member, columns }))
      for (const [member, share] of shareLink(rate, crossers))
        wanted.set(member, (wanted.get(member) ?? new Map<string, number>()).set(site, share))
    }
    return wanted
  }
}

/** Bytes flow to it, or will at any time. */
function lacks({ phase, lag }: Peer): boolean {
  return phase === 'running' && lag !== 'waiting'
}

type Shares = ReadonlyMap<number, ReadonlyMap<string, number>>

/** Who is to have more keeps what it has for now. */
function firstLess(wanted: Shares, before: Shares): Map<number, Map<string, number>> {
  return new Map(
    [...wanted].map(([member, shares]) => {
      const kept = [...shares].map(([site, rate]): [string, number] => {
        const had = before.get(member)?.get(site) ?? Math.max(1, Math.floor(rate * firstPart))
        return [site, Math.min(rate, had)]
      })
      return [member, new Map(kept)]
    }),
  )
}
