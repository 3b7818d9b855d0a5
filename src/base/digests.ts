/** How blocks are verified. */
export type DigestAlgorithm = 'xxh64' | 'sha256'

export function digestBytesOf(algorithm: DigestAlgorithm): 8 | 32 {
  return algorithm === 'sha256' ? 32 : 8
}
