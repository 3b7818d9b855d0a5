/** What engines refuse as misuse: TypeErrors that name the value. No state, no I/O. */
import type { BlockAlgorithm } from '../base/digests.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { RateLimits, RouteTarget, ServeSpec, TransferShare } from '../ports.js'
import { systemFailure } from './system-error.js'

/** Bytes of `FeedSpec.seal`: a key of 32, and 4 of salt. */
const sealBytes = 36

/** Throws TypeError unless the value is an integer within [min, max]. */
export function checkInteger(
  name: string,
  value: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new TypeError(`${name} must be an integer from ${min} to ${max}, not ${String(value)}`)
  }
}

/** Throws TypeError unless [offset, offset + length) is a non-empty part of a file of this size. */
export function checkRange(
  range: { readonly offset: number; readonly length: number },
  size: number = Number.MAX_SAFE_INTEGER,
): void {
  checkInteger('offset', range.offset, 0, size)
  checkInteger('length', range.length, 1, size - range.offset)
}

/** Throws TypeError. */
export function checkServe({ offset, length, stalledMs }: ServeSpec): void {
  checkInteger('offset', offset, 0)
  checkInteger('length', length, 0, Number.MAX_SAFE_INTEGER - offset)
  checkInteger('stalledMs', stalledMs, 1, 0x7fff_ffff)
}

/** Throws TypeError unless it is the secret of a sealed connection, or none. */
export function checkSeal(seal: Uint8Array | undefined): void {
  if (seal === undefined || (seal instanceof Uint8Array && seal.length === sealBytes)) return
  throw new TypeError(`seal must be ${sealBytes} bytes`)
}

/** Both rates of these limits, 0 where there is none. Throws TypeError. */
export function checkRates(rates: RateLimits): { up: number; down: number } {
  const { upBytesPerSecond: up, downBytesPerSecond: down } = rates
  return { up: checkRate('upBytesPerSecond', up), down: checkRate('downBytesPerSecond', down) }
}

/** The rate, 0 where there is none. Throws TypeError. */
export function checkRate(name: string, rate: number | undefined): number {
  if (rate !== undefined) checkInteger(name, rate, 1, limits.rateMax)
  return rate ?? 0
}

/** Throws TypeError. */
export function checkWeight({ priority = limits.priority }: TransferShare): number {
  checkInteger('priority', priority, limits.priorityMin, limits.priorityMax)
  return priority
}

const blake3ChunkBytes = 1024

/** Throws TypeError unless these blocks can be hashed by this algorithm, at most `max` bytes. */
export function checkBlocks(
  range: { readonly offset: number; readonly length: number },
  blockBytes: number,
  algorithm: BlockAlgorithm,
  max: number,
): void {
  const { offset, length } = range
  checkInteger('offset', offset, 0)
  checkInteger('length', length, 0, max)
  checkInteger('blockBytes', blockBytes, 1)
  if (algorithm === 'blake3') {
    const chunks = blockBytes / blake3ChunkBytes
    if (chunks < 1 || !Number.isInteger(Math.log2(chunks)) || offset % blockBytes !== 0) {
      throw new TypeError(`blake3: no block of ${blockBytes} bytes begins at ${offset}`)
    }
  }
  if (algorithm === 'blake3-file' && (offset !== 0 || length > blockBytes))
    throw new TypeError('blake3-file: the range is not the only block of a file')
}

/** Throws TypeError unless these are BLAKE3 values that fold by so many. */
export function checkFold(values: Uint8Array, perValue: number): void {
  if (values.length % 32 !== 0) throw new TypeError('values: not of 32 bytes each')
  if (perValue < 1 || !Number.isInteger(Math.log2(perValue)))
    throw new TypeError('perValue: not a power of two')
}

export const routeMax = 0xffff

/**
 * Throws TypeError unless each target has a handle of a feed, once, and a number of a route, 0
 * included.
 */
export function checkTargets(targets: readonly RouteTarget[]): void {
  for (const { feed, next } of targets) {
    checkInteger('feed', feed, 1, 0xffff_ffff)
    checkInteger('next', next, 0, routeMax)
  }
  const feeds = new Set(targets.map((target) => target.feed))
  if (feeds.size < targets.length) throw new TypeError('feed: named twice')
}

/** The value, or TypeError: a handle that is unknown or closed is a mistake of the caller. */
export function known<T>(kind: string, handle: number | string, value: T | undefined): T {
  if (value === undefined) throw new TypeError(`unknown or closed ${kind}: ${String(handle)}`)
  return value
}

/**
 * The positive system error number behind an error of node:fs or node:net, 0 when there is none.
 */
export function errnoOf(error: unknown): number {
  const errno = (error as NodeJS.ErrnoException | undefined)?.errno
  return typeof errno === 'number' ? Math.abs(errno) : 0
}

/** The system's name of the error (`ENOENT`), or an empty string. */
export function systemCode(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/**
 * Full disks and quotas have a code of their own; every other failed read or write is ERR_FR_IO.
 */
export function ioCode(error: unknown): FrErrorCode {
  const code = systemCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'ERR_FR_NO_SPACE' : 'ERR_FR_IO'
}

/**
 * An FrError that keeps what the system said. An FrError passes through unchanged. `path`: of the
 * file, for calls on descriptors, whose errors do not name it.
 */
export function asFrError(
  error: unknown,
  code: FrErrorCode = ioCode(error),
  path?: string,
): FrError {
  if (error instanceof FrError) return error
  const system = error as NodeJS.ErrnoException
  const errno = errnoOf(error)
  const named = system.path === undefined ? path : String(system.path)
  const what = system.syscall ?? system.message
  return systemFailure(code, { what, path: named, errno }, error)
}

/** For a promise of a call on a descriptor: its rejection names the file. */
export function atPath(path: string): (error: unknown) => never {
  return (error) => {
    throw asFrError(error, ioCode(error), path)
  }
}
