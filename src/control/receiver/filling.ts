/**
 * Blocks of the new content that older content of the name has in part, or elsewhere: they are
 * filled with what is found there, so that only the rest has to come.
 *
 * The idea: the origin tells an index of what is lacking, first of pages at the same place, then,
 * of long runs that are left, of content-defined chunks, which are found wherever they have moved
 * to. An index is 0.2 % of its bytes or less. Its hashes are short: a block that was filled wrongly
 * is found bad when it is verified, and comes again like any bad block.
 *
 * Of a large file some short pieces are looked for first, before the digests of all blocks are
 * there: where the older content has nothing of them it is something else, and nobody waits for it.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet, slicesOf } from '../../base/ranges.js'
import { piecesOf, samplesOf } from '../holdings/pages.js'
import type { IndexedPiece, IndexKind } from '../messages/delta.js'
import type { NodeOutbox } from './outbox.js'

const never = Number.POSITIVE_INFINITY

/** Of the older content, this part at least has to be in question for all of it to be cut. */
const partWorthCutting = 1 / 256

/** Samples tell whether the older content is worth a look; then all of it is looked at. */
type Stage = 'none' | 'sampling' | 'sampled' | 'filling' | 'done'

export class Filling {
  /** Bytes that are in the file. */
  readonly filled = new RangeSet()
  readonly #outbox: NodeOutbox
  #stage: Stage = 'none'
  /** What is asked for in this stage. */
  #kind: IndexKind = 'pages'
  #isUnlike = false
  #lacking = new RangeSet()
  #bytes = 0
  #olderBytes = 0
  /** Pieces to ask for. */
  #open: RangePair[] = []
  /** Those that were asked for and are not filled, by their offset. */
  readonly #asked = new Map<number, number>()
  #askedBytes = 0
  #sayMs = never
  #movedMs = 0

  constructor(outbox: NodeOutbox) {
    this.#outbox = outbox
  }

  /** Nothing of a content of so many bytes is here; is the older content anything like it? */
  sample(bytes: number, olderBytes: number, nowMs: number): void {
    if (Math.min(bytes, olderBytes) < limits.indexSampledBytesMin) return
    this.#bytes = bytes
    this.#olderBytes = olderBytes
    const open = samplesOf('pages', Math.min(bytes, olderBytes))
    this.#enter('sampling', open, nowMs)
  }

  /** Whole blocks that are lacking; there is older content of so many bytes. */
  begin(lacking: RangeSet, olderBytes: number, nowMs: number): void {
    // What samples have left there is the same, or is asked for again.
    this.filled.clear()
    this.#lacking = lacking
    this.#olderBytes = olderBytes
    this.#enter('filling', piecesOf('pages', lacking.present(0, olderBytes)), nowMs)
  }

  #enter(stage: Stage, open: RangePair[], nowMs: number): void {
    this.#stage = stage
    this.#kind = 'pages'
    this.#open = open
    this.#sayMs = nowMs + limits.comparingMs
    this.#movedMs = nowMs
  }

  get isBegun(): boolean {
    return this.#stage === 'filling' || this.#stage === 'done'
  }

  get isSampling(): boolean {
    return this.#stage === 'sampling'
  }

  /** Samples have shown that the older content is another one. */
  get isUnlike(): boolean {
    return this.#isUnlike
  }

  /** When something is to be said, so that the origin knows that this goes on. */
  get dueMs(): number {
    return this.#sayMs
  }

  /** The origin tells what it was asked; anything else is dropped. */
  indexed(piece: IndexedPiece): void {
    if (piece.kind === this.#kind && this.#asked.get(piece.offset) === piece.length)
      this.#outbox.wish({ ...piece, type: 'fill', isSample: this.isSampling })
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
    while (this.#isIdle && (this.#stage === 'sampling' || this.#stage === 'filling')) this.#next()
    this.#ask()
    return this.#stage === 'done'
  }

  get #isIdle(): boolean {
    return this.#open.length === 0 && this.#asked.size === 0
  }

  /** All pieces of a kind are looked at. */
  #next(): void {
    const isSample = this.#stage === 'sampling'
    if (this.#kind === 'pages' && !(isSample && !this.filled.isEmpty)) {
      this.#kind = 'chunks'
      this.#open = isSample ? samplesOf('chunks', this.#bytes) : this.#worthCutting()
      return
    }
    this.#sayMs = never
    this.#stage = isSample ? 'sampled' : 'done'
    if (isSample) this.#isUnlike = this.filled.isEmpty
    else this.#bound()
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
    const kind = this.#kind
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
