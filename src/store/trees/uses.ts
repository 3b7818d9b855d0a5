/**
 * Which versions of trees somebody reads: they are not evicted meanwhile. Whoever removes one by
 * name is not held up.
 *
 * The idea: a client asks for part after part, and nothing is kept at the node between two. So each
 * part that is asked for keeps the version for a while; a copy keeps it until it ends.
 */
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import { keyOf } from '../files/plain.js'

export class TreeUses {
  readonly #nowMs: () => number
  /** When nobody uses it any more, by the place of the version. */
  readonly #untilMs = new Map<string, number>()
  /** Copies of it. */
  readonly #holders = new Map<string, number>()

  constructor(clockMs: () => number = nowMs) {
    this.#nowMs = clockMs
  }

  /** A part of this version is asked for. */
  note(place: Uint8Array): void {
    const now = this.#nowMs()
    for (const [key, untilMs] of this.#untilMs) if (untilMs <= now) this.#untilMs.delete(key)
    this.#untilMs.set(keyOf(place), now + limits.treeUseMs)
  }

  /** Until it is given back, once. */
  hold(place: Uint8Array): () => void {
    const key = keyOf(place)
    this.#holders.set(key, (this.#holders.get(key) ?? 0) + 1)
    return () => {
      const left = (this.#holders.get(key) ?? 1) - 1
      if (left === 0) this.#holders.delete(key)
      else this.#holders.set(key, left)
    }
  }

  isUsed(place: Uint8Array): boolean {
    const key = keyOf(place)
    return this.#holders.has(key) || (this.#untilMs.get(key) ?? 0) > this.#nowMs()
  }
}
