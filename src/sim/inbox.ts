/**
 * How a simulated process takes in facts: one after the other, never one inside another. One that
 * stands still takes none, and its awake time stands still with it.
 */
import type { Timeline } from './timeline.js'

export class Inbox<E> {
  readonly #timeline: Timeline
  readonly #take: (event: E) => void
  readonly #events: E[] = []
  #isDraining = false
  #isStopped = false
  #lostMs = 0

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

  /** The time of this process: the turns it did not get are no part of it. */
  get awakeMs(): number {
    return this.#timeline.nowMs - this.#lostMs
  }

  /** Runs at a moment of this process's time, if it gets no later turn. */
  at(awakeMs: number, run: () => void): void {
    const atMs = awakeMs + this.#lostMs
    // The difference may round to just below the moment that is waited for.
    this.#timeline.at(atMs - this.#lostMs < awakeMs ? atMs + 1e-6 : atMs, run)
  }

  /** Milliseconds for which the process gets no turn. */
  stop(forMs: number, resumed: () => void): void {
    this.#isStopped = true
    this.#timeline.after(forMs, () => {
      this.#isStopped = false
      this.#lostMs += forMs
      resumed()
    })
  }
}
