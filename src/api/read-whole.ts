/** Reads a source that is pushed, for its digests, before anything is sent. */
import { concat } from '../base/bytes.js'
import type { DigestAlgorithm } from '../base/digests.js'
import { blockBytesFor } from '../base/limits.js'
import type { HeldRun } from '../control/holdings/have.js'
import type { DataEngine, HashPool, SourceFile } from '../ports.js'
import type { PushSpec } from '../session/coordinator/push-spec.js'
import { PoolWork } from '../session/receiver/held-work.js'

export interface ToRead {
  readonly source: SourceFile
  readonly algorithm: DigestAlgorithm
  readonly signer: PushSpec['signer']
  readonly engine: DataEngine
  readonly pool: HashPool
  readonly signal: AbortSignal
}

export interface WholeContent {
  readonly fileDigest: string
  /** Of all blocks, laid end to end. */
  readonly digests: Uint8Array
}

/** Rejects with ERR_FR_SOURCE_CHANGED, or the signal's reason. */
export async function readWhole(what: ToRead): Promise<WholeContent> {
  const { source, algorithm, signer, engine, pool, signal } = what
  const { size, file } = source
  const work = new PoolWork(engine, pool, signer)
  const geometry = { algorithm, size, blockBytes: blockBytesFor(size) }
  const runs: HeldRun[] = []
  for await (const run of work.hash(file, geometry, signal)) runs.push(run)
  const digests = concat(...runs.map((run) => run.digests))
  return { fileDigest: work.sum(geometry, digests), digests }
}
