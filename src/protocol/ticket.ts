/**
 * The opening of a data connection: messages of fixed length, with a ticket for an edge that the
 * coordinator gave to both ends.
 *
 *     dialler  -> ticket     u8 0xF7 | u8 version | u16 beside | u32 from | u32 to | transfer (16)
 *                            | edge id (16) | nonce (32) | MAC (16)                92 bytes
 *     acceptor -> challenge  u8 0xF8 | u8 version | u16 0 | nonce (32) | MAC (16)  52 bytes
 *     dialler  -> confirm    MAC (16)
 *     acceptor -> go         u8 0xFA | u8 version | u16 n | u64 received
 *                            | n of: u64 offset, u64 length | MAC (16)             28 bytes + 16 n
 *     acceptor, instead of either: refusal
 *                            u8 0xF9 | u8 version | u16 length | JSON { code, text }, then close
 *
 * The ticket's MAC is under the cluster's key, so a stranger is recognised at once, even for an
 * unknown edge. The MACs of challenge and confirm are under keys from the edge's secret and both
 * nonces, so they are new on every connection: a ticket that is replayed, stolen or led back opens
 * nothing. These keys include the numbers of both ends, because an edge has a direction. Bytes of a
 * connection go one way; where they are sealed, the key for that is drawn with these.
 *
 * `beside` is 0, or 1 for one more connection of an edge that has one: it carries records beside
 * that, and takes nobody's place. Where the acceptor sends them (a fetch) there is no `go`: records
 * may wait for the connection, and follow `confirm`.
 *
 * `go` (its MAC is under the key of the confirmation) says what the acceptor lacks, and how much
 * payload connections of this dialler have brought it so far: where an earlier one broke, what was
 * under way on it is sent again and nothing else.
 */
import { bytesOfHex, cleanText, concat, hexOf, u32, utf8 } from '../base/bytes.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { RangePair } from '../base/ranges.js'
import { type Lacking, lacksAll } from '../control/messages/types.js'
import { parseObject, protocolError } from './fields.js'
import { peerError } from './greeting.js'
import type { Primitives } from './primitives.js'

/** Shared by both ends of an edge and the coordinator only. */
export interface Edge {
  /** 32 hex digits. */
  readonly id: string
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** What comes on it is sealed. Ends that are not told the same do not know each other. */
  readonly isSealed?: boolean
}

/** The connection that a ticket is for. */
export interface TicketPlace {
  /** 32 hex digits. */
  readonly transfer: string
  /** Member numbers of the dialler and of the node it dials. */
  readonly from: number
  readonly to: number
}

export interface Ticket extends TicketPlace {
  readonly edgeId: string
  /** One more connection, beside one of this edge. */
  readonly isBeside?: boolean
  /** 32 bytes. */
  readonly nonce: Uint8Array
}

/** Keys of one data connection, the same at both ends. */
export interface FeedKeys {
  readonly challengeKey: Uint8Array
  readonly confirmKey: Uint8Array
  /** Seed of the check in record headers, 64 bits. */
  readonly recordSeed: bigint
  /** Of a sealed connection: key and salt of what comes on it (FeedSpec.seal). */
  readonly seal?: Uint8Array
}

export const ticketFirstByte = 0xf7
export const ticketBytes = 92
export const confirmBytes = 16
const challengeFirstByte = 0xf8
const goFirstByte = 0xfa
const refusalFirstByte = 0xf9
const challengeBytes = 52
const headBytes = 4
const goBytes = 12
const rangeBytes = 16
const version = limits.protocolVersion
const macBytes = limits.macBytes

/** Derives an edge between two members: 48 bytes, of which the first 16 are its id. */
export function edgeOf(
  primitives: Primitives,
  seed: Uint8Array,
  ends: readonly [number, number],
): Edge {
  const [low, high] = [Math.min(...ends), Math.max(...ends)]
  const info = concat(utf8('fastreplica 1 edge'), u32(low), u32(high))
  const bytes = primitives.hkdf(seed, new Uint8Array(), info, 48)
  return { id: hexOf(bytes.subarray(0, 16)), secret: bytes.slice(16) }
}

// --- ticket ---

/** `key` is the cluster's key. */
export function encodeTicket(
  primitives: Primitives,
  key: Uint8Array,
  ticket: Ticket,
): Uint8Array<ArrayBuffer> {
  const body = concat(
    Uint8Array.of(ticketFirstByte, version, ticket.isBeside ? 1 : 0, 0),
    placeBytes(ticket),
    hexBytes(ticket.edgeId),
    ticket.nonce,
  )
  return concat(body, ticketMac(primitives, key, body))
}

/** Throws ERR_FR_PROTOCOL or ERR_FR_VERSION. Verifies nothing: see `isTicketOf`. */
export function decodeTicket(bytes: Uint8Array): Ticket {
  requireHead(bytes, ticketFirstByte)
  if (bytes.length !== ticketBytes) throw protocolError('a ticket is cut short')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [from, to] = [view.getUint32(4, true), view.getUint32(8, true)]
  const beside = view.getUint16(2, true)
  if (beside > 1 || from === to) throw protocolError('a ticket is not well formed')
  return {
    from,
    to,
    ...(beside === 1 && { isBeside: true }),
    transfer: hexOf(bytes.subarray(12, 28)),
    edgeId: hexOf(bytes.subarray(28, 44)),
    nonce: bytes.slice(44, 76),
  }
}

/** True if a holder of the cluster's key made the ticket at some time. */
export function isTicketOf(primitives: Primitives, key: Uint8Array, bytes: Uint8Array): boolean {
  const border = ticketBytes - macBytes
  return primitives.equal(
    ticketMac(primitives, key, bytes.subarray(0, border)),
    bytes.subarray(border, ticketBytes),
  )
}

function ticketMac(primitives: Primitives, key: Uint8Array, body: Uint8Array): Uint8Array {
  return primitives.hmac(ticketKeyOf(primitives, key), body).subarray(0, macBytes)
}

/** By the cluster's key: a connection uses it once, and deriving it takes as long as the rest. */
const ticketKeys = new WeakMap<Uint8Array, Uint8Array>()

function ticketKeyOf(primitives: Primitives, key: Uint8Array): Uint8Array {
  const known = ticketKeys.get(key)
  if (known !== undefined) return known
  const made = primitives.hkdf(key, new Uint8Array(), utf8('fastreplica 1 ticket'), 32)
  ticketKeys.set(key, made)
  return made
}

/** Bytes of the ticket at the start. Throws ERR_FR_PROTOCOL for anything else. */
export function ticketBytesOf(start: Uint8Array): number | null {
  if (start.length === 0) return null
  if (start[0] !== ticketFirstByte) throw protocolError('neither TLS nor a ticket came')
  return ticketBytes
}

// --- keys ---

export function feedKeys(
  primitives: Primitives,
  edge: Edge,
  place: TicketPlace,
  nonces: { readonly dialler: Uint8Array; readonly acceptor: Uint8Array },
): FeedKeys {
  const salt = concat(nonces.dialler, nonces.acceptor)
  const { isSealed = false } = edge
  const label = isSealed ? 'fastreplica 1 sealed feed' : 'fastreplica 1 feed'
  const info = concat(utf8(label), placeBytes(place))
  const all = primitives.hkdf(edge.secret, salt, info, isSealed ? 108 : 72)
  return {
    challengeKey: all.slice(0, 32),
    confirmKey: all.slice(32, 64),
    recordSeed: new DataView(all.buffer, all.byteOffset + 64, 8).getBigUint64(0, true),
    ...(isSealed && { seal: all.slice(72) }),
  }
}

// --- answers ---

export function encodeChallenge(
  primitives: Primitives,
  { challengeKey }: FeedKeys,
  nonce: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const body = concat(Uint8Array.of(challengeFirstByte, version, 0, 0), nonce)
  return concat(body, primitives.hmac(challengeKey, body).subarray(0, macBytes))
}

export function encodeRefusal(code: FrErrorCode, text: string): Uint8Array<ArrayBuffer> {
  const json = utf8(JSON.stringify({ code, text: cleanText(text) }))
  const length = u32(json.length).subarray(0, 2)
  return concat(Uint8Array.of(refusalFirstByte, version), length, json)
}

/** Bytes of the answer at the start; null while that is unknown. */
export function answerBytes(start: Uint8Array): number | null {
  if (start.length < headBytes) return null
  if (start[0] === challengeFirstByte) return challengeBytes
  const length = (start[2] as number) + 256 * (start[3] as number)
  if (start[0] === goFirstByte) {
    if (length > limits.lackRanges) throw protocolError(`a go of ${length} ranges is announced`)
    return goBytes + rangeBytes * length
  }
  if (start[0] !== refusalFirstByte) throw protocolError('the answer to a ticket is malformed')
  if (length > limits.helloBytes) throw protocolError(`a refusal of ${length} bytes is announced`)
  return headBytes + length
}

/** Nonce of the acceptor. Throws the error of a refusal (`isSaidByPeer`), as decodeGo does. */
export function nonceOf(challenge: Uint8Array): Uint8Array {
  requireAnswer(challenge, challengeFirstByte)
  return challenge.slice(headBytes, headBytes + limits.nonceBytes)
}

export function isChallengeOf(
  primitives: Primitives,
  { challengeKey }: FeedKeys,
  answer: Uint8Array,
): boolean {
  const border = challengeBytes - macBytes
  const mac = primitives.hmac(challengeKey, answer.subarray(0, border)).subarray(0, macBytes)
  return primitives.equal(mac, answer.subarray(border))
}

/** As `answerBytes`, where a `go` has its MAC. */
export function provedBytes(start: Uint8Array): number | null {
  const bytes = answerBytes(start)
  return bytes === null || start[0] !== goFirstByte ? bytes : bytes + macBytes
}

/** A `go` with its MAC: nobody on the way can say what the acceptor has. */
export function proveGo(
  primitives: Primitives,
  keys: FeedKeys,
  lacking?: Lacking,
): Uint8Array<ArrayBuffer> {
  const go = encodeGo(lacking)
  return concat(go, goMac(primitives, keys, go))
}

/** Throws ERR_FR_SPOILT where it is not what the acceptor has sent. */
export function takeGo(primitives: Primitives, keys: FeedKeys, answer: Uint8Array): Lacking {
  requireAnswer(answer, goFirstByte)
  const border = answer.length - macBytes
  const go = answer.subarray(0, Math.max(0, border))
  if (!primitives.equal(goMac(primitives, keys, go), answer.subarray(Math.max(0, border))))
    throw new FrError('ERR_FR_SPOILT', 'the go of a data connection was changed on its way')
  return decodeGo(go)
}

function goMac(primitives: Primitives, { confirmKey }: FeedKeys, go: Uint8Array): Uint8Array {
  return primitives.hmac(confirmKey, go).subarray(0, macBytes)
}

/** At most limits.lackRanges ranges. */
export function encodeGo({ ranges, receivedBytes } = lacksAll): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(goBytes + rangeBytes * ranges.length)
  const view = new DataView(bytes.buffer)
  bytes.set([goFirstByte, version])
  view.setUint16(2, ranges.length, true)
  const numbers = [receivedBytes, ...ranges.flat()]
  for (const [i, number] of numbers.entries())
    view.setBigUint64(headBytes + 8 * i, BigInt(number), true)
  return bytes
}

export function decodeGo(answer: Uint8Array): Lacking {
  requireAnswer(answer, goFirstByte)
  const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength)
  const count = view.getUint16(2, true)
  if (answer.length !== goBytes + rangeBytes * count) throw protocolError('a go is cut short')
  const number = (at: number): number => {
    const value = view.getBigUint64(at, true)
    if (value > Number.MAX_SAFE_INTEGER) throw protocolError('a go has a number that is too large')
    return Number(value)
  }
  const ranges: RangePair[] = []
  for (let at = goBytes, end = -1; at < answer.length; at += rangeBytes) {
    const [offset, length] = [number(at), number(at + 8)]
    if (offset <= end || length === 0 || offset + length > limits.spaceBytes)
      throw protocolError('the ranges of a go are not well formed')
    ranges.push([offset, length])
    end = offset + length
  }
  return { ranges, receivedBytes: number(headBytes) }
}

export function confirmation(primitives: Primitives, { confirmKey }: FeedKeys): Uint8Array {
  return primitives.hmac(confirmKey, utf8('confirm')).subarray(0, confirmBytes)
}

function requireAnswer(answer: Uint8Array, first: number): void {
  if (answer[0] === refusalFirstByte)
    throw peerError(parseObject(answer.subarray(headBytes), 'refusal'))
  requireHead(answer, first)
}

export function requireHead(bytes: Uint8Array, first: number): void {
  if (bytes[0] !== first) throw protocolError('a ticket or its answer came out of order')
  if (bytes[1] === version) return
  const text = `the peer speaks protocol version ${bytes[1]}, this side ${version}`
  throw new FrError('ERR_FR_VERSION', text)
}

function placeBytes({ transfer, from, to }: TicketPlace): Uint8Array {
  return concat(u32(from), u32(to), hexBytes(transfer))
}

function hexBytes(hex: string): Uint8Array {
  const bytes = bytesOfHex(hex)
  if (bytes === null || bytes.length !== 16) throw new TypeError('an id has 32 hex digits')
  return bytes
}
