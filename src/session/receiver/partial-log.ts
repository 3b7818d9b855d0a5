/** The journal of a partial while it is filled, and what is given back when that is over. */
import type { StreamEntry } from '../../control/messages/types.js'
import type { WantedContent } from '../../store/leftovers.js'
import type { Partial } from '../../store/partial.js'
import type { Arrival } from './arrival.js'
import type { NodeHost } from './node-host.js'
import { VerifiedLog, type VerifiedLogSpec } from './verified-log.js'

export interface PartialLogSpec
  extends Pick<VerifiedLogSpec, 'takeVerified' | 'takeSigned' | 'failed'> {
  readonly wanted: WantedContent
  /** That the partial is for. */
  readonly name: Uint8Array
  readonly transfer: string
  readonly entry: StreamEntry
  /** Where it is known. */
  readonly fileDigest: string | null
  readonly journal: Arrival['journal']
}

/** Before a byte lands: what a journal says of another content is true no more then. */
export async function startLog(
  { store, storage }: NodeHost,
  partial: Partial,
  { wanted, name, transfer, entry, fileDigest, journal, ...taking }: PartialLogSpec,
): Promise<VerifiedLog> {
  const { orGrowing: _, ...content } = wanted
  const log = new VerifiedLog({
    path: await store.leftovers.open(partial.id),
    header: { ...content, name, transfer },
    look: () => storage.identityOf(partial.file),
    ...taking,
  })
  if (journal === 'another') await log.replace()
  if (journal === 'ours') await log.resume()
  const { mode, mtimeSeconds: seconds, mtimeNanos: nanos } = entry
  log.tell({ attributes: { mode, mtime: { seconds, nanos } } })
  if (fileDigest !== null) log.tell({ fileDigest })
  log.start()
  return log
}

/** Whoever starts after this process was killed can tell the published file by its inode. */
export async function tellPublishing(
  { storage }: NodeHost,
  partial: Partial,
  log: VerifiedLog | undefined,
): Promise<void> {
  const { mode, mtimeSeconds: seconds, mtimeNanos: nanos, dataBytes } = partial.entry
  const { inode } = await storage.identityOf(partial.file)
  await log?.publishing({ inode, mode, mtime: { seconds, nanos }, dataBytes })
}

/**
 * Closes the files, once nothing uses them and the log was stopped; `isKept` where somebody may go
 * on with the partial. Failing to discard something is told, and nothing more.
 */
export async function releasePartial(
  { store: { leftovers } }: NodeHost,
  partial: Partial,
  log: VerifiedLog | undefined,
  isKept: boolean,
  failed: (id: string, error: unknown) => void,
): Promise<void> {
  if (isKept) await partial.trim().catch((error: unknown) => failed(partial.id, error))
  await log?.end(isKept)
  await partial.release(isKept, failed)
  if (isKept) leftovers.close(partial.id)
  else await leftovers.drop(partial.id)
}
