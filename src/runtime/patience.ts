/**
 * How long a peer is waited for, in time in which this process was awake: see awake.ts.
 */
import { lostMs, nowMs, unwatch, watch } from './awake.js'

export class Patience {
  #timer: NodeJS.Timeout | undefined

  /** Calls `isOver` once, after `ms` in which this process was awake, unless it is ended before. */
  constructor(ms: number, isOver: () => void) {
    watch()
    this.#wait(ms, isOver)
  }

  /** Idempotent. */
  end(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    unwatch()
  }

  #wait(leftMs: number, isOver: () => void): void {
    const [beganMs, lostBefore] = [nowMs(), lostMs()]
    this.#timer = setTimeout(() => {
      const left = leftMs - (nowMs() - beganMs) + (lostMs() - lostBefore)
      if (left >= 1) return this.#wait(left, isOver)
      this.end()
      isOver()
    }, leftMs)
  }
}
