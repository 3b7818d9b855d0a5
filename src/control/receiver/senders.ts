/**
 * Who may connect to this node in a transfer: to send on a data connection, or to ask for bytes.
 *
 * One data connection per sender: a second one is refused, unless the first is closed and
 * something has been asked of that sender (a pull). The first word about who is who counts.
 */
import type { Mate } from '../messages/types.js'

/** Null: this node has not heard of the sender yet, which may have joined. */
export type Welcome = boolean | null

export class Senders {
  readonly #self: number
  readonly #originId: string
  readonly #mates = new Map<number, Mate>()
  /** Senders whose connection has come, and what became of it. */
  readonly #states = new Map<number, 'coming' | 'open' | 'closed'>()
  readonly #gone = new Set<number>()

  constructor(self: number, originId: string) {
    this.#self = self
    this.#originId = originId
  }

  meet(mates: readonly Mate[]): void {
    for (const mate of mates) if (!this.#mates.has(mate.index)) this.#mates.set(mate.index, mate)
  }

  mate(index: number): Mate | undefined {
    return this.#mates.get(index)
  }

  /**
   * Whether a data connection of this sender belongs here. `to` is the place that the sender means,
   * which may be that of an earlier attempt of this node.
   */
  expects(index: number, nodeId: string, to: number, isAsked: boolean): Welcome {
    const state = this.#states.get(index)
    if (state !== undefined && !(state === 'closed' && isAsked)) return false
    if (index === -1) return nodeId === this.#originId && to === this.#self
    return this.#isMate(index, nodeId, to)
  }

  /** Whether this mate may ask for bytes here. */
  expectsPull(index: number, nodeId: string, to: number): Welcome {
    return this.#gone.has(index) ? false : this.#isMate(index, nodeId, to)
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

  /** The mate takes no part any more. */
  gone(index: number): void {
    this.#gone.add(index)
  }

  isGone(index: number): boolean {
    return this.#gone.has(index)
  }

  #isMate(index: number, nodeId: string, to: number): Welcome {
    if (to !== this.#self || index === this.#self || index < 0) return false
    const mate = this.#mates.get(index)
    return mate === undefined ? null : mate.nodeId === nodeId
  }
}
