/**
 * The block digests the origin has computed so far, in the runs in which they travel.
 *
 * The idea: a run is what one hash task read. It becomes one record with one signature, however
 * many nodes are sent it and whatever part of it they asked for.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import {
  type BlockBytes,
  blockAt,
  blockStart,
  nextBlock,
  offsetOfBlock,
} from '../../base/sections.js'
import { taskBytesFor } from '../holdings/hashing.js'
import type { Geometry } from '../holdings/have.js'

export interface DigestRun {
  readonly offset: number
  readonly length: number
  readonly digests: Uint8Array
  /** The content ends where the run does. */
  readonly isFinal?: boolean
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
  readonly #extent: Geometry
  readonly #digestBytes: number
  readonly #known = new RangeSet()
  /** Of all blocks that were heard of, laid end to end, and room for more. */
  #all: Uint8Array
  /** For each block the number of the first block of its run, counted from 1; 0: no digest yet. */
  #runs: Uint32Array
  /** Of a content that grows: the beginning of its last block, or the run that it ends with. */
  #cut: DigestRun | undefined

  constructor(extent: Geometry, digestBytes: number) {
    const blocks = blocksBefore(extent.bytes, extent.blockBytes)
    this.#extent = extent
    this.#digestBytes = digestBytes
    this.#all = new Uint8Array(blocks * digestBytes)
    this.#runs = new Uint32Array(blocks)
  }

  /** Of all blocks, once all were put there. */
  get all(): Uint8Array {
    const blocks = blocksBefore(this.#extent.bytes, this.#extent.blockBytes)
    return this.#all.subarray(0, blocks * this.#digestBytes)
  }

  /** The digests of a run of whole blocks from `offset` on. */
  put(offset: number, digests: Uint8Array): void {
    if (digests.length > limits.recordDigestBytes - limits.digestHeadBytes)
      throw new RangeError('the digests of a run do not fit a record')
    const first = this.#set(offset, digests)
    const blocks = digests.length / this.#digestBytes
    this.#runs.fill(first + 1, first, first + blocks)
    const { blockBytes, bytes } = this.#extent
    this.#known.add(offset, Math.min(offsetOfBlock(first + blocks, blockBytes), bytes) - offset)
    const cut = this.#cut
    if (cut?.isFinal === false && this.#known.contains(cut.offset, cut.length))
      this.#cut = undefined
  }

  /** A run of one block or its beginning, which takes the place of the last one. */
  cut(run: DigestRun): void {
    this.#cut = run
    if (!run.isFinal || run.length === 0) return
    this.#set(run.offset, run.digests)
    this.#known.add(run.offset, run.length)
  }

  /** Whether these are the digests that were put there. */
  areEqual(offset: number, digests: Uint8Array): boolean {
    const at = blockAt(offset, this.#extent.blockBytes) * this.#digestBytes
    return digests.every((byte, i) => byte === this.#all[at + i])
  }

  /** The whole blocks that the range touches: digests exist for nothing less. */
  blocksOf([offset, length]: RangePair): RangePair {
    const { bytes, blockBytes } = this.#extent
    const start = blockStart(offset, blockBytes)
    return [start, Math.min(bytes, nextBlock(offset + length, blockBytes)) - start]
  }

  /** The parts of these whole blocks that have digests. */
  known(blocks: RangePair): RangePair[] {
    return this.#known.present(...blocks)
  }

  /** The runs that these ascending ranges touch, each once, as far as there are digests. */
  *runs(ranges: Iterable<RangePair>): IterableIterator<DigestRun> {
    const { blockBytes } = this.#extent
    const cut = this.#cut
    let block = 0
    let isCutTouched = false
    for (const range of ranges) {
      const [offset, length] = range
      const end = blocksBefore(offset + length, blockBytes)
      block = Math.max(block, blockAt(offset, blockBytes))
      while (block < end) {
        const first = (this.#runs[block++] ?? 0) - 1
        if (first < 0) continue
        while (this.#runs[block] === first + 1) block++
        yield this.#run(first, block)
      }
      isCutTouched ||= cut !== undefined && touches(cut, range)
    }
    if (isCutTouched) yield cut as DigestRun
  }

  /** Keeps digests from the block at `offset` on, and says its number. */
  #set(offset: number, digests: Uint8Array): number {
    const first = blockAt(offset, this.#extent.blockBytes)
    const blocks = first + digests.length / this.#digestBytes
    if (blocks > this.#runs.length) {
      const room = Math.max(blocks, 2 * this.#runs.length)
      const [all, runs] = [new Uint8Array(room * this.#digestBytes), new Uint32Array(room)]
      all.set(this.#all)
      runs.set(this.#runs)
      this.#all = all
      this.#runs = runs
    }
    this.#all.set(digests, first * this.#digestBytes)
    return first
  }

  #run(first: number, end: number): DigestRun {
    const { bytes, blockBytes } = this.#extent
    const offset = offsetOfBlock(first, blockBytes)
    const length = Math.min(offsetOfBlock(end, blockBytes), bytes) - offset
    const digests = this.#all.subarray(first * this.#digestBytes, end * this.#digestBytes)
    return { offset, length, digests }
  }
}

/** Blocks that begin before this byte. */
function blocksBefore(end: number, blockBytes: BlockBytes): number {
  return end === 0 ? 0 : blockAt(end - 1, blockBytes) + 1
}

/** The run that ends a content is told with whatever it ends with, and where it has no bytes. */
function touches(cut: DigestRun, [offset, length]: RangePair): boolean {
  const [end, cutEnd] = [offset + length, cut.offset + cut.length]
  return cut.isFinal ? end >= cutEnd : offset < cutEnd && end > cut.offset
}
