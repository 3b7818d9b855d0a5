/** Whatever was thrown, as the one error class. */
import { FrError, type FrErrorCode, isOutOfFiles } from './errors.js'

/** `fallback` names errors that carry no code of ours, but for those that no file can be opened. */
export function asFrError(error: unknown, fallback: FrErrorCode): FrError {
  if (error instanceof FrError) return error
  const text = error instanceof Error ? error.message : String(error)
  if (!isOutOfFiles(error)) return new FrError(fallback, text, { cause: error })
  return new FrError('ERR_FR_LIMIT', `too many open files: ${text}`, { cause: error })
}
