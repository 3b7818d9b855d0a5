/**
 * Blocks that an earlier fetch left in the file. They count as held once their digests are those of
 * the content; what is to be hashed first is hashed meanwhile. A wrong one is fetched like one that
 * is missing.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { taskBytesFor } from '../holdings/hashing.js'
import type { FoundRun } from './events.js'

/** What has become of found blocks. */
export interface FoundVerdict {
  readonly right: readonly RangePair[]
  readonly wrong: readonly RangePair[]
}

export class FoundBlocks {
  /** Not judged. */
  readonly open = new RangeSet()
  readonly #blockBytes: number
  readonly #known: FoundRun[] = []
  readonly #toHash: RangePair[] = []
  #hashing = 0

  constructor(blockBytes: number, runs: readonly FoundRun[]) {
    this.#blockBytes = blockBytes
    const taskBytes = taskBytesFor(blockBytes)
    for (const run of runs) {
      this.open.add(run.offset, run.length)
      if (run.digests !== null) this.#known.push(run)
      else
        for (let at = run.offset; at < run.offset + run.length; at += taskBytes)
          this.#toHash.push([at, Math.min(taskBytes, run.offset + run.length - at)])
    }
  }

  /** The next run to hash, a few at a time. */
  takeToHash(most: number): RangePair | undefined {
    if (this.#hashing >= most) return undefined
    const next = this.#toHash.shift()
    if (next !== undefined) this.#hashing++
    return next
  }

  hashed(offset: number, length: number, digests: Uint8Array): void {
    this.#hashing--
    this.#known.push({ offset, length, digests })
  }

  /** `right`: the digests of the content for a range. */
  judge(right: (offset: number, length: number) => Uint8Array): FoundVerdict {
    const [good, bad] = [new RangeSet(), new RangeSet()]
    for (const { offset, length, digests } of this.#known.splice(0)) {
      const found = digests as Uint8Array
      const each = found.length / Math.ceil(length / this.#blockBytes)
      const known = right(offset, length)
      for (let at = 0; at * this.#blockBytes < length; at++) {
        const start = offset + at * this.#blockBytes
        const bytes = Math.min(this.#blockBytes, offset + length - start)
        const isRight = isEqual(found, known, at * each, each)
        ;(isRight ? good : bad).add(start, bytes)
        this.open.remove(start, bytes)
      }
    }
    return { right: good.toArray(), wrong: bad.toArray() }
  }
}

function isEqual(one: Uint8Array, other: Uint8Array, at: number, bytes: number): boolean {
  for (let i = at; i < at + bytes; i++) if (one[i] !== other[i]) return false
  return true
}
