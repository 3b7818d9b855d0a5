/** Hashes held files in the pool's workers, and signs their digests with the key of the node. */
import { hexOf } from '../../base/bytes.js'
import { blockAlgorithmFor, digestBytesOf } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import { taskBytesFor } from '../../control/holdings/hashing.js'
import type { HeldRun } from '../../control/holdings/have.js'
import { randomId } from '../../net/crypto.js'
import type { ByteRange, DataEngine, FileHandle, HashPool } from '../../ports.js'
import { type SignedContent, signDigests } from '../../protocol/digest-record.js'
import type { Signer } from '../../protocol/primitives.js'
import type { DigestRun } from '../../store/catalogue/record.js'
import type { HeldGeometry, HeldWork } from '../../store/held/work.js'
import { fileDigestOf } from '../file-digest.js'
import { inOrder, piecesOfFile } from '../in-order.js'

export class PoolWork implements HeldWork {
  readonly author: string
  readonly #engine: DataEngine
  readonly #pool: HashPool
  readonly #signer: Signer

  constructor(engine: DataEngine, pool: HashPool, signer: Signer) {
    this.author = hexOf(signer.publicKey)
    this.#engine = engine
    this.#pool = pool
    this.#signer = signer
  }

  freshId(): string {
    return randomId()
  }

  hash(
    file: FileHandle,
    { size, blockBytes, algorithm }: HeldGeometry,
    signal: AbortSignal,
  ): AsyncGenerator<HeldRun> {
    const source = this.#engine.hashSource(file)
    const kind = blockAlgorithmFor(algorithm, size, blockBytes)
    const taskBytes = taskBytesFor(blockBytes)
    const hash = async (range: ByteRange): Promise<HeldRun> => {
      return { ...range, digests: await this.#pool.hash(source, range, blockBytes, kind) }
    }
    return inOrder(piecesOfFile(size, taskBytes), limits.heldHashTasks, hash, signal)
  }

  sum({ algorithm, size, blockBytes }: HeldGeometry, digests: Uint8Array): string {
    return fileDigestOf(this.#engine, algorithm, size, blockBytes, digests)
  }

  sign(content: HeldGeometry & SignedContent, digests: Uint8Array): DigestRun[] {
    const { size, blockBytes, algorithm } = content
    const digestBytes = digestBytesOf(algorithm)
    const taskBytes = taskBytesFor(blockBytes)
    const runs: DigestRun[] = []
    for (let offset = 0; offset < size; offset += taskBytes) {
      const length = Math.min(taskBytes, size - offset)
      const from = (offset / blockBytes) * digestBytes
      const to = from + Math.ceil(length / blockBytes) * digestBytes
      const payload = signDigests(
        this.#signer,
        content,
        { offset, length },
        digests.subarray(from, to),
      )
      runs.push({ offset, length, payload })
    }
    return runs
  }
}
