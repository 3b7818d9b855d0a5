/**
 * Blocks that are in the file of a receiver before anything is sent: what an earlier transfer left
 * or all of a file that is here. Until it is known what of them counts, the offer is not accepted.
 *
 * No name, size or time says that blocks are of the content that is offered; the digests of the
 * author do. Where they are not known from before, they come ahead of the plan: a block with the
 * digest that is announced for it is held, any other counts as missing, and is overwritten.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { type HeldRun, toldOf } from '../holdings/have.js'
import type { StreamLedger } from '../holdings/ledger.js'
import type { BlockHashing } from './block-hashing.js'
import type { Found } from './events.js'
import type { NodeOutbox } from './outbox.js'

/** Failures that cast doubt on the content itself, or on what the disk has of it. */
const doubts: ReadonlySet<FrErrorCode> = new Set<FrErrorCode>([
  'ERR_FR_DIGEST',
  'ERR_FR_SOURCE_CHANGED',
  'ERR_FR_BAD_BLOCK',
  'ERR_FR_IO',
])

/** Whether what was verified is worth keeping after a transfer that failed so. */
export function isWorthKeeping(failure: Failure | null): boolean {
  return failure !== null && !doubts.has(failure.code)
}

export class FoundBlocks {
  readonly #ledger: StreamLedger
  readonly #landed: RangeSet
  readonly #hashing: BlockHashing
  readonly #outbox: NodeOutbox
  /** Blocks in question; undefined: not known yet, or the offer is accepted. */
  #candidates: readonly HeldRun[] | undefined
  #unreadCandidates: readonly HeldRun[] = []
  #elsewhere: readonly HeldRun[] = []
  /** Those of which no digest is announced, as far as that was looked at. */
  #awaited: HeldRun[] = []

  constructor(ledger: StreamLedger, landed: RangeSet, hashing: BlockHashing, outbox: NodeOutbox) {
    this.#ledger = ledger
    this.#landed = landed
    this.#hashing = hashing
    this.#outbox = outbox
  }

  prepared(found: Found, nowMs: number): void {
    const { held = [], unread = [], candidates = [] } = found
    const { unreadCandidates = [], elsewhere = [] } = found
    for (const { offset, length, digests } of held) this.#ledger.restore(offset, length, digests)
    for (const { offset, length, digests } of unread) {
      this.#ledger.announce(offset, length, digests)
      this.#hashing.landed('file', offset, length, nowMs)
    }
    this.#hold([...held, ...unread].map(({ offset, length }) => [offset, length]))
    this.#candidates = candidates
    this.#unreadCandidates = unreadCandidates
    this.#elsewhere = elsewhere
    this.#awaited = [...candidates, ...unreadCandidates, ...elsewhere]
    if (!this.isDecided) this.#outbox.say({ type: 'compares' })
  }

  /** Prepared, and a digest is announced of every block in question; the offer can be accepted. */
  get isDecided(): boolean {
    if (this.#candidates === undefined) return false
    for (let run = this.#awaited.at(-1); run !== undefined; run = this.#awaited.at(-1)) {
      if (!this.#ledger.isAnnounced(run.offset, run.length)) return false
      this.#awaited.pop()
    }
    return true
  }

  /** Takes in what is of this content, and says so. */
  accept(nowMs: number): void {
    const equal = new RangeSet()
    for (const run of this.#candidates ?? [])
      for (const [offset, length] of this.#ledger.confirm(run)) equal.add(offset, length)
    for (const run of this.#unreadCandidates)
      for (const [offset, length] of this.#ledger.matching(run)) {
        equal.add(offset, length)
        this.#hashing.landed('file', offset, length, nowMs)
      }
    const brought = this.#equalElsewhere(equal)
    for (const [offset, length] of brought) {
      equal.add(offset, length)
      this.#hashing.landed('file', offset, length, nowMs)
    }
    this.#hold(equal.toArray())
    if (!brought.isEmpty) this.#outbox.wish({ type: 'bring', ranges: brought.toArray() })
    this.#candidates = undefined
    this.#outbox.say({ type: 'accept', have: toldOf(this.#landed) })
  }

  /** What only the other file has of this content. */
  #equalElsewhere(equal: RangeSet): RangeSet {
    const brought = new RangeSet()
    for (const run of this.#elsewhere)
      for (const range of this.#ledger.matching(run))
        for (const lacking of this.#landed.missing(...range)) brought.add(...lacking)
    brought.subtract(equal)
    return brought
  }

  #hold(ranges: readonly RangePair[]): void {
    if (ranges.length === 0) return
    for (const range of ranges) {
      this.#landed.add(...range)
      this.#ledger.land(...range)
    }
    this.#outbox.wish({ type: 'hold', ranges })
  }
}
