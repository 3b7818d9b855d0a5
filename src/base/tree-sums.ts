/**
 * SHA-256 that the author of a tree has worked out, carried as a file of the tree: one line each,
 * the SHA-256 of a file, two blanks, and its digest as `fr digest` prints it. A line says something
 * of a content, whatever it is called, so it is never out of date: a file that was pushed anew has
 * another digest. It comes as the rest of the tree does, so it is signed with it.
 */
import { limits } from './limits.js'

export const sumsName = '.fr-sha256'

const line = /^([0-9a-f]{64}) {2}((?:blake3|sha256|xxh64)[a-z0-9/-]*:[0-9a-f]{16,64})$/

/** Sorted, so that the same contents make the same file. */
export function sumsText(sums: ReadonlyMap<string, string>): string {
  const lines = [...sums].map(([digest, sha256]) => `${sha256}  ${digest}\n`)
  return lines.sort().join('')
}

/** SHA-256 by digest; what is no such line is passed over, and what is beyond the bound. */
export function sumsIn(text: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const one of text.split('\n')) {
    const [, sha256, digest] = line.exec(one) ?? []
    if (sha256 === undefined || digest === undefined) continue
    if (found.size >= limits.treeSums) break
    found.set(digest, sha256)
  }
  return found
}
