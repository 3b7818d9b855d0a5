/** The digest of a file as trees have it: raw, without the name of its algorithm. */
import type { DigestAlgorithm } from '../../base/digests.js'
import { blockBytesFor } from '../../base/limits.js'
import type { FileHandle } from '../../ports.js'
import type { HeldGeometry, HeldWork } from '../held/work.js'

export function geometryOf(size: number, algorithm: DigestAlgorithm): HeldGeometry {
  return { size, blockBytes: blockBytesFor(size), algorithm }
}

/** Reads the whole file. `blocks`: digests of its blocks. Rejects with the signal's reason. */
export async function rawDigest(
  work: HeldWork,
  file: FileHandle,
  geometry: HeldGeometry,
  signal: AbortSignal = new AbortController().signal,
): Promise<{ readonly digest: Uint8Array; readonly blocks: Uint8Array }> {
  const parts: Uint8Array[] = []
  for await (const { digests } of work.hash(file, geometry, signal)) parts.push(digests)
  const blocks = Buffer.concat(parts)
  const text = work.sum(geometry, blocks)
  return { digest: Buffer.from(text.slice(text.lastIndexOf(':') + 1), 'hex'), blocks }
}
