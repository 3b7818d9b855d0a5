/**
 * Conversions for the codecs: UTF-8, hex, base64url, little-endian integers. This file does not
 * depend on Node. Decoders return null for malformed input and never repair it.
 */
import { limits } from './limits.js'

declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string }

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Lone surrogates become U+FFFD, as with TextEncoder; a caller that minds compares afterwards. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}

/** Returns null when the bytes are not UTF-8. A byte order mark stays in the text. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** Accepts lower-case digits only; returns null for anything else. */
export function bytesOfHex(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return null
  const bytes = new Uint8Array(text.length / 2)
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = Number.parseInt(text.slice(at * 2, at * 2 + 2), 16)
  }
  return bytes
}

const base64Digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** base64url without padding (RFC 4648, section 5). */
export function base64urlOf(bytes: Uint8Array): string {
  let text = ''
  let pending = 0
  let bits = 0
  for (const byte of bytes) {
    pending = (pending << 8) | byte
    bits += 8
    while (bits >= 6) {
      bits -= 6
      text += base64Digits[(pending >> bits) & 63]
    }
    pending &= (1 << bits) - 1
  }
  if (bits > 0) text += base64Digits[(pending << (6 - bits)) & 63]
  return text
}

/** Returns null for padding, foreign characters, or left-over bits that are not zero. */
export function bytesOfBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length % 4 === 1) return null
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let at = 0
  let pending = 0
  let bits = 0
  for (const character of text) {
    const digit = base64Digits.indexOf(character)
    if (digit < 0) return null
    pending = (pending << 6) | digit
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[at] = pending >> bits
      at += 1
    }
    pending &= (1 << bits) - 1
  }
  return pending === 0 ? bytes : null
}

export function u32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

export function u64(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
  return bytes
}

export function readU32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true)
}

function u32At(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
  return (low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
}

/** Exact below 2^53. */
export function u64At(bytes: Uint8Array, at: number): number {
  return u32At(bytes, at) + u32At(bytes, at + 4) * 2 ** 32
}

/** The same, with a sign. */
export function i64At(bytes: Uint8Array, at: number): number {
  return u32At(bytes, at) + (u32At(bytes, at + 4) | 0) * 2 ** 32
}

/** 64 bits as a decimal number. */
export function u64Text(bytes: Uint8Array, at: number): string {
  const high = u32At(bytes, at + 4)
  if (high < 2 ** 21) return String(u32At(bytes, at) + high * 2 ** 32)
  return String((BigInt(high) << 32n) | BigInt(u32At(bytes, at)))
}

/** Of -2^53 to 2^53, as 64 bits. */
export function put64(bytes: Uint8Array, at: number, value: number): void {
  let [low, high] = [value % 2 ** 32, Math.floor(value / 2 ** 32)]
  for (let place = at; place < at + 4; place += 1) {
    bytes[place] = low & 0xff
    bytes[place + 4] = high & 0xff
    low = Math.floor(low / 256)
    high = Math.floor(high / 256)
  }
}

/**
 * Makes text from a peer safe for a terminal and a log line: cuts it to limits.errorTextChars and
 * replaces control, format (bidirectional override) and broken characters with `?`. Cleaning twice
 * changes nothing.
 */
export function cleanText(text: string): string {
  return text.slice(0, limits.errorTextChars).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?')
}
