/**
 * AES-256-GCM over the bytes of one connection, in one direction, as native/core/io/seal.h has it:
 *
 *     u32 length (little endian) | ciphertext (length) | tag (16)
 *
 * with the length, at least 1, as additional data, and salt and number of the record as nonce. A
 * key seals 2^24 records; the next one is what it makes of 32 zeros under the number 2^64 - 1.
 *
 * Never: plaintext of a record that did not open.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'

const algorithm = 'aes-256-gcm'
const keyBytes = 32
const saltBytes = 4
const headBytes = 4
const tagBytes = 16
const sealedBytes = 32 * 1024
const recordsMax = 2 ** 24
const keyNumber = 2n ** 64n - 1n

/** Key and number of the next record: the same at both ends. */
class Place {
  readonly #salt: Uint8Array
  readonly #most: number
  #key: Uint8Array
  #number = 0

  constructor(secret: Uint8Array, most: number) {
    this.#key = secret.slice(0, keyBytes)
    this.#salt = secret.slice(keyBytes)
    this.#most = most
  }

  next(): [key: Uint8Array, nonce: Uint8Array] {
    if (this.#number === this.#most) {
      const cipher = createCipheriv(algorithm, this.#key, this.#nonce(keyNumber))
      this.#key = cipher.update(new Uint8Array(keyBytes))
      this.#number = 0
    }
    return [this.#key, this.#nonce(BigInt(this.#number++))]
  }

  #nonce(number: bigint): Uint8Array {
    const nonce = Buffer.alloc(saltBytes + 8)
    nonce.set(this.#salt)
    nonce.writeBigUInt64BE(number, saltBytes)
    return nonce
  }
}

export class Sealing {
  readonly #place: Place

  /** `most`: records of a key; for tests, the same at both ends. */
  constructor(secret: Uint8Array, most = recordsMax) {
    this.#place = new Place(secret, most)
  }

  /** The records of these bytes; one begins with them and ends with them. */
  seal(parts: readonly Uint8Array[]): Buffer[] {
    const records: Buffer[] = []
    const left = parts.reduce((sum, part) => sum + part.length, 0)
    const rest = [...parts]
    for (let at = 0; at < left; at += sealedBytes) {
      const length = Math.min(sealedBytes, left - at)
      const [key, nonce] = this.#place.next()
      const cipher = createCipheriv(algorithm, key, nonce)
      const head = Buffer.alloc(headBytes)
      head.writeUInt32LE(length)
      cipher.setAAD(head)
      records.push(head)
      for (let wanted = length; wanted > 0; ) {
        const part = rest[0] as Uint8Array
        const taken = part.subarray(0, wanted)
        if (taken.length > 0) records.push(cipher.update(taken))
        wanted -= taken.length
        if (taken.length === part.length) rest.shift()
        else rest[0] = part.subarray(taken.length)
      }
      cipher.final()
      records.push(cipher.getAuthTag())
    }
    return records
  }
}

export class Opening {
  readonly #place: Place
  #waiting: Buffer[] = []
  #bytes = 0
  /** Bytes that the next record has; undefined: its head has not come. */
  #record: number | undefined

  /** See Sealing. */
  constructor(secret: Uint8Array, most = recordsMax) {
    this.#place = new Place(secret, most)
  }

  /**
   * Hands over the bytes of each record that is whole with this. False: what has come behind them
   * is no record that follows.
   */
  came(chunk: Buffer, opened: (bytes: Buffer) => void): boolean {
    this.#waiting.push(chunk)
    this.#bytes += chunk.length
    for (;;) {
      if (this.#record === undefined) {
        if (this.#bytes < headBytes) return true
        this.#record = this.#joined().readUInt32LE(0)
        if (this.#record === 0 || this.#record > sealedBytes) return false
      }
      const whole = headBytes + this.#record + tagBytes
      if (this.#bytes < whole) return true
      const bytes = this.#joined()
      const plain = this.#open(bytes.subarray(0, whole))
      if (plain === null) return false
      this.#waiting = [bytes.subarray(whole)]
      this.#bytes -= whole
      this.#record = undefined
      opened(plain)
    }
  }

  #joined(): Buffer {
    const [first] = this.#waiting
    if (this.#waiting.length === 1 && first !== undefined) return first
    const joined = Buffer.concat(this.#waiting)
    this.#waiting = [joined]
    return joined
  }

  #open(record: Buffer): Buffer | null {
    const [key, nonce] = this.#place.next()
    const end = record.length - tagBytes
    const decipher = createDecipheriv(algorithm, key, nonce)
    decipher.setAAD(record.subarray(0, headBytes))
    decipher.setAuthTag(record.subarray(end))
    const opened = decipher.update(record.subarray(headBytes, end))
    try {
      decipher.final()
      return opened
    } catch {
      return null
    }
  }
}
