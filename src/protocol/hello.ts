/**
 * The handshake's messages, `u32 length | UTF-8 JSON` of at most limits.helloBytes, and what is
 * computed from them: capabilities, proofs, session secrets.
 *
 *     dialler  -> hello { fr, type, channel, nonce, nodeId, incarnation, transfer?, from?, to?,
 *                         caps }
 *     acceptor -> hello { fr, type, nonce, nodeId, incarnation, advertise?, caps }
 *                 prove { type, proofs }
 *     dialler  -> auth  { type, proof }
 *     acceptor -> go    { type }
 *     either side, instead of any message: error { type, code, text }, then close
 *
 * Idea: the transcript is the bytes of both hellos as they travelled, so everything said in them
 * (version, channel, node ids, transfer, capabilities) is proved without a canonical form. A proof
 * names the role of who made it, so neither side can hand the other's proof back. The acceptor
 * proves first, under each key it accepts: who dials a stranger gives nothing away but a nonce.
 *
 * Order and deadlines are the business of net/handshake.ts.
 */
import { parseAddress } from '../base/addresses.js'
import { bytesOfHex, cleanText, concat, hexOf, readU32, u32, utf8 } from '../base/bytes.js'
import type { DigestAlgorithm } from '../base/digests.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Channel } from '../control/messages/types.js'
import { type Fields, parseObject, protocolError } from './fields.js'
import { type Identity, isPartOfTransfer, peerError, type Role } from './greeting.js'
import type { Primitives } from './primitives.js'

export type { Identity, Role } from './greeting.js'

export interface Capabilities {
  /** In order of preference, like the two below. */
  readonly mac: readonly string[]
  readonly seal: readonly string[]
  readonly digest: readonly string[]
  /** `open`: without a key, loopback only. */
  readonly auth: 'key' | 'open'
}

export interface AcceptorHello extends Identity {
  /** 64 hex digits. */
  readonly nonce: string
  readonly caps: Capabilities
}

export interface DiallerHello extends AcceptorHello {
  readonly channel: Channel
  /**
   * Data and pull channels: the transfer (32 hex digits), and the index of the mate that dials, -1
   * the origin.
   */
  readonly transfer: string | null
  readonly from: number | null
  /**
   * The same: which place in the push is meant; this node may have had another one before.
   */
  readonly to: number | null
}

export interface Agreed {
  readonly digests: readonly DigestAlgorithm[]
}

/** What this implementation offers, best first. */
export function ownCapabilities(auth: 'key' | 'open'): Capabilities {
  return { mac: ['hmac-sha256-128'], seal: ['none'], digest: ['xxh64', 'sha256'], auth }
}

// --- framing ---

export function encodeMessage(message: object): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify(message)
  // No message begins like TLS.
  const json = utf8(text.length % 256 === 0x16 ? `${text} ` : text)
  if (json.length > limits.helloBytes) {
    throw new TypeError(`a handshake message exceeds ${limits.helloBytes} bytes`)
  }
  return concat(u32(json.length), json)
}

/** Bytes of the message that starts here, prefix included; null while the prefix is incomplete. */
export function messageBytes(start: Uint8Array): number | null {
  if (start.length < 4) return null
  const length = readU32(start, 0)
  if (length < 2 || length > limits.helloBytes) {
    throw protocolError(`a handshake message of ${length} bytes is announced`)
  }
  return 4 + length
}

// --- messages ---

export function encodeDiallerHello(hello: DiallerHello): Uint8Array<ArrayBuffer> {
  const { transfer, from, to, ...rest } = hello
  const part = isPartOfTransfer(hello.channel) ? { transfer, from, to } : {}
  return encodeMessage({ fr: limits.protocolVersion, type: 'hello', ...rest, ...part })
}

export function encodeAcceptorHello(hello: AcceptorHello): Uint8Array<ArrayBuffer> {
  return encodeMessage({ fr: limits.protocolVersion, type: 'hello', ...hello })
}

export function encodeError(code: FrErrorCode, text: string): Uint8Array<ArrayBuffer> {
  return encodeMessage({ type: 'error', code, text: cleanText(text) })
}

/** Reads the dialler's hello from a whole message. */
export function decodeDiallerHello(message: Uint8Array): DiallerHello {
  const fields = open(message, 'hello')
  const channel = fields.oneOf('channel', ['data'])
  const isPart = isPartOfTransfer(channel)
  return {
    channel,
    ...readSide(fields),
    transfer: isPart ? fields.hex('transfer', 32) : null,
    from: isPart ? fields.integer('from', -1, limits.placesPerPush - 1) : null,
    to: isPart ? fields.integer('to', 0, limits.placesPerPush - 1) : null,
  }
}

/** Throws the error the acceptor sent, if it sent one; so do the three below. */
export function decodeAcceptorHello(message: Uint8Array): AcceptorHello {
  const fields = open(message, 'hello')
  const side = readSide(fields)
  if (!fields.has('advertise')) return side
  const advertise = fields.string('advertise', limits.addressChars)
  if (parseAddress(advertise) === null) fields.refuse('advertise', 'is not HOST:PORT')
  return { ...side, advertise }
}

export function decodeProve(message: Uint8Array): Uint8Array[] {
  return open(message, 'prove')
    .strings('proofs', limits.keysPerSide, 64)
    .map((text) => {
      const proof = bytesOfHex(text)
      if (proof === null || proof.length !== 32) throw protocolError('a proof is not 64 hex digits')
      return proof
    })
}

export function decodeAuth(message: Uint8Array): Uint8Array {
  return bytesOfHex(open(message, 'auth').hex('proof', 64)) ?? new Uint8Array()
}

export function decodeGo(message: Uint8Array): void {
  open(message, 'go')
}

export function encodeProve(proofs: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return encodeMessage({ type: 'prove', proofs: proofs.map(hexOf) })
}

export function encodeAuth(proof: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeMessage({ type: 'auth', proof: hexOf(proof) })
}

export function encodeGo(): Uint8Array<ArrayBuffer> {
  return encodeMessage({ type: 'go' })
}

function open(message: Uint8Array, type: 'hello' | 'prove' | 'auth' | 'go'): Fields {
  const fields = parseObject(message.subarray(4), 'handshake')
  // The version comes first: of another version nothing but `fr` and the framing can be relied on.
  if (fields.has('fr')) {
    const version = fields.integer('fr', 0, Number.MAX_SAFE_INTEGER)
    if (version !== limits.protocolVersion) throw versionError(version)
  }
  const found = fields.oneOf('type', ['hello', 'prove', 'auth', 'go', 'error'])
  if (found === 'error') throw peerError(fields)
  if (found !== type) throw protocolError(`handshake: ${found} came in the place of ${type}`)
  if (type === 'hello' && !fields.has('fr')) fields.refuse('fr', 'is missing')
  return fields
}

function versionError(version: number): FrError {
  const text = `the peer speaks protocol version ${version}, this side ${limits.protocolVersion}`
  return new FrError('ERR_FR_VERSION', text)
}

function readSide(fields: Fields): AcceptorHello {
  const caps = fields.object('caps')
  return {
    nonce: fields.hex('nonce', 2 * limits.nonceBytes),
    nodeId: fields.hex('nodeId', 32),
    incarnation: fields.integer('incarnation', 0, Number.MAX_SAFE_INTEGER),
    caps: {
      mac: caps.strings('mac', limits.capabilities, limits.capabilityChars),
      seal: caps.strings('seal', limits.capabilities, limits.capabilityChars),
      digest: caps.strings('digest', limits.capabilities, limits.capabilityChars),
      auth: caps.oneOf('auth', ['key', 'open']),
    },
  }
}

// --- agreement ---

/** Throws ERR_FR_AUTH when exactly one side has a key, and says which. */
export function checkAuth(dialler: Capabilities, acceptor: Capabilities): void {
  if (dialler.auth === acceptor.auth) return
  const [has, lacks] =
    dialler.auth === 'key' ? ['dialling', 'accepting'] : ['accepting', 'dialling']
  throw new FrError('ERR_FR_AUTH', `the ${has} side has a key, the ${lacks} side has none`)
}

/**
 * What both sides can do. Of `mac` and `seal` this version knows one value each, and both sides
 * must offer it; of the digest algorithms it gives all that both know, in the dialler's order.
 * Throws ERR_FR_CAPABILITY.
 */
export function negotiate(dialler: Capabilities, acceptor: Capabilities): Agreed {
  const own = ownCapabilities('key')
  const common = (kind: 'mac' | 'seal' | 'digest'): string[] => {
    const found = dialler[kind].filter(
      (name) => acceptor[kind].includes(name) && own[kind].includes(name),
    )
    if (found.length > 0) return [...new Set(found)]
    throw new FrError('ERR_FR_CAPABILITY', `the two sides have no ${kind} in common`)
  }
  common('mac')
  common('seal')
  return { digests: common('digest') as DigestAlgorithm[] }
}

// --- secrets ---

/** SHA-256 over both hello messages as they travelled, length prefixes included. */
export function transcriptHash(
  primitives: Primitives,
  diallerHello: Uint8Array,
  acceptorHello: Uint8Array,
): Uint8Array {
  return primitives.sha256(diallerHello, acceptorHello)
}

/** 32 bytes that only a holder of `key` can make, for this role in this conversation. */
export function proofOf(
  primitives: Primitives,
  key: Uint8Array,
  role: Role,
  transcript: Uint8Array,
): Uint8Array {
  const authKey = primitives.hkdf(key, new Uint8Array(), utf8('fastreplica 1 auth'), 32)
  return primitives.hmac(authKey, utf8(role), transcript)
}

export interface SessionSecrets {
  /** Key of hop MACs in digests records. */
  readonly hopKey: Uint8Array
  /** Seed of the check in record headers, 64 bits. */
  readonly recordSeed: bigint
}

export function sessionSecrets(
  primitives: Primitives,
  key: Uint8Array,
  nonces: Readonly<Record<Role, string>>,
  transcript: Uint8Array,
): SessionSecrets {
  const salt = bytesOfHex(nonces.dialler + nonces.acceptor) ?? new Uint8Array()
  const info = concat(utf8('fastreplica 1 session'), transcript)
  const secret = primitives.hkdf(key, salt, info, 104)
  return {
    hopKey: secret.slice(64, 96),
    recordSeed: new DataView(secret.buffer, secret.byteOffset + 96, 8).getBigUint64(0, true),
  }
}
