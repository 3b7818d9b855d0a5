/**
 * The one way a machine runs: facts are queued, the machine turns each into wishes, the wishes are
 * carried out, and a timer stands at the machine's next deadline.
 *
 * Wishes are carried out between two facts, never inside `handle`, so carrying one out may post
 * the next fact at once. What throws here is a defect of this program: it ends this one machine,
 * by name, and never the process with all its other transfers. A machine's time is awake time:
 * while this process has no turn it stands still, because what peers sent meanwhile lies unread.
 */
import type { Clock } from './ports.js'

export interface Machine<E, C> {
  handle(event: E, nowMs: number): C[]
  deadlineMs(): number | null
}

export interface LoopHooks<E, C> {
  readonly execute: (command: C) => void
  readonly ticked: () => E
  /** A defect: the machine or carrying out a wish threw. The loop has stopped. Called once. */
  readonly crashed: (error: unknown) => void
}

export class Loop<E, C> {
  readonly #machine: Machine<E, C>
  readonly #clock: Clock
  readonly #hooks: LoopHooks<E, C>
  readonly #events: E[] = []
  #isDraining = false
  #isStopped = false
  #unwatch: (() => void) | undefined
  #disarm: (() => void) | undefined
  #timerMs = 0

  constructor(machine: Machine<E, C>, clock: Clock, hooks: LoopHooks<E, C>) {
    this.#machine = machine
    this.#clock = clock
    this.#hooks = hooks
  }

  /** Carries out the machine's first wishes. */
  start(commands: readonly C[]): void {
    this.#unwatch = this.#clock.watch()
    this.#drain(commands)
  }

  post(...events: readonly E[]): void {
    if (this.#isStopped) return
    this.#events.push(...events)
    this.#drain()
  }

  /** No fact is taken and no timer stands after this. */
  stop(): void {
    this.#isStopped = true
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#events.length = 0
    this.#clear()
  }

  #drain(first: readonly C[] = []): void {
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      for (const command of first) this.#hooks.execute(command)
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
        const commands = this.#machine.handle(event, this.#clock.awakeMs())
        for (const command of commands) this.#hooks.execute(command)
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
      this.post(this.#hooks.ticked())
    })
  }

  #clear(): void {
    this.#disarm?.()
    this.#disarm = undefined
  }
}
