/** The algorithms blocks are verified with, the strongest first. */
export const digestAlgorithms = ['blake3', 'sha256', 'xxh64'] as const

export type DigestAlgorithm = (typeof digestAlgorithms)[number]

/**
 * What an engine makes of a block. `blake3` is the value of the block's subtree, which holds for
 * its place in the file only; `blake3-file`, of the only block of a file, is the hash of the file.
 */
export type BlockAlgorithm = DigestAlgorithm | 'blake3-file'

export function blockAlgorithmFor(
  algorithm: DigestAlgorithm,
  fileBytes: number,
  blockBytes: number,
): BlockAlgorithm {
  return algorithm === 'blake3' && fileBytes <= blockBytes ? 'blake3-file' : algorithm
}

export function digestBytesOf(algorithm: BlockAlgorithm): 8 | 32 {
  return algorithm === 'xxh64' ? 8 : 32
}
