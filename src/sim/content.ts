/**
 * What lies in a simulated file: per block, whether its bytes are the origin's. Digests are made of
 * the block number and that fact, so a wrong block has a wrong digest.
 */
import { limits } from '../base/limits.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import type { IndexPiece } from '../control/messages/delta.js'

export const digestBytes = 8

export class SimFile {
  readonly bytes: number
  readonly blockBytes: number
  readonly landed = new RangeSet()
  readonly #isWrong: boolean[]
  /** Bytes of each block that have landed. */
  readonly #landedBytes: Float64Array
  /** Of the source: another file has taken its place, or only its times have moved. */
  hasChanged = false
  isTouched = false

  constructor(bytes: number, blockBytes: number) {
    this.bytes = bytes
    this.blockBytes = blockBytes
    const blocks = Math.ceil(bytes / blockBytes)
    this.#isWrong = new Array<boolean>(blocks).fill(false)
    this.#landedBytes = new Float64Array(blocks)
  }

  change(): void {
    this.hasChanged = true
  }

  /** Bytes arrive. Each lands once; what landed before is dropped. Returns how many are new, and
   *  the blocks that became whole. */
  land(
    offset: number,
    length: number,
    isWrong: boolean,
  ): { freshBytes: number; whole: RangePair[] } {
    const whole: RangePair[] = []
    const { blockBytes } = this
    let freshBytes = 0
    for (const [start, bytes] of this.landed.missing(offset, length)) {
      freshBytes += bytes
      this.landed.add(start, bytes)
      for (let at = start; at < start + bytes; ) {
        const block = Math.floor(at / blockBytes)
        const first = block * blockBytes
        const size = Math.min(blockBytes, this.bytes - first)
        const past = Math.min(first + size, start + bytes)
        const landed = (this.#landedBytes[block] as number) + past - at
        this.#landedBytes[block] = landed
        if (isWrong) this.#isWrong[block] = true
        if (landed === size) whole.push([first, size])
        at = past
      }
    }
    return { freshBytes, whole }
  }

  /** Scratch: the block may land again, and as what it is then. */
  reopen(offset: number, length: number): void {
    this.landed.remove(offset, length)
    for (const block of this.#blocks(offset, length)) {
      const first = block * this.blockBytes
      const size = Math.min(this.blockBytes, this.bytes - first)
      const present = this.landed.present(first, size)
      this.#landedBytes[block] = present.reduce((sum, [, bytes]) => sum + bytes, 0)
    }
  }

  clean(offset: number, length: number): void {
    for (const block of this.#blocks(offset, length)) this.#isWrong[block] = false
  }

  isWrong(block: number): boolean {
    return this.#isWrong[block] === true
  }

  get isRight(): boolean {
    return this.landed.bytes === this.bytes && !this.#isWrong.includes(true)
  }

  /** `again`: as a second reading finds it, where a change shows. */
  digests(offset: number, length: number, again = false): Uint8Array {
    const blocks = [...this.#blocks(offset, length)]
    const digests = new Uint8Array(blocks.length * digestBytes)
    for (const [i, block] of blocks.entries()) {
      // The beginning of a block is another value than the block.
      const bytes = Math.min(offset + length - block * this.blockBytes, this.blockBytes)
      const view = new DataView(digests.buffer)
      view.setUint32(i * digestBytes, block)
      view.setUint16(i * digestBytes + 4, (bytes >> 8) & 0xffff)
      view.setUint8(i * digestBytes + 6, bytes & 0xff)
      digests[i * digestBytes + 7] = this.isWrong(block) ? 1 : 0
    }
    if (again && this.hasChanged) digests[digestBytes - 1] = 2
    return digests
  }

  *#blocks(offset: number, length: number): IterableIterator<number> {
    for (
      let block = Math.floor(offset / this.blockBytes);
      block * this.blockBytes < offset + length;
      block++
    )
      yield block
  }
}

/** As many entries as the index of a piece has; only how long they are means anything. */
export function entriesOf({ kind, length }: IndexPiece): Uint8Array {
  if (kind === 'pages') return new Uint8Array(8 * Math.ceil(length / limits.indexPageBytes))
  const chunks = Math.ceil(length / limits.chunkBytesMax)
  const entries = new Uint8Array(11 * chunks)
  for (let chunk = 0; chunk < chunks; chunk++) {
    const bytes = Math.min(limits.chunkBytesMax, length - chunk * limits.chunkBytesMax)
    entries.set([bytes >> 16, (bytes >> 8) & 255, bytes & 255], 11 * chunk)
  }
  return entries
}

export function sumOf(digests: Uint8Array): string {
  let sum = 0
  for (const byte of digests) sum = (Math.imul(sum, 31) + byte) >>> 0
  return `xxh64-blocks/65536:${sum.toString(16).padStart(16, '0')}`
}
