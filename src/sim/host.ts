/**
 * The process of a simulated host: it gets its turns one after the other, and the clock it lives
 * by. While it stands still it gets none, and its awake time stands still with it; what hangs or is
 * dead gets none any more.
 */
import type { Clock } from '../session/driver/ports.js'
import type { Timeline } from './timeline.js'

export class SimHost implements Clock {
  readonly #timeline: Timeline
  readonly #clockMs: number
  readonly #waiting: (() => void)[] = []
  #state: 'runs' | 'stopped' | 'hung' | 'dead' = 'runs'
  #lostMs = 0

  /** `clockMs`: what its clock shows at the start; nobody may hold it against another's. */
  constructor(timeline: Timeline, clockMs: number) {
    this.#timeline = timeline
    this.#clockMs = clockMs
  }

  get isHung(): boolean {
    return this.#state === 'hung'
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  get runs(): boolean {
    return this.#state === 'runs' || this.#state === 'stopped'
  }

  /** Now, or when it has its turn again. */
  run(turn: () => void): void {
    if (this.#state === 'runs') turn()
    else if (this.#state === 'stopped') this.#waiting.push(turn)
  }

  awakeMs(): number {
    return this.#timeline.nowMs - this.#lostMs
  }

  nowMs(): number {
    return this.#timeline.nowMs + this.#clockMs
  }

  at(awakeMs: number, run: () => void): () => void {
    let isWanted = true
    const look = (): void => {
      if (!isWanted) return
      if (this.awakeMs() >= awakeMs) return run()
      const atMs = awakeMs + this.#lostMs
      // The difference may round to just below the moment that is waited for.
      this.#timeline.at(atMs - this.#lostMs < awakeMs ? atMs + 1e-6 : atMs, () => this.run(look))
    }
    const atMs = Math.max(this.#timeline.nowMs, awakeMs + this.#lostMs)
    this.#timeline.at(atMs, () => this.run(look))
    return () => {
      isWanted = false
    }
  }

  watch(): () => void {
    return () => {}
  }

  /** Milliseconds for which it gets no turn. */
  stop(forMs: number): void {
    if (this.#state !== 'runs') return
    this.#state = 'stopped'
    this.#timeline.after(forMs, () => {
      if (this.#state !== 'stopped') return
      this.#state = 'runs'
      this.#lostMs += forMs
      for (let turn = this.#waiting.shift(); turn !== undefined; turn = this.#waiting.shift())
        turn()
    })
  }

  hang(): void {
    if (this.runs) this.#state = 'hung'
  }

  kill(): void {
    this.#state = 'dead'
  }
}
