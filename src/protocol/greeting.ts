/**
 * The first frames of a link, inside TLS 1.3: `u32 length | u8 type | JSON`, of at most
 * limits.helloBytes, and the input of the TLS handshake before them.
 *
 *     dialler  -> hello   { channel, publicKey, incarnation, digests, signature,
 *                           attributes?, transfer?, from?, to?, link?, heard? }
 *     acceptor -> welcome { publicKey, incarnation, digests, signature, attributes?, advertise?,
 *                           limits?, sealed? }
 *                 go      { heard? }
 *     either side, instead of any frame: error { code, text }, then close
 *
 * TLS proves the cluster's key and encrypts. The identity of a side is its own Ed25519 key; the
 * node id is the key's fingerprint. A signature binds the greeting to the sender's role and to this
 * TLS connection (the exporter of RFC 9266). So nobody can forward a hello or take another's id,
 * and the node id exposes a connection that leads back to its dialler.
 *
 * net/handshake.ts keeps order and deadlines.
 */
import { parseAddress } from '../base/addresses.js'
import { type Attributes, claimFault } from '../base/attributes.js'
import { bytesOfHex, cleanText, concat, hexOf, readU32, u32, utf8 } from '../base/bytes.js'
import { type DigestAlgorithm, digestAlgorithms } from '../base/digests.js'
import { FrError, type FrErrorCode, isFrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { NodeLimits } from '../base/rate-limits.js'
import type { Channel } from '../control/messages/types.js'
import { type Fields, parseObject, protocolError } from './fields.js'
import { numberMax, readSealed } from './plan.js'
import type { Primitives, Signer } from './primitives.js'

export type Role = 'dialler' | 'acceptor'

/** Identity of a side; `incarnation` is the start time of the node in milliseconds since 1970. */
export interface Identity {
  /** 32 hex digits: see `nodeIdOf`. */
  readonly nodeId: string
  readonly incarnation: number
  /** What its certificate calls it; absent without certificates. */
  readonly name?: string
  /** What it says of itself, its name among it. */
  readonly attributes?: Attributes
  /** Acceptors: HOST:PORT that mates should dial; by default the address that the origin dials. */
  readonly advertise?: string
  /** Acceptors: what they keep to, if anything. */
  readonly limits?: NodeLimits
  /** Acceptors: their data connections are to be sealed. */
  readonly sealed?: true
}

export interface Closable {
  destroy(): unknown
  once(event: 'close', listener: () => void): unknown
}

/** Identity of this side and the key that proves it. */
export interface Self extends Omit<Identity, 'name' | 'limits' | 'sealed'> {
  readonly signer: Signer
  /** Its data connections are to be sealed, or it has none. */
  readonly seal?: 'wanted' | 'required'
  /** What this side keeps to now. */
  readonly limits?: () => NodeLimits
  /**
   * False: it has nothing to do with that node or client. `certified`: the name in the certificate
   * that it has shown; null: it has none; absent: it has shown nothing yet. Without this function
   * whoever holds the key is in.
   */
  readonly admits?: (nodeId: string, certified?: string | null) => boolean
  /** A link to it is open. */
  readonly linked?: (nodeId: string, connection: Closable) => void
}

export interface Welcome extends Omit<Identity, 'nodeId' | 'name'> {
  /** 32 bytes, of the sender. */
  readonly publicKey: Uint8Array
  /** Digest algorithms, best first. */
  readonly digests: readonly string[]
  /** 64 bytes over `linkStatement`. */
  readonly signature: Uint8Array
}

/** Channels that carry frames. */
export type LinkChannel = Exclude<Channel, 'data'>

const channels = ['control', 'pull', 'status', 'fetch', 'bridge', 'master', 'directory'] as const

export interface Hello extends Welcome {
  readonly channel: LinkChannel
  /** Pull channels: the transfer (32 hex digits), and the member number of the dialler. */
  readonly transfer: string | null
  readonly from: number | null
  /** Pull channels: the member number that is meant; a node may have had another one before. */
  readonly to: number | null
  /** Control channels: the link can go on over another connection where this one breaks. */
  readonly link?: LinkPart
}

/** Of a link that outlives its connections. */
export interface LinkPart {
  /** 32 hex digits, drawn by the dialler. */
  readonly id: string
  /** How many frames the sender of the greeting has heard; absent: the link begins. */
  readonly heard?: number
}

export const ownDigests: readonly DigestAlgorithm[] = digestAlgorithms

/** True for channels of one transfer; their hello has the transfer and the dialler. */
export function isPartOfTransfer(channel: Channel): boolean {
  return channel === 'data' || channel === 'pull'
}

// --- the pre-shared key of TLS ---

/** 32 zero bytes where there is no key. */
export function pskOf(primitives: Primitives, key: Uint8Array, isOpen: boolean): Uint8Array {
  return isOpen ? new Uint8Array(32) : derive(primitives, key, 'psk', 32)
}

/** A name of the key that reveals nothing else about it: 16 hex digits, or `open`. */
export function keyIdOf(primitives: Primitives, key: Uint8Array, isOpen: boolean): string {
  return isOpen ? 'open' : hexOf(derive(primitives, key, 'key id', 8))
}

/** Fingerprint of a public key, as 32 hex digits. */
export function nodeIdOf(primitives: Primitives, publicKey: Uint8Array): string {
  return hexOf(derive(primitives, publicKey, 'node id', 16))
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

/** What the dialler sends in the clear: the version, the key in use, and its other keys. */
export interface PskIdentity {
  readonly version: number
  readonly keyId: string
  readonly otherKeyIds: readonly string[]
}

export function encodePskIdentity({ version, keyId, otherKeyIds }: PskIdentity): string {
  return [`fastreplica/${version}`, keyId, ...otherKeyIds].join(' ')
}

/** Null for text that no version of this protocol sends. */
export function decodePskIdentity(text: string): PskIdentity | null {
  const found = /^fastreplica\/([1-9]\d{0,8})(?: (.*))?$/.exec(text)
  if (found === null) return null
  const [keyId = '', ...otherKeyIds] = (found[2] ?? '').split(' ').slice(0, limits.keysPerSide)
  return { version: Number(found[1]), keyId, otherKeyIds }
}

/**
 * The bytes that the sender of a hello or welcome signs. `channel` is the exporter of this TLS
 * connection (RFC 9266, 32 bytes). The acceptor's id is null in a hello, because the dialler does
 * not know it.
 */
export function linkStatement(
  role: Role,
  channel: Uint8Array,
  ids: { readonly dialler: string; readonly acceptor: string | null },
): Uint8Array {
  const label = utf8(`fastreplica ${limits.protocolVersion} ${role}`)
  const acceptor = ids.acceptor ?? '00'.repeat(16)
  return concat(label, channel, idBytes(ids.dialler), idBytes(acceptor))
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

/** Bytes of the greeting at the start, with its prefix; null while the prefix is incomplete. */
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
  const { transfer, from, to, link, channel, ...side } = hello
  const part = channel === 'pull' ? { transfer, from, to } : {}
  const { id, ...heard } = link ?? {}
  const lasting = id === undefined ? {} : { link: id, ...heard }
  return encode('hello', { channel, ...wordsOf(side), ...part, ...lasting })
}

export function encodeWelcome(welcome: Welcome): Uint8Array<ArrayBuffer> {
  return encode('welcome', wordsOf(welcome))
}

function wordsOf({ publicKey, signature, ...rest }: Welcome): object {
  return { publicKey: hexOf(publicKey), ...rest, signature: hexOf(signature) }
}

/** `heard`: how many frames came on the link that goes on. */
export function encodeGo(heard?: number): Uint8Array<ArrayBuffer> {
  return encode('go', heard === undefined ? {} : { heard })
}

/** `address`: with ERR_FR_MOVED, HOST:PORT of who is to be dialled instead. */
export function encodeError(
  code: FrErrorCode,
  text: string,
  address?: string,
): Uint8Array<ArrayBuffer> {
  return encode('error', { code, text: cleanText(text), ...(address && { address }) })
}

/** Throws the error that the peer sent instead, if it did; so do its siblings below. */
export function decodeHello(greeting: Uint8Array): Hello {
  const fields = open(greeting, 'hello')
  const channel = fields.oneOf('channel', channels)
  const isPart = channel === 'pull'
  return {
    channel,
    ...readSide(fields),
    transfer: isPart ? fields.hex('transfer', 32) : null,
    from: isPart ? fields.integer('from', 0, numberMax) : null,
    to: isPart ? fields.integer('to', 0, numberMax) : null,
    ...(channel === 'control' && fields.has('link') && { link: readLink(fields) }),
  }
}

function readLink(fields: Fields): LinkPart {
  const id = fields.hex('link', 32)
  return { id, ...readHeard(fields) }
}

function readHeard(fields: Fields): { heard?: number } {
  return fields.optional('heard', 0, Number.MAX_SAFE_INTEGER)
}

export function decodeWelcome(greeting: Uint8Array): Welcome {
  const fields = open(greeting, 'welcome')
  const side = readSide(fields)
  return { ...side, ...readAdvertise(fields), ...readLimits(fields), ...readSealed(fields) }
}

function readAdvertise(fields: Fields): { advertise?: string } {
  return fields.has('advertise') ? { advertise: readAddress(fields, 'advertise') } : {}
}

function readAddress(fields: Fields, name: 'advertise' | 'address'): string {
  const address = fields.string(name, limits.addressChars)
  if (parseAddress(address) === null) fields.refuse(name, 'is not HOST:PORT')
  return address
}

function readLimits(fields: Fields): { limits?: NodeLimits } {
  if (!fields.has('limits')) return {}
  const said = fields.object('limits')
  const { rateMin, rateMax, feedsPerNodeMin, feedsPerNodeMax } = limits
  return {
    limits: {
      ...said.optional('upBytesPerSecond', rateMin, rateMax),
      ...said.optional('downBytesPerSecond', rateMin, rateMax),
      ...said.optional('maxFeeds', feedsPerNodeMin, feedsPerNodeMax),
    },
  }
}

export function decodeGo(greeting: Uint8Array): { readonly heard?: number } {
  return readHeard(open(greeting, 'go'))
}

function open(greeting: Uint8Array, type: GreetingType): Fields {
  const found = greeting[4]
  const name = (Object.keys(types) as GreetingType[]).find((known) => types[known] === found)
  if (name === undefined) throw protocolError(`greeting type ${found} is unknown`)
  const fields = parseObject(greeting.subarray(5), `greeting ${name}`)
  if (name === 'error') throw peerError(fields)
  if (name !== type) throw protocolError(`greeting: ${name} came instead of ${type}`)
  return fields
}

function readSide(fields: Fields): Welcome {
  return {
    ...readAttributes(fields),
    publicKey: bytesOf(fields, 'publicKey', limits.publicKeyBytes),
    incarnation: fields.integer('incarnation', 0, Number.MAX_SAFE_INTEGER),
    digests: fields.strings('digests', limits.capabilities, limits.capabilityChars),
    signature: bytesOf(fields, 'signature', limits.signatureBytes),
  }
}

function readAttributes(fields: Fields): { attributes?: Attributes } {
  if (!fields.has('attributes')) return {}
  const attributes = fields.map('attributes', limits.attributes, limits.attributeValueChars)
  const fault = claimFault(attributes)
  if (fault !== null) fields.refuse('attributes', `cannot be taken: ${fault}`)
  return { attributes }
}

function bytesOf(fields: Fields, name: string, bytes: number): Uint8Array {
  return bytesOfHex(fields.hex(name, 2 * bytes)) ?? new Uint8Array()
}

/** Digest algorithms that both sides know, in the dialler's order. Throws ERR_FR_CAPABILITY. */
export function commonDigests(
  dialler: readonly string[],
  acceptor: readonly string[],
): readonly DigestAlgorithm[] {
  const common = ownDigests.filter((name) => dialler.includes(name) && acceptor.includes(name))
  if (common.length > 0) return common.sort((a, b) => dialler.indexOf(a) - dialler.indexOf(b))
  throw new FrError('ERR_FR_CAPABILITY', 'the two sides have no digest algorithm in common')
}

// --- errors of the peer ---

const saidByPeer = new WeakSet<Error>()

/** True for an error sent by the other side, which must not be answered. */
export function isSaidByPeer(error: Error): boolean {
  return saidByPeer.has(error)
}

/** Whoever was dialled has named another node, which is to be dialled instead. */
export class Moved extends FrError {
  /** HOST:PORT. */
  readonly address: string

  constructor(text: string, address: string) {
    super('ERR_FR_MOVED', text)
    this.address = address
  }
}

export function peerError(fields: Fields): FrError {
  const code = fields.string('code', 64)
  const text = `the peer says: ${fields.text('text')}`
  if (code === 'ERR_FR_MOVED' && fields.has('address'))
    return saidBy(new Moved(text, readAddress(fields, 'address')))
  return saidBy(
    isFrErrorCode(code) ? new FrError(code, text) : protocolError(`${text} (${cleanText(code)})`),
  )
}

/** The same error, which the other side has sent. */
export function saidBy(error: FrError): FrError {
  saidByPeer.add(error)
  return error
}
