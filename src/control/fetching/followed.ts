/**
 * What a client has verified of a content that is still written, and what it asks a holder for.
 *
 * The idea: only the beginning without a gap counts, so blocks are looked at in order, and what is
 * kept is of the blocks behind it that are under way: bounded by how far bytes are asked ahead,
 * however long the content is. Whole blocks are asked for together. Of the block that the holder's
 * prefix ends in, the digest of its beginning (a cut) is asked for once the last one was looked at:
 * the newest may be ahead of what is there, and would be so for ever where writing never stops.
 *
 * What one holder said is forgotten with it: each attempt has a record of its own, from the prefix
 * on that the one before it came to.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { type BlockRun, blockBytesAt, blocksOf, wholeEnd } from '../../base/sections.js'

/** Digest of a block, or of its beginning up to `end`. */
interface Part {
  readonly end: number
  readonly digest: Uint8Array
}

/** A record of digests that the author has signed. */
export interface FollowedRecord extends BlockRun {
  /** The content ends where the record does. */
  readonly isFinal: boolean
}

export type FollowWish =
  | { readonly type: 'pull'; readonly range: RangePair }
  | { readonly type: 'needDigests'; readonly range: RangePair }
  /** Hash this beginning of a block once it is there. */
  | { readonly type: 'cut'; readonly offset: number; readonly length: number }
  /** Records up to here may come. */
  | { readonly type: 'grow'; readonly bytes: number; readonly isFinal: boolean }
  /** The prefix ends here now; the digest is that of its last block as far as it goes. */
  | { readonly type: 'verified'; readonly offset: number; readonly part: Part }

export class Followed {
  #prefix: number
  /** What the holder has verified. */
  #there = 0
  #isThereFinal = false
  /** Where the content ends; undefined: no record has said so. */
  #end: number | undefined
  /** The reader of the output is here. */
  #deliveredTo: number
  readonly #aheadBytes: number
  #askedTo: number
  /** Digests of whole blocks before this were asked for. */
  #digestsTo: number
  /** The beginning of the last block was asked for, and is not decided. */
  #isTailAsked = false
  #isEndAsked = false
  #mayComeBytes = 0
  readonly #announced = new Map<number, Part>()
  readonly #computed = new Map<number, Part>()
  readonly #wishes: FollowWish[] = []

  /** All before `prefix` is here. `aheadBytes`: the most that is asked ahead of the reader. */
  constructor(prefix: number, aheadBytes: number, deliveredTo: number) {
    this.#prefix = prefix
    this.#aheadBytes = aheadBytes
    this.#deliveredTo = deliveredTo
    this.#askedTo = prefix
    this.#digestsTo = wholeEnd(prefix)
  }

  get prefix(): number {
    return this.#prefix
  }

  /** Where the content ends, by its author; undefined: nobody knows. */
  get end(): number | undefined {
    return this.#end
  }

  get isDone(): boolean {
    return this.#end === this.#prefix
  }

  /** The holder owes something: it has more, and may be asked for that. */
  get isOwed(): boolean {
    if (this.isDone) return false
    return this.#isThereFinal && this.#prefix === this.#there
      ? this.#end === undefined
      : this.#prefix < Math.min(this.#there, this.#bound)
  }

  takeWishes(): FollowWish[] {
    return this.#wishes.splice(0)
  }

  /** The holder has so much. */
  more(bytes: number, isFinal: boolean): void {
    this.#there = Math.max(this.#there, bytes)
    this.#isThereFinal ||= isFinal
    this.#ask()
  }

  /** The reader of the output is at this byte. */
  delivered(bytes: number): void {
    this.#deliveredTo = Math.max(this.#deliveredTo, bytes)
    this.#ask()
  }

  /** Why the record cannot be; null: it can. What nobody asked for is not kept. */
  announce({ offset, length, digests, isFinal }: FollowedRecord): Failure | null {
    const end = offset + length
    if (this.#end !== undefined && (end > this.#end || (isFinal && end !== this.#end)))
      return fault(`said that the content ends at ${this.#end}, and has more`)
    if (isFinal && end < this.#prefix) return fault(`ends the content at ${end}, and has sent more`)
    if (isFinal && this.#end === undefined) {
      this.#end = end
      this.#wishes.push({ type: 'grow', bytes: end, isFinal: true })
    }
    for (const [start, part] of partsOf({ offset, length, digests })) this.#say(start, part)
    return this.#decide()
  }

  /** Digests over bytes that have landed: whole blocks, or the beginning of one at the end. */
  computed(offset: number, length: number, digests: Uint8Array): Failure | null {
    for (const [start, part] of partsOf({ offset, length, digests }))
      if (part.end > (this.#computed.get(start)?.end ?? this.#prefix))
        this.#computed.set(start, part)
    return this.#decide()
  }

  #say(start: number, part: Part): void {
    const known = this.#announced.get(start)
    const isNews = part.end > Math.max(this.#prefix, known?.end ?? 0)
    // Of what was not asked for nothing is kept; it is asked for in its turn.
    if (!isNews || start >= Math.max(this.#digestsTo, this.#askedTo)) return
    this.#announced.set(start, part)
    const isWhole = part.end === start + blockBytesAt(start) || part.end === this.#end
    if (!isWhole) this.#wishes.push({ type: 'cut', offset: start, length: part.end - start })
  }

  /** Blocks in order, as far as both digests of each are here. */
  #decide(): Failure | null {
    for (;;) {
      const start = wholeEnd(this.#prefix)
      const [said, found] = [this.#announced.get(start), this.#computed.get(start)]
      if (said === undefined || found === undefined || said.end !== found.end) break
      if (!said.digest.every((byte, i) => byte === found.digest[i])) {
        const text = `the block at ${start} came wrong`
        return { code: 'ERR_FR_BAD_BLOCK', text }
      }
      this.#prefix = said.end
      this.#announced.delete(start)
      this.#computed.delete(start)
      this.#isTailAsked = false
      this.#wishes.push({ type: 'verified', offset: start, part: said })
    }
    this.#ask()
    return null
  }

  get #bound(): number {
    return this.#deliveredTo + this.#aheadBytes
  }

  #ask(): void {
    const ahead = limits.grownAheadBytes + limits.blockBytesMax
    const mayCome = Math.min(limits.growingSpanBytes, this.#there + ahead)
    // Half of what is ahead is enough for a while.
    if (this.#end === undefined && mayCome - this.#mayComeBytes > ahead / 4) {
      this.#mayComeBytes = mayCome
      this.#wishes.push({ type: 'grow', bytes: mayCome, isFinal: false })
    }
    const most = Math.max(limits.followAheadBytes, 4 * blockBytesAt(this.#prefix))
    const there = Math.min(this.#there, this.#end ?? this.#there)
    const to = Math.min(there, this.#bound, this.#prefix + most)
    while (this.#askedTo < to) {
      const length = Math.min(limits.pullUnitBytesMax, to - this.#askedTo)
      this.#wishes.push({ type: 'pull', range: [this.#askedTo, length] })
      this.#askedTo += length
    }
    const whole = wholeEnd(this.#askedTo)
    if (whole > this.#digestsTo) {
      const range: RangePair = [this.#digestsTo, whole - this.#digestsTo]
      this.#wishes.push({ type: 'needDigests', range })
      this.#digestsTo = whole
    }
    // It comes by itself to who has asked for anything.
    if (this.#isThereFinal && this.#prefix === there && !this.#isEndAsked) {
      this.#isEndAsked = true
      if (this.#end === undefined)
        this.#wishes.push({ type: 'needDigests', range: [Math.max(0, there - 1), 1] })
    }
    const isAll = this.#askedTo === there && there > Math.max(whole, this.#prefix)
    if (!isAll || this.#isTailAsked) return
    this.#isTailAsked = true
    this.#wishes.push({ type: 'needDigests', range: [whole, there - whole] })
  }
}

/** Each block of a run, or the beginning of one, by where it begins. */
function partsOf(run: BlockRun): [number, Part][] {
  return blocksOf(run).map(({ offset, length, digests }) => {
    return [offset, { end: offset + length, digest: digests.slice() }]
  })
}

function fault(text: string): Failure {
  return { code: 'ERR_FR_PROTOCOL', text }
}
