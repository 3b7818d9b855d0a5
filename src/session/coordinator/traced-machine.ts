/** The origin's machine with a trace that is shown all that passes by. It changes nothing of it. */
import { lostMs, nowMs } from '../../base/time/awake.js'
import type { OriginFact, OriginWish } from '../../control/coordinator/events.js'
import type { OriginMachine } from '../../control/coordinator/machine.js'
import { PushTrace, type TraceSink } from '../../control/view/trace.js'
import type { Machine } from '../driver/loop.js'

export class TracedMachine implements Machine<OriginFact, OriginWish> {
  readonly #machine: OriginMachine
  readonly #trace: PushTrace
  #lostMs = lostMs()

  constructor(machine: OriginMachine, sink: TraceSink) {
    this.#machine = machine
    const addressOf = (node: number): string => machine.peers[node]?.link.address ?? `node ${node}`
    this.#trace = new PushTrace(addressOf, nowMs(), sink)
  }

  start(): OriginWish[] {
    return this.#shown(this.#machine.start(), nowMs())
  }

  /** The trace shows the time of a clock, not the machine's own. */
  handle(fact: OriginFact, awakeMs: number): OriginWish[] {
    const atMs = nowMs()
    const lateMs = lostMs() - this.#lostMs
    if (lateMs > 0) this.#trace.late(Math.round(lateMs), atMs)
    this.#lostMs += lateMs
    this.#trace.fact(fact, atMs)
    return this.#shown(this.#machine.handle(fact, awakeMs), atMs)
  }

  deadlineMs(): number | null {
    return this.#machine.deadlineMs()
  }

  /** Whatever has become of the machine: nothing in the trace stays open. */
  close(): void {
    this.#trace.close(nowMs())
  }

  #shown(wishes: OriginWish[], atMs: number): OriginWish[] {
    this.#trace.wishes(wishes, atMs)
    return wishes
  }
}
