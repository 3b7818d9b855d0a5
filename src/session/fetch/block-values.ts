/** The values of the blocks of a content by sections, one after the other as it grows. */
import { digestBytesOf } from '../../base/digests.js'
import { blockAt, wholeEnd } from '../../base/sections.js'

const valueBytes = digestBytesOf('blake3')

export class BlockValues {
  #bytes = new Uint8Array(valueBytes * 64)
  #count = 0

  /** Of a run that begins at a block; the last one may be of the beginning of one. */
  add(offset: number, values: Uint8Array): void {
    const first = blockAt(offset) * valueBytes
    const end = first + values.length
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes.set(values, first)
    this.#count = Math.max(this.#count, end / valueBytes)
  }

  get all(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * valueBytes)
  }

  of(offset: number, length: number): Uint8Array {
    const end = offset + length
    const past = blockAt(end) + (wholeEnd(end) === end ? 0 : 1)
    return this.#bytes.subarray(blockAt(offset) * valueBytes, past * valueBytes)
  }
}
