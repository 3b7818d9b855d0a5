/** Waiting for peers by awake time; see awake.ts. */
import { awakeMs, unwatch, watch } from './awake.js'

export class Patience {
  #timer: NodeJS.Timeout | undefined

  /** Calls `isOver` once, after `ms` of awake time, unless `end` comes first. */
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
    const beganMs = awakeMs()
    this.#timer = setTimeout(() => {
      const left = leftMs - (awakeMs() - beganMs)
      if (left >= 1) return this.#wait(left, isOver)
      this.end()
      isOver()
    }, leftMs)
  }
}

/** Items that wait, each for its own time, and leave when it is over. */
export class Waiting<T> {
  readonly #patience = new Map<T, Patience>()

  get size(): number {
    return this.#patience.size
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#patience.keys()
  }

  /** Waits for `forMs` from now, even if it waits already; then removes it, calls `isOver`. */
  add(item: T, forMs: number, isOver: (item: T) => void): void {
    this.delete(item)
    const patience = new Patience(forMs, () => {
      this.#patience.delete(item)
      isOver(item)
    })
    this.#patience.set(item, patience)
  }

  /** Idempotent. */
  delete(item: T): void {
    this.#patience.get(item)?.end()
    this.#patience.delete(item)
  }

  takeAll(): T[] {
    const all = [...this]
    for (const item of all) this.delete(item)
    return all
  }
}
