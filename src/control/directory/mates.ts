/**
 * Links between nodes of one site, beside the tree: so announcements reach a node whose parent is
 * gone. Each node dials the next ones in the ring of ids of those that it knows of, so that nodes
 * which know of each other hang together, and takes a few that dial it.
 */
import { limits } from '../../base/limits.js'
import { backoffMs } from '../members/backoff.js'
import type { DirectoryPeer, NeighbourFrame } from '../messages/directory.js'
import type { DirectoryWish } from './facts.js'
import { ring } from './kin.js'

interface Mate extends DirectoryPeer {
  readonly isDialled: boolean
}

export interface MatesHost {
  readonly self: DirectoryPeer
  readonly seed: number
  readonly site: () => string
  /** A parent or a child, which is a neighbour already. */
  readonly isRelative: (nodeId: string) => boolean
  readonly wish: (wish: DirectoryWish) => void
  readonly joined: (link: number, nodeId: string) => void
  readonly left: (link: number) => void
}

const redial = { firstMs: limits.mateRedialMs, mostMs: limits.mateRedialMsMax }

export class Mates {
  readonly #host: MatesHost
  readonly #links = new Map<number, Mate>()
  readonly #dialling = new Set<string>()
  /** Of those that could not be reached, by id. */
  readonly #failed = new Map<string, { readonly tries: number; readonly retryMs: number }>()
  #wanted: readonly DirectoryPeer[] = []
  #dueMs = Number.POSITIVE_INFINITY

  constructor(host: MatesHost) {
    this.#host = host
  }

  get dueMs(): number {
    return this.#dueMs
  }

  get size(): number {
    return this.#links.size
  }

  has(link: number): boolean {
    return this.#links.has(link)
  }

  /** Other nodes of the site that are known of. */
  known(kin: readonly DirectoryPeer[]): void {
    this.#wanted = ring(kin, this.#host.self.nodeId).slice(0, limits.matesDialled)
    const ids = new Set(kin.map(({ nodeId }) => nodeId))
    for (const nodeId of this.#failed.keys()) if (!ids.has(nodeId)) this.#failed.delete(nodeId)
    for (const [link, { nodeId, isDialled }] of this.#links)
      if (isDialled && !this.#wanted.some((one) => one.nodeId === nodeId)) this.#hangUp(link)
  }

  opened(link: number, peer: DirectoryPeer): void {
    this.#dialling.delete(peer.address)
    const { nodeId } = peer
    const isWanted = this.#wanted.some((one) => one.nodeId === nodeId)
    if (!isWanted || this.#linkOf(nodeId) !== undefined || this.#host.isRelative(nodeId))
      return this.#host.wish({ type: 'hangUp', link })
    const { address } = this.#host.self
    this.#say(link, { type: 'mate', address, site: this.#host.site() })
    this.#take(link, { ...peer, isDialled: true })
  }

  failed(address: string, nowMs: number): void {
    this.#dialling.delete(address)
    const mate = this.#wanted.find((one) => one.address === address)
    if (mate !== undefined) this.#later(mate.nodeId, nowMs)
  }

  called(link: number, nodeId: string, { address, site }: { address: string; site: string }): void {
    const refuse = (text: string): void => {
      this.#host.wish({ type: 'say', link, frame: { type: 'refuse', code: 'ERR_FR_BUSY', text } })
      this.#host.wish({ type: 'hangUp', link })
    }
    const { self } = this.#host
    if (nodeId === self.nodeId || this.#host.isRelative(nodeId))
      return refuse('there is a link already')
    if (site !== this.#host.site() || site === '') return refuse('this is another site')
    const before = this.#linkOf(nodeId)
    // Both have dialled: the link of the one with the lesser id stays.
    if (before !== undefined && this.#links.get(before)?.isDialled && self.nodeId < nodeId)
      return refuse('there is a link already')
    if (before !== undefined) this.#hangUp(before)
    if (this.#links.size >= limits.matesMost) return refuse('there are enough links')
    this.#take(link, { nodeId, address, isDialled: false })
  }

  /** Also when it has refused. */
  closed(link: number, nowMs: number): void {
    const mate = this.#links.get(link)
    if (!this.#links.delete(link)) return
    this.#host.left(link)
    if (mate?.isDialled) this.#later(mate.nodeId, nowMs)
  }

  /** Dials who is to be dialled now. */
  settle(nowMs: number): void {
    this.#dueMs = Number.POSITIVE_INFINITY
    for (const { nodeId, address } of this.#wanted) {
      if (this.#dialling.has(address) || this.#linkOf(nodeId) !== undefined) continue
      if (this.#host.isRelative(nodeId)) continue
      const retryMs = this.#failed.get(nodeId)?.retryMs ?? nowMs
      if (retryMs > nowMs) {
        this.#dueMs = Math.min(this.#dueMs, retryMs)
        continue
      }
      this.#dialling.add(address)
      this.#host.wish({ type: 'dial', kind: 'mate', address })
    }
  }

  #take(link: number, mate: Mate): void {
    this.#links.set(link, mate)
    this.#failed.delete(mate.nodeId)
    this.#host.joined(link, mate.nodeId)
  }

  #hangUp(link: number): void {
    this.#links.delete(link)
    this.#host.left(link)
    this.#host.wish({ type: 'hangUp', link })
  }

  #later(nodeId: string, nowMs: number): void {
    const tries = (this.#failed.get(nodeId)?.tries ?? 0) + 1
    const retryMs = nowMs + backoffMs(redial, tries, this.#host.seed)
    this.#failed.set(nodeId, { tries, retryMs })
  }

  #linkOf(nodeId: string): number | undefined {
    for (const [link, mate] of this.#links) if (mate.nodeId === nodeId) return link
    return undefined
  }

  #say(link: number, frame: NeighbourFrame): void {
    this.#host.wish({ type: 'say', link, frame })
  }
}
