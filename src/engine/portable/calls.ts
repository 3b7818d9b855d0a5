/** Calls of node:fs on descriptors, as promises: a FileHandle would close what others still use. */
import { type BigIntStats, close, fchmod, fstat, fsync, ftruncate, futimes, open } from 'node:fs'
import { promisify } from 'node:util'

export const openAsync = promisify(open)
export const closeAsync = promisify(close)
export const ftruncateAsync = promisify(ftruncate)
export const fsyncAsync = promisify(fsync)
export const fchmodAsync = promisify(fchmod)
export const futimesAsync = promisify(futimes)
export const fstatAsync = promisify(fstat) as (
  fd: number,
  options: { bigint: true },
) => Promise<BigIntStats>
