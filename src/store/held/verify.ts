/**
 * Reads held files again and compares every block with the digests of its author.
 *
 * The idea: one file after the other, so that a node that serves meanwhile has its disk and its
 * cores. A file that is bad loses its record, so nobody gets it from here; the file itself is
 * not touched. One that is whole although the file system tells of a change (copied back, its
 * mode changed) keeps its record, with its new identity.
 */
import { digestBytesOf } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import type { FileHandle } from '../../ports.js'
import { type DigestRun, digestsOf, type HeldStream } from '../catalogue/record.js'
import { type Holdings, openNow } from './holdings.js'
import type { HeldGeometry, HeldWork } from './work.js'

export interface VerifiedFile {
  readonly name: Uint8Array
  readonly bytes: number
  readonly badBlocks: number
  /** Bytes in them. */
  readonly badBytes: number
  /**
   * bad: blocks differ, or their digests are lost. changed: it has another size, or it was written
   * meanwhile, or blocks differ and the file system tells of a change. missing: there is no file.
   */
  readonly status: 'ok' | 'bad' | 'changed' | 'missing'
}

export interface VerifySpec {
  readonly held: Holdings
  readonly work: HeldWork
  /** Unix time in milliseconds. */
  readonly nowMs: () => number
  /** Called as bytes of a file are read. */
  readonly isReading?: (readBytes: number, bytes: number) => void
}

/**
 * Verifies the files of these names, or all, in the order of names, and calls `report` after each;
 * those that are replaced or removed meanwhile by a push are passed over. Rejects with
 * ERR_FR_NOT_HELD before it begins when a name has no record, with the signal's reason, or when the
 * system cannot read.
 */
export async function verifyHeld(
  spec: VerifySpec,
  names: readonly Uint8Array[] | 'all',
  signal: AbortSignal,
  report: (file: VerifiedFile) => void,
): Promise<void> {
  const { held, nowMs } = spec
  const records = names === 'all' ? (held.catalogue?.list() ?? []) : named(held, names)
  for (const record of records) {
    signal.throwIfAborted()
    const { name, size: bytes } = record
    const { identity, ...found } = await look(spec, record, signal)
    if (held.catalogue?.get(name) !== record) continue
    if (found.status !== 'ok') await held.drop(record, found.status)
    else await held.catalogue.refresh({ ...record, identity, verifiedAtMs: nowMs() })
    report({ name, bytes, ...found })
  }
}

function named(held: Holdings, names: readonly Uint8Array[]): HeldStream[] {
  return names.map((name) => {
    const record = held.catalogue?.get(name)
    if (record !== undefined) return record
    const text = `the node does not hold ${JSON.stringify(Buffer.from(name).toString())}`
    throw new FrError('ERR_FR_NOT_HELD', text)
  })
}

const noBlocks = { badBlocks: 0, badBytes: 0 }

interface Look extends Pick<VerifiedFile, 'status' | 'badBlocks' | 'badBytes'> {
  readonly identity: HeldStream['identity']
}

async function look(spec: VerifySpec, record: HeldStream, signal: AbortSignal): Promise<Look> {
  const { held } = spec
  const { storage, dir } = held.spec
  const file = await openNow(storage, dir, record.name)
  if (file === undefined) return { status: 'missing', ...noBlocks, identity: record.identity }
  try {
    const identity = await storage.identityOf(file)
    if (identity.size !== record.size) return { status: 'changed', ...noBlocks, identity }
    const runs = await held.catalogue?.runs(record).catch(() => undefined)
    const expected = runs && digestTable(record, runs)
    if (!expected) return { status: 'bad', ...noBlocks, identity }
    const bad = await compare(spec, file, record, expected, signal)
    const isStill = held.isSame(identity, await storage.identityOf(file))
    if (!isStill) return { status: 'changed', ...bad, identity }
    if (bad.badBlocks === 0) return { status: 'ok', ...bad, identity }
    const isTouched = !held.isSame(identity, record.identity)
    return { status: isTouched ? 'changed' : 'bad', ...bad, identity }
  } finally {
    storage.closeFile(file)
  }
}

async function compare(
  { work, isReading }: VerifySpec,
  file: FileHandle,
  record: HeldStream,
  expected: Uint8Array,
  signal: AbortSignal,
): Promise<typeof noBlocks> {
  const { size, blockBytes } = record
  const digestBytes = digestBytesOf(record.algorithm)
  let [badBlocks, badBytes] = [0, 0]
  for await (const { offset, length, digests } of work.hash(file, record, signal)) {
    isReading?.(offset + length, size)
    const first = (offset / blockBytes) * digestBytes
    for (let at = 0; at < digests.length; at += digestBytes) {
      const [from, to] = [first + at, first + at + digestBytes]
      const isEqual = Buffer.from(expected.subarray(from, to)).equals(
        digests.subarray(at, at + digestBytes),
      )
      if (isEqual) continue
      badBlocks++
      badBytes += Math.min(blockBytes, size - (from / digestBytes) * blockBytes)
    }
  }
  return { badBlocks, badBytes }
}

/** Digests of all blocks, laid end to end; null when runs do not cover the file. */
export function digestTable(
  { size, blockBytes, algorithm }: HeldGeometry,
  runs: readonly DigestRun[],
): Uint8Array | null {
  const digestBytes = digestBytesOf(algorithm)
  const table = new Uint8Array(Math.ceil(size / blockBytes) * digestBytes)
  let end = 0
  for (const run of runs) {
    const digests = digestsOf(run)
    const isFit =
      run.offset % blockBytes === 0 &&
      run.offset <= end &&
      run.offset + run.length <= size &&
      digests.length === Math.ceil(run.length / blockBytes) * digestBytes
    if (!isFit) return null
    table.set(digests, (run.offset / blockBytes) * digestBytes)
    end = Math.max(end, run.offset + run.length)
  }
  return end === size ? table : null
}
