/**
 * Blocks that are in the file of a receiver before anything is sent: what an earlier transfer left
 * or all of a file that is here. Until it is known what of them counts, the offer is not accepted.
 *
 * No name, size or time says that blocks are of the content that is offered; the digests of the
 * author do. Where they are not known from before, they come ahead of the plan: a block with the
 * digest that is announced for it is held, any other counts as missing, and is overwritten.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet, slicesOf } from '../../base/ranges.js'
import { blocksTouched, type HeldRun, toldOf } from '../holdings/have.js'
import { type Ledger, StreamLedger } from '../holdings/ledger.js'
import type { IndexedPiece } from '../messages/delta.js'
import type { BlockHashing } from './block-hashing.js'
import type { Found, NodeFact } from './events.js'
import { Filling } from './filling.js'
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
  readonly #ledger: Ledger
  readonly #landed: RangeSet
  readonly #hashing: BlockHashing
  readonly #outbox: NodeOutbox
  /** Blocks in question; undefined: not known yet, or the offer is accepted. */
  #candidates: readonly HeldRun[] | undefined
  #unreadCandidates: readonly HeldRun[] = []
  #elsewhere: readonly HeldRun[] = []
  /** Those of which no digest is announced, as far as that was looked at. */
  #awaited: HeldRun[] = []
  #olderBytes = 0
  readonly #filling: Filling
  /** Those that were filled, in part or whole, and are not known to be verified. */
  readonly #blocks: number[] = []

  constructor(ledger: Ledger, landed: RangeSet, hashing: BlockHashing, outbox: NodeOutbox) {
    this.#ledger = ledger
    this.#landed = landed
    this.#hashing = hashing
    this.#outbox = outbox
    this.#filling = new Filling(outbox)
  }

  prepared(found: Found, nowMs: number): void {
    const { held = [], unread = [], candidates = [] } = found
    const { unreadCandidates = [], elsewhere = [], olderBytes = 0 } = found
    for (const { offset, length, digests } of held) this.#ledger.restore(offset, length, digests)
    for (const { offset, length, digests } of unread) {
      this.#ledger.announce(offset, length, digests)
      this.#hashing.landed('file', offset, length, nowMs)
    }
    // The beginning of a block counts as verified, and comes again with the rest of it.
    const whole = [...held, ...unread].map(({ offset, length }): RangePair => {
      return [offset, this.#ledger.wholeOf(offset + length) - offset]
    })
    this.#hold(whole.filter(([, length]) => length > 0))
    this.#candidates = candidates
    this.#unreadCandidates = unreadCandidates
    this.#elsewhere = elsewhere
    this.#awaited = [...candidates, ...unreadCandidates, ...elsewhere]
    this.#olderBytes = olderBytes
    if (olderBytes > 0 || !this.#areAnnounced) this.#outbox.say({ type: 'compares' })
    // What is here may be of this content: it is in the way of no sample.
    const isBare = this.#landed.isEmpty && candidates.length + unreadCandidates.length === 0
    if (isBare) this.#filling.sample(this.#ledger.size, olderBytes, nowMs)
  }

  /** True once it is known what of all this counts: the offer is accepted then. */
  advance(nowMs: number): boolean {
    if (this.#candidates === undefined) return false
    if (this.#filling.isSampling) this.#filling.advance(nowMs)
    if (this.#filling.isSampling) return false
    if (this.#filling.isUnlike) this.#dropOlder()
    if (!this.#areAnnounced || !this.#isFilled(nowMs)) return false
    this.accept(nowMs)
    return true
  }

  /** It was all that was to be compared. */
  #dropOlder(): void {
    this.#olderBytes = 0
    this.#elsewhere = []
    this.#awaited = []
  }

  #isFilled(nowMs: number): boolean {
    if (this.#olderBytes === 0) return true
    if (!this.#filling.isBegun) {
      this.#takeIn(nowMs)
      const lacking = RangeSet.of(this.#landed.missing(0, this.#ledger.size))
      this.#filling.begin(lacking, pagesOfBoth(this.#olderBytes, this.#ledger.size), nowMs)
    }
    return this.#filling.advance(nowMs)
  }

  get #areAnnounced(): boolean {
    for (let run = this.#awaited.at(-1); run !== undefined; run = this.#awaited.at(-1)) {
      if (!this.#ledger.isAnnounced(run.offset, run.length)) return false
      this.#awaited.pop()
    }
    return true
  }

  /** As of `Filling`. */
  get dueMs(): number {
    return this.#filling.dueMs
  }

  indexed(piece: IndexedPiece): void {
    this.#filling.indexed(piece)
  }

  copied({ offset, length, ranges }: NodeFact & { type: 'filled' }, nowMs: number): void {
    this.#filling.copied(offset, length, ranges, nowMs)
  }

  /** What has not landed: no bytes of blocks that are not whole, but for those that were filled. */
  get lacking(): RangeSet {
    const lacking = RangeSet.of(this.#landed.missing(0, this.#ledger.mostBytes))
    lacking.subtract(this.#filling.filled)
    return lacking
  }

  /** Takes in what is of this content, and says so. */
  accept(nowMs: number): void {
    if (!this.#filling.isBegun) this.#takeIn(nowMs)
    this.#candidates = undefined
    const have = toldOf(this.#landed)
    this.#fill(nowMs)
    this.#outbox.say({ type: 'accept', have })
  }

  /** Says that all blocks which were filled are verified, once they are. */
  tellWhole(): void {
    if (this.#blocks.length === 0) return
    for (let block = this.#blocks.at(-1); block !== undefined; block = this.#blocks.at(-1)) {
      if (!this.#ledger.isBlockVerified(block)) return
      this.#blocks.pop()
    }
    this.#outbox.say({ type: 'whole' })
  }

  /** Bytes of blocks that are not verified are in the file; some of those may be whole by that. */
  #fill(nowMs: number): void {
    const { filled } = this.#filling
    // Nothing is filled of what is still written.
    if (filled.isEmpty || !(this.#ledger instanceof StreamLedger)) return
    this.#outbox.wish({ type: 'hold', ranges: filled.toArray() })
    for (const range of filled) this.#ledger.filled.add(...range)
    for (const ranges of slicesOf(filled.toArray(), limits.needRanges))
      this.#outbox.say({ type: 'fills', ranges })
    const { blockBytes, size: bytes } = this.#ledger
    for (const [offset, length] of blocksTouched(filled, { bytes, blockBytes })) {
      for (let at = offset; at < offset + length; at += blockBytes) {
        const block = at / blockBytes
        this.#blocks.push(block)
        if (!filled.contains(at, this.#ledger.bytesOf(block))) continue
        this.#landed.add(at, this.#ledger.bytesOf(block))
        this.#ledger.land(at, this.#ledger.bytesOf(block))
        this.#hashing.landed('file', at, this.#ledger.bytesOf(block), nowMs)
      }
    }
  }

  #takeIn(nowMs: number): void {
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

/** A page at the end of older content has no place of its own in longer content. */
function pagesOfBoth(olderBytes: number, bytes: number): number {
  const { indexPageBytes } = limits
  return olderBytes < bytes ? Math.floor(olderBytes / indexPageBytes) * indexPageBytes : olderBytes
}
