/**
 * What those who play a content need next of it while it comes, each in a window of its own that
 * moves with it.
 *
 * The idea: what each needs first comes before what any needs second. Pure.
 */
import { limits } from '../../base/limits.js'

export class Windows {
  /** By player; who moved last is the last. */
  readonly #windows = new Map<number, readonly number[]>()

  /** Whoever has not moved for longest is forgotten where there are too many. */
  move(player: number, units: readonly number[]): void {
    this.#windows.delete(player)
    this.#windows.set(player, units.slice(0, limits.swarmPlayed))
    for (const [oldest] of this.#windows) {
      if (this.#windows.size <= limits.swarmPlayers) break
      this.#windows.delete(oldest)
    }
  }

  drop(player: number): void {
    this.#windows.delete(player)
  }

  /** Of all of them, the most urgent first, each once. */
  get units(): number[] {
    const units = new Set<number>()
    for (let at = 0; at < limits.swarmPlayed; at++)
      for (const window of this.#windows.values()) {
        const unit = window[at]
        if (unit !== undefined) units.add(unit)
      }
    return [...units]
  }
}
