/**
 * The digest of a whole file from the digests of its blocks, so that it needs no second pass over
 * the bytes. With BLAKE3 it is the ordinary hash of the file; the others are taken over
 * u64 length | u64 block bytes | block digests in order.
 */
import { createHash } from 'node:crypto'
import { concat, u64 } from '../base/bytes.js'
import type { DigestAlgorithm } from '../base/digests.js'
import type { DataEngine } from '../ports.js'

/** As text: `blake3:<hex>`, or `sha256-blocks/<blockBytes>:<hex>`, or the same with xxh64. */
export function fileDigestOf(
  engine: Pick<DataEngine, 'blake3File' | 'xxh64'>,
  algorithm: DigestAlgorithm,
  fileBytes: number,
  blockBytes: number,
  blockDigests: Uint8Array,
): string {
  if (algorithm === 'blake3')
    return `blake3:${Buffer.from(engine.blake3File(blockDigests)).toString('hex')}`
  const whole = concat(u64(fileBytes), u64(blockBytes), blockDigests)
  const digest =
    algorithm === 'sha256'
      ? createHash('sha256').update(whole).digest('hex')
      : engine.xxh64(whole).toString(16).padStart(16, '0')
  return `${algorithm}-blocks/${blockBytes}:${digest}`
}
