/** Text and exit status for an error. */
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { Interrupted } from './context.js'
import { defectText, isOutOfFiles, outOfFilesText } from './last-words.js'
import { printable } from './text.js'
import { UsageError } from './units.js'

/** Codes for a wrong command line; all others are about what the machine does. */
const usageCodes: ReadonlySet<string> = new Set<FrErrorCode>([
  'ERR_FR_UNSUPPORTED',
  'ERR_FR_TRACE',
  'ERR_FR_NAME',
  'ERR_FR_IS_DIRECTORY',
])

/** ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP: the path is wrong, not the disk behind it. */
const pathErrnos: ReadonlySet<number> = new Set([2, 20, 36, 40])

/** 2 for a request that cannot be made, 130 and 143 for signals, 1 for other failures. */
export function statusOfFailure(error: unknown): number {
  if (error instanceof Interrupted) return error.exitStatus
  if (error instanceof UsageError) return 2
  if (!(error instanceof FrError)) return 1
  // A source error without an errno: the path exists but is no file that can be sent.
  const isWrongPath =
    error.code === 'ERR_FR_SOURCE' && (error.errno === undefined || pathErrnos.has(error.errno))
  return usageCodes.has(error.code) || isWrongPath ? 2 : 1
}

/** One line; with `isDebug` the stack of a defect follows. */
export function failureText(error: unknown, isDebug = false): string {
  if (isOutOfFiles(error) && !isDebug) return outOfFilesText
  if (error instanceof FrError) {
    const about = [error.node, error.path].filter(
      (name) => name !== undefined && !error.message.includes(name),
    )
    return `${error.code}: ${printable([...about, error.message].join(': '))}`
  }
  if (error instanceof UsageError || error instanceof Interrupted) {
    return printable(error.message)
  }
  return isDebug ? defectText(error, isDebug) : printable(defectText(error))
}

/** What `begin` returns; what it says of an option is a usage error. */
export function begun<T>(begin: () => T): T {
  try {
    return begin()
  } catch (error) {
    throw asUsage(error)
  }
}

/** Turns the library's TypeError about an option into a usage error; later TypeErrors are bugs. */
export function asUsage(error: unknown): unknown {
  return error instanceof TypeError ? new UsageError(error.message) : error
}
