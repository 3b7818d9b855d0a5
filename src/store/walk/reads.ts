/** Reads the small files of a batch: each once, hashed and, where it is wanted, packed. */
import type { DigestAlgorithm } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import type { FileRead, FileToRead, TreeFiles } from '../../ports/tree-files.js'

export interface ReadsSpec {
  readonly files: TreeFiles
  readonly algorithm: DigestAlgorithm
  readonly signal: AbortSignal
  /** A descriptor, where bytes are to be written at `at` of their file. */
  readonly into?: number
}

/** In the order of `asked`, whose sizes are `sizes`. Some go at the same time. */
export async function readAll(
  spec: ReadsSpec,
  asked: readonly FileToRead[],
  sizes: readonly number[],
): Promise<FileRead[]> {
  const goes = cut(asked, sizes)
  const results: FileRead[][] = []
  let next = 0
  const work = async (): Promise<void> => {
    while (next < goes.length) {
      spec.signal.throwIfAborted()
      const at = next
      next += 1
      results[at] = await spec.files.read(goes[at] ?? [], spec.algorithm, spec.into)
    }
  }
  const workers = Array.from({ length: limits.treeReadsAtOnce }, work)
  // All have ended when this does: the descriptor is closed next.
  const ends = await Promise.allSettled(workers)
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return results.flat()
}

function cut(asked: readonly FileToRead[], sizes: readonly number[]): FileToRead[][] {
  const goes: FileToRead[][] = []
  let last: FileToRead[] = []
  let bytes = 0
  for (const [at, file] of asked.entries()) {
    const size = sizes[at] ?? 0
    const isFull = last.length === limits.treeReadFiles || bytes + size > limits.treeReadBytes
    if (last.length === 0 || isFull) {
      last = []
      goes.push(last)
      bytes = 0
    }
    last.push(file)
    bytes += size
  }
  return goes
}
