/**
 * How much of the content there is at the origin, and how it is cut into blocks.
 *
 * The idea: whatever the coordinator asks about the size of the content it asks at the moment that
 * it needs the answer, and it asks what it means: does this range exist, are so many bytes all of
 * it. So nothing keeps a size of its own that could be an earlier one.
 */
import type { RangePair } from '../../base/ranges.js'
import type { Geometry } from '../holdings/have.js'
import { isBlockRun } from '../holdings/ledger.js'

export class Extent implements Geometry {
  readonly bytes: number
  readonly blockBytes: number

  constructor(bytes: number, blockBytes: number) {
    this.bytes = bytes
    this.blockBytes = blockBytes
  }

  /** All that there is. */
  get whole(): RangePair {
    return [0, this.bytes]
  }

  /** Whether all of a range exists. */
  has([offset, length]: RangePair): boolean {
    return offset + length <= this.bytes
  }

  /** Whether a range is one or several whole blocks that exist. */
  hasBlocks([offset, length]: RangePair): boolean {
    return isBlockRun(offset, length, this.blockBytes, this.bytes)
  }

  /** Whether somebody who has so many bytes lacks nothing, now and later. */
  isAll(bytes: number): boolean {
    return bytes >= this.bytes
  }
}
