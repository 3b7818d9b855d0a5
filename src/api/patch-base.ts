/** The base of a patch as it lies here: opened, and found to be what the caller says. */

import { hexOf } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { blockBytesFor } from '../base/limits.js'
import type { ContentName } from '../control/messages/coded.js'
import type { DataEngine, HashPool, SourceFile } from '../ports.js'
import type { PushSpec } from '../session/coordinator/push-spec.js'
import type { CodingWish } from './coding-options.js'
import { KnownSource } from './known-source.js'
import { readWhole } from './read-whole.js'

export interface OpenBase extends ContentName {
  readonly source: SourceFile
}

interface Parts {
  readonly spec: PushSpec
  readonly engine: DataEngine
  readonly pool: HashPool
  readonly signal: AbortSignal
}

/** The caller closes the file. Rejects with ERR_FR_BASE, which names both digests. */
export async function openBase(
  { path, name, digits }: NonNullable<CodingWish['base']>,
  { spec, engine, pool, signal }: Parts,
): Promise<OpenBase> {
  const { algorithm, signer } = spec
  const { storage } = engine
  const source = await storage.openSource(path)
  let known: KnownSource | undefined
  try {
    known = await KnownSource.of({
      ...{ storage, source: { kind: 'path', path }, file: source, algorithm },
      ...{ author: hexOf(signer.publicKey), blockBytes: blockBytesFor(source.size) },
      isToRead: false,
    })
    const found =
      known.known ?? (await readWhole({ source, algorithm, signer, engine, pool, signal }))
    if ('digests' in found && known.known === undefined)
      known.hooks.summed?.(found.fileDigest, found.digests)
    const { fileDigest } = found
    const hex = fileDigest.slice(fileDigest.lastIndexOf(':') + 1)
    if (!hex.startsWith(digits)) {
      const text = `${path} is ${fileDigest}, and the base is ${name}@${digits}`
      throw new FrError('ERR_FR_BASE', text, { path })
    }
    return { source, size: source.size, fileDigest }
  } catch (error) {
    storage.closeFile(source.file)
    throw error
  } finally {
    await known?.close()
  }
}
