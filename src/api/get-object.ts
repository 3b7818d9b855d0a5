/**
 * The object that `get` returns: an async iterable of progress, a promise of the result, and a
 * handle to cancel. A slow consumer gets the newest progress and misses older ones.
 */
import type { Get, GetProgress, GetResult } from './types.js'

export class GetObject implements Get {
  readonly result: Promise<GetResult>
  readonly #abort = new AbortController()
  #settle: (result: Promise<GetResult>) => void = () => {}
  #newest: GetProgress | undefined
  readonly #waiting = new Set<() => void>()
  #count = 0
  #isOver = false

  constructor() {
    this.result = new Promise((resolve) => {
      this.#settle = resolve
    })
    const over = (): void => {
      this.#isOver = true
      this.#wake()
    }
    // Also marks a rejection as handled that only the iterator reports.
    this.result.then(over, over)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Once. */
  settle(result: Promise<GetResult>): void {
    this.#settle(result)
  }

  show(progress: GetProgress): void {
    this.#newest = progress
    this.#count++
    this.#wake()
  }

  cancel(reason?: unknown): void {
    if (!this.#isOver) this.#abort.abort(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel()
    await this.result.catch(() => undefined)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GetProgress, void, undefined> {
    let seen = this.#count
    while (!this.#isOver || seen < this.#count) {
      if (seen === this.#count)
        await new Promise<void>((resolve) => {
          this.#waiting.add(resolve)
        })
      if (seen === this.#count || this.#newest === undefined) continue
      seen = this.#count
      yield this.#newest
    }
    await this.result
  }

  #wake(): void {
    for (const look of this.#waiting) look()
    this.#waiting.clear()
  }
}
