/**
 * Older content: what the node has under the name that is offered, when the offer is of another
 * content, and versions of it that were kept. Bytes of it that the new content has, too, need not
 * be sent.
 *
 * The idea: the record of a file has the digests of its blocks. Those of the new content are
 * announced before the plan, and what has the same digest at the same place is copied. A record is
 * only a claim, and the file may be written meanwhile: what was copied is hashed before it counts.
 * So much for the first of these files; of the blocks that are left an index tells what of them is
 * in any (filler.ts).
 */
import { blockAlgorithmFor } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import type { HeldRun } from '../../control/holdings/have.js'
import { digestsOf, type HeldStream, mayBecome } from '../../store/catalogue/record.js'
import { digestTable } from '../../store/held/verify.js'
import type { WantedContent } from '../../store/leftovers.js'
import type { NodeHost, OlderFile } from './node-host.js'

export interface Older {
  /** What has the name first, then what had it, the newest first; one at least. */
  readonly files: readonly OlderFile[]
  /** Blocks of the first that the new content has a place for, with their digests. */
  readonly runs: readonly HeldRun[]
  /** They are read no more: kept versions may go. May be done twice. */
  readonly giveBack: () => void
}

interface Opened extends OlderFile {
  readonly record: HeldStream
  readonly giveBack: () => void
}

/**
 * `names`: those that the content has, or will have, at the node. Undefined: there is none. The
 * caller closes the files.
 */
export async function olderContent(
  host: NodeHost,
  wanted: WantedContent,
  names: readonly Uint8Array[],
): Promise<Older | undefined> {
  if (wanted.size < limits.olderBytesMin) return undefined
  const files: Opened[] = []
  const giveBack = (): void => {
    for (const one of files) one.giveBack()
  }
  try {
    for (const record of recordsOf(host, names, wanted.only)) {
      const one = await opened(host, record)
      if (one !== undefined) files.push(one)
      if (files.length === limits.olderFiles) break
    }
    const [first] = files
    if (first === undefined) return undefined
    return { files, giveBack, runs: await comparableRuns(host, first.record, wanted) }
  } catch (error) {
    giveBack()
    for (const { file } of files) host.storage.closeFile(file)
    throw error
  }
}

/** What has the name, then what had it, the newest first. */
function recordsOf(
  { store }: NodeHost,
  names: readonly Uint8Array[],
  only: string | undefined,
): HeldStream[] {
  const present = names.map((name) => store.catalogue.get(name))
  const kept = names.flatMap((name) => store.versions.of(name).map(({ record }) => record))
  const isLarge = (record: HeldStream | undefined): record is HeldStream =>
    record !== undefined && record.size >= limits.olderBytesMin && mayBecome(record, only)
  // A name may be there twice.
  return [...new Set([...present, ...kept].filter(isLarge))]
}

/** Undefined: it is not what it was. */
async function opened(
  { store, storage }: NodeHost,
  record: HeldStream,
): Promise<Opened | undefined> {
  const giveBack = store.versions.use(record)
  try {
    const file = await store.holdings.openWhole(record)
    if (file !== undefined)
      return { file, record, giveBack, identity: await storage.identityOf(file) }
  } catch (error) {
    giveBack()
    throw error
  }
  giveBack()
  return undefined
}

/** Digests of the one say something of blocks of the other. */
function areComparable(
  { algorithm, blockBytes, size }: HeldStream,
  wanted: WantedContent,
): boolean {
  if (algorithm !== wanted.algorithm || blockBytes !== wanted.blockBytes) return false
  const kind = (bytes: number) => blockAlgorithmFor(algorithm, bytes, blockBytes)
  return kind(size) === kind(wanted.size)
}

/** Whole blocks of both. */
async function comparableRuns(
  { store }: NodeHost,
  record: HeldStream,
  wanted: WantedContent,
): Promise<HeldRun[]> {
  if (!areComparable(record, wanted)) return []
  const { blockBytes } = record
  const { size } = wanted
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
