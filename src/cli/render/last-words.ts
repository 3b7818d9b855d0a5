/**
 * Text for an error that nothing else describes. This file imports no other file of fr, because a
 * process that may open no more files could not load it.
 */
const emfile = 24
const enfile = 23

interface SystemError {
  readonly code?: unknown
  readonly errno?: unknown
  readonly cause?: unknown
}

/** True when the error, or its cause, is that no more files may be opened. */
export function isOutOfFiles(error: unknown): boolean {
  let each = error
  for (let depth = 0; depth < 8 && typeof each === 'object' && each !== null; depth++) {
    const { code, errno, cause } = each as SystemError
    if (code === 'EMFILE' || code === 'ENFILE') return true
    if (typeof errno === 'number' && [emfile, enfile].includes(Math.abs(errno))) return true
    each = cause
  }
  return false
}

/** The cause and the remedy. */
export const outOfFilesText =
  'too many open files: raise the limit of this shell or service (ulimit -n 1024, LimitNOFILE=)'

/** A defect in one line: the error, and the line of the program where it was noticed. */
export function defectText(error: unknown, isDebug = false): string {
  if (!(error instanceof Error)) return `defect: ${String(error).slice(0, 200)}`
  const stack = error.stack ?? error.message
  if (isDebug) return stack
  const [title] = `${error.name}: ${error.message}`.split('\n')
  const frames = stack.split('\n').filter((line) => /^ +at .*:\d+/.test(line))
  const own = frames.find((line) => !/node:|node_modules/.test(line)) ?? frames[0]
  return `defect: ${title}${own === undefined ? '' : ` ${own.trim()}`}`
}

/** One line about an error that nothing caught. */
export function lastWords(error: unknown): string {
  return isOutOfFiles(error) ? outOfFilesText : defectText(error)
}
