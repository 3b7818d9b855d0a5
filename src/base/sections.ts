/**
 * Blocks of a content whose size nobody knows yet: their size depends on the offset alone.
 *
 * The idea: section k begins at 4 GiB x (2^k - 1), is 4 GiB x 2^k long and has blocks of 64 KiB x
 * 2^k. So the blocks grow with the content, nothing that is there is ever cut or hashed anew, and
 * 4 TiB have 655,424 of them. Every section begins at a multiple of 4 GiB, and the blocks that a
 * finished file of any size has (`blockBytesFor`) are unions of whole blocks of every section.
 *
 * Offsets and lengths are bytes of the content, below limits.growingSpanBytes.
 */
import { digestBytesOf } from './digests.js'
import { limits } from './limits.js'

/** How the blocks of a content are cut: all of one size in bytes, or by sections. */
export type BlockBytes = number | 'sections'

export interface Section {
  /** First byte, and first byte behind it. */
  readonly start: number
  readonly end: number
  readonly blockBytes: number
  /** Number of its first block in the whole content. */
  readonly firstBlock: number
}

const blocksPerSection = limits.sectionBytes / limits.blockBytesMin
/** Contents that are still written have digests of BLAKE3. */
const digestBytes = digestBytesOf('blake3')
const lastSection = Math.log2(limits.blockBytesMax / limits.blockBytesMin)

/** The section of the byte at `offset`; the last one has no end but that of the span. */
export function sectionOf(offset: number): Section {
  const sections = Math.floor(offset / limits.sectionBytes) + 1
  const k = Math.min(lastSection, 31 - Math.clz32(sections))
  return {
    start: limits.sectionBytes * (2 ** k - 1),
    end: k === lastSection ? limits.growingSpanBytes : limits.sectionBytes * (2 ** (k + 1) - 1),
    blockBytes: limits.blockBytesMin * 2 ** k,
    firstBlock: blocksPerSection * k,
  }
}

/** Bytes of the block that the byte at `offset` lies in. */
export function blockBytesAt(offset: number, blockBytes: BlockBytes = 'sections'): number {
  return blockBytes === 'sections' ? sectionOf(offset).blockBytes : blockBytes
}

/** Number of the block that the byte at `offset` lies in, counted from the first of the content. */
export function blockAt(offset: number, by: BlockBytes = 'sections'): number {
  if (by !== 'sections') return Math.floor(offset / by)
  const { start, blockBytes, firstBlock } = sectionOf(offset)
  return firstBlock + Math.floor((offset - start) / blockBytes)
}

/** Where the block of this number begins. */
export function offsetOfBlock(block: number, by: BlockBytes = 'sections'): number {
  if (by !== 'sections') return block * by
  const k = Math.min(lastSection, Math.floor(block / blocksPerSection))
  const { start, blockBytes, firstBlock } = sectionOf(limits.sectionBytes * (2 ** k - 1))
  return start + (block - firstBlock) * blockBytes
}

/** Where the block begins that the byte at `offset` lies in. */
export function blockStart(offset: number, by: BlockBytes): number {
  return by === 'sections' ? wholeEnd(offset) : Math.floor(offset / by) * by
}

/** Where the first block begins that begins at `offset` or behind it. */
export function nextBlock(offset: number, by: BlockBytes): number {
  const start = blockStart(offset, by)
  return start === offset ? offset : start + blockBytesAt(offset, by)
}

/** Where the last block ends that is whole before `end`. */
export function wholeEnd(end: number): number {
  const { start, blockBytes } = sectionOf(end)
  return start + Math.floor((end - start) / blockBytes) * blockBytes
}

/** Whether a range begins at a block and does not go beyond the section of its first byte. */
export function isInSection(offset: number, length: number): boolean {
  const { start, end, blockBytes } = sectionOf(offset)
  return (offset - start) % blockBytes === 0 && offset + length <= end
}

/** Digests of the blocks from `offset` on, of which the last may be the beginning of one. */
export interface BlockRun {
  readonly offset: number
  readonly length: number
  readonly digests: Uint8Array
}

/** One run for each block of a run, which does not go beyond its section. */
export function blocksOf({ offset, length, digests }: BlockRun): BlockRun[] {
  const { blockBytes } = sectionOf(offset)
  const count = Math.ceil(length / blockBytes)
  return Array.from({ length: count }, (_, i) => ({
    offset: offset + i * blockBytes,
    length: Math.min(blockBytes, length - i * blockBytes),
    digests: digests.subarray(i * digestBytes, (i + 1) * digestBytes),
  }))
}
