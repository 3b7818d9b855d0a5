/** What is shown and changes: components are told once a frame, however often that was. */
import { useEffect, useState } from 'preact/hooks'

export class Store {
  readonly #listeners = new Set<() => void>()
  #isTold = true

  changed(): void {
    if (!this.#isTold) return
    this.#isTold = false
    const tell = (): void => {
      if (this.#isTold) return
      this.#isTold = true
      for (const listener of this.#listeners) listener()
    }
    requestAnimationFrame(tell)
    // No frames are drawn of a tab that nobody sees.
    setTimeout(tell, 500)
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** Draws the component again whenever the store has changed. */
export function useStore(store: Store): void {
  const [, draw] = useState(0)
  useEffect(() => store.subscribe(() => draw((count) => count + 1)), [store])
}

/** Runs while the component is there; `signal` ends it. */
export function useTask(run: (signal: AbortSignal) => unknown, about: readonly unknown[]): void {
  useEffect(() => {
    const controller = new AbortController()
    run(controller.signal)
    return () => controller.abort()
  }, about)
}
