/** Whatever was thrown, as the one error class. */
import { FrError, type FrErrorCode } from '../errors.js'

/** `fallback` names errors that carry no code of ours. */
export function asFrError(error: unknown, fallback: FrErrorCode): FrError {
  if (error instanceof FrError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new FrError(fallback, text, { cause: error })
}
