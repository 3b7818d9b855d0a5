/** Puts a record of a file that was just published into the catalogue of the node. */
import { digestBytesOf } from '../../base/digests.js'
import { asFrError } from '../../base/failures.js'
import type { StreamEntry } from '../../control/messages/types.js'
import type { FileHandle } from '../../ports.js'
import { type DigestRun, digestsOf, type HeldStream } from '../../store/catalogue/record.js'
import { granuleMs } from '../../store/held/identity.js'
import { digestTable } from '../../store/held/verify.js'
import type { HeldGeometry } from '../../store/held/work.js'
import type { SignedCopy } from './arrival.js'
import type { NodeHost } from './node-host.js'
import type { SignedRuns } from './signed-runs.js'

export interface HowItCame {
  readonly runs: SignedRuns
  /** Whose digests the bytes had in another file of the node. */
  readonly copied: SignedCopy | undefined
}

export interface Published extends HowItCame {
  readonly entry: StreamEntry
  readonly name: Uint8Array
  readonly geometry: HeldGeometry
  /** Still open. */
  readonly file: FileHandle
  readonly fileDigest: string
  /** Of all blocks, laid end to end. */
  readonly digests: Uint8Array
  /** The file system kept the modification time of the source. */
  readonly hasMtime: boolean
}

/** Never rejects: a file without a record is only not known. */
export async function recordPublished(host: NodeHost, published: Published): Promise<void> {
  const { holdings } = host.store
  const { entry, name, geometry, file, fileDigest, hasMtime } = published
  const warn = (text: string): void =>
    host.log({ level: 'warn', event: 'not-recorded', fields: { name: entry.name, text } })
  try {
    const identity = await host.storage.identityOf(file)
    const mtime = { seconds: entry.mtimeSeconds, nanos: entry.mtimeNanos }
    // Whoever writes to the file moves its time: it is not what was verified then.
    const movedSeconds = Math.abs(identity.mtime.seconds - mtime.seconds)
    const isTouched = hasMtime && movedSeconds * 1000 > granuleMs
    if (isTouched || identity.size !== geometry.size)
      return warn('somebody else changed the file after it was published')
    const { content, runs } = signed(host, published)
    const nowMs = Date.now()
    const record: HeldStream = {
      ...{ ...content, ...geometry, name, dataBytes: entry.dataBytes, fileDigest },
      ...{ mode: entry.mode, mtime, publishedAtMs: nowMs, verifiedAtMs: nowMs },
      ...{ identity, via: 'push' },
      ...(entry.only !== undefined && { only: entry.only }),
    }
    await holdings.put(record, runs)
  } catch (error) {
    warn(asFrError(error, 'ERR_FR_IO').message)
  }
}

/** Where the author's records do not tell of all that was verified, this node signs it. */
function signed({ work }: NodeHost, published: Published) {
  const { entry, geometry, digests, runs, copied } = published
  const found = runs.covering((run) => isOf(run, published))
  if (found !== undefined)
    return { content: { contentId: entry.contentId, author: entry.author }, runs: found }
  const table = copied && digestTable(geometry, copied.signed)
  if (copied && table && Buffer.compare(table, digests) === 0) {
    const { contentId, author } = copied
    return { content: { contentId, author }, runs: copied.signed }
  }
  // What was still written is known by its id at its author's.
  const contentId = runs.isGrowing ? entry.contentId : work.freshId()
  const content = { contentId, author: work.author }
  return { content, runs: work.sign({ ...content, ...geometry }, digests) }
}

/** An author may have signed more than one digest of a block. */
function isOf(run: DigestRun, { geometry, digests }: Published): boolean {
  const from = (run.offset / geometry.blockBytes) * digestBytesOf(geometry.algorithm)
  const signed = digestsOf(run)
  return Buffer.compare(signed, digests.subarray(from, from + signed.length)) === 0
}
