/**
 * Contents that have ended here a moment ago, with the records of their author that say so.
 *
 * The idea: who has followed one to its end and lost its source right then lacks that one record,
 * and the file that was published is known by others. So they are kept for a little.
 */
import { limits } from '../base/limits.js'
import type { GrowingHere } from '../session/growing-here.js'

export class EndedGrowths {
  /** By name, the oldest first. */
  readonly #all = new Map<
    string,
    { readonly growing: GrowingHere; readonly timer: NodeJS.Timeout }
  >()

  /** It has its name now. */
  keep(growing: GrowingHere | undefined): void {
    if (growing?.end === undefined) return
    const key = keyOf(growing.spec.name)
    this.#forget(key)
    const timer = setTimeout(() => this.#forget(key), limits.endedGrowthMs)
    this.#all.set(key, { growing, timer: timer.unref() })
    for (const oldest of this.#all.keys())
      if (this.#all.size > limits.endedGrowths) this.#forget(oldest)
  }

  of(name: Uint8Array): GrowingHere | undefined {
    return this.#all.get(keyOf(name))?.growing
  }

  #forget(key: string): void {
    clearTimeout(this.#all.get(key)?.timer)
    this.#all.delete(key)
  }
}

function keyOf(name: Uint8Array): string {
  return Buffer.from(name).toString('hex')
}
