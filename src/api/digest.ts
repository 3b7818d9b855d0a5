/** `digestFile`: the digest that a node must reach for this file. */
import { openEngine } from '../agent/engines.js'
import { type DigestAlgorithm, digestAlgorithms, digestBytesOf } from '../base/digests.js'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { blockBytesFor, limits } from '../base/limits.js'
import { taskBytesFor } from '../control/holdings/hashing.js'
import { WorkerHashPool } from '../engine/hashing/pool.js'
import type { DataEngine, HashPool, SourceFile, SourceLook } from '../ports.js'
import { fileDigestOf } from '../session/file-digest.js'
import { Hasher } from '../session/hasher.js'
import { oneOf, requireSignal, requireText } from './checks.js'
import { requireOptions } from './option-names.js'
import type { DigestOptions } from './types.js'

/**
 * Resolves to `xxh64-blocks/<blockBytes>:<hex>`, `sha256-blocks/<blockBytes>:<hex>`, or
 * `blake3:<hex>` with the digits that b3sum prints. Rejects with ERR_FR_SOURCE when the file cannot
 * be read, ERR_FR_SOURCE_CHANGED when it changes meanwhile, or the signal's reason.
 */
export async function digestFile(path: string, options: DigestOptions = {}): Promise<string> {
  requireText('path', path)
  requireOptions('digestFile', options)
  const algorithm = oneOf('digest', options.digest, digestAlgorithms) ?? 'xxh64'
  const { signal } = options
  requireSignal(signal)
  signal?.throwIfAborted()
  return digesting((digestOf) => digestOf(path, algorithm, signal))
}

export type DigestOf = (
  path: string,
  algorithm: DigestAlgorithm,
  signal: AbortSignal | undefined,
) => Promise<string>

/** With what several files are digested. */
export async function digesting<T>(use: (digestOf: DigestOf) => Promise<T>): Promise<T> {
  const { engine } = await openEngine(undefined, () => {})
  const pool = new WorkerHashPool()
  try {
    return await use((...given) => digestWith(engine, pool, ...given))
  } finally {
    await pool.close()
    await engine.shutdown()
  }
}

export async function digestWith(
  engine: DataEngine,
  pool: HashPool,
  path: string,
  algorithm: DigestAlgorithm,
  signal: AbortSignal | undefined,
): Promise<string> {
  const source = await engine.storage.openSource(path)
  try {
    const blockBytes = blockBytesFor(source.size)
    const hasher = new Hasher(engine, pool, {
      fileBytes: source.size,
      isSparse: source.dataBytes < source.size,
      blockBytes,
      algorithm,
    })
    const read = () => digestBlocks(source, hasher, blockBytes, digestBytesOf(algorithm), signal)
    const digests = await read()
    const { isTouched, writers } = await lookAt(engine, source)
    // Bytes that are equal in two readings were all in the file at one moment between them.
    if ((isTouched || writers === 'some') && !Buffer.from(await read()).equals(digests))
      throw new FrError('ERR_FR_SOURCE_CHANGED', `${path} changed while it was read`, { path })
    return fileDigestOf(engine, algorithm, source.size, blockBytes, digests)
  } finally {
    engine.storage.closeFile(source.file)
  }
}

async function digestBlocks(
  source: SourceFile,
  hasher: Hasher,
  blockBytes: number,
  digestBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const all = new Uint8Array(Math.ceil(source.size / blockBytes) * digestBytes)
  const taskBytes = taskBytesFor(blockBytes)
  let cursor = 0
  let failure: FrError | undefined
  const lane = async (): Promise<void> => {
    while (cursor < source.size && failure === undefined && !signal?.aborted) {
      const offset = cursor
      const length = Math.min(taskBytes, source.size - offset)
      cursor += length
      const put = (digests: Uint8Array): void =>
        all.set(digests, (offset / blockBytes) * digestBytes)
      await hasher.hash(source.file, { offset, length }, put, (error) => {
        failure = error
      })
    }
  }
  await Promise.all(Array.from({ length: limits.hashTasksInFlight }, lane))
  signal?.throwIfAborted()
  if (failure !== undefined) throw failure
  return all
}

async function lookAt(engine: DataEngine, source: SourceFile): Promise<SourceLook> {
  try {
    return await engine.storage.checkSource(source.file)
  } catch (error) {
    throw asFrError(error, 'ERR_FR_SOURCE_CHANGED')
  }
}
