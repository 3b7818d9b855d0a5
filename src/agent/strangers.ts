/** Connections that come to nothing: counted, and where it matters logged, though not too often. */
import type { FrErrorCode } from '../base/errors.js'
import type { Logger } from '../base/log.js'
import type { Admitted } from '../net/handshake.js'
import { QuietLog } from './quiet-log.js'

export class Strangers {
  readonly #log: Logger
  readonly #counters: { authFailures: number; refusedConnections: number }
  readonly #quiet: QuietLog

  constructor(log: Logger, counters: { authFailures: number; refusedConnections: number }) {
    this.#log = log
    this.#counters = counters
    this.#quiet = new QuietLog(log)
  }

  refused(code: FrErrorCode, text: string): void {
    this.#counters.refusedConnections++
    this.#log({ level: 'debug', event: 'connection-refused', fields: { code, text } })
  }

  /** Logs a peer without the right key, so that the operator of this node sees it too. */
  wrongKey(remote: string, text: string): void {
    this.#counters.authFailures++
    const host = remote.slice(0, remote.lastIndexOf(':'))
    this.#quiet.say(host, { level: 'warn', event: 'wrong-key', fields: { peer: remote, text } })
  }

  /** Refuses the connection that took the last descriptor, which frees the descriptor. */
  exhausted(admitted: Pick<Admitted, 'refuse'>, remote: string): void {
    const text = 'too many open files at the node (EMFILE): raise its limit (ulimit -n)'
    this.refused('ERR_FR_LIMIT', text)
    const line = { level: 'warn', event: 'too-many-files', fields: { peer: remote, text } } as const
    this.#quiet.say('descriptors', line)
    admitted.refuse('ERR_FR_LIMIT', text)
  }
}
