/**
 * Makes files that lie in the data directory held: they were copied there by other means.
 *
 * The idea: a file is hashed once nothing can change it without a trace (youngMs), and counts if
 * it is the same file before and after, under the same name. The author of what is adopted is the
 * node itself. Symlinks are not followed, and nothing in `.fastreplica` is looked at.
 */
import { lstat, opendir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { concat } from '../../base/bytes.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import { nameBelow, nameFault } from '../../base/names.js'
import type { HeldStream } from '../catalogue/record.js'
import { isSameFile } from '../catalogue/same-file.js'
import { type Holdings, openNow } from './holdings.js'
import { youngMs } from './identity.js'
import type { HeldWork } from './work.js'

export interface AdoptSpec {
  readonly held: Holdings
  readonly work: HeldWork
  readonly dataDir: string
  readonly algorithm: DigestAlgorithm
  /** Unix time in milliseconds. */
  readonly nowMs: () => number
  /** Who else may have what lies at this name: criteria; undefined: whoever asks. */
  readonly onlyOf?: ((name: Uint8Array) => Promise<string | undefined>) | undefined
}

export interface Adopted {
  readonly files: number
  readonly bytes: number
  /** Files that changed while they were hashed, or could not be read. */
  readonly leftOut: number
}

/**
 * Adopts what has no record, one file after the other. Rejects with the signal's reason, or with
 * ERR_FR_LIMIT when the catalogue is full; what was adopted before stays held.
 */
export async function adoptAll(spec: AdoptSpec, signal: AbortSignal): Promise<Adopted> {
  let [files, bytes, leftOut] = [0, 0, 0]
  for await (const name of namesIn(spec.dataDir, Buffer.alloc(0))) {
    signal.throwIfAborted()
    const before = spec.held.catalogue?.get(name)
    try {
      if (before !== undefined && (await spec.held.isUnchanged(before))) continue
      const record = await adopt(spec, name, signal)
      if (record === undefined) {
        leftOut++
        continue
      }
      files++
      bytes += record.size
    } catch (error) {
      signal.throwIfAborted()
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      if (code === 'ERR_FR_LIMIT' || code === 'ERR_FR_CLOSED') throw error
      leftOut++
      const fields = { name: name.toString(), code, text }
      spec.held.spec.log({ level: 'warn', event: 'adopt-failed', fields })
    }
  }
  return { files, bytes, leftOut }
}

/**
 * Adopts a file of this digest. Undefined: it has another one, or changed meanwhile. Rejects with
 * the signal's reason, or with what the disk says.
 */
export function adoptKnown(
  spec: AdoptSpec,
  { name, fileDigest, only }: Pick<HeldStream, 'name' | 'fileDigest' | 'only'>,
  signal: AbortSignal,
): Promise<HeldStream | undefined> {
  const onlyOf = only === undefined ? spec.onlyOf : () => Promise.resolve(only)
  return adopt({ ...spec, onlyOf }, Buffer.from(name), signal, fileDigest)
}

/** Names of regular files below DATA. */
async function* namesIn(dataDir: string, below: Buffer): AsyncGenerator<Buffer> {
  const path = pathOf(dataDir, below)
  const directory = await opendir(path as unknown as string, { encoding: 'buffer' as never }).catch(
    () => null,
  )
  if (directory === null) return
  for await (const entry of directory) {
    const last = entry.name as unknown as Buffer
    const name = nameBelow(below, last)
    if (nameFault(name) !== null) continue
    if (entry.isDirectory()) yield* namesIn(dataDir, name)
    else if (entry.isFile()) yield name
  }
}

const slash = Buffer.from('/')

function pathOf(dataDir: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(dataDir), slash, name])
}

/** Undefined: it changed meanwhile, or is no regular file any more. */
async function adopt(
  { held, work, dataDir, algorithm, nowMs, onlyOf }: AdoptSpec,
  name: Buffer,
  signal: AbortSignal,
  expected?: string,
): Promise<HeldStream | undefined> {
  const { storage, dir } = held.spec
  const file = await openNow(storage, dir, name)
  if (file === undefined) return undefined
  try {
    const identity = await storage.identityOf(file)
    for (let leftMs = youngMs(identity, nowMs()); leftMs > 0; leftMs = youngMs(identity, nowMs())) {
      await pause(Math.ceil(leftMs), undefined, { signal, ref: false })
      if (!isSameFile(identity, await storage.identityOf(file))) return undefined
    }
    const { size } = identity
    if (size > limits.blocksPerFile * limits.blockBytesMax) return undefined
    const geometry = { size, blockBytes: blockBytesFor(size), algorithm }
    const parts: Uint8Array[] = []
    for await (const { digests } of work.hash(file, geometry, signal)) parts.push(digests)
    const digests = concat(...parts)
    const fileDigest = work.sum(geometry, digests)
    if (expected !== undefined && fileDigest !== expected) return undefined
    const attributes = await lstat(pathOf(dataDir, name))
    const isSame =
      isSameFile(identity, await storage.identityOf(file)) && (await isThere(held, name, identity))
    // A push that has published this name meanwhile knows better.
    if (!isSame || held.catalogue?.get(name) !== undefined) return undefined
    const content = { ...geometry, contentId: work.freshId() }
    const only = await onlyOf?.(name)
    const record: HeldStream = {
      ...content,
      name: new Uint8Array(name),
      author: work.author,
      dataBytes: Math.min(size, attributes.blocks * 512),
      fileDigest,
      mode: attributes.mode & 0o7777,
      mtime: identity.mtime,
      publishedAtMs: nowMs(),
      verifiedAtMs: nowMs(),
      identity,
      via: 'adopt',
      ...(only !== undefined && { only }),
    }
    if (held.catalogue === undefined) throw new FrError('ERR_FR_CLOSED', 'the node is closing')
    await held.catalogue.put(record, work.sign(content, digests))
    return record
  } finally {
    storage.closeFile(file)
  }
}

/** Whether this file has the name still. */
async function isThere(
  { spec: { storage, dir } }: Holdings,
  name: Buffer,
  identity: HeldStream['identity'],
): Promise<boolean> {
  const file = await openNow(storage, dir, name)
  if (file === undefined) return false
  try {
    return isSameFile(identity, await storage.identityOf(file))
  } finally {
    storage.closeFile(file)
  }
}
