/** Reads of an open file that wait for the disk. */
import { readSync } from 'node:fs'
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
