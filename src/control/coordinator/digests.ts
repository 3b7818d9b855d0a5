/**
 * The block digests the origin has computed so far, and how they are cut into records.
 */
import { GIB, limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'

/** Room that the two MACs and the hop sequence take in a digest record. */
const recordOverheadBytes = 64

export interface DigestPiece {
  readonly offset: number
  readonly length: number
  readonly digests: Uint8Array
}

export class OriginDigests {
  readonly all: Uint8Array
  readonly #bytes: number
  readonly #blockBytes: number
  readonly #digestBytes: number
  readonly #known = new RangeSet()

  constructor(bytes: number, blockBytes: number, digestBytes: number) {
    this.#bytes = bytes
    this.#blockBytes = blockBytes
    this.#digestBytes = digestBytes
    this.all = new Uint8Array(Math.ceil(bytes / blockBytes) * digestBytes)
  }

  /** Digests of whole blocks from `offset` on. */
  put(offset: number, digests: Uint8Array): void {
    this.all.set(digests, (offset / this.#blockBytes) * this.#digestBytes)
    const end = offset + (digests.length / this.#digestBytes) * this.#blockBytes
    this.#known.add(offset, Math.min(end, this.#bytes) - offset)
  }

  /** Whether these are the digests that were put there. */
  areEqual(offset: number, digests: Uint8Array): boolean {
    const at = (offset / this.#blockBytes) * this.#digestBytes
    return digests.every((byte, i) => byte === this.all[at + i])
  }

  /** The whole blocks that the range touches: digests exist for nothing less. */
  blocksOf([offset, length]: RangePair): RangePair {
    const start = Math.floor(offset / this.#blockBytes) * this.#blockBytes
    const last = Math.ceil((offset + length) / this.#blockBytes)
    return [start, Math.min(this.#bytes, last * this.#blockBytes) - start]
  }

  /** The runs within these whole blocks that have digests. */
  known(blocks: RangePair): RangePair[] {
    return this.#known.present(...blocks)
  }

  /** A run of known, whole blocks, cut so that each piece fits a record. */
  *pieces(run: RangePair): IterableIterator<DigestPiece> {
    const perRecord = Math.floor(
      (limits.recordDigestBytes - recordOverheadBytes) / this.#digestBytes,
    )
    // A record header has 32 bits for the length it covers.
    const pieceBytes = Math.min(perRecord, Math.floor(GIB / this.#blockBytes)) * this.#blockBytes
    const end = run[0] + run[1]
    for (let offset = run[0]; offset < end; offset += pieceBytes) {
      const length = Math.min(pieceBytes, end - offset)
      const first = offset / this.#blockBytes
      const blocks = Math.ceil(length / this.#blockBytes)
      const digests = this.all.subarray(
        first * this.#digestBytes,
        (first + blocks) * this.#digestBytes,
      )
      yield { offset, length, digests }
    }
  }
}
