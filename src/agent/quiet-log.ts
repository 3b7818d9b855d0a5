/**
 * Log lines that strangers can provoke: at most one per minute for each stranger, and a bounded
 * number in all. The next line counts what was left out.
 */
import { limits } from '../base/limits.js'
import type { LogEntry, Logger } from '../base/log.js'
import { nowMs } from '../base/time/awake.js'

const windowMs = 60_000

export class QuietLog {
  readonly #log: Logger
  readonly #now: () => number
  /** When a line about each stranger was last written; the oldest first. */
  readonly #saidMs = new Map<string, number>()
  #leftOut = 0

  constructor(log: Logger, now: () => number = nowMs) {
    this.#log = log
    this.#now = now
  }

  /** `who` identifies the stranger, for example by IP address. */
  say(who: string, line: LogEntry): void {
    const now = this.#now()
    for (const [other, saidMs] of this.#saidMs) {
      if (now - saidMs < windowMs) break
      this.#saidMs.delete(other)
    }
    if (this.#saidMs.has(who) || this.#saidMs.size >= limits.strangersLogged) {
      this.#leftOut += 1
      return
    }
    this.#saidMs.set(who, now)
    const leftOut = this.#leftOut === 0 ? {} : { leftOut: this.#leftOut }
    this.#leftOut = 0
    this.#log({ ...line, fields: { ...line.fields, ...leftOut } })
  }
}
