/** Digest algorithms that verify blocks, strongest first. */
export const digestAlgorithms = ['blake3', 'sha256', 'xxh64'] as const

export type DigestAlgorithm = (typeof digestAlgorithms)[number]

/**
 * How an engine hashes a block. `blake3`: chaining value of the block's subtree, valid only at the
 * block's offset. `blake3-file`: hash of a file of one block. `blake3-page`: the first 8 bytes of
 * the hash of a block, wherever it is.
 */
export type BlockAlgorithm = DigestAlgorithm | 'blake3-file' | 'blake3-page'

export function blockAlgorithmFor(
  algorithm: DigestAlgorithm,
  fileBytes: number,
  blockBytes: number,
): BlockAlgorithm {
  return algorithm === 'blake3' && fileBytes <= blockBytes ? 'blake3-file' : algorithm
}

export function digestBytesOf(algorithm: BlockAlgorithm): 8 | 32 {
  return algorithm === 'xxh64' || algorithm === 'blake3-page' ? 8 : 32
}
