/** Log lines; where they go is the caller's choice. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Record<string, string | number | boolean | null>

export interface LogEntry {
  readonly level: LogLevel
  readonly event: string
  readonly fields: LogFields
}

export type Logger = (line: LogEntry) => void

/** A logger that never throws into the code that logs. */
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
