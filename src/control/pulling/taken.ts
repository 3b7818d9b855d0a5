/**
 * Whether a mate takes what is listed for it.
 *
 * The idea: where bytes wait on the feed to it and none goes out, its disk hangs or the way to it
 * is cut, so more would only wait as well, and come twice once it goes on.
 */
import { limits } from '../../base/limits.js'
import type { FeedFill } from './holder.js'

/** Milliseconds that count between two looks: this process may have had no turn. */
const lookMs = 2 * limits.progressMs

interface Looked {
  payloadBytes: number
  stillMs: number
  atMs: number
}

export class Taken {
  readonly #feeds = new Map<number, Looked>()

  /** Counters of the feed to this mate. */
  look(member: number, { payloadBytes, queuedBytes }: FeedFill, nowMs: number): void {
    const last = this.#feeds.get(member)
    const isStill = last?.payloadBytes === payloadBytes && queuedBytes > 0
    const stillMs = isStill ? last.stillMs + Math.min(lookMs, nowMs - last.atMs) : 0
    this.#feeds.set(member, { payloadBytes, stillMs, atMs: nowMs })
  }

  /** It has taken nothing for so long that others are to be asked. */
  isStill(member: number): boolean {
    return (this.#feeds.get(member)?.stillMs ?? 0) >= limits.pullQuietMs
  }

  /** The feed to it is gone. */
  forget(member: number): void {
    this.#feeds.delete(member)
  }
}
