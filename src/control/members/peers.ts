/**
 * All nodes of a push, or attempts of them, each at its number, and in sets by what they are now.
 *
 * The idea: what is asked of all nodes together (is anybody still deciding, who takes part, is
 * everybody done) is kept as it changes, so that no fact about one node costs a look at the others.
 */
import type { Peer, PeerListener } from './peer.js'

export class Peers implements PeerListener {
  readonly #all: Peer[] = []
  readonly #byAddress = new Map<string, Peer[]>()
  /** Receivers with an open link, by the id of the node. */
  readonly #byId = new Map<string, Set<Peer>>()
  readonly #followers: { touched: Set<Peer>; readonly moves: boolean }[] = []
  /** Dialled for the first time; no mirrors. */
  readonly coming = new Set<Peer>()
  readonly offered = new Set<Peer>()
  readonly claiming = new Set<Peer>()
  readonly comparing = new Set<Peer>()
  readonly ready = new Set<Peer>()
  /** In the order in which they began to take part. */
  readonly serving = new Set<Peer>()
  readonly linked = new Set<Peer>()
  /** The push waits for them. */
  readonly unsettled = new Set<Peer>()
  /** Of those, they were reached before, and are not now. */
  readonly lost = new Set<Peer>()
  /** Out, and to be tried again. */
  readonly returning = new Set<Peer>()
  /** No later attempt speaks for them. */
  readonly standing = new Set<Peer>()

  constructor(all: Iterable<Peer>) {
    for (const peer of all) this.add(peer)
  }

  get all(): readonly Peer[] {
    return this.#all
  }

  get length(): number {
    return this.#all.length
  }

  /** The one of this number, which must exist. */
  of(node: number): Peer {
    return this.#all[node] as Peer
  }

  /** Its number must be the next one. */
  add(peer: Peer): void {
    if (peer.node !== this.#all.length) throw new TypeError('a node is out of its place')
    this.#all.push(peer)
    const { address } = peer.link
    const same = this.#byAddress.get(address)
    if (same === undefined) this.#byAddress.set(address, [peer])
    else same.push(peer)
    peer.listen(this)
    this.changed(peer)
  }

  /** All that were named by this address. */
  at(address: string): readonly Peer[] {
    return this.#byAddress.get(address) ?? []
  }

  /** The node of this name that is connected already. */
  twinOf(peer: Peer): Peer | undefined {
    return twinAmong(peer, this.#byId.get(peer.nodeId) ?? [])
  }

  /**
   * For whoever wants to know what happens to whom: each time those to whom something has happened
   * since the last time, at first all. `moves`: also where bytes have moved and nothing else.
   */
  follow(moves = false): { take(): Set<Peer> } {
    const follower = { touched: new Set(this.#all), moves }
    this.#followers.push(follower)
    return {
      take: () => {
        const { touched } = follower
        if (touched.size > 0) follower.touched = new Set()
        return touched
      },
    }
  }

  moved(peer: Peer): void {
    for (const { touched, moves } of this.#followers) if (moves) touched.add(peer)
  }

  changed(peer: Peer): void {
    for (const { touched } of this.#followers) touched.add(peer)
    const { phase, isReceiver, nodeId, hasLink } = peer
    put(this.coming, peer, peer.isComing && peer.role !== 'mirror')
    put(this.offered, peer, phase === 'offered')
    put(this.claiming, peer, peer.isClaiming)
    put(this.comparing, peer, peer.isComparing)
    put(this.ready, peer, phase === 'ready')
    put(this.serving, peer, peer.isServing)
    put(this.linked, peer, hasLink)
    put(this.unsettled, peer, !peer.isSettled)
    put(this.lost, peer, peer.isLost)
    put(this.returning, peer, peer.isToReturn)
    put(this.standing, peer, !peer.isSuperseded)
    if (nodeId === '' || !isReceiver) return
    const same = this.#byId.get(nodeId) ?? new Set()
    put(same, peer, hasLink)
    if (same.size === 0) this.#byId.delete(nodeId)
    else this.#byId.set(nodeId, same)
  }
}

function put(set: Set<Peer>, peer: Peer, isIn: boolean): void {
  if (isIn) set.add(peer)
  else set.delete(peer)
}

/** In the order of their numbers. */
export function inOrder(peers: Iterable<Peer>): Peer[] {
  return [...peers].sort((a, b) => a.node - b.node)
}

/** Among nodes of the same name: the same node, not a copy of its machine. */
function twinAmong(peer: Peer, same: Iterable<Peer>): Peer | undefined {
  for (const other of same)
    if (other !== peer && other.incarnation === peer.incarnation) return other
  return undefined
}
