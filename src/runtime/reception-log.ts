/** The log of a file that a node receives; each line names transfer, file and sender. */
import type { Failure } from '../control/node-events.js'
import { nowMs } from './awake.js'
import type { LogFields, Logger, LogLevel } from './log.js'

export interface LoggedTransfer {
  readonly transfer: string
  readonly entry: { readonly name: string; readonly size: number }
  /** HOST:PORT that the control link of the origin comes from. */
  readonly originAddress: string
}

export class ReceptionLog {
  readonly #log: Logger
  readonly #about: LogFields
  readonly #bytes: number
  readonly #startedMs = nowMs()
  /** Of the file as it was summed here. */
  #digest: string | null = null

  constructor(log: Logger, { transfer, entry, originAddress }: LoggedTransfer) {
    this.#log = log
    this.#about = { transfer, name: entry.name, sender: originAddress }
    this.#bytes = entry.size
  }

  line(level: LogLevel, event: string, fields: Readonly<LogFields>): void {
    this.#log({ level, event, fields: { ...this.#about, ...fields } })
  }

  offered(): void {
    this.line('info', 'offered', { bytes: this.#bytes })
  }

  summed(digest: string): string {
    this.#digest = digest
    return digest
  }

  published(pulledBytes: number): void {
    const seconds = this.#seconds()
    const rateBytesPerSecond = seconds > 0 ? Math.round(this.#bytes / seconds) : null
    const bytes = this.#bytes
    const digest = this.#digest
    this.line('info', 'published', { bytes, pulledBytes, seconds, rateBytesPerSecond, digest })
  }

  failed({ code, text }: Failure): void {
    this.line('warn', 'failed', { code, text, seconds: this.#seconds() })
  }

  /** Since the offer, in thousandths. */
  #seconds(): number {
    return Math.round(nowMs() - this.#startedMs) / 1000
  }
}
