/**
 * What is known about every block of one stream at one node while nobody knows how long the stream
 * will be.
 *
 * The idea: blocks are cut by sections (base/sections.ts), and each section has a ledger like that
 * of any stream, made when the first of it is heard of. What ends inside a block is the tail's
 * (tail.ts). Once the end is known the short last block has a ledger as well, and all together know
 * what one ledger of a stream of that size would. The verified prefix only grows.
 *
 * Memory: at most one ledger a section, of 65,536 blocks each.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { offsetOfBlock, type Section, sectionOf, wholeEnd } from '../../base/sections.js'
import { type HeldRun, type Ledger, StreamLedger, type Verdict } from './ledger.js'
import { type Cut, Tail } from './tail.js'

/** The blocks from `start` on, which their ledger knows by offsets from there. */
interface Part {
  readonly start: number
  readonly ledger: StreamLedger
}

/** A range that one part knows, by offsets from its start. */
interface Piece extends Part {
  readonly at: number
  readonly length: number
}

export class GrowingLedger implements Ledger {
  readonly digestBytes: number
  /** Of what grows nothing was there before. */
  readonly filled = new RangeSet()
  /** By where they begin. */
  readonly #sections = new Map<number, Part>()
  readonly #tail = new Tail()
  /** The short last block, once the end is known. */
  #last: Part | undefined
  #size = 0
  #isFinal = false
  /** Where the first block begins that is not verified as a whole. */
  #whole = 0
  #prefix = 0

  constructor(digestBytes: number) {
    this.digestBytes = digestBytes
  }

  /** As far as anything was heard of; once the end is known it is that. */
  get size(): number {
    return this.#size
  }

  get isFinal(): boolean {
    return this.#isFinal
  }

  /** The most that it may come to. */
  get mostBytes(): number {
    return this.#isFinal ? this.#size : limits.growingSpanBytes
  }

  /** Where the content ends; undefined: nobody knows yet. */
  get lastEnd(): number | undefined {
    return this.#isFinal ? this.#size : undefined
  }

  /** Bytes from the first on that are verified, without a gap. */
  get prefix(): number {
    return this.#prefix
  }

  /** Of whole blocks, and up to the cut that the prefix ends at. */
  get verifiedBytes(): number {
    return this.#sum(({ verifiedBytes }) => verifiedBytes) + this.#prefix - this.#whole
  }

  get repairedBytes(): number {
    return this.#sum(({ repairedBytes }) => repairedBytes)
  }

  get isVerified(): boolean {
    return this.#isFinal && this.verifiedBytes === this.#size
  }

  /** The announced digests of all blocks in order; whole once every block is announced. */
  get digests(): Uint8Array {
    const parts = [...this.#pieces(0, this.#size)].map(({ ledger, length }) => {
      const blocks = Math.ceil(length / ledger.blockBytes)
      return ledger.digests.subarray(0, blocks * this.digestBytes)
    })
    const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const part of parts) {
      all.set(part, at)
      at += part.length
    }
    return all
  }

  /**
   * The author says that the content ends here. False where that cannot be: more of it is known,
   * or another end.
   */
  ends(size: number): boolean {
    if (this.#isFinal || size < this.#size) return size === this.#size
    this.#size = size
    this.#isFinal = true
    const start = wholeEnd(size)
    if (start === size) return true
    const { blockBytes } = sectionOf(start)
    this.#last = { start, ledger: new StreamLedger(size - start, blockBytes, this.digestBytes) }
    const { sure } = this.#tail
    if (sure?.end === size) this.#last.ledger.restore(0, size - start, sure.digest)
    this.#advance()
    return true
  }

  /** Whole blocks, or up to a cut, as the engine reports them. */
  land(offset: number, length: number): void {
    this.#reach(offset + length)
    for (const { ledger, at, length: bytes } of this.#pieces(offset, this.wholeOf(offset + length)))
      ledger.land(at, bytes)
  }

  /** Digests of the author. Returns the runs whose bytes are wrong. */
  announce(offset: number, length: number, digests: Uint8Array): RangePair[] {
    this.#reach(offset + length)
    const cut = this.#cutOf({ offset, length, digests })
    if (cut !== undefined) this.#tail.announce(cut)
    const wrong = this.#each({ offset, length, digests }, (ledger, run) =>
      ledger.announce(run.offset, run.length, run.digests),
    )
    this.#advance()
    return wrong
  }

  /** Digests computed over the bytes in the file itself. Returns the runs that are wrong. */
  compute(offset: number, length: number, digests: Uint8Array): RangePair[] {
    const cut = this.#cutOf({ offset, length, digests })
    if (cut !== undefined) this.#tail.compute(cut)
    const wrong = this.#each({ offset, length, digests }, (ledger, run) =>
      ledger.compute(run.offset, run.length, run.digests),
    )
    this.#advance()
    return wrong
  }

  /** The runs that were verified since the last call, with their digests; none in two sections. */
  takeVerified(): HeldRun[] {
    const runs = this.#parts.flatMap(({ start, ledger }) =>
      ledger.takeVerified().map((run) => ({ ...run, offset: start + run.offset })),
    )
    const cut = this.#tail.takeFresh()
    if (cut === undefined || !this.#isTailAlone) return runs
    const { start: offset, end, digest: digests } = cut
    return [...runs, { offset, length: end - offset, digests }]
  }

  /** What was verified before this ledger was made: `takeVerified` does not give it. */
  restore(offset: number, length: number, digests: Uint8Array): void {
    this.#reach(offset + length)
    const cut = this.#cutOf({ offset, length, digests })
    if (cut !== undefined) this.#tail.restore(cut)
    this.#each({ offset, length, digests }, (ledger, run) => {
      ledger.restore(run.offset, run.length, run.digests)
      return []
    })
    this.#advance()
  }

  /** Runs of what has the digests that were announced. */
  matching(run: HeldRun): RangePair[] {
    const runs = this.#each(run, (ledger, one) => ledger.matching(one))
    const cut = this.#cutOf(run)
    if (cut === undefined || !this.#tail.matches(cut)) return runs
    return RangeSet.of([...runs, [cut.start, cut.end - cut.start]]).toArray()
  }

  /** Verifies what has, of bytes in the file, the digests that were announced; returns that. */
  confirm(run: HeldRun): RangePair[] {
    const equal = this.matching(run)
    const cut = this.#cutOf(run)
    if (cut !== undefined) this.#tail.compute(cut)
    this.#each(run, (ledger, one) => ledger.confirm(one))
    this.#advance()
    return equal
  }

  computeScratch(offset: number, length: number, digests: Uint8Array): Verdict {
    const bad = new RangeSet()
    const verified = this.#each({ offset, length, digests }, (ledger, run, start) => {
      const verdict = ledger.computeScratch(run.offset, run.length, run.digests)
      for (const [at, bytes] of verdict.bad) bad.add(start + at, bytes)
      return verdict.verified
    })
    return { verified, bad: bad.toArray() }
  }

  repaired(offset: number, length: number): void {
    for (const piece of this.#pieces(offset, this.wholeOf(offset + length)))
      piece.ledger.repaired(piece.at, piece.length)
  }

  countTry(offset: number, length: number): number {
    let most = 0
    for (const piece of this.#pieces(offset, this.wholeOf(offset + length)))
      most = Math.max(most, piece.ledger.countTry(piece.at, piece.length))
    return most
  }

  /**
   * The blocks touched by these ranges that have not landed. Of a block that nobody knows to be
   * there as a whole, what was asked for and is not sure.
   */
  missing(ranges: Iterable<RangePair>): RangeSet {
    const missing = new RangeSet()
    let known = this.#size
    for (const [offset, length] of ranges) {
      known = Math.max(known, offset + length)
      for (const piece of this.#pieces(offset, this.#endOf(offset + length)))
        for (const [at, bytes] of piece.ledger.missing([[piece.at, piece.length]]))
          missing.add(piece.start + at, bytes)
    }
    missing.remove(known, limits.growingSpanBytes - known)
    missing.remove(this.#tail.start, this.#tail.end - this.#tail.start)
    return missing
  }

  /** The blocks touched by this range that no digest was announced of, as far as they are there. */
  unannounced(offset = 0, length: number = this.size): RangeSet {
    const ranges = new RangeSet()
    const end = Math.min(offset + length, this.wholeOf(this.#size))
    for (const piece of this.#pieces(offset, end))
      for (const [at, bytes] of piece.ledger.unannounced(piece.at, piece.length))
        ranges.add(piece.start + at, bytes)
    return ranges
  }

  /** Whether a digest was announced of every block of a run of whole blocks. */
  isAnnounced(offset: number, length: number): boolean {
    const pieces = [...this.#pieces(offset, offset + length)]
    return pieces.every(({ ledger, at, length: bytes }) => ledger.isAnnounced(at, bytes))
  }

  /** The parts of these ranges that are verified. */
  held(ranges: Iterable<RangePair>): RangePair[] {
    const held = new RangeSet()
    const sure = RangeSet.of([[0, this.#prefix]])
    sure.add(this.#tail.start, this.#tail.end - this.#tail.start)
    for (const [offset, length] of ranges) {
      for (const piece of this.#pieces(offset, this.#endOf(offset + length)))
        for (const [at, bytes] of piece.ledger.held([[piece.at, piece.length]]))
          held.add(piece.start + at, bytes)
      for (const range of sure.present(offset, length)) held.add(...range)
    }
    return held.toArray()
  }

  /** Every bad block that waits for its repair. */
  badRanges(): RangeSet {
    const ranges = new RangeSet()
    for (const { start, ledger } of this.#parts)
      for (const [at, bytes] of ledger.badRanges()) ranges.add(start + at, bytes)
    return ranges
  }

  /** By its number in the whole content. */
  isBlockVerified(block: number): boolean {
    return this.#isVerifiedAt(offsetOfBlock(block))
  }

  /** Whether the block of this byte is verified as a whole. */
  #isVerifiedAt(offset: number): boolean {
    if (offset >= this.#size) return false
    const { start, ledger } = this.#partAt(offset)
    return ledger.isBlockVerified(Math.floor((offset - start) / ledger.blockBytes))
  }

  /** What is sure by a cut is not verified as a part of a whole block. */
  get #isTailAlone(): boolean {
    return this.#tail.end > 0 && !this.#isVerifiedAt(this.#tail.start)
  }

  get #parts(): Part[] {
    const sections = [...this.#sections.values()].sort((a, b) => a.start - b.start)
    return this.#last === undefined ? sections : [...sections, this.#last]
  }

  #sum(of: (ledger: StreamLedger) => number): number {
    return this.#parts.reduce((sum, { ledger }) => sum + of(ledger), 0)
  }

  /** Blocks have become verified, perhaps. What was verified stays so, whatever comes behind it. */
  #advance(): void {
    while (this.#whole < this.#size) {
      const { start, ledger } = this.#partAt(this.#whole)
      const first = (this.#whole - start) / ledger.blockBytes
      let block = first
      while (block < ledger.blocks && ledger.isBlockVerified(block)) block++
      if (block === first) break
      this.#whole = start + Math.min(block * ledger.blockBytes, ledger.size)
    }
    const cut = this.#tail.start === this.#whole ? this.#tail.end : 0
    this.#prefix = Math.max(this.#prefix, this.#whole, cut)
  }

  #reach(end: number): void {
    if (end <= this.#size) return
    if (this.#isFinal) throw new RangeError(`nothing is at ${end} of ${this.#size} bytes`)
    this.#size = end
  }

  /** Once the end is known there is nothing behind it. */
  #endOf(end: number): number {
    return this.#isFinal ? Math.min(end, this.#size) : end
  }

  /** Where the whole blocks before `end` end; the short last one is whole. */
  wholeOf(end: number): number {
    return this.#isFinal && end === this.#size ? end : wholeEnd(end)
  }

  #partAt(offset: number): Part {
    if (this.#last !== undefined && offset >= this.#last.start) return this.#last
    return this.#partOf(sectionOf(offset))
  }

  #partOf({ start, end, blockBytes }: Section): Part {
    const made = this.#sections.get(start)
    if (made !== undefined) return made
    const part = { start, ledger: new StreamLedger(end - start, blockBytes, this.digestBytes) }
    this.#sections.set(start, part)
    return part
  }

  /** What each part knows of the bytes from `offset` to `end`. */
  *#pieces(offset: number, end: number): IterableIterator<Piece> {
    for (let from = offset; from < end; ) {
      const part = this.#partAt(from)
      const isLast = part === this.#last
      const partEnd = isLast ? end : Math.min(sectionOf(from).end, this.#last?.start ?? end)
      const to = Math.min(end, partEnd)
      yield { ...part, at: from - part.start, length: to - from }
      from = to
    }
  }

  /** Runs that `visit` returns for the whole blocks of a run, by their place in the content. */
  #each(
    { offset, length, digests }: HeldRun,
    visit: (ledger: StreamLedger, run: HeldRun, start: number) => readonly RangePair[],
  ): RangePair[] {
    const found = new RangeSet()
    let from = 0
    for (const { start, ledger, at, length: bytes } of this.#pieces(
      offset,
      this.wholeOf(offset + length),
    )) {
      const to = from + Math.ceil(bytes / ledger.blockBytes) * this.digestBytes
      const run = { offset: at, length: bytes, digests: digests.subarray(from, to) }
      for (const [place, some] of visit(ledger, run, start)) found.add(start + place, some)
      from = to
    }
    return found.toArray()
  }

  /** The beginning of a block that a run ends with; undefined: it ends with a whole one. */
  #cutOf({ offset, length, digests }: HeldRun): Cut | undefined {
    const end = offset + length
    const start = this.wholeOf(end)
    if (start === end) return undefined
    return { start, end, digest: digests.slice(digests.length - this.digestBytes) }
  }
}
