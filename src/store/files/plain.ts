/** Checks of what was read from a line of JSON; a checksum tells only that it is as written. */
import { hash } from 'node:crypto'
import { type DigestAlgorithm, digestAlgorithms } from '../../base/digests.js'
import { limits } from '../../base/limits.js'

const hexDigits = /^[0-9a-f]*$/

export type Plain = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null
}

export function isHex(value: unknown, digits: number): value is string {
  return typeof value === 'string' && value.length === digits && hexDigits.test(value)
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function isAlgorithm(value: unknown): value is DigestAlgorithm {
  return digestAlgorithms.includes(value as DigestAlgorithm)
}

/** A name as text, one character a byte, in which names compare as their bytes do. */
export function keyOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')
}

/** The directory that is kept for a name has this one: 32 hex digits of its SHA-256. */
export function dirKeyOf(name: Uint8Array): string {
  return hash('sha256', name, 'hex').slice(0, 32)
}

export function nameOfKey(key: string): Uint8Array {
  const name = new Uint8Array(key.length)
  for (let at = 0; at < key.length; at++) name[at] = key.charCodeAt(at)
  return name
}

export function isKey(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > limits.nameBytes)
    return false
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at)
    if (code === 0 || code > 0xff) return false
  }
  return true
}
