/**
 * The digest of a whole file: over u64 length | u64 block bytes | block digests in order, so that
 * it needs no second pass over the bytes. Written `xxh64-blocks/<blockBytes>:<hex>`.
 */
import { createHash } from 'node:crypto'
import { concat, u64 } from '../base/bytes.js'
import type { DigestAlgorithm } from '../base/digests.js'

export function fileDigestOf(
  algorithm: DigestAlgorithm,
  fileBytes: number,
  blockBytes: number,
  blockDigests: Uint8Array,
  xxh64: (bytes: Uint8Array) => bigint,
): string {
  const whole = concat(u64(fileBytes), u64(blockBytes), blockDigests)
  if (algorithm === 'sha256') {
    return `sha256-blocks/${blockBytes}:${createHash('sha256').update(whole).digest('hex')}`
  }
  return `xxh64-blocks/${blockBytes}:${xxh64(whole).toString(16).padStart(16, '0')}`
}
