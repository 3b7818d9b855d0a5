/**
 * How a simulated process takes in facts: one after the other, never one inside another. One that
 * stands still takes none; afterwards it is told for how long it had no turn, before all else.
 */
import type { Timeline } from './timeline.js'

export class Inbox<E> {
  readonly #timeline: Timeline
  readonly #take: (event: E) => void
  readonly #events: E[] = []
  #isDraining = false
  #isStopped = false

  constructor(timeline: Timeline, take: (event: E) => void) {
    this.#timeline = timeline
    this.#take = take
  }

  /** True when everything has been taken. */
  post(event: E): boolean {
    this.#events.push(event)
    if (this.#isDraining || this.#isStopped) return false
    this.#isDraining = true
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift())
      this.#take(next)
    this.#isDraining = false
    return true
  }

  /** The process has no turn for so long, and is told so (`delayed`) when it has one again. */
  stop(forMs: number, delayed: E, resumed: () => void): void {
    this.#isStopped = true
    this.#timeline.after(forMs, () => {
      this.#isStopped = false
      this.#events.unshift(delayed)
      resumed()
    })
  }
}
