/**
 * Older content: what the node has under the name that is offered, when the offer is of another
 * content. Blocks of it that are where the new content has equal ones need not be sent.
 *
 * The idea: the record of a file has the digests of its blocks. Those of the new content are
 * announced before the plan, and what has the same digest at the same place is copied. A record is
 * only a claim, and the file may be written meanwhile: what was copied is hashed before it counts.
 */
import { blockAlgorithmFor } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import type { HeldRun } from '../../control/holdings/have.js'
import type { FileHandle } from '../../ports.js'
import { digestsOf, type HeldStream } from '../../store/catalogue/record.js'
import { digestTable } from '../../store/held/verify.js'
import type { WantedContent } from '../../store/leftovers.js'
import type { NodeHost } from './node-host.js'

export interface Older {
  /** The caller closes it. */
  readonly file: FileHandle
  /** Blocks of it that the new content has a place for, with their digests. */
  readonly runs: readonly HeldRun[]
}

/** `names`: those that the content has, or will have, at the node. Undefined: there is none. */
export async function olderContent(
  host: NodeHost,
  wanted: WantedContent,
  names: readonly Uint8Array[],
): Promise<Older | undefined> {
  for (const name of names) {
    const record = host.store.catalogue.get(name)
    if (record === undefined || !isComparable(record, wanted)) continue
    const runs = await comparableRuns(host, record, wanted)
    if (runs.length === 0) continue
    const file = await host.store.holdings.openUnchanged(record)
    if (file !== undefined) return { file, runs }
  }
  return undefined
}

/** What is small is sent sooner than it is compared. */
function isComparable({ algorithm, blockBytes, size }: HeldStream, wanted: WantedContent): boolean {
  const isLarge = Math.min(size, wanted.size) >= limits.olderBytesMin
  if (!isLarge || algorithm !== wanted.algorithm || blockBytes !== wanted.blockBytes) return false
  const kind = (bytes: number) => blockAlgorithmFor(algorithm, bytes, blockBytes)
  return kind(size) === kind(wanted.size)
}

/** Whole blocks of both. */
async function comparableRuns(
  { store }: NodeHost,
  record: HeldStream,
  { blockBytes, size }: WantedContent,
): Promise<HeldRun[]> {
  const signed = await store.catalogue.runs(record).catch(() => [])
  const table = digestTable(record, signed)
  if (table === null) return []
  const least = Math.min(size, record.size)
  const end = size === record.size ? size : Math.floor(least / blockBytes) * blockBytes
  return signed.flatMap((run) => {
    const length = Math.min(run.length, end - run.offset)
    if (length <= 0) return []
    const digests = digestsOf(run)
    const ofBlock = digests.length / Math.ceil(run.length / blockBytes)
    const count = Math.ceil(length / blockBytes)
    return [{ offset: run.offset, length, digests: digests.subarray(0, count * ofBlock) }]
  })
}
