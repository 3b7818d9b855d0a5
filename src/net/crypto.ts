/** The primitives of the protocol room over node:crypto, and randomness. */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { limits } from '../base/limits.js'
import type { Primitives } from '../protocol/primitives.js'

export const nodePrimitives: Primitives = {
  hmac(key, ...parts) {
    const hmac = createHmac('sha256', key)
    for (const part of parts) hmac.update(part)
    return hmac.digest()
  },
  hkdf(key, salt, info, bytes) {
    return new Uint8Array(hkdfSync('sha256', key, salt, info, bytes))
  },
  equal(left, right) {
    return left.length === right.length && timingSafeEqual(left, right)
  },
}

/** A fresh nonce: limits.nonceBytes random bytes. */
export function randomNonce(): Uint8Array {
  return new Uint8Array(randomBytes(limits.nonceBytes))
}

/** A fresh transfer or node id: 128 random bits, 32 hex digits. */
export function randomId(): string {
  return randomBytes(16).toString('hex')
}
