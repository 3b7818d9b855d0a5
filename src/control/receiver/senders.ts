/**
 * Who may connect to this node in a transfer: to send on a data connection, or to ask for bytes.
 *
 * One data connection per sender: a second one is refused, unless the first is closed and
 * something has been asked of that sender (a pull).
 */
import type { Neighbourhood } from './neighbourhood.js'

/** Null: this node has not heard of the sender yet, which may have joined. */
export type Welcome = boolean | null

export class Senders {
  readonly #neighbours: Neighbourhood
  /** Senders whose connection has come, and what became of it. */
  readonly #states = new Map<number, 'coming' | 'open' | 'closed'>()

  constructor(neighbours: Neighbourhood) {
    this.#neighbours = neighbours
  }

  /**
   * Whether a data connection of this sender belongs here. `to` is the number that the sender
   * means, which may be that of an earlier attempt of this node.
   */
  expects(index: number, to: number, isAsked: boolean): Welcome {
    const state = this.#states.get(index)
    if (state !== undefined && !(state === 'closed' && isAsked)) return false
    return this.#isMember(index, to)
  }

  /** Whether this mate may ask for bytes here. */
  expectsPull(index: number, nodeId: string, to: number): Welcome {
    const isMember = this.#isMember(index, to)
    return isMember && this.#neighbours.mate(index)?.nodeId === nodeId
  }

  /** The data connection of this sender comes: from here on a second one is refused. */
  coming(index: number): void {
    this.#states.set(index, 'coming')
  }

  opened(index: number): void {
    this.#states.set(index, 'open')
  }

  /** The data connection has ended. */
  closed(index: number): void {
    if (this.#states.get(index) === 'open') this.#states.set(index, 'closed')
  }

  /** The data connection that was coming did not come to be. */
  missed(index: number): void {
    if (this.#states.get(index) === 'coming') this.#states.set(index, 'closed')
  }

  #isMember(index: number, to: number): Welcome {
    const { you } = this.#neighbours
    if (you === undefined) return null
    if (to !== you || index === you) return false
    return this.#neighbours.member(index) === undefined ? null : true
  }
}
