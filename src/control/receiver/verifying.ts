/**
 * Blocks that have landed, and their digests: what is found wrong is reported and asked for again,
 * a bounded number of times.
 */
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { HeldRun, Ledger } from '../holdings/ledger.js'
import type { HashRun } from '../messages/facts.js'
import type { Frame } from '../messages/types.js'
import { needFrames } from '../pulling/pulls.js'
import type { BlockHashing } from './block-hashing.js'
import type { NodeFact } from './events.js'
import type { Growing } from './growing.js'
import { Mending } from './mending.js'
import type { NodeOutbox } from './outbox.js'

type Computed = HashRun & { readonly digests: Uint8Array }

export class Verifying {
  readonly #ledger: Ledger
  readonly #hashing: BlockHashing
  readonly #outbox: NodeOutbox
  readonly #fail: (code: FrErrorCode, text: string) => void
  readonly #growing: Growing | undefined
  readonly #mending: Mending

  constructor(
    ledger: Ledger,
    hashing: BlockHashing,
    outbox: NodeOutbox,
    fail: (code: FrErrorCode, text: string) => void,
    growing?: Growing,
  ) {
    this.#growing = growing
    this.#ledger = ledger
    this.#hashing = hashing
    this.#outbox = outbox
    this.#fail = fail
    this.#mending = new Mending(ledger)
  }

  landed(fact: NodeFact & { type: 'landed' }, nowMs: number): void {
    const { scratch, offset, length, digests } = fact
    const part = scratch ? 'scratch' : 'file'
    if (!scratch) this.#ledger.land(offset, length)
    if (digests === undefined) this.#hashing.landed(part, offset, length, nowMs)
    else this.computed({ part, offset, length, digests })
  }

  /** Digests of the author. */
  announced(run: HeldRun & { readonly isFinal?: boolean }): void {
    const { offset, length, digests } = run
    const fault = this.#growing?.announced(run) ?? null
    if (fault !== null) return this.#fail('ERR_FR_PROTOCOL', fault)
    this.#judge(this.#ledger.announce(offset, length, digests))
  }

  computed({ part, offset, length, digests }: Computed): void {
    if (part !== 'scratch') return this.#judge(this.#ledger.compute(offset, length, digests))
    const verdict = this.#ledger.computeScratch(offset, length, digests)
    this.#outbox.wish(...this.#hashing.copyIn(verdict.verified))
    this.#judge(verdict.bad)
  }

  /** Verified repairs are in the file. */
  copied(offset: number, length: number, nowMs: number): void {
    this.#hashing.copied()
    this.#ledger.repaired(offset, length)
    this.#hashing.landed('file', offset, length, nowMs)
  }

  /** What is bad is asked for again, unless repairs are being looked at. */
  askAgain(): void {
    if (this.#hashing.isRepairIdle) this.#outbox.say(...needFrames(true, this.#ledger.badRanges()))
  }

  mend(frame: Frame & { type: 'mend' }): void {
    this.#mending.asked(frame)
  }

  advance(): void {
    this.#outbox.wish(...this.#mending.advance())
  }

  #judge(runs: readonly RangePair[]): void {
    for (const [offset, length] of runs) {
      this.#outbox.say({ type: 'bad', offset, length })
      this.#outbox.warn('bad-block', { offset, length })
      if (this.#ledger.countTry(offset, length) > limits.repairTries) {
        const text = `the block at ${offset} stayed wrong after every repair`
        return this.#fail('ERR_FR_BAD_BLOCK', text)
      }
    }
    // The origin says who is to send it, and looks whether its file has changed.
    this.#outbox.say(...needFrames(true, RangeSet.of(runs)))
  }
}
