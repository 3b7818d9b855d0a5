/**
 * Which digests a node asks the origin for: those of records that came wrong, each block once and
 * at once, and all that are missing when nothing moves any more.
 */
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import type { StreamLedger } from '../holdings/ledger.js'
import type { Frame } from '../messages/types.js'

export class MissingDigests {
  readonly #ledger: StreamLedger
  readonly #asked = new RangeSet()

  constructor(ledger: StreamLedger) {
    this.#ledger = ledger
  }

  /** A record said to be of these bytes was not the author's. */
  cameWrong(offset: number, length: number): Frame[] {
    const lost = this.#ledger.unannounced(offset, length)
    lost.subtract(this.#asked)
    for (const range of lost) this.#asked.add(...range)
    return framesOf(lost)
  }

  all(): Frame[] {
    return framesOf(this.#ledger.unannounced())
  }
}

function framesOf(blocks: RangeSet): Frame[] {
  const ranges = blocks.compacted(limits.needRanges)
  return ranges.length === 0 ? [] : [{ type: 'needDigests', ranges }]
}
