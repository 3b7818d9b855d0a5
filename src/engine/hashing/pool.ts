/**
 * The pool of hash workers (piscina). Loaded on first use, because a small push never needs it;
 * its threads end after a while without work.
 *
 * Nothing is queued without bound: callers keep at most limits.hashTasksInFlight tasks of each
 * transfer.
 */
import { availableParallelism } from 'node:os'
import type { Piscina } from 'piscina'
import type { BlockAlgorithm } from '../../base/digests.js'
import { FrError, isFrErrorCode } from '../../base/errors.js'
import type { ByteRange, DecodeTask, EncodeTask, HashPool, HashSource } from '../../ports.js'
import { packageRoot } from '../package-root.js'
import type { WorkerTask } from './worker.js'

// From src (tests) and from dist alike this is the built worker: Node 20 runs no TypeScript in
// threads.
const workerUrl = new URL('dist/engine/hashing/worker.js', packageRoot)
const idleMs = 60_000

export class WorkerHashPool implements HashPool {
  #pool: Promise<Piscina> | undefined
  #isClosed = false

  async hash(
    source: HashSource,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Promise<Uint8Array> {
    return (await this.#run({ source, range, blockBytes, algorithm })) as Uint8Array
  }

  async indexChunks(source: HashSource, range: ByteRange): Promise<Uint8Array> {
    return (await this.#run({ source, range })) as Uint8Array
  }

  async encode(task: EncodeTask): Promise<Uint8Array> {
    return (await this.#run(task)) as Uint8Array
  }

  async decode(task: DecodeTask): Promise<void> {
    await this.#run(task)
  }

  async #run(task: WorkerTask): Promise<unknown> {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    this.#pool ??= openPool()
    const pool = await this.#pool
    try {
      return await pool.run(task)
    } catch (error) {
      throw restored(error)
    }
  }

  /** Idempotent; tasks under way are rejected. */
  async close(): Promise<void> {
    this.#isClosed = true
    const pool = await this.#pool?.catch(() => undefined)
    this.#pool = undefined
    await pool?.destroy()
  }
}

async function openPool(): Promise<Piscina> {
  const { Piscina } = await import('piscina')
  // One core hashes several GB/s: more workers than that only cost their start.
  const maxThreads = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)))
  return new Piscina({ filename: workerUrl.href, minThreads: 0, maxThreads, idleTimeout: idleMs })
}

/** An FrError loses its class on the way out of a thread; its code survives. */
function restored(error: unknown): FrError {
  if (error instanceof FrError) return error
  const { code, message } = error as { code?: unknown; message?: unknown }
  const text = String(message ?? error)
  if (typeof code === 'string' && isFrErrorCode(code))
    return new FrError(code, text, { cause: error })
  return new FrError('ERR_FR_IO', `a worker failed: ${text}`, { cause: error })
}
