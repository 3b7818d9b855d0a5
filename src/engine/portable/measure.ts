/** Looks at a source: whether it is a regular file that holds what it says. */
import type { BigIntStats } from 'node:fs'
import { errorTable, FrError } from '../../base/errors.js'
import { sourceRefusal } from '../source-refusal.js'
import type { OpenFile } from './files.js'

const looksAtSize = 8

/** What is allocated, where the file system counts that. */
export function dataBytesOf({ size, blocks }: BigIntStats): number {
  const allocated = blocks * 512n
  return Number(allocated > 0n && allocated < size ? allocated : size)
}

/** What a file is, once it is known to be a regular one that holds as much as it says. */
export async function measure(file: OpenFile, path: string): Promise<BigIntStats> {
  for (let look = 0; look < looksAtSize; look += 1) {
    const stats = await file.stat()
    if (stats.isDirectory()) {
      const text = `${errorTable.ERR_FR_IS_DIRECTORY.meaning} (${path})`
      throw new FrError('ERR_FR_IS_DIRECTORY', text, { path })
    }
    const isMeasured = stats.isFile() && (await holdsItsSize(file, Number(stats.size)))
    if (isMeasured) return stats
    // Of a file that grows or shrinks between two looks, the next look decides.
    if (stats.isFile() && (await file.stat()).size !== stats.size) continue
    throw await sourceRefusal(path, new FrError('ERR_FR_SOURCE'))
  }
  throw new FrError('ERR_FR_SOURCE_CHANGED')
}

/** Files of /proc and /sys tell a size that is not that of their content: nothing, or a page. */
async function holdsItsSize(file: OpenFile, size: number): Promise<boolean> {
  const byte = Buffer.alloc(1)
  try {
    const ends = (await file.read(byte, size)) === 0
    return ends && (size === 0 || (await file.read(byte, size - 1)) === 1)
  } catch {
    return false
  }
}
