/**
 * Which digests a node asks the origin for: those of records that came wrong, each block once and
 * at once, and all that are missing when nothing moves any more. Where the origin is gone, mates
 * have them.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Ledger } from '../holdings/ledger.js'
import type { Frame } from '../messages/types.js'

export class MissingDigests {
  readonly #ledger: Ledger
  readonly #asked = new RangeSet()
  /** What is to be asked of mates, by mate. */
  readonly #wanted = new Map<number, RangeSet>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** A record said to be of these bytes was not the author's. */
  cameWrong(offset: number, length: number): Frame[] {
    const lost = this.#ledger.unannounced(offset, length)
    lost.subtract(this.#asked)
    for (const range of lost) this.#asked.add(...range)
    return framesOf(lost)
  }

  /** This mate has the digests of these ranges. */
  want(member: number, ranges: Iterable<RangePair>): void {
    const wanted = this.#wanted.get(member) ?? new RangeSet()
    for (const [offset, length] of ranges)
      for (const range of this.#ledger.unannounced(offset, length)) wanted.add(...range)
    this.#wanted.set(member, wanted)
  }

  /** What to ask it for, once. */
  wantedOf(member: number): Frame[] {
    const wanted = this.#wanted.get(member)
    this.#wanted.delete(member)
    return wanted === undefined ? [] : framesOf(wanted)
  }

  all(): Frame[] {
    return framesOf(this.#ledger.unannounced())
  }
}

function framesOf(blocks: RangeSet): Frame[] {
  const ranges = blocks.compacted(limits.needRanges)
  return ranges.length === 0 ? [] : [{ type: 'needDigests', ranges }]
}
