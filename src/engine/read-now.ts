/** Reads of an open file that wait for the disk. */
import { readSync } from 'node:fs'
import type { Spread } from '../ports.js'
import { asFrError } from './checks.js'

/** Fills `into` from this place on; the bytes that are there, fewer at the end of the file. */
export function readNow(fd: number, into: Uint8Array, offset: number): number {
  let have = 0
  try {
    while (have < into.length) {
      const bytesRead = readSync(fd, into, have, into.length - have, offset + have)
      if (bytesRead === 0) break
      have += bytesRead
    }
  } catch (error) {
    throw asFrError(error)
  }
  return have
}

/** As readNow. */
export function readSpread(
  { unitBytes, size, map, fds }: Spread,
  into: Uint8Array,
  offset: number,
): number {
  const most = Math.max(0, Math.min(into.length, size - offset))
  let have = 0
  while (have < most) {
    const at = offset + have
    const unit = Math.floor(at / unitBytes)
    const length = Math.min(most - have, (unit + 1) * unitBytes - at)
    const fd = fds[map[unit] ?? 0] ?? -1
    const piece = into.subarray(have, have + length)
    if (fd < 0) piece.fill(0)
    else if (readNow(fd, piece, at) < length) break
    have += length
  }
  return have
}
