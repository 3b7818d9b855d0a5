/** What a transfer that failed says of the disk that it was to land at. Pure. */
import type { Failure, FrErrorCode } from '../../base/errors.js'

/** A transfer that had its name. */
export interface Failed extends Failure {
  /** Bytes that it was to write. */
  readonly bytes: number
  /** They were reserved on the disk. */
  readonly hadSpace: boolean
  /** Its file was there, and it landed. */
  readonly wasOpen: boolean
}

/** A disk was the cause, if only by being too small. */
export function isOfStorage(code: FrErrorCode): boolean {
  return code === 'ERR_FR_IO' || code === 'ERR_FR_NO_SPACE' || code.startsWith('ERR_FR_DATA_DIR')
}

/**
 * Files of this many bytes and more had better land on another disk for a while; null: none.
 */
export function restsFrom({ code, bytes, hadSpace, wasOpen }: Failed): number | null {
  // One that is refused for its size says nothing of smaller ones.
  if (code === 'ERR_FR_NO_SPACE' && !hadSpace) return bytes
  // A disk may answer questions and hang at the first byte that is written.
  if (code === 'ERR_FR_TIMEOUT' && !wasOpen) return 0
  return isOfStorage(code) ? 0 : null
}
