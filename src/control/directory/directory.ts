/**
 * The directory at one node: its place in the tree, its mates, and the announcements that flood
 * from each of its neighbours to all others.
 *
 * Told facts, it answers with wishes; links have numbers that the driver gives and never uses
 * again.
 */
import type { Attributes } from '../../base/attributes.js'
import type { DirectoryPeer } from '../messages/directory.js'
import type { DirectoryFact, DirectorySpec, DirectoryWish, LinkFrame } from './facts.js'
import { Flood } from './flood.js'
import type { Kept } from './history.js'
import { Mates } from './mates.js'
import { Tree } from './tree.js'

export class Directory {
  readonly tree: Tree
  readonly mates: Mates
  readonly flood = new Flood()
  #wishes: DirectoryWish[] = []
  #nowMs: number

  constructor(spec: DirectorySpec, nowMs: number) {
    this.#nowMs = nowMs
    const wish = (one: DirectoryWish): void => void this.#wishes.push(one)
    const neighbours = {
      joined: (link: number, nodeId: string) => this.flood.joined(link, nodeId, this.#nowMs),
      left: (link: number) => this.flood.left(link),
    }
    this.mates = new Mates({
      ...{ self: spec, seed: spec.seed, wish, ...neighbours },
      site: () => this.tree.site,
      isRelative: (nodeId) => this.#isRelative(nodeId),
    })
    const kin = (mates: readonly DirectoryPeer[]): void => this.mates.known(mates)
    this.tree = new Tree(spec, { wish, kin, ...neighbours }, nowMs)
  }

  get attributes(): Attributes {
    return this.tree.attributes
  }

  /** Other nodes of the site that are known of. */
  get siteMates(): readonly DirectoryPeer[] {
    const { tree } = this
    const found = new Map(tree.kin.map((mate) => [mate.nodeId, mate]))
    for (const { nodeId, address, site } of tree.children.all)
      if (site === tree.site && site !== '') found.set(nodeId, { nodeId, address })
    return [...found.values()]
  }

  get dueMs(): number {
    if (this.#wishes.length > 0) return this.#nowMs
    return Math.min(this.tree.dueMs, this.mates.dueMs, this.flood.dueMs)
  }

  post(fact: DirectoryFact, nowMs: number): DirectoryWish[] {
    this.#nowMs = nowMs
    this.#take(fact, nowMs)
    return this.#settle(nowMs)
  }

  /** Of this node's own, verified. Throws FrError where nobody would take it. */
  announce(kept: Kept, nowMs: number): DirectoryWish[] {
    this.#nowMs = nowMs
    this.flood.announce(kept, nowMs)
    return this.#settle(nowMs)
  }

  restore(kept: Kept, nowMs: number): DirectoryWish[] {
    this.#nowMs = nowMs
    this.flood.restore(kept, nowMs)
    return this.#settle(nowMs)
  }

  /** See Flood. */
  isWanted(link: number, id: string, nowMs: number): boolean {
    return this.flood.isWanted(link, id, nowMs)
  }

  #take(fact: DirectoryFact, nowMs: number): void {
    const { tree, mates, flood } = this
    switch (fact.type) {
      case 'opened':
        if (fact.kind === 'mate') return mates.opened(fact.link, fact)
        return tree.opened(fact.link, fact, nowMs)
      case 'failed':
        if (fact.kind === 'mate') return mates.failed(fact.address, nowMs)
        return tree.failed(fact.address, fact.text, nowMs)
      case 'called':
        if (fact.frame.type === 'mate') return mates.called(fact.link, fact.nodeId, fact.frame)
        return tree.called(fact.link, fact.nodeId, fact.frame, nowMs)
      case 'said':
        return this.#said(fact.link, fact.frame, nowMs)
      case 'verified':
        return flood.took(
          fact.link,
          { announcement: fact.announcement, record: fact.record },
          nowMs,
        )
      case 'closed':
        tree.closed(fact.link, nowMs)
        return mates.closed(fact.link, nowMs)
      case 'attributes':
        return tree.setAttributes(fact.attributes, nowMs)
      case 'where':
        return tree.where(fact.query, fact.criteria, nowMs)
      case 'due':
        tree.due(nowMs)
        return flood.due(nowMs)
      default:
        return fact satisfies never
    }
  }

  #said(link: number, frame: LinkFrame, nowMs: number): void {
    switch (frame.type) {
      case 'known':
      case 'askKnown':
      case 'wanted':
      case 'given':
        return this.flood.said(link, frame)
      default:
        if (!this.mates.has(link)) return this.tree.said(link, frame, nowMs)
        this.mates.closed(link, nowMs)
        this.#wishes.push({ type: 'hangUp', link })
    }
  }

  #settle(nowMs: number): DirectoryWish[] {
    this.tree.settle(nowMs)
    this.mates.settle(nowMs)
    const wishes = [...this.#wishes, ...this.flood.takeWishes()]
    this.#wishes = []
    return wishes
  }

  #isRelative(nodeId: string): boolean {
    const { lineage, children } = this.tree
    return lineage.parent?.nodeId === nodeId || children.of(nodeId) !== undefined
  }
}
