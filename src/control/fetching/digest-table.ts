/**
 * The digests of all blocks of a content, from one holder at a time.
 *
 * The idea: the file digest names the content, and all digests together give it. So a whole table
 * that gives it is right, whoever sent it, and one that does not was sent by a liar: what came from
 * others is never mixed in.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'

export class DigestTable {
  readonly #size: number
  readonly #blockBytes: number
  readonly #digestBytes: number
  readonly #bytes: Uint8Array
  readonly #missing = new RangeSet()
  /** Who is asked. */
  #member: number | null = null
  #dueMs = 0
  /** What is asked for and has not come. */
  readonly #asked = new RangeSet()
  /** - coming -> summing: whole. summing -> proved, or coming: it was wrong. */
  state: 'coming' | 'summing' | 'proved' = 'coming'

  constructor(size: number, blockBytes: number, digestBytes: number) {
    this.#size = size
    this.#blockBytes = blockBytes
    this.#digestBytes = digestBytes
    this.#bytes = new Uint8Array(Math.ceil(size / blockBytes) * digestBytes)
    this.#missing.add(0, size)
  }

  /** Valid once it is proved. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  get isWhole(): boolean {
    return this.#missing.isEmpty
  }

  /** Who has sent all of it, or is asked for it. */
  get member(): number | null {
    return this.#member
  }

  /** When the holder that is asked has to have sent something. */
  get dueMs(): number {
    const isWaiting = this.state === 'coming' && this.#member !== null
    return isWaiting ? this.#dueMs : Number.POSITIVE_INFINITY
  }

  /** Of one block. */
  digestsOf(offset: number, length: number): Uint8Array {
    const first = Math.floor(offset / this.#blockBytes)
    const past = Math.ceil((offset + length) / this.#blockBytes)
    return this.#bytes.subarray(first * this.#digestBytes, past * this.#digestBytes)
  }

  /** They were proved before. */
  restore(digests: Uint8Array): void {
    this.#bytes.set(digests)
    this.#missing.clear()
    this.state = 'proved'
  }

  /** From this holder alone, from the start. What to ask it for. */
  ask(member: number, nowMs: number): RangePair[] {
    this.#member = member
    this.state = 'coming'
    this.#missing.add(0, this.#size)
    return this.#next(nowMs)
  }

  /** Nobody is asked any more. */
  drop(): void {
    this.#member = null
    this.state = 'coming'
    this.#missing.add(0, this.#size)
  }

  /** What to ask for now; empty: nothing. False: it was not asked for these. */
  take(
    member: number,
    offset: number,
    length: number,
    digests: Uint8Array,
    nowMs: number,
  ): RangePair[] | false {
    if (this.state !== 'coming' || member !== this.#member) return false
    this.#bytes.set(digests, (offset / this.#blockBytes) * this.#digestBytes)
    this.#missing.remove(offset, length)
    this.#asked.remove(offset, length)
    this.#dueMs = nowMs + limits.fetchDigestsMs
    return this.#asked.isEmpty && !this.isWhole ? this.#next(nowMs) : []
  }

  #next(nowMs: number): RangePair[] {
    this.#dueMs = nowMs + limits.fetchDigestsMs
    this.#asked.clear()
    const first = this.#missing.first()
    if (first === undefined) return []
    const length = Math.min(first[1], limits.fetchDigestBlocks * this.#blockBytes)
    this.#asked.add(first[0], length)
    return [[first[0], length]]
  }
}
