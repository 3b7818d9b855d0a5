/**
 * Who may take over from this coordinator, and what they are told so that they can: the roster, as
 * it changes. Who becomes a standby hears of all nodes, then of those that have changed. A member
 * that is a standby stays one for as long as it takes part.
 */
import { limits } from '../../base/limits.js'
import type { Peer } from '../members/peer.js'
import { inOrder, type Peers } from '../members/peers.js'
import type { RosterEntry, RosterFrame, Term } from '../messages/types.js'
import type { OriginOutbox } from './outbox.js'

export class Standbys {
  readonly #outbox: OriginOutbox
  readonly #term: Term
  readonly #isSealed: (peer: Peer) => boolean
  /** By number, as they were told last. */
  readonly #entries: RosterEntry[] = []
  readonly #changed: { take(): Set<Peer> }
  #chosen: readonly Peer[] = []
  /** Those who know the roster. */
  #informed: readonly Peer[] = []
  #epoch = 0
  #rosterEpoch = 0

  /** `isSealed`: whether all data connections of a node are. */
  constructor(term: Term, peers: Peers, outbox: OriginOutbox, isSealed: (peer: Peer) => boolean) {
    this.#term = term
    this.#outbox = outbox
    this.#isSealed = isSealed
    this.#changed = peers.follow()
  }

  /** What a standby knows of all nodes; undefined before there is one. */
  get roster(): RosterFrame | undefined {
    if (this.#informed.length === 0) return undefined
    const [term, epoch] = [this.#term, this.#rosterEpoch]
    return { type: 'roster', term, epoch, entries: [...this.#entries] }
  }

  /** Those of them that take part, and the first of the others. True: they are others now. */
  choose(serving: Iterable<Peer>): boolean {
    const chosen = this.#chosen.filter((peer) => peer.isServing)
    const isSame = chosen.length === this.#chosen.length
    if (isSame && chosen.length === limits.standbys) return false
    for (const peer of serving) {
      if (chosen.length === limits.standbys) break
      if (peer.isReceiver && !chosen.includes(peer)) chosen.push(peer)
    }
    const areNew = !isSame || chosen.length !== this.#chosen.length
    this.#chosen = chosen
    return areNew
  }

  get numbers(): readonly number[] {
    return this.#chosen.map(({ node }) => node)
  }

  /** They have their plans, which name them: now they hear who else there is. */
  tellRoster(): void {
    const entry = (peer: Peer): RosterEntry => entryOf(peer, this.#isSealed(peer))
    const changed = inOrder(this.#changed.take()).filter((peer) => this.#isNew(entry(peer)))
    for (const peer of changed) this.#entries[peer.node] = entry(peer)
    const news = changed.map(({ node }) => this.#entries[node] as RosterEntry)
    const areInformed = this.#chosen.every((peer) => this.#informed.includes(peer))
    const pages = pagesOf(areInformed ? news : this.#entries)
    const newPages = areInformed ? pages : pagesOf(news)
    this.#epoch += pages.length
    if (pages.length > 0) this.#rosterEpoch = this.#epoch
    for (const peer of this.#chosen)
      this.#say(peer, this.#informed.includes(peer) ? newPages : pages)
    this.#informed = this.#chosen
  }

  /** The last page has the newest epoch. */
  #say(peer: Peer, pages: readonly (readonly RosterEntry[])[]): void {
    for (const [page, entries] of pages.entries()) {
      const epoch = this.#epoch - pages.length + page + 1
      this.#outbox.say(peer, { type: 'roster', term: this.#term, epoch, entries })
    }
  }

  #isNew({ number, nodeId, advertise, state }: RosterEntry): boolean {
    const told = this.#entries[number]
    return told?.state !== state || told.nodeId !== nodeId || told.advertise !== advertise
  }
}

function pagesOf(entries: readonly RosterEntry[]): RosterEntry[][] {
  const pages: RosterEntry[][] = []
  for (let at = 0; at < entries.length; at += limits.rosterEntries)
    pages.push(entries.slice(at, at + limits.rosterEntries))
  return pages
}

function entryOf(peer: Peer, isSealed: boolean): RosterEntry {
  const { node: number, nodeId, link } = peer
  const advertise = link.advertise ?? peer.advertise
  return {
    number,
    nodeId,
    address: link.address,
    ...(advertise === undefined ? {} : { advertise }),
    ...(link.via === undefined ? {} : { via: link.via }),
    ...(link.site === undefined ? {} : { site: link.site }),
    ...(isSealed ? { sealed: true as const } : {}),
    state: stateOf(peer),
  }
}

function stateOf({ role, isServing, phase }: Peer): RosterEntry['state'] {
  if (role !== 'receiver') return role === 'mirror' && isServing ? 'sending' : 'out'
  if (isServing) return phase === 'complete' ? 'complete' : 'running'
  return phase === 'out' || phase === 'complete' ? 'out' : 'coming'
}
