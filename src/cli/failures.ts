/** What an error says to the user and which exit status it gives. */
import { FrError } from '../errors.js'
import { Interrupted } from './context.js'
import { printable } from './render-text.js'
import { UsageError } from './units.js'

const usageCodes: ReadonlySet<string> = new Set(['ERR_FR_UNSUPPORTED', 'ERR_FR_TRACE'])

/** 2 for what cannot be asked for, 130 and 143 for signals, 1 for what went wrong. */
export function statusOfFailure(error: unknown): number {
  if (error instanceof Interrupted) return error.exitStatus
  if (error instanceof UsageError) return 2
  if (error instanceof FrError && usageCodes.has(error.code)) return 2
  return 1
}

/** One line; a stack only for what is a bug of ours. */
export function failureText(error: unknown): string {
  if (error instanceof FrError) {
    const about = [error.node, error.path].filter(
      (name) => name !== undefined && !error.message.includes(name),
    )
    return `${error.code}: ${printable([...about, error.message].join(': '))}`
  }
  if (error instanceof UsageError || error instanceof Interrupted) {
    return printable(error.message)
  }
  return error instanceof Error ? (error.stack ?? error.message) : printable(String(error))
}

/** The library's TypeError about an option is a usage error here; any later TypeError is a bug. */
export function asUsage(error: unknown): unknown {
  return error instanceof TypeError ? new UsageError(error.message) : error
}
