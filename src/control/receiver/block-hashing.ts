/**
 * The blocks of a transfer that wait to be hashed, those of the file and repairs beside it, and the
 * repairs that wait to be copied in.
 */
import type { RangePair } from '../../base/ranges.js'
import type { BlockBytes } from '../../base/sections.js'
import { HashQueue } from '../holdings/hashing.js'
import type { HashedPart } from '../messages/facts.js'
import type { NodeWish } from './events.js'

export type HashingWish = Extract<NodeWish, { type: 'hash' | 'copyIn' }>

export class BlockHashing {
  readonly #file: HashQueue
  readonly #scratch: HashQueue
  #copying = 0

  constructor(blockBytes: BlockBytes) {
    this.#file = new HashQueue(blockBytes)
    this.#scratch = new HashQueue(blockBytes)
  }

  landed(part: HashedPart, offset: number, length: number, nowMs: number): void {
    this.#queue(part).add(offset, length, nowMs)
  }

  done(part: HashedPart): void {
    this.#queue(part).done()
  }

  /** These repairs are verified. */
  copyIn(runs: readonly RangePair[]): HashingWish[] {
    this.#copying += runs.length
    return runs.map(([offset, length]) => ({ type: 'copyIn', offset, length }))
  }

  copied(): void {
    this.#copying--
  }

  /** Verified repairs are not in the file yet. */
  get isCopying(): boolean {
    return this.#copying > 0
  }

  /** No repair is being hashed or copied. */
  get isRepairIdle(): boolean {
    return this.#scratch.isIdle && !this.isCopying
  }

  /** `hasAll`: nothing more lands in the file. */
  start(hasAll: boolean, nowMs: number): HashingWish[] {
    return [...this.#take('file', hasAll, nowMs), ...this.#take('scratch', true, nowMs)]
  }

  deadlineMs(): number {
    const never = Number.POSITIVE_INFINITY
    return Math.min(this.#file.deadlineMs() ?? never, this.#scratch.deadlineMs() ?? never)
  }

  *#take(part: HashedPart, isLast: boolean, nowMs: number): Generator<HashingWish> {
    const queue = this.#queue(part)
    for (let run = queue.take(nowMs, isLast); run !== undefined; run = queue.take(nowMs, isLast))
      yield { type: 'hash', part, offset: run[0], length: run[1] }
  }

  #queue(part: HashedPart): HashQueue {
    return part === 'scratch' ? this.#scratch : this.#file
  }
}
