/**
 * The one way a machine runs: facts are queued, the machine turns each into wishes, the wishes are
 * carried out, and a timer stands at the machine's next deadline.
 *
 * Wishes are carried out between two facts, never inside `handle`, so carrying one out may post
 * the next fact at once. What throws here is a defect of this program: it ends this one machine,
 * by name, and never the process with all its other transfers. A machine's time is awake time:
 * while this process has no turn it stands still, because what peers sent meanwhile lies unread.
 */
import type { Fact } from '../../control/messages/facts.js'
import type { Clock } from './ports.js'

export interface Machine<F, W> {
  handle(fact: F, nowMs: number): W[]
  deadlineMs(): number | null
}

export interface LoopHooks<W> {
  readonly execute: (wish: W) => void
  /** A defect: the machine or carrying out a wish threw. The loop has stopped. Called once. */
  readonly crashed: (error: unknown) => void
}

type Due = Fact & { readonly type: 'due' }

export class Loop<F, W> {
  readonly #machine: Machine<F | Due, W>
  readonly #clock: Clock
  readonly #hooks: LoopHooks<W>
  readonly #facts: (F | Due)[] = []
  #isDraining = false
  #isStopped = false
  #unwatch: (() => void) | undefined
  #disarm: (() => void) | undefined
  #timerMs = 0

  constructor(machine: Machine<F | Due, W>, clock: Clock, hooks: LoopHooks<W>) {
    this.#machine = machine
    this.#clock = clock
    this.#hooks = hooks
  }

  /** Carries out the machine's first wishes. */
  start(wishes: readonly W[]): void {
    this.#unwatch = this.#clock.watch()
    this.#drain(wishes)
  }

  post(...facts: readonly (F | Due)[]): void {
    if (this.#isStopped) return
    this.#facts.push(...facts)
    this.#drain()
  }

  /** No fact is taken and no timer stands after this. */
  stop(): void {
    this.#isStopped = true
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#facts.length = 0
    this.#clear()
  }

  #drain(first: readonly W[] = []): void {
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      for (const wish of first) this.#hooks.execute(wish)
      for (let fact = this.#facts.shift(); fact !== undefined; fact = this.#facts.shift()) {
        const wishes = this.#machine.handle(fact, this.#clock.awakeMs())
        for (const wish of wishes) this.#hooks.execute(wish)
      }
      this.#arm()
    } catch (error) {
      this.stop()
      this.#hooks.crashed(error)
    } finally {
      this.#isDraining = false
    }
  }

  #arm(): void {
    const dueMs = this.#isStopped ? null : this.#machine.deadlineMs()
    if (dueMs === null) return this.#clear()
    // A timer that stands a little early only costs a tick; a new one for every fact costs more.
    const isArmed = this.#disarm !== undefined
    if (isArmed && this.#timerMs <= dueMs && this.#timerMs > dueMs - 50) return
    this.#clear()
    this.#timerMs = dueMs
    this.#disarm = this.#clock.at(dueMs, () => {
      this.#disarm = undefined
      this.post({ type: 'due' })
    })
  }

  #clear(): void {
    this.#disarm?.()
    this.#disarm = undefined
  }
}
