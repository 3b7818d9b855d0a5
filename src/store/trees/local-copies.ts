/**
 * Files of a tree whose bytes are at the node already, under another name: a rename, or a copy.
 *
 * The idea: a digest leads to a file, by the record of the tree or the catalogue; its bytes are
 * copied into a partial, shared where the file system can, and the copy is hashed. Only one that
 * has the digest is used, whatever the records say.
 */

import type { DigestAlgorithm } from '../../base/digests.js'
import { blockBytesFor } from '../../base/limits.js'
import type { DataDirHandle, FileHandle, FileIdentity, Storage } from '../../ports.js'
import { type HeldStream, mayBecome } from '../catalogue/record.js'
import { isSameButLinked, isSameFile } from '../catalogue/same-file.js'
import { type Holdings, openNow } from '../held/holdings.js'
import type { HeldWork } from '../held/work.js'
import { fullName } from './full-name.js'
import { geometryOf, rawDigest } from './raw-digest.js'
import type { TreeRow } from './segment.js'
import type { TreeRecord } from './tree-record.js'

export interface CopySpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  readonly holdings: Holdings
  readonly work: HeldWork
  readonly record: TreeRecord
  /** Of the tree that the record tells of. */
  readonly recorded: Uint8Array
  /** Criteria: who else may have the tree. */
  readonly only: string | undefined
  readonly algorithm: DigestAlgorithm
}

export interface WantedFile {
  readonly digest: Uint8Array
  readonly size: number
}

export interface Copied {
  /** Of a closed partial that holds the file. */
  readonly id: string
  /** Digests of its blocks, laid end to end. */
  readonly blocks: Uint8Array
}

/** Undefined: the file is nowhere here. `id`: for the partial. */
export async function copyHere(
  spec: CopySpec,
  file: WantedFile,
  id: string,
): Promise<Copied | undefined> {
  const { storage, dir } = spec
  const from = await openHere(spec, file)
  if (from === undefined) return undefined
  try {
    await storage.discard(dir, id)
    const to = await storage.createPartial(dir, id, file.size)
    let copied: Copied | undefined
    try {
      await storage.copyIn(from, to, { offset: 0, length: file.size })
      const found = await rawDigest(spec.work, to, geometryOf(file.size, spec.algorithm))
      const isRight = Buffer.from(file.digest).equals(found.digest)
      if (isRight) copied = { id, blocks: found.blocks }
    } finally {
      storage.closeFile(to)
      if (copied === undefined) await storage.discard(dir, id)
    }
    return copied
  } catch {
    // What cannot be copied here is asked for.
    return undefined
  } finally {
    storage.closeFile(from)
  }
}

/**
 * The identity of a file now, if it is as old and as large as its row says, and has this digest;
 * it is read. Never rejects.
 */
export async function identityWith(
  spec: CopySpec,
  full: Uint8Array,
  { identity }: TreeRow,
  digest: Uint8Array,
): Promise<FileIdentity | undefined> {
  const { storage, dir } = spec
  const opened = await openNow(storage, dir, full).catch(() => undefined)
  if (opened === undefined) return undefined
  try {
    const now = await storage.identityOf(opened)
    if (!isSameButLinked(now, identity)) return undefined
    const geometry = geometryOf(now.size, spec.algorithm)
    const { digest: found } = await rawDigest(spec.work, opened, geometry)
    const isStill = isSameFile(now, await storage.identityOf(opened))
    return isStill && Buffer.from(digest).equals(found) ? now : undefined
  } catch {
    return undefined
  } finally {
    storage.closeFile(opened)
  }
}

/** Whether a file here has this digest, by what is recorded. */
export async function isHere(spec: CopySpec, file: WantedFile): Promise<boolean> {
  const from = await openHere(spec, file)
  if (from !== undefined) spec.storage.closeFile(from)
  return from !== undefined
}

async function openHere(spec: CopySpec, file: WantedFile): Promise<FileHandle | undefined> {
  return (await ofTree(spec, file)) ?? (await ofCatalogue(spec, file))
}

async function ofTree(spec: CopySpec, file: WantedFile): Promise<FileHandle | undefined> {
  const { storage, dir, recorded, record } = spec
  const row = await record.withDigest(file.digest)
  if (row === undefined || row.identity.size !== file.size) return undefined
  const opened = await openNow(storage, dir, fullName(recorded, row.name))
  if (opened === undefined) return undefined
  if (isSameButLinked(await storage.identityOf(opened), row.identity)) return opened
  storage.closeFile(opened)
  return undefined
}

async function ofCatalogue(spec: CopySpec, file: WantedFile): Promise<FileHandle | undefined> {
  const { holdings, algorithm, only } = spec
  const digest = Buffer.from(file.digest).toString('hex')
  const text = digestText(algorithm, file.size, digest)
  // Whoever may have the tree could have it then.
  const use = (record: HeldStream): boolean => mayBecome(record, only)
  const record = holdings.catalogue?.withDigest(text, file.size, use)
  return record === undefined ? undefined : holdings.openUnchanged(record)
}

/** A file digest as catalogues and results have it. */
export function digestText(algorithm: DigestAlgorithm, size: number, hex: string): string {
  return algorithm === 'blake3'
    ? `blake3:${hex}`
    : `${algorithm}-blocks/${blockBytesFor(size)}:${hex}`
}
