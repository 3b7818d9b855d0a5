/**
 * The first frames of a link, inside TLS 1.3: `u32 length | u8 type | JSON`, of at most
 * limits.helloBytes, and what the TLS handshake before them needs.
 *
 *     dialler  -> hello   { channel, nodeId, incarnation, transfer?, from?, to?, digests, proof }
 *     acceptor -> welcome { nodeId, incarnation, advertise?, digests, proof }
 *                 go      { }
 *     either side, instead of any frame: error { code, text }, then close
 *
 * Idea: TLS proves the key and hides what is said. A proof binds a frame to its sender's role and
 * node id and to this one TLS connection (the exporter of RFC 9266), so nobody can hand a hello on,
 * and a connection that is led back to its dialler is found out by the node id.
 *
 * Order and deadlines are the business of net/handshake.ts.
 */
import { parseAddress } from '../base/addresses.js'
import { bytesOfHex, cleanText, concat, hexOf, readU32, u32, utf8 } from '../base/bytes.js'
import { type DigestAlgorithm, digestAlgorithms } from '../base/digests.js'
import { FrError, type FrErrorCode, isFrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Channel } from '../control/messages/types.js'
import { type Fields, parseObject, protocolError } from './fields.js'
import { numberMax } from './plan.js'
import type { Primitives } from './primitives.js'

export type Role = 'dialler' | 'acceptor'

/** Who a side is; `incarnation` grows with every start of the node (milliseconds since 1970). */
export interface Identity {
  /** 32 hex digits. */
  readonly nodeId: string
  readonly incarnation: number
  /** Acceptors: HOST:PORT by which mates should dial this node; absent: as the origin does. */
  readonly advertise?: string
}

export interface Welcome extends Identity {
  /** Digest algorithms, best first. */
  readonly digests: readonly string[]
  /** 64 hex digits. */
  readonly proof: string
}

/** Channels that are links of frames. */
export type LinkChannel = Exclude<Channel, 'data'>

export interface Hello extends Welcome {
  readonly channel: LinkChannel
  /**
   * Pull channels: the transfer (32 hex digits), and the index of the mate that dials.
   */
  readonly transfer: string | null
  readonly from: number | null
  /**
   * Pull channels: the number of who is meant; this node may have had another one before.
   */
  readonly to: number | null
}

export const ownDigests: readonly DigestAlgorithm[] = digestAlgorithms

/** True for channels that belong to one transfer; their hello says to which, and who dials. */
export function isPartOfTransfer(channel: Channel): boolean {
  return channel === 'data' || channel === 'pull'
}

// --- the pre-shared key of TLS ---

/** 32 zero bytes where there is no key. */
export function pskOf(primitives: Primitives, key: Uint8Array, isOpen: boolean): Uint8Array {
  return isOpen ? new Uint8Array(32) : derive(primitives, key, 'psk', 32)
}

/** A name of the key that tells nothing else of it: 16 hex digits, or `open`. */
export function keyIdOf(primitives: Primitives, key: Uint8Array, isOpen: boolean): string {
  return isOpen ? 'open' : hexOf(derive(primitives, key, 'key id', 8))
}

function derive(
  primitives: Primitives,
  key: Uint8Array,
  purpose: string,
  bytes: number,
): Uint8Array {
  const info = utf8(`fastreplica ${limits.protocolVersion} ${purpose}`)
  return primitives.hkdf(key, new Uint8Array(), info, bytes)
}

/** What the dialler says in the clear: the version, the key in use, and others that it holds. */
export interface PskIdentity {
  readonly version: number
  readonly keyId: string
  readonly otherKeyIds: readonly string[]
}

export function encodePskIdentity({ version, keyId, otherKeyIds }: PskIdentity): string {
  return [`fastreplica/${version}`, keyId, ...otherKeyIds].join(' ')
}

/** Null for what no version of this protocol says. */
export function decodePskIdentity(text: string): PskIdentity | null {
  const found = /^fastreplica\/([1-9]\d{0,8})(?: (.*))?$/.exec(text)
  if (found === null) return null
  const [keyId = '', ...otherKeyIds] = (found[2] ?? '').split(' ').slice(0, limits.keysPerSide)
  return { version: Number(found[1]), keyId, otherKeyIds }
}

/**
 * Proof that the sender of a hello or welcome holds the key, in this TLS connection. `channel` is
 * its exporter (RFC 9266, 32 bytes). The acceptor's id is null in the dialler's: it is not known.
 */
export function linkProof(
  primitives: Primitives,
  key: Uint8Array,
  role: Role,
  channel: Uint8Array,
  ids: { readonly dialler: string; readonly acceptor: string | null },
): string {
  const linkKey = derive(primitives, key, 'link', 32)
  const acceptor = ids.acceptor ?? '00'.repeat(16)
  const named = [idBytes(ids.dialler), idBytes(acceptor)]
  return hexOf(primitives.hmac(linkKey, utf8(role), channel, ...named))
}

function idBytes(nodeId: string): Uint8Array {
  return bytesOfHex(nodeId) ?? new Uint8Array()
}

// --- framing ---

const types = { hello: 48, welcome: 49, go: 50, error: 51 } as const
type GreetingType = keyof typeof types

function encode(type: GreetingType, body: object): Uint8Array<ArrayBuffer> {
  const json = utf8(JSON.stringify(body))
  if (1 + json.length > limits.helloBytes) {
    throw new TypeError(`a greeting exceeds ${limits.helloBytes} bytes`)
  }
  return concat(u32(1 + json.length), Uint8Array.of(types[type]), json)
}

/** Bytes of the greeting that starts here, prefix included; null while the prefix is incomplete. */
export function greetingBytes(start: Uint8Array): number | null {
  if (start.length < 4) return null
  const length = readU32(start, 0)
  if (length < 3 || length > limits.helloBytes) {
    throw protocolError(`a greeting of ${length} bytes is announced`)
  }
  return 4 + length
}

// --- frames ---

export function encodeHello(hello: Hello): Uint8Array<ArrayBuffer> {
  const { transfer, from, to, ...rest } = hello
  const part = hello.channel === 'pull' ? { transfer, from, to } : {}
  return encode('hello', { ...rest, ...part })
}

export function encodeWelcome(welcome: Welcome): Uint8Array<ArrayBuffer> {
  return encode('welcome', welcome)
}

export function encodeGo(): Uint8Array<ArrayBuffer> {
  return encode('go', {})
}

export function encodeError(code: FrErrorCode, text: string): Uint8Array<ArrayBuffer> {
  return encode('error', { code, text: cleanText(text) })
}

/** Throws the error that the peer sent, if it sent one; so do the two below. */
export function decodeHello(greeting: Uint8Array): Hello {
  const fields = open(greeting, 'hello')
  const channel = fields.oneOf('channel', ['control', 'pull', 'status'])
  const isPart = channel === 'pull'
  return {
    channel,
    ...readSide(fields),
    transfer: isPart ? fields.hex('transfer', 32) : null,
    from: isPart ? fields.integer('from', 0, numberMax) : null,
    to: isPart ? fields.integer('to', 0, numberMax) : null,
  }
}

export function decodeWelcome(greeting: Uint8Array): Welcome {
  const fields = open(greeting, 'welcome')
  const side = readSide(fields)
  if (!fields.has('advertise')) return side
  const advertise = fields.string('advertise', limits.addressChars)
  if (parseAddress(advertise) === null) fields.refuse('advertise', 'is not HOST:PORT')
  return { ...side, advertise }
}

export function decodeGo(greeting: Uint8Array): void {
  open(greeting, 'go')
}

function open(greeting: Uint8Array, type: GreetingType): Fields {
  const found = greeting[4]
  const name = (Object.keys(types) as GreetingType[]).find((known) => types[known] === found)
  if (name === undefined) throw protocolError(`greeting type ${found} is unknown`)
  const fields = parseObject(greeting.subarray(5), `greeting ${name}`)
  if (name === 'error') throw peerError(fields)
  if (name !== type) throw protocolError(`greeting: ${name} came in the place of ${type}`)
  return fields
}

function readSide(fields: Fields): Welcome {
  return {
    nodeId: fields.hex('nodeId', 32),
    incarnation: fields.integer('incarnation', 0, Number.MAX_SAFE_INTEGER),
    digests: fields.strings('digests', limits.capabilities, limits.capabilityChars),
    proof: fields.hex('proof', 64),
  }
}

/** All digest algorithms that both sides know, in the dialler's order. Throws ERR_FR_CAPABILITY. */
export function commonDigests(
  dialler: readonly string[],
  acceptor: readonly string[],
): readonly DigestAlgorithm[] {
  const common = ownDigests.filter((name) => dialler.includes(name) && acceptor.includes(name))
  if (common.length > 0) return common.sort((a, b) => dialler.indexOf(a) - dialler.indexOf(b))
  throw new FrError('ERR_FR_CAPABILITY', 'the two sides have no digest in common')
}

// --- errors of the peer ---

const saidByPeer = new WeakSet<Error>()

/** True for an error the other side sent, as opposed to one found here: not to be answered. */
export function isSaidByPeer(error: Error): boolean {
  return saidByPeer.has(error)
}

export function peerError(fields: Fields): FrError {
  const code = fields.string('code', 64)
  const text = `the peer says: ${fields.text('text')}`
  const error = isFrErrorCode(code)
    ? new FrError(code, text)
    : protocolError(`${text} (${cleanText(code)})`)
  saidByPeer.add(error)
  return error
}
