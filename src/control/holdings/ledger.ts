/**
 * What is known about every block of one stream at one node.
 *
 * The idea: a block is *verified* (held) when the digest computed over the bytes in the file
 * equals the digest the origin announced. Which of the two arrives first does not matter: the
 * later one decides. A block that differs is *bad* until a copy in scratch has the right digest
 * and has been copied in; then it has landed again. The ledger must never call a block verified
 * for any other reason.
 *
 * Edges of a block:  absent -> landed -> computed -> verified
 *                                            \-> bad -> (repaired) landed
 * `announced` is independent and happens once: the first authentic announcement stays.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { type BlockBytes, blockStart } from '../../base/sections.js'

const landed = 1
const computed = 2
const announced = 4
const verified = 8
const bad = 16
const copiedIn = 32

/** A run of whole blocks, with the digests of the bytes that are there. */
export interface HeldRun {
  readonly offset: number
  readonly length: number
  readonly digests: Uint8Array
}

/** What others may look at. */
export type Holdings = Pick<
  StreamLedger,
  'size' | 'verifiedBytes' | 'repairedBytes' | 'isBlockVerified' | 'unannounced' | 'takeVerified'
>

/** What receivers need of it, whether or not the size of the stream is known. */
export type Ledger = Holdings &
  Pick<
    StreamLedger,
    | 'mostBytes'
    | 'wholeOf'
    | 'filled'
    | 'isVerified'
    | 'digests'
    | 'land'
    | 'announce'
    | 'restore'
    | 'matching'
    | 'confirm'
    | 'compute'
    | 'computeScratch'
    | 'repaired'
    | 'countTry'
    | 'missing'
    | 'isAnnounced'
    | 'held'
    | 'badRanges'
  >

/** What digests of repairs decided, in runs of bytes. */
export interface Verdict {
  readonly verified: readonly RangePair[]
  readonly bad: readonly RangePair[]
}

export class StreamLedger {
  readonly size: number
  readonly blockBytes: number
  readonly digestBytes: number
  readonly blocks: number
  /** Bytes of blocks that have not landed: they are in the file, and need not come. */
  readonly filled = new RangeSet()
  readonly #state: Uint8Array
  readonly #tries: Uint8Array
  readonly #announced: Uint8Array
  readonly #computed: Uint8Array
  /** Verified since the last `takeVerified`. */
  readonly #fresh = new RangeSet()
  #verifiedBytes = 0
  #verifiedBlocks = 0
  #repairedBytes = 0

  constructor(size: number, blockBytes: number, digestBytes: number) {
    this.size = size
    this.blockBytes = blockBytes
    this.digestBytes = digestBytes
    this.blocks = Math.ceil(size / blockBytes)
    this.#state = new Uint8Array(this.blocks)
    this.#tries = new Uint8Array(this.blocks)
    this.#announced = new Uint8Array(this.blocks * digestBytes)
    this.#computed = new Uint8Array(this.blocks * digestBytes)
  }

  get verifiedBytes(): number {
    return this.#verifiedBytes
  }

  /** The most that it may come to: its size. */
  get mostBytes(): number {
    return this.size
  }

  /** Where the whole blocks before `end` end, which is where a run of blocks does. */
  wholeOf(end: number): number {
    return end
  }

  get repairedBytes(): number {
    return this.#repairedBytes
  }

  get isVerified(): boolean {
    return this.#verifiedBlocks === this.blocks
  }

  /** The announced block digests in order; whole once every block is announced. */
  get digests(): Uint8Array {
    return this.#announced
  }

  /** Whole blocks only, as the engine reports them. */
  land(offset: number, length: number): void {
    this.#each(offset, length, (block) => this.#set(block, landed))
  }

  /** Digests of the author. Returns the runs whose bytes are wrong. */
  announce(offset: number, length: number, digests: Uint8Array): RangePair[] {
    this.#put(this.#announced, announced, offset, length, digests)
    return this.#decide(offset, length)
  }

  /** The runs that were verified since the last call, with their digests. */
  takeVerified(): HeldRun[] {
    const runs = this.#fresh.toArray().map(([offset, length]) => {
      const [first, blocks] = [offset / this.blockBytes, Math.ceil(length / this.blockBytes)]
      const end = (first + blocks) * this.digestBytes
      return { offset, length, digests: this.#announced.slice(first * this.digestBytes, end) }
    })
    this.#fresh.clear()
    return runs
  }

  /** Blocks that were verified before this ledger was made: `takeVerified` does not give them. */
  restore(offset: number, length: number, digests: Uint8Array): void {
    this.land(offset, length)
    this.announce(offset, length, digests)
    this.compute(offset, length, digests)
    this.#fresh.remove(offset, length)
  }

  /** Runs of the blocks whose digests are those announced. */
  matching({ offset, length, digests }: HeldRun): RangePair[] {
    const first = this.#check(offset, length, digests)
    const equal = new RangeSet()
    this.#each(offset, length, (block) => {
      if (!this.#is(block, announced)) return
      if (equalAt(this.#announced, block, digests, block - first, this.digestBytes))
        equal.add(block * this.blockBytes, this.bytesOf(block))
    })
    return equal.toArray()
  }

  /**
   * Verifies the blocks of a run whose digests, of bytes that are in the file, are those announced;
   * returns their runs. Nothing follows for the others.
   */
  confirm(run: HeldRun): RangePair[] {
    const { offset, digests } = run
    const equal = this.matching(run)
    for (const [at, bytes] of equal) {
      const from = ((at - offset) / this.blockBytes) * this.digestBytes
      const count = Math.ceil(bytes / this.blockBytes) * this.digestBytes
      this.compute(at, bytes, digests.subarray(from, from + count))
    }
    return equal
  }

  /** Digests computed over the bytes in the file itself. Returns the runs that are wrong. */
  compute(offset: number, length: number, digests: Uint8Array): RangePair[] {
    this.land(offset, length)
    this.#put(this.#computed, computed, offset, length, digests)
    return this.#decide(offset, length)
  }

  /**
   * A digest computed over scratch: `verified` runs may now be copied in, `bad` are wrong again.
   */
  computeScratch(offset: number, length: number, digests: Uint8Array): Verdict {
    const first = this.#check(offset, length, digests)
    const [good, wrong] = [new RangeSet(), new RangeSet()]
    this.#each(offset, length, (block) => {
      if (!this.#is(block, bad)) return
      const equal = equalAt(this.#announced, block, digests, block - first, this.digestBytes)
      const runs = equal ? good : wrong
      runs.add(block * this.blockBytes, this.bytesOf(block))
    })
    return { verified: good.toArray(), bad: wrong.toArray() }
  }

  /**
   * The blocks of this run were copied in from verified scratch. Scratch may have changed between
   * the look at it and the copy, so only a digest over the file itself verifies them.
   */
  repaired(offset: number, length: number): void {
    this.#each(offset, length, (block) => {
      if (!this.#is(block, bad)) return
      this.#state[block] = ((this.#state[block] as number) & ~(bad | computed)) | copiedIn
    })
  }

  /** Counts one more fetch of every block in the run; the highest count of the run. */
  countTry(offset: number, length: number): number {
    let most = 0
    this.#each(offset, length, (block) => {
      const tries = Math.min(255, (this.#tries[block] as number) + 1)
      this.#tries[block] = tries
      most = Math.max(most, tries)
    })
    return most
  }

  /** The blocks touched by these ranges that have not landed, but for bytes that were filled. */
  missing(ranges: Iterable<RangePair>): RangeSet {
    const missing = new RangeSet()
    for (const [offset, length] of ranges) {
      this.#each(offset, length, (block) => {
        if (!this.#is(block, landed)) missing.add(block * this.blockBytes, this.bytesOf(block))
      })
    }
    missing.subtract(this.filled)
    return missing
  }

  /** The blocks touched by this range that no digest was announced of; by default of all. */
  unannounced(offset = 0, length: number = this.size): RangeSet {
    const ranges = new RangeSet()
    this.#each(offset, length, (block) => {
      if (!this.#is(block, announced)) ranges.add(block * this.blockBytes, this.bytesOf(block))
    })
    return ranges
  }

  /** Whether a digest was announced of every block of a run of whole blocks. */
  isAnnounced(offset: number, length: number): boolean {
    const end = offset + length
    for (let at = offset; at < end; at += this.blockBytes)
      if (!this.#is(at / this.blockBytes, announced)) return false
    return true
  }

  /** The parts of these ranges that are verified. */
  held(ranges: Iterable<RangePair>): RangePair[] {
    const held = new RangeSet()
    for (const [offset, length] of ranges) {
      const end = offset + length
      this.#each(offset, length, (block) => {
        if (!this.#is(block, verified)) return
        const start = Math.max(offset, block * this.blockBytes)
        held.add(start, Math.min(end, block * this.blockBytes + this.bytesOf(block)) - start)
      })
    }
    return held.toArray()
  }

  /** Every bad block that waits for its repair. */
  badRanges(): RangeSet {
    const ranges = new RangeSet()
    for (let block = 0; block < this.blocks; block++) {
      if (this.#is(block, bad)) ranges.add(block * this.blockBytes, this.bytesOf(block))
    }
    return ranges
  }

  isBlockVerified(block: number): boolean {
    return this.#is(block, verified)
  }

  /** Bytes of one block; the last one may be short. */
  bytesOf(block: number): number {
    return Math.min(this.blockBytes, this.size - block * this.blockBytes)
  }

  /** Compares where both digests are known and nothing is decided: the runs that are wrong. */
  #decide(offset: number, length: number): RangePair[] {
    const wrong = new RangeSet()
    this.#each(offset, length, (block) => {
      const state = (this.#state[block] as number) & (computed | announced | verified | bad)
      if (state !== (computed | announced)) return
      if (equalAt(this.#announced, block, this.#computed, block, this.digestBytes))
        return this.#hold(block)
      this.#set(block, bad)
      wrong.add(block * this.blockBytes, this.bytesOf(block))
    })
    return wrong.toArray()
  }

  /** Keeps the digests of blocks that have none of this kind yet, in as few copies as possible. */
  #put(table: Uint8Array, flag: number, offset: number, length: number, digests: Uint8Array): void {
    const start = this.#check(offset, length, digests)
    const bytes = this.digestBytes
    let [first, past] = [start, start]
    const copy = () =>
      table.set(digests.subarray((first - start) * bytes, (past - start) * bytes), first * bytes)
    this.#each(offset, length, (block) => {
      if (this.#is(block, flag)) return
      this.#set(block, flag)
      if (block === past) return past++
      copy()
      first = block
      past = block + 1
    })
    copy()
  }

  #hold(block: number): void {
    if (this.#is(block, verified)) return
    this.#set(block, verified)
    this.#verifiedBlocks++
    this.#fresh.add(block * this.blockBytes, this.bytesOf(block))
    this.#verifiedBytes += this.bytesOf(block)
    if (this.#is(block, copiedIn)) this.#repairedBytes += this.bytesOf(block)
  }

  #is(block: number, flag: number): boolean {
    return ((this.#state[block] as number) & flag) !== 0
  }

  #set(block: number, flags: number): void {
    this.#state[block] = (this.#state[block] as number) | flags
  }

  #each(offset: number, length: number, visit: (block: number) => void): void {
    if (length <= 0) return
    const last = Math.min(this.blocks, Math.ceil((offset + length) / this.blockBytes))
    for (let block = Math.floor(offset / this.blockBytes); block < last; block++) visit(block)
  }

  /** The first block of a run that must be whole blocks with one digest each. */
  #check(offset: number, length: number, digests: Uint8Array): number {
    const blocks = Math.ceil(length / this.blockBytes)
    const end = offset + length
    const whole =
      offset % this.blockBytes === 0 && (end % this.blockBytes === 0 || end === this.size)
    if (!whole || end > this.size || digests.length !== blocks * this.digestBytes) {
      throw new RangeError(`digests of [${offset}, ${length}) are not those of whole blocks`)
    }
    return offset / this.blockBytes
  }
}

/** True when (offset, length) is a run of whole blocks of a stream of this size. */
export function isBlockRun(
  offset: number,
  length: number,
  blockBytes: BlockBytes,
  size: number,
): boolean {
  const end = offset + length
  const fits =
    Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length > 0
  const isAtBlock = (at: number): boolean => blockStart(at, blockBytes) === at
  return fits && end <= size && isAtBlock(offset) && (isAtBlock(end) || end === size)
}

function equalAt(a: Uint8Array, ai: number, b: Uint8Array, bi: number, bytes: number): boolean {
  for (let i = 0; i < bytes; i++) if (a[ai * bytes + i] !== b[bi * bytes + i]) return false
  return true
}
