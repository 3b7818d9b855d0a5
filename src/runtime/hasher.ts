/**
 * Block digests of one open file: short runs at once on this thread, longer ones in the pool.
 * Knows what is under way, so that the file is closed only when nobody reads it any more.
 */
import { limits } from '../limits.js'
import type { ByteRange, DataEngine, DigestAlgorithm, FileHandle, HashPool } from '../ports.js'
import { asFrError } from './failures.js'
import type { FrError } from '../errors.js'

export class Hasher {
  readonly #engine: DataEngine
  readonly #pool: HashPool
  readonly #blockBytes: number
  readonly #algorithm: DigestAlgorithm

  constructor(engine: DataEngine, pool: HashPool, blockBytes: number, algorithm: DigestAlgorithm) {
    this.#engine = engine
    this.#pool = pool
    this.#blockBytes = blockBytes
    this.#algorithm = algorithm
  }

  /** Calls back exactly once, at once for short runs. Never rejects. */
  async hash(
    file: FileHandle,
    range: ByteRange,
    done: (digests: Uint8Array) => void,
    failed: (error: FrError) => void,
  ): Promise<void> {
    let digests: Uint8Array
    try {
      if (range.length <= limits.hashInlineBytes) {
        digests = this.#engine.hashNow(file, range, this.#blockBytes, this.#algorithm)
      } else {
        const source = this.#engine.hashSource(file)
        digests = await this.#pool.hash(source, range, this.#blockBytes, this.#algorithm)
      }
    } catch (error) {
      return failed(asFrError(error, 'ERR_FR_IO'))
    }
    done(digests)
  }
}
