/**
 * Block digests of one open file: short runs and small files on this thread, in pieces between
 * which the loop goes on; everything else in the pool.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { concat } from '../base/bytes.js'
import { type BlockAlgorithm, blockAlgorithmFor, type DigestAlgorithm } from '../base/digests.js'
import type { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { type BlockBytes, blockBytesAt } from '../base/sections.js'
import { nowMs } from '../base/time/awake.js'
import type { ByteRange, DataEngine, FileHandle, HashPool, StreamSpec } from '../ports.js'
import { HashBudget } from './hash-budget.js'

export interface HashGeometry {
  readonly fileBytes: number
  /** By sections where the content is still written. */
  readonly blockBytes: BlockBytes
  readonly algorithm: DigestAlgorithm
  /** It has holes, which need not be read. */
  readonly isSparse?: boolean
  /** What is hashed has been written a moment before: reading it waits for no disk. */
  readonly hasJustLanded?: boolean
}

export class Hasher {
  readonly #engine: DataEngine
  readonly #pool: HashPool
  readonly #geometry: HashGeometry
  readonly #algorithm: BlockAlgorithm
  readonly #budget: HashBudget

  constructor(engine: DataEngine, pool: HashPool, geometry: HashGeometry) {
    this.#engine = engine
    this.#pool = pool
    this.#geometry = geometry
    const { algorithm, fileBytes, blockBytes } = geometry
    this.#budget = new HashBudget(engine.kind, algorithm)
    this.#algorithm =
      blockBytes === 'sections' ? algorithm : blockAlgorithmFor(algorithm, fileBytes, blockBytes)
  }

  /**
   * What the engine may hash by itself: SHA-256 takes longer than the bytes take to land, and is
   * left to workers.
   */
  get whileLanding(): Pick<StreamSpec, 'hashes'> {
    return this.#algorithm === 'sha256' ? {} : { hashes: this.#algorithm }
  }

  /** Calls back exactly once, for short runs before it returns. Never rejects. */
  async hash(
    file: FileHandle,
    range: ByteRange,
    done: (digests: Uint8Array) => void,
    failed: (error: FrError) => void,
  ): Promise<void> {
    const { fileBytes } = this.#geometry
    const blockBytes = blockBytesAt(range.offset, this.#geometry.blockBytes)
    const algorithm = this.#algorithm
    const isSmall = fileBytes <= limits.hashSmallFileBytes
    let digests: Uint8Array | undefined
    try {
      if (range.length <= limits.hashInlineBytes) {
        digests = this.#engine.hashNow(file, range, blockBytes, algorithm)
      } else {
        // With BLAKE3 zeros are hashed anew wherever they are.
        if (this.#geometry.isSparse && algorithm !== 'blake3')
          digests = this.#engine.hashHoles(file, range, blockBytes, algorithm)
        if (digests === undefined && (isSmall || this.#isWorthHere(range)))
          digests = await this.#inPieces(file, range, isSmall)
      }
      // A worker starts over: what was hashed here is little, and in the cache.
      digests ??= await this.#pool.hash(this.#engine.hashSource(file), range, blockBytes, algorithm)
    } catch (error) {
      return failed(asFrError(error, 'ERR_FR_IO'))
    }
    done(digests)
  }

  /** The same, where nobody has to hear of it before others. Rejects with an FrError. */
  digestsOf(file: FileHandle, range: ByteRange): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      void this.hash(file, range, resolve, reject)
    })
  }

  #isWorthHere(range: ByteRange): boolean {
    const blockBytes = blockBytesAt(range.offset, this.#geometry.blockBytes)
    return blockBytes <= limits.hashInlineBytes && this.#budget.take(range.length, nowMs())
  }

  /** Undefined when the bytes are neither small nor just landed, and a disk would be waited for. */
  async #inPieces(
    file: FileHandle,
    range: ByteRange,
    isSmall: boolean,
  ): Promise<Uint8Array | undefined> {
    const mayWait = isSmall || (this.#geometry.hasJustLanded ?? false)
    const blockBytes = blockBytesAt(range.offset, this.#geometry.blockBytes)
    const algorithm = this.#algorithm
    const pieceBytes = Math.floor(limits.hashInlineBytes / blockBytes) * blockBytes
    const end = range.offset + range.length
    const parts: Uint8Array[] = []
    for (let offset = range.offset; offset < end; offset += pieceBytes) {
      if (parts.length > 0) await nextTurn()
      const length = Math.min(pieceBytes, end - offset)
      const piece = { offset, length }
      const digests = mayWait
        ? this.#engine.hashNow(file, piece, blockBytes, algorithm)
        : this.#engine.hashCached(file, piece, blockBytes, algorithm)
      if (digests === undefined) return undefined
      parts.push(digests)
    }
    return concat(...parts)
  }
}
