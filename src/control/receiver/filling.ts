/**
 * Blocks of the new content that older content of the name has in part, or elsewhere: they are
 * filled with what is found there, so that only the rest has to come.
 *
 * The idea: the origin tells an index of what is lacking, first of pages at the same place, then,
 * of long runs that are left, of content-defined chunks, which are found wherever they have moved
 * to. An index is 0.2 % of its bytes or less. Its hashes are short: a block that was filled wrongly
 * is found bad when it is verified, and comes again like any bad block.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet, slicesOf } from '../../base/ranges.js'
import { piecesOf } from '../holdings/pages.js'
import type { IndexedPiece, IndexKind } from '../messages/delta.js'
import type { NodeOutbox } from './outbox.js'

const never = Number.POSITIVE_INFINITY

/** Of the older content, this part at least has to be in question for all of it to be cut. */
const partWorthCutting = 1 / 256

export class Filling {
  /** Bytes that are in the file. */
  readonly filled = new RangeSet()
  readonly #outbox: NodeOutbox
  #stage: 'none' | IndexKind | 'done' = 'none'
  #lacking = new RangeSet()
  #olderBytes = 0
  /** Pieces of this stage to ask for. */
  #open: RangePair[] = []
  /** Those that were asked for and are not filled, by their offset. */
  readonly #asked = new Map<number, number>()
  #askedBytes = 0
  #sayMs = never
  #movedMs = 0

  constructor(outbox: NodeOutbox) {
    this.#outbox = outbox
  }

  /** Whole blocks that are lacking; there are so many bytes of older content, in pages of both. */
  begin(lacking: RangeSet, olderBytes: number, nowMs: number): void {
    this.#lacking = lacking
    this.#olderBytes = olderBytes
    this.#stage = 'pages'
    this.#open = piecesOf('pages', lacking.present(0, olderBytes))
    this.#sayMs = nowMs + limits.comparingMs
    this.#movedMs = nowMs
  }

  get isBegun(): boolean {
    return this.#stage !== 'none'
  }

  /** When something is to be said, so that the origin knows that this goes on. */
  get dueMs(): number {
    return this.#sayMs
  }

  /** The origin tells what it was asked; anything else is dropped. */
  indexed(piece: IndexedPiece): void {
    if (piece.kind === this.#stage && this.#asked.get(piece.offset) === piece.length)
      this.#outbox.wish({ ...piece, type: 'fill' })
  }

  /** What older content had of a piece is in the file. */
  copied(offset: number, length: number, ranges: readonly RangePair[], nowMs: number): void {
    if (this.#asked.delete(offset)) this.#askedBytes -= length
    for (const range of ranges) this.filled.add(...range)
    this.#movedMs = nowMs
  }

  /** True once nothing more is looked for. */
  advance(nowMs: number): boolean {
    if (nowMs >= this.#sayMs) {
      const isMoving = nowMs < this.#movedMs + limits.comparingMsMax
      this.#sayMs = isMoving ? nowMs + limits.comparingMs : never
      if (isMoving) this.#outbox.say({ type: 'compares' })
    }
    if (this.#stage === 'pages' && this.#isIdle) {
      this.#stage = 'chunks'
      this.#open = this.#worthCutting()
    }
    if (this.#stage === 'chunks' && this.#isIdle) {
      this.#stage = 'done'
      this.#sayMs = never
      this.#bound()
    }
    this.#ask()
    return this.#stage === 'done'
  }

  get #isIdle(): boolean {
    return this.#open.length === 0 && this.#asked.size === 0
  }

  #ask(): void {
    if (this.#askedBytes > limits.indexAskedBytes / 2 || this.#open.length === 0) return
    const ranges = new RangeSet()
    for (let piece = this.#open[0]; piece !== undefined; piece = this.#open[0]) {
      if (this.#askedBytes + piece[1] > limits.indexAskedBytes) break
      this.#open.shift()
      this.#asked.set(...piece)
      this.#askedBytes += piece[1]
      ranges.add(...piece)
    }
    const kind = this.#stage as IndexKind
    for (const part of slicesOf(ranges.toArray(), limits.needRanges))
      this.#outbox.say({ type: 'index', kind, ranges: part })
  }

  /** Runs in which a chunk that has moved may be; none where cutting takes more than it brings. */
  #worthCutting(): RangePair[] {
    const left = RangeSet.of(this.#lacking)
    left.subtract(this.filled)
    const long = left.toArray().filter(([, length]) => length >= limits.chunkBytesMax)
    const bytes = long.reduce((sum, [, length]) => sum + length, 0)
    const isWorth = bytes >= this.#olderBytes * partWorthCutting
    return isWorth ? piecesOf('chunks', long) : []
  }

  /** What is told has a bound: of very many ranges the smallest are left out. */
  #bound(): void {
    const touched = new RangeSet()
    const left = RangeSet.of(this.#lacking)
    left.subtract(this.filled)
    for (const range of left.compacted(limits.fillFrames * limits.needRanges - 1))
      touched.add(...range)
    this.filled.subtract(touched)
  }
}
