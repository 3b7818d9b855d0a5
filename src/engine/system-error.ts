/** Failures of the operating system in words: what was done, to which file, and what came back. */
import { getSystemErrorMap } from 'node:util'
import { errorTable, FrError, type FrErrorCode, type FrErrorDetails } from '../base/errors.js'

/** `no space left on device (ENOSPC)` for 28; `errno 999` for a number the system does not know. */
export function systemWords(errno: number): string {
  const known = getSystemErrorMap().get(-errno)
  return known === undefined ? `errno ${errno}` : `${known[1]} (${known[0]})`
}

/** ENFILE, EMFILE */
const outOfFiles: readonly number[] = [23, 24]

/** What failed: `what` is a system call, or a phrase that says what is wrong. */
export interface Failed {
  readonly what?: string | undefined
  readonly path?: string | undefined
  /** 0: none. */
  readonly errno: number
}

/**
 * `write /data/x: no space left on device (ENOSPC)`; a phrase stands before its path in brackets.
 */
export function failureWords({ what = '', path = '', errno }: Failed): string {
  const words = errno === 0 ? '' : systemWords(errno)
  if (!isCall(what)) {
    const place = path === '' ? [] : [path]
    const details = [...place, ...(words === '' ? [] : [words])]
    if (what === '') return details.join(': ')
    return details.length === 0 ? what : `${what} (${details.join(': ')})`
  }
  const done = path === '' ? what : `${what} ${path}`
  return words === '' ? done : `${done}: ${words}`
}

/**
 * An error of the table whose text says what failed. Where no more files may be opened it is
 * ERR_FR_LIMIT, whatever was tried: that says nothing about the file.
 */
export function systemFailure(wanted: FrErrorCode, failed: Failed, cause?: unknown): FrError {
  const words = failureWords(failed)
  const isOutOfFiles = outOfFiles.includes(failed.errno)
  const code = isOutOfFiles ? 'ERR_FR_LIMIT' : wanted
  const meaning = isOutOfFiles ? 'too many open files' : errorTable[code].meaning
  const details: FrErrorDetails = cause === undefined ? {} : { cause }
  if (failed.errno !== 0) details.errno = failed.errno
  if (isCall(failed.what)) details.syscall = failed.what
  if (failed.path !== undefined) details.path = failed.path
  return new FrError(code, words === '' ? meaning : `${meaning}: ${words}`, details)
}

function isCall(what: string | undefined): what is string {
  return what !== undefined && /^[a-z0-9_]+$/.test(what)
}
