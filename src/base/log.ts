/** Log lines; the caller chooses where they go. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Record<string, string | number | boolean | null>

export interface LogEntry {
  readonly level: LogLevel
  readonly event: string
  readonly fields: LogFields
}

export type Logger = (line: LogEntry) => void

/** Wraps a logger so that it never throws into the code that logs. */
export function safeLogger(logger: Logger | undefined): Logger {
  if (logger === undefined) return () => {}
  return (line) => {
    try {
      logger(line)
    } catch {
      // A broken logger must not break a transfer.
    }
  }
}
