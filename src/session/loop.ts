/**
 * The one way a machine runs: facts are queued, the machine turns each into wishes, the wishes are
 * carried out, and a timer stands at the machine's next deadline.
 *
 * Wishes are carried out between two facts, never inside `handle`, so carrying one out may post
 * the next fact at once. What throws here is a defect of this program: it ends this one machine,
 * by name, and never the process with all its other transfers. A machine's time is awake time:
 * while this process has no turn it stands still, because what peers sent meanwhile lies unread.
 */
import { awakeMs, unwatch, watch } from '../base/time/awake.js'

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
  readonly #hooks: LoopHooks<E, C>
  readonly #events: E[] = []
  #isDraining = false
  #isWatching = false
  #isStopped = false
  #timer: NodeJS.Timeout | undefined
  #timerMs = 0

  constructor(machine: Machine<E, C>, hooks: LoopHooks<E, C>) {
    this.#machine = machine
    this.#hooks = hooks
  }

  /** Carries out the machine's first wishes. */
  start(commands: readonly C[]): void {
    watch()
    this.#isWatching = true
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
    if (this.#isWatching) unwatch()
    this.#isWatching = false
    this.#events.length = 0
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #drain(first: readonly C[] = []): void {
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      for (const command of first) this.#hooks.execute(command)
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
        for (const command of this.#machine.handle(event, awakeMs())) this.#hooks.execute(command)
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
    if (dueMs === null) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      return
    }
    // A timer that stands a little early only costs a tick; a new one for every fact costs more.
    if (this.#timer !== undefined && this.#timerMs <= dueMs && this.#timerMs > dueMs - 50) return
    clearTimeout(this.#timer)
    this.#timerMs = dueMs
    this.#timer = setTimeout(() => this.#fire(), Math.max(1, Math.ceil(dueMs - awakeMs())))
  }

  #fire(): void {
    this.#timer = undefined
    this.post(this.#hooks.ticked())
  }
}
