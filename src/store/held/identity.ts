/** When the time stamps of a file tell of every further change. */
import type { FileIdentity } from '../../ports.js'

/** Coarsest time stamps of file systems: two changes within it may leave the same ones. */
export const granuleMs = 2_000

/**
 * Milliseconds until a further change of the file is sure to leave other time stamps; what is read
 * before that may change without a trace. 0: from now on.
 */
export function youngMs(
  { mtime, ctime }: Pick<FileIdentity, 'mtime' | 'ctime'>,
  nowMs: number,
): number {
  let leftMs = 0
  for (const time of [mtime, ctime]) {
    const ageMs = nowMs - (time.seconds * 1000 + time.nanos / 1e6)
    // What is dated far ahead is not dated by this clock: a change moves it back.
    if (Math.abs(ageMs) < granuleMs) leftMs = Math.max(leftMs, granuleMs - ageMs)
  }
  return leftMs
}
