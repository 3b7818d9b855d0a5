/**
 * The certificate with which a server of TLS shows who it is, to clients that show none: the files
 * are looked at with each connection, and what is renewed counts for the next one. Files that
 * cannot be used change nothing until they can.
 */
import type { SecureContextOptions } from 'node:tls'
import type { FrError } from '../base/errors.js'
import type { Logger } from '../base/log.js'
import { type PairFiles, readPair, stampsOf } from './pem-files.js'

export type ServerPair = Required<Pick<SecureContextOptions, 'cert' | 'key' | 'minVersion'>>

export class ServerCertificate {
  readonly #files: PairFiles
  readonly #log: Logger
  #seen: string

  constructor(files: PairFiles, log: Logger) {
    this.#files = files
    this.#log = log
    this.#seen = this.#stamp()
  }

  /** Throws ERR_FR_CERTIFICATE. */
  read(): ServerPair {
    const { cert, key } = readPair(this.#files)
    return { cert, key, minVersion: 'TLSv1.2' }
  }

  /** Undefined: the files are as they were, or cannot be used, which the log is told once. */
  renewed(): ServerPair | undefined {
    const seen = this.#stamp()
    if (seen === this.#seen) return undefined
    this.#seen = seen
    try {
      const pair = this.read()
      this.#log({ level: 'info', event: 'certificates-read', fields: { path: this.#files.cert } })
      return pair
    } catch (error) {
      const { code, message: text } = error as FrError
      this.#log({ level: 'error', event: 'certificates-refused', fields: { code, text } })
      return undefined
    }
  }

  #stamp(): string {
    return stampsOf([this.#files.cert, this.#files.key])
  }
}
