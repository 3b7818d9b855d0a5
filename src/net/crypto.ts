/** The cryptography of the codecs over node:crypto, signing keys, and randomness. */
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { limits } from '../base/limits.js'
import { nodeIdOf, type Self } from '../protocol/greeting.js'
import type { Primitives, Signer } from '../protocol/primitives.js'

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
  verify(publicKey, signature, message) {
    const key = publicKeyOf(publicKey)
    return key !== null && verify(null, message, key, signature)
  },
}

/** Prefix of the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410). */
const spkiHead = Buffer.from('302a300506032b6570032100', 'hex')
/** Parsing a key costs half as much as a verification; of few authors there are many records. */
const publicKeys = new Map<string, KeyObject>()
const publicKeysKept = 64

function publicKeyOf(bytes: Uint8Array): KeyObject | null {
  if (bytes.length !== limits.publicKeyBytes) return null
  const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const known = publicKeys.get(name)
  if (known !== undefined) return known
  const spki = Buffer.concat([spkiHead, bytes])
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  publicKeys.set(name, key)
  const [oldest] = publicKeys.keys()
  if (publicKeys.size > publicKeysKept) publicKeys.delete(oldest as string)
  return key
}

export function signerOf(privateKey: KeyObject): Signer {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return {
    publicKey: new Uint8Array(spki.subarray(spkiHead.length)),
    sign: (message) => sign(null, message, privateKey),
  }
}

/** A key for this process only. */
export function freshSigner(): Signer {
  return signerOf(generateKeyPairSync('ed25519').privateKey)
}

/** Identity of this side under the key, with the present time as incarnation. */
export function selfOf(signer: Signer): Self {
  const nodeId = nodeIdOf(nodePrimitives, signer.publicKey)
  return { signer, nodeId, incarnation: Date.now() }
}

/** A fresh nonce: limits.nonceBytes random bytes. */
export function randomNonce(): Uint8Array {
  return new Uint8Array(randomBytes(limits.nonceBytes))
}

/** A fresh transfer or content id: 128 random bits, 32 hex digits. */
export function randomId(): string {
  return randomBytes(16).toString('hex')
}
