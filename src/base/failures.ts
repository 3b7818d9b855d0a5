/** Converts any thrown value to FrError. */
import { FrError, type FrErrorCode, isOutOfFiles } from './errors.js'

/**
 * `fallback` is the code of errors that have none; running out of files is ERR_FR_LIMIT, a full
 * disk ERR_FR_NO_SPACE.
 */
export function asFrError(error: unknown, fallback: FrErrorCode): FrError {
  if (error instanceof FrError) return error
  const text = error instanceof Error ? error.message : String(error)
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new FrError('ERR_FR_NO_SPACE', text, { cause: error })
  if (!isOutOfFiles(error)) return new FrError(fallback, text, { cause: error })
  return new FrError('ERR_FR_LIMIT', `too many open files: ${text}`, { cause: error })
}
