/**
 * Why a path cannot be a source, in words: what lies there instead of a regular file. Looks at the
 * path once more, so it is a help to people; the code of the error is decided by whoever opened.
 */
import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { FrError } from '../base/errors.js'

/** The error of an opening that was refused, naming the path and what is there. */
export async function sourceRefusal(path: string, error: unknown): Promise<unknown> {
  if (!(error instanceof FrError) || error.code !== 'ERR_FR_SOURCE') return error
  // The system has said why; the caller's text says of what.
  if (error.errno !== undefined && error.errno !== 0) return error
  const stats = await stat(path).catch(() => undefined)
  const text = stats === undefined ? 'cannot be looked at' : whatIsNoSource(stats)
  return new FrError('ERR_FR_SOURCE', `${path} ${text}`, { path, cause: error })
}

/** What makes it no source, after the word for it: `is a FIFO: ...`. */
export function whatIsNoSource(stats: Stats): string {
  if (stats.isFIFO()) return 'is a FIFO: give its content on standard input, as fr push -'
  if (stats.isSocket()) return 'is a socket, not a regular file'
  if (stats.isCharacterDevice()) return 'is a character device, not a regular file'
  if (stats.isBlockDevice())
    return 'is a block device: give its content on standard input, as fr push -'
  return `says it has ${stats.size} bytes and holds more or less, as files of /proc and /sys do`
}
