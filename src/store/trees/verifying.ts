/**
 * Reads entries of a tree again: files are compared with their digests, links with what they were
 * when they were placed.
 *
 * The idea: a few files at a time. What is wrong loses its digest in the record, so that nobody
 * gets it from here and the next push brings it; the file itself is not touched. A file that is
 * whole although the file system tells of a change keeps its row, with its new identity. A large
 * file has a record of its own, which decides (held/verify.ts).
 */
import { cleanText } from '../../base/bytes.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { FileIdentity } from '../../ports.js'
import { isSameFile } from '../catalogue/same-file.js'
import { type Holdings, openNow } from '../held/holdings.js'
import { type VerifiedFile, verifyHeld } from '../held/verify.js'
import type { HeldWork } from '../held/work.js'
import { fullName, shown } from './full-name.js'
import type { HeldTrees } from './held-trees.js'
import { geometryOf, rawDigest } from './raw-digest.js'
import type { TreeRow } from './segment.js'
import type { RefreshedRow } from './trees.js'

export interface VerifyTreeSpec {
  readonly trees: HeldTrees
  readonly held: Holdings
  readonly work: HeldWork
  /** Of the tree. */
  readonly tree: Uint8Array
  /** In walk order. */
  readonly rows: AsyncIterable<TreeRow>
  /** Called with all bytes read so far. */
  readonly isReading: (readBytes: number) => void
  /** What was found out of rows, in walk order. */
  readonly refresh: (rows: readonly RefreshedRow[]) => Promise<void>
  readonly signal: AbortSignal
}

export interface EntryFault {
  /** Beneath the data directory. */
  readonly name: Uint8Array
  readonly code: FrErrorCode
  readonly text: string
}

export interface TreeFound {
  readonly entries: number
  readonly bytes: number
  readonly badBytes: number
  readonly failedCount: number
  /** At most limits.treeFailuresTold of them. */
  readonly faults: readonly EntryFault[]
}

const rowsAtOnce = 256
const readsAtOnce = 4

type Fault = Pick<EntryFault, 'code' | 'text'>
interface Verdict {
  readonly fault?: Fault
  /** What the file is now, where it is right and not as it was. */
  readonly identity?: FileIdentity
}

const gone: Fault = { code: 'ERR_FR_NOT_HELD', text: 'somebody else has removed it' }
const changed: Fault = { code: 'ERR_FR_DIGEST', text: 'somebody else has changed it' }
const bad: Fault = { code: 'ERR_FR_DIGEST', text: 'its bytes are not those of its digest' }

/** Rejects with the signal's reason, or when the system cannot read. */
export async function verifyTree(spec: VerifyTreeSpec): Promise<TreeFound> {
  const faults: EntryFault[] = []
  let [entries, bytes, badBytes, failedCount, readBytes] = [0, 0, 0, 0, 0]
  const look = async (rows: readonly TreeRow[]): Promise<void> => {
    const found = await verdictsOf(spec, rows, (more) => {
      readBytes += more
      spec.isReading(readBytes)
    })
    const refreshed: RefreshedRow[] = []
    for (const [at, row] of rows.entries()) {
      const { fault, identity } = found[at] as Verdict
      const size = row.kind === 'file' ? row.identity.size : 0
      entries++
      bytes += size
      if (identity !== undefined) refreshed.push({ before: row, row: { ...row, identity } })
      if (fault === undefined) continue
      failedCount++
      badBytes += size
      const name = fullName(spec.tree, row.name)
      if (faults.length < limits.treeFailuresTold) faults.push({ name, ...fault })
      if (row.kind === 'file')
        refreshed.push({ before: row, row: { ...row, value: new Uint8Array() } })
    }
    if (refreshed.length > 0) await spec.refresh(refreshed)
  }
  let some: TreeRow[] = []
  for await (const row of spec.rows) {
    if (row.name.length === 0) continue
    some.push(row)
    if (some.length < rowsAtOnce) continue
    await look(some)
    some = []
  }
  await look(some)
  return { entries, bytes, badBytes, failedCount, faults }
}

/** Of one row each. */
async function verdictsOf(
  spec: VerifyTreeSpec,
  rows: readonly TreeRow[],
  isRead: (bytes: number) => void,
): Promise<Verdict[]> {
  const states = await spec.trees.statesOf(spec.tree, rows)
  const verdicts: Verdict[] = []
  for (let at = 0; at < rows.length; at += readsAtOnce) {
    spec.signal.throwIfAborted()
    const some = rows.slice(at, at + readsAtOnce).map(async (row, index): Promise<Verdict> => {
      const state = states[at + index]
      if (row.kind !== 'file')
        return state === 'held' ? {} : { fault: state === 'missing' ? gone : changed }
      return verdictOf(spec, row, isRead)
    })
    verdicts.push(...(await Promise.all(some)))
  }
  return verdicts
}

async function verdictOf(
  spec: VerifyTreeSpec,
  row: TreeRow,
  isRead: (bytes: number) => void,
): Promise<Verdict> {
  const { held, work, signal } = spec
  const { storage, dir } = held.spec
  const name = fullName(spec.tree, row.name)
  if (held.catalogue?.get(name) !== undefined) return ofRecord(spec, name, isRead)
  const file = await openNow(storage, dir, name).catch((error: unknown) => {
    if (error instanceof FrError && error.code === 'ERR_FR_IS_DIRECTORY') return undefined
    throw error
  })
  if (file === undefined) return { fault: gone }
  try {
    const identity = await storage.identityOf(file)
    const isTouched = !isSameFile(identity, row.identity)
    if (identity.size !== row.identity.size) return { fault: changed }
    if (row.value.length === 0 || row.algorithm === null) return { fault: bad }
    const geometry = geometryOf(identity.size, row.algorithm)
    const { digest } = await rawDigest(work, file, geometry, signal)
    isRead(identity.size)
    if (!isSameFile(identity, await storage.identityOf(file))) return { fault: changed }
    if (!Buffer.from(row.value).equals(digest)) return { fault: isTouched ? changed : bad }
    return isTouched ? { identity } : {}
  } finally {
    storage.closeFile(file)
  }
}

async function ofRecord(
  { held, work, signal }: VerifyTreeSpec,
  name: Uint8Array,
  isRead: (bytes: number) => void,
): Promise<Verdict> {
  const found: VerifiedFile[] = []
  let before = 0
  const isReading = (readBytes: number): void => {
    isRead(readBytes - before)
    before = readBytes
  }
  const spec = { held, work, nowMs: Date.now, isReading }
  await verifyHeld(spec, [name], signal, (file) => found.push(file))
  const status = found[0]?.status ?? 'ok'
  if (status === 'ok') return {}
  return { fault: status === 'missing' ? gone : status === 'changed' ? changed : bad }
}

export function faultText(faults: readonly EntryFault[], failedCount: number): string {
  const [first] = faults
  if (first === undefined) return ''
  const others = failedCount > 1 ? ` and ${failedCount - 1} more` : ''
  return cleanText(`${shown(first.name)}${others}: ${first.text}`)
}
