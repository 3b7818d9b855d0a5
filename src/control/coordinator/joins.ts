/**
 * Nodes that are added to a push that runs: who may be, and who waits to hear what became of it.
 *
 * The idea: a node that is added is a peer like the others from then on, and the push does not end
 * before it has its outcome. Whoever asked is answered when it takes part in the exchange, or has
 * failed by name; every phase before that has a time limit, so an answer always comes. Whoever
 * holds the key can ask, and would make the origin dial anything and fill its places: so only the
 * caller may, unless the push allows others. It must never add a node twice, nor more than a push
 * takes.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { NodeLink } from '../plan/plan.js'
import type { OriginOutbox } from './outbox.js'

/** A node that sent `join`, or the caller of this very push; numbers are the asker's own. */
export interface Asker {
  readonly by: Peer | null
  readonly request: number
}

interface Open extends Asker {
  readonly peer: Peer
}

export class OriginJoins {
  readonly #outbox: OriginOutbox
  readonly #isAllowed: boolean
  #open: Open[] = []
  readonly #most: number
  /** Nodes that others than the caller had added. */
  #joined = 0

  /** `most`: nodes that the push takes. */
  constructor(outbox: OriginOutbox, isAllowed: boolean, most: number) {
    this.#outbox = outbox
    this.#isAllowed = isAllowed
    this.#most = most
  }

  /** Dials the node at the next place, in the stead of those that were named by its address. */
  add(asker: Asker, link: NodeLink, peers: Peers, nowMs: number): void {
    const refusal = this.refusal(asker, link.address, peers)
    if (refusal !== null) return this.answer(asker, refusal)
    const earlier = peers.at(link.address)
    const history = { attempts: earlier.length + 1, triesUsed: 0, before: undefined }
    const peer = new Peer(peers.length, link, nowMs, history)
    for (const before of earlier) {
      before.supersede()
      this.moved(before, peer)
    }
    peers.add(peer)
    this.wait(asker, peer)
    this.#outbox.note('info', 'added', peer, asker.by?.link.address ?? 'by the caller')
    this.#outbox.wish({ type: 'connect', member: peer.node })
  }

  /** Why this node may not be added; null: it may. */
  refusal(asker: Asker, address: string, peers: Peers): Failure | null {
    const { by } = asker
    if (by !== null && !by.isServing)
      return { code: 'ERR_FR_NO_TRANSFER', text: 'the transfer is not running at the node asked' }
    if (by !== null && !this.#isAllowed)
      return { code: 'ERR_FR_ADD_REFUSED', text: 'this push lets only its caller add nodes' }
    const here = peers.at(address)
    if (here.some((peer) => peer.phase !== 'out'))
      return { code: 'ERR_FR_SAME_NODE', text: `${address} is in this push already` }
    const others = peers.standing.size - here.filter((peer) => !peer.isSuperseded).length
    // Who is tried again takes one more; who is added instead does not.
    const returning = peers.returning.size - here.filter((peer) => peer.isToReturn).length
    const places = peers.length + returning
    if (others >= this.#most || places >= limits.placesPerPush)
      return { code: 'ERR_FR_LIMIT', text: `this push takes ${this.#most} nodes` }
    if (by !== null && this.#joined >= limits.joinsPerPush)
      return { code: 'ERR_FR_LIMIT', text: `others have added ${this.#joined} nodes already` }
    if (by !== null && this.#open.filter((open) => open.by === by).length >= limits.joinsPerNode)
      return { code: 'ERR_FR_LIMIT', text: `${limits.joinsPerNode} requests are open there` }
    return null
  }

  /** The asker waits for this node. */
  wait({ by, request }: Asker, peer: Peer): void {
    if (by !== null) this.#joined += 1
    this.#open.push({ by, request, peer })
  }

  /** The node is tried again: who waits for it waits for that. */
  moved(from: Peer, to: Peer): void {
    this.#open = this.#open.map((open) => (open.peer === from ? { ...open, peer: to } : open))
  }

  /** The node takes part (null), or never will: those who wait for it are told. */
  settled(peer: Peer, failure: Failure | null): void {
    const told = this.#open.filter((open) => open.peer === peer)
    this.#open = this.#open.filter((open) => open.peer !== peer)
    for (const open of told) this.answer(open, failure)
  }

  /** The push ends: nobody waits any longer. */
  end(failure: Failure): void {
    for (const open of this.#open.splice(0)) this.answer(open, failure)
  }

  answer({ by, request }: Asker, failure: Failure | null): void {
    if (by === null) return this.#outbox.wish({ type: 'answerAdd', request, failure })
    const code: FrErrorCode | null = failure?.code ?? null
    const text = failure?.text ?? ''
    if (by.hasLink) this.#outbox.say(by, { type: 'joined', request, code, text })
  }
}
