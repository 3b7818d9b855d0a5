/**
 * When a silent peer is suspected, and when it has failed.
 *
 * The idea: any authentic frame is a sign of life. Silence for `suspectMs` makes a peer suspected,
 * for `failMs` failed; failed is final. Silence can also be our own: when this machine's loop was
 * late, every peer is owed that time, because its frames may sit unread in our own buffers. False
 * alarm we accept: a peer that is alive and cut off from us for longer than `failMs`.
 */
export type Health = 'alive' | 'suspected' | 'failed'

export class Detector {
  readonly #suspectMs: number
  readonly #failMs: number
  readonly #heardMs = new Map<number, number>()

  constructor(suspectMs: number, failMs: number) {
    this.#suspectMs = suspectMs
    this.#failMs = failMs
  }

  /** Starts watching the peer, or notes a sign of life of a watched one. */
  heard(peer: number, nowMs: number): void {
    this.#heardMs.set(peer, Math.max(nowMs, this.#heardMs.get(peer) ?? nowMs))
  }

  isWatched(peer: number): boolean {
    return this.#heardMs.has(peer)
  }

  forget(peer: number): void {
    this.#heardMs.delete(peer)
  }

  /** Our own loop was late by this much: nobody's silence in that time counts. */
  excuse(lateMs: number): void {
    for (const [peer, at] of this.#heardMs) this.#heardMs.set(peer, at + lateMs)
  }

  health(peer: number, nowMs: number): Health {
    const heardMs = this.#heardMs.get(peer)
    if (heardMs === undefined) return 'alive'
    // Sums, as in deadlineMs: a difference could round to just below the limit.
    if (nowMs >= heardMs + this.#failMs) return 'failed'
    return nowMs >= heardMs + this.#suspectMs ? 'suspected' : 'alive'
  }

  /** Every watched peer that has failed by now. */
  failed(nowMs: number): number[] {
    return [...this.#heardMs.keys()].filter((peer) => this.health(peer, nowMs) === 'failed')
  }

  /** When the next peer would fail if nothing were heard; null while nobody is watched. */
  deadlineMs(): number | null {
    if (this.#heardMs.size === 0) return null
    return Math.min(...this.#heardMs.values()) + this.#failMs
  }
}
