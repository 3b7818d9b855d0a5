/**
 * The block digests the origin has computed so far, in the runs in which they travel.
 *
 * The idea: a run is what one hash task read. It becomes one record with one signature, however
 * many nodes are sent it and whatever part of it they asked for.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { taskBytesFor } from '../holdings/hashing.js'
import type { Geometry } from '../holdings/have.js'

export interface DigestRun {
  readonly offset: number
  readonly length: number
  readonly digests: Uint8Array
}

/** Digests of a whole file, laid end to end, in the runs in which it would be read. */
export function runsOf(digests: Uint8Array, bytes: number, blockBytes: number): DigestRun[] {
  const digestBytes = digests.length / Math.max(1, Math.ceil(bytes / blockBytes))
  const runs: DigestRun[] = []
  for (let offset = 0; offset < bytes; offset += taskBytesFor(blockBytes)) {
    const length = Math.min(taskBytesFor(blockBytes), bytes - offset)
    const first = (offset / blockBytes) * digestBytes
    const end = first + Math.ceil(length / blockBytes) * digestBytes
    runs.push({ offset, length, digests: digests.subarray(first, end) })
  }
  return runs
}

export class OriginDigests {
  readonly all: Uint8Array
  readonly #extent: Geometry
  readonly #digestBytes: number
  readonly #known = new RangeSet()
  /** For each block the number of the first block of its run, counted from 1; 0: no digest yet. */
  readonly #runs: Uint32Array

  constructor(extent: Geometry, digestBytes: number) {
    const blocks = Math.ceil(extent.bytes / extent.blockBytes)
    this.#extent = extent
    this.#digestBytes = digestBytes
    this.all = new Uint8Array(blocks * digestBytes)
    this.#runs = new Uint32Array(blocks)
  }

  /** The digests of a run of whole blocks from `offset` on. */
  put(offset: number, digests: Uint8Array): void {
    if (digests.length > limits.recordDigestBytes - limits.digestHeadBytes)
      throw new RangeError('the digests of a run do not fit a record')
    const first = offset / this.#extent.blockBytes
    const blocks = digests.length / this.#digestBytes
    this.all.set(digests, first * this.#digestBytes)
    this.#runs.fill(first + 1, first, first + blocks)
    this.#known.add(
      offset,
      Math.min(offset + blocks * this.#extent.blockBytes, this.#extent.bytes) - offset,
    )
  }

  /** Whether these are the digests that were put there. */
  areEqual(offset: number, digests: Uint8Array): boolean {
    const at = (offset / this.#extent.blockBytes) * this.#digestBytes
    return digests.every((byte, i) => byte === this.all[at + i])
  }

  /** The whole blocks that the range touches: digests exist for nothing less. */
  blocksOf([offset, length]: RangePair): RangePair {
    const start = Math.floor(offset / this.#extent.blockBytes) * this.#extent.blockBytes
    const last = Math.ceil((offset + length) / this.#extent.blockBytes)
    return [start, Math.min(this.#extent.bytes, last * this.#extent.blockBytes) - start]
  }

  /** The parts of these whole blocks that have digests. */
  known(blocks: RangePair): RangePair[] {
    return this.#known.present(...blocks)
  }

  /** The runs that these ascending ranges touch, each once, as far as there are digests. */
  *runs(ranges: Iterable<RangePair>): IterableIterator<DigestRun> {
    let block = 0
    for (const [offset, length] of ranges) {
      const end = Math.ceil((offset + length) / this.#extent.blockBytes)
      block = Math.max(block, Math.floor(offset / this.#extent.blockBytes))
      while (block < end) {
        const first = (this.#runs[block++] ?? 0) - 1
        if (first < 0) continue
        while (this.#runs[block] === first + 1) block++
        yield this.#run(first, block)
      }
    }
  }

  #run(first: number, end: number): DigestRun {
    const offset = first * this.#extent.blockBytes
    const length = Math.min(end * this.#extent.blockBytes, this.#extent.bytes) - offset
    const digests = this.all.subarray(first * this.#digestBytes, end * this.#digestBytes)
    return { offset, length, digests }
  }
}
