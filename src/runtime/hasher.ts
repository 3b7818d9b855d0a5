/**
 * Block digests of one open file: short runs and small files on this thread, in pieces between
 * which the loop goes on; everything else in the pool.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FrError } from '../errors.js'
import { limits } from '../limits.js'
import type { ByteRange, DataEngine, DigestAlgorithm, FileHandle, HashPool } from '../ports.js'
import { concat } from '../protocol/bytes.js'
import { asFrError } from './failures.js'
import { HashBudget } from './hash-budget.js'
import { nowMs } from './loop.js'

export interface HashGeometry {
  readonly fileBytes: number
  readonly blockBytes: number
  readonly algorithm: DigestAlgorithm
  /** What is hashed has been written a moment before. */
  readonly hasJustLanded?: boolean
}

export class Hasher {
  readonly #engine: DataEngine
  readonly #pool: HashPool
  readonly #geometry: HashGeometry
  readonly #budget = new HashBudget()

  constructor(engine: DataEngine, pool: HashPool, geometry: HashGeometry) {
    this.#engine = engine
    this.#pool = pool
    this.#geometry = geometry
  }

  /** Calls back exactly once, for short runs before it returns. Never rejects. */
  async hash(
    file: FileHandle,
    range: ByteRange,
    done: (digests: Uint8Array) => void,
    failed: (error: FrError) => void,
  ): Promise<void> {
    const { fileBytes, blockBytes, algorithm } = this.#geometry
    let digests: Uint8Array
    try {
      if (range.length <= limits.hashInlineBytes) {
        digests = this.#engine.hashNow(file, range, blockBytes, algorithm)
      } else if (fileBytes <= limits.hashSmallFileBytes || this.#isWorthHere(range)) {
        digests = await this.#inPieces(file, range)
      } else {
        digests = await this.#pool.hash(this.#engine.hashSource(file), range, blockBytes, algorithm)
      }
    } catch (error) {
      return failed(asFrError(error, 'ERR_FR_IO'))
    }
    done(digests)
  }

  /** Bytes that have just landed are in the page cache: reading them waits for no disk. */
  #isWorthHere(range: ByteRange): boolean {
    const { blockBytes, algorithm, hasJustLanded = false } = this.#geometry
    const isCheap = hasJustLanded && algorithm === 'xxh64' && blockBytes <= limits.hashInlineBytes
    return isCheap && this.#budget.take(range.length, nowMs())
  }

  async #inPieces(file: FileHandle, range: ByteRange): Promise<Uint8Array> {
    const { blockBytes, algorithm } = this.#geometry
    const pieceBytes = Math.floor(limits.hashInlineBytes / blockBytes) * blockBytes
    const end = range.offset + range.length
    const parts: Uint8Array[] = []
    for (let offset = range.offset; offset < end; offset += pieceBytes) {
      if (parts.length > 0) await nextTurn()
      const length = Math.min(pieceBytes, end - offset)
      parts.push(this.#engine.hashNow(file, { offset, length }, blockBytes, algorithm))
    }
    return concat(...parts)
  }
}
