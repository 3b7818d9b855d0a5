/**
 * How long a node waits: for a word of the origin, and for bytes to move.
 *
 * The idea: both ends judge silence by the same number, the node a little later, so that the origin
 * names the failure. A node at which nothing moves asks for what it misses, but never while the
 * origin is quiet, too: then the way to it is cut or it stands still, and what it listed still
 * comes.
 */
import { limits } from '../../base/limits.js'
import { Lateness } from '../members/lateness.js'

export class NodeWaits {
  readonly #silenceMs: number
  readonly #lateness = new Lateness(limits.beatMs)
  #heardMs: number
  #movedMs: number
  #askMs: number = limits.askMs

  constructor(silenceMs: number, nowMs: number) {
    this.#silenceMs = silenceMs
    this.#heardMs = nowMs
    this.#movedMs = nowMs
  }

  /** A frame of the origin came. */
  heard(nowMs: number): void {
    const gapMs = nowMs - this.#heardMs
    this.#heardMs = nowMs
    if (gapMs < limits.awayMs) this.#lateness.heard(gapMs)
    // What was under way has its time again.
    if (gapMs >= limits.originQuietMs) this.#movedMs = nowMs
  }

  /** Bytes landed or were verified, or digests came. */
  moved(nowMs: number): void {
    this.#movedMs = nowMs
    this.#askMs = limits.askMs
  }

  /** Digests came: a sign that more is under way, but no end of a standstill. */
  announced(nowMs: number): void {
    this.#movedMs = nowMs
  }

  /** All that is missing was asked for; the next time it is waited for twice as long. */
  asked(nowMs: number): void {
    this.#movedMs = nowMs
    this.#askMs = Math.min(limits.askMsMax, this.#askMs * 2)
  }

  /** The origin's silence, in words. */
  silence(nowMs: number): string {
    return `the origin is silent for ${Math.round((nowMs - this.#heardMs) / 1000)} s`
  }

  /** When the origin has been silent for too long. */
  get lostAtMs(): number {
    const slackMs = Math.min(this.#silenceMs, 4 * this.#lateness.ms)
    return this.#heardMs + this.#silenceMs + limits.originGraceMs + slackMs
  }

  /** When to ask for all that is missing; Infinity while the origin is quiet. */
  get askAtMs(): number {
    const atMs = this.#movedMs + this.#askMs
    return atMs < this.#heardMs + limits.originQuietMs ? atMs : Number.POSITIVE_INFINITY
  }
}
