/**
 * The cluster's key: at least 32 bytes that every node and every client share.
 *
 * Never: the bytes in a log, an error text, an inspected object or JSON. `Key` holds them in a
 * private field; only code that says `key.bytes` reads them.
 */
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Certificates } from './certificates.js'

export class Key {
  readonly #bytes: Uint8Array
  readonly #isOpen: boolean
  /** What this side has in place of a key, if so. */
  readonly certificates: Certificates | undefined

  /** For this module; others use Key.of, Key.certified, parseKey or openKey. */
  private constructor(bytes: Uint8Array, isOpen: boolean, certificates?: Certificates) {
    this.#bytes = bytes
    this.#isOpen = isOpen
    this.certificates = certificates
  }

  /** In place of a key: it has no bytes. */
  static certified(certificates: Certificates): Key {
    return new Key(new Uint8Array(), false, certificates)
  }

  /** Throws ERR_FR_KEY; the bytes are copied. */
  static of(bytes: Uint8Array): Key {
    if (bytes.length < limits.keyBytesMin || bytes.length > limits.keyBytesMax) {
      const bounds = `${limits.keyBytesMin} to ${limits.keyBytesMax}`
      throw new FrError('ERR_FR_KEY', `a key has ${bounds} bytes, this one ${bytes.length}`)
    }
    if (bytes.every((byte) => byte === 0)) {
      throw new FrError('ERR_FR_KEY', 'a key must not be all zero bytes')
    }
    return new Key(Uint8Array.from(bytes), false)
  }

  /** The key that both sides use when there is none; MACs are then only checksums. */
  static readonly open = new Key(new Uint8Array(limits.keyBytesMin), true)

  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** True for the open key, with which only loopback addresses are served and dialled. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  [inspect.custom](): string {
    return this.toString()
  }

  toString(): string {
    if (this.certificates !== undefined) return 'Key(certificates)'
    return this.#isOpen ? 'Key(open)' : 'Key(secret)'
  }

  toJSON(): string {
    return this.toString()
  }
}

/** The key of sides without a key. */
export const openKey: Key = Key.open

/** Text counts as its UTF-8 bytes without one trailing newline; bytes count as they are. */
export function parseKey(key: string | Uint8Array): Key {
  return Key.of(typeof key === 'string' ? withoutNewline(Buffer.from(key, 'utf8')) : key)
}

/** A fresh key as text: 32 random bytes in base64url, without a newline. */
export function generateKey(): string {
  return randomBytes(32).toString('base64url')
}

/** Removes one newline at the end: LF, CRLF, or the CR that `$(cat fr.key)` leaves of CRLF. */
export function withoutNewline(bytes: Uint8Array): Uint8Array {
  const line = bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line
}
