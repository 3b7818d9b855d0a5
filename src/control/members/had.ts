/** What a node had of the content when it accepted it, by its own word. */
import { type RangePair, RangeSet } from '../../base/ranges.js'

export class Had {
  /** Whole blocks that it holds; those that it has filled are added once it says so. */
  have = new RangeSet()
  /** Bytes of other blocks. */
  readonly filled = new RangeSet()
  /** Bytes of the content whose index it has asked for and not been told. */
  indexAskedBytes = 0
  #heldBytes = 0
  #fillFrames = 0

  accepts(have: readonly RangePair[]): void {
    this.have = RangeSet.of(have)
    this.filled.subtract(this.have)
    this.#heldBytes = this.have.bytes
  }

  /** Returns how often it has said such. */
  fills(ranges: readonly RangePair[]): number {
    for (const range of ranges) this.filled.add(...range)
    return ++this.#fillFrames
  }

  /** Of it, blocks that it held then. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  get bytes(): number {
    return this.#heldBytes + this.filled.bytes
  }

  get ranges(): RangeSet {
    return RangeSet.of([...this.have, ...this.filled])
  }
}
