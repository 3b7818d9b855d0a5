/** The blocks of a transfer that wait to be hashed: those of the file, and repairs beside it. */
import { HashQueue } from '../holdings/hashing.js'
import type { NodeCommand } from './events.js'

export class BlockHashing {
  readonly #file: HashQueue
  readonly #scratch: HashQueue

  constructor(blockBytes: number) {
    this.#file = new HashQueue(blockBytes)
    this.#scratch = new HashQueue(blockBytes)
  }

  landed(scratch: boolean, offset: number, length: number, nowMs: number): void {
    this.#queue(scratch).add(offset, length, nowMs)
  }

  done(scratch: boolean): void {
    this.#queue(scratch).done()
  }

  get isRepairIdle(): boolean {
    return this.#scratch.isIdle
  }

  /** `hasAll`: nothing more lands in the file. */
  start(hasAll: boolean, nowMs: number): NodeCommand[] {
    return [...this.#take(false, hasAll, nowMs), ...this.#take(true, true, nowMs)]
  }

  deadlineMs(): number {
    const never = Number.POSITIVE_INFINITY
    return Math.min(this.#file.deadlineMs() ?? never, this.#scratch.deadlineMs() ?? never)
  }

  *#take(scratch: boolean, isLast: boolean, nowMs: number): Generator<NodeCommand> {
    const queue = this.#queue(scratch)
    for (let run = queue.take(nowMs, isLast); run !== undefined; run = queue.take(nowMs, isLast))
      yield { type: 'hash', scratch, offset: run[0], length: run[1] }
  }

  #queue(scratch: boolean): HashQueue {
    return scratch ? this.#scratch : this.#file
  }
}
