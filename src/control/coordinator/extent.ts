/**
 * How much of the content there is at the origin, and how it is cut into blocks.
 *
 * The idea: whatever the coordinator asks about the size of the content it asks at the moment that
 * it needs the answer, and it asks what it means: does this range exist, are so many bytes all of
 * it. So nothing keeps a size of its own that could be an earlier one.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { type BlockBytes, blockStart } from '../../base/sections.js'
import type { Geometry } from '../holdings/have.js'
import { isBlockRun } from '../holdings/ledger.js'

export class Extent implements Geometry {
  /** By sections where the content is still written when the push begins. */
  readonly blockBytes: BlockBytes
  #bytes: number
  #isFinal: boolean

  constructor(bytes: number, blockBytes: BlockBytes) {
    this.#bytes = bytes
    this.blockBytes = blockBytes
    this.#isFinal = blockBytes !== 'sections'
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Nothing more comes. */
  get isFinal(): boolean {
    return this.#isFinal
  }

  /** There are so many bytes by now. False: nothing is new by that. */
  grow(bytes: number, isFinal: boolean): boolean {
    if (this.#isFinal || (bytes <= this.#bytes && !isFinal)) return false
    this.#bytes = Math.max(this.#bytes, bytes)
    this.#isFinal = isFinal
    return true
  }

  /** All that there is. */
  get whole(): RangePair {
    return [0, this.#bytes]
  }

  /** All that there is, and that may come. */
  get everything(): RangePair {
    return [0, this.#isFinal ? this.#bytes : limits.growingSpanBytes]
  }

  /** Whether all of a range exists. */
  has([offset, length]: RangePair): boolean {
    return offset + length <= this.#bytes
  }

  /** Whether a range is one or several whole blocks that exist. */
  hasBlocks([offset, length]: RangePair): boolean {
    const end = this.#isFinal ? this.#bytes : blockStart(this.#bytes, this.blockBytes)
    return isBlockRun(offset, length, this.blockBytes, end)
  }

  /** Whether somebody who has so many bytes lacks nothing, now and later. */
  isAll(bytes: number): boolean {
    return this.#isFinal && bytes >= this.#bytes
  }
}
