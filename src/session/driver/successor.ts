/**
 * A transfer that a member coordinates in the origin's stead: control/coordinator/successor.ts
 * decides, this file does. It has links only; all bytes move between members.
 */
import {
  type SuccessorConfig,
  type SuccessorFact,
  SuccessorMachine,
  type SuccessorWish,
} from '../../control/coordinator/successor.js'
import { Executor } from './executor.js'
import { Loop } from './loop.js'
import { Neighbours } from './neighbours.js'
import type { Clock, FeedEngine, Net } from './ports.js'
import { Samples } from './samples.js'

export interface SuccessorPorts {
  readonly clock: Clock
  readonly net: Net
  readonly engine: FeedEngine
  readonly log: (
    level: 'info' | 'warn',
    event: string,
    fields: Readonly<Record<string, string | number>>,
  ) => void
  /** Once what was said is out, or never will be. */
  readonly ended: () => void
  /** A defect of this program; `ended` follows. */
  readonly crashed: (error: unknown) => void
}

export class SuccessorSession {
  readonly #ports: SuccessorPorts
  readonly #machine: SuccessorMachine
  readonly #executor: Executor
  readonly #loop: Loop<SuccessorFact, SuccessorWish>

  constructor(config: SuccessorConfig, ports: SuccessorPorts) {
    this.#ports = ports
    const machine = new SuccessorMachine(config, ports.clock.awakeMs())
    this.#machine = machine
    const neighbours = new Neighbours(ports)
    const samples = new Samples(
      ports.engine,
      neighbours,
      () => 0,
      () => false,
    )
    this.#executor = new Executor(ports, neighbours, samples, config.silenceMs, {
      post: (fact) => this.#loop.post(fact),
      targetOf: (to) => ({ channel: 'control', to, ...machine.placeOf(to) }),
      wayTo: (to) => ({ ...machine.placeOf(to), edge: undefined }),
    })
    this.#loop = new Loop<SuccessorFact, SuccessorWish>(machine, ports.clock, {
      execute: (wish) => this.#execute(wish),
      crashed: (error) => {
        ports.crashed(error)
        this.#end()
      },
    })
  }

  start(): void {
    this.#loop.start(this.#machine.start())
  }

  stop(text: string): void {
    this.#loop.post({ type: 'stopped', text })
  }

  #execute(wish: SuccessorWish): void {
    if (wish.type === 'end') return this.#end()
    if (wish.type !== 'note') return this.#executor.execute(wish)
    const about = wish.member === undefined ? {} : { member: wish.member }
    this.#ports.log(wish.level, wish.event, { ...about, ...wish.fields })
  }

  #end(): void {
    this.#loop.stop()
    this.#executor.release(() => this.#ports.ended())
  }
}
