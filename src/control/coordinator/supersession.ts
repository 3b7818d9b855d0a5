/**
 * Whether somebody has taken over from this coordinator, while it was silent for so long that its
 * nodes took it for dead: nodes say so where it comes back. It deals those nothing more. Each says
 * so again until whoever took over is done, and then answers the offer like any other.
 */
import type { Peers } from '../members/peers.js'
import { originTerm, type Term } from '../messages/types.js'
import { compareTerms } from '../plan/check.js'
import type { OriginOutbox } from './outbox.js'

/** Who has coordinated a push last. */
export interface Coordination {
  /** 1, and one more for each time that somebody took over. */
  readonly term: number
  /** HOST:PORT of the node that took over; null: nobody did. */
  readonly coordinator: string | null
}

export class Supersession {
  readonly #own = originTerm
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  /** The highest of those that nodes follow. */
  #by: Term | undefined

  constructor(peers: Peers, outbox: OriginOutbox) {
    this.#peers = peers
    this.#outbox = outbox
  }

  get view(): Coordination {
    if (this.#by === undefined) return { term: this.#own.counter, coordinator: null }
    return { term: this.#by.counter, coordinator: this.#addressOf(this.#by) }
  }

  /** A node follows this term; true: that of a member that has taken over. */
  hears(term: Term): boolean {
    if (compareTerms(term, this.#own) <= 0 || term.member >= this.#peers.length) return false
    if (this.#by !== undefined && compareTerms(term, this.#by) <= 0) return true
    this.#by = term
    const who = `${this.#addressOf(term)} has taken over in term ${term.counter}`
    const text = `${who}: nodes had not heard of this process for too long`
    this.#outbox.wish({ type: 'warn', event: 'superseded', text })
    return true
  }

  #addressOf({ member }: Term): string {
    return this.#peers.of(member).link.address
  }
}
