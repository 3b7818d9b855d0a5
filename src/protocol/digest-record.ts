/**
 * The payload of a digests record, opaque to the engine:
 *
 *     16 bytes origin MAC | 16 bytes hop MAC | u32 hop sequence | digests
 *
 * Idea: the origin signs what the digests are and where they belong, once for everybody; relays
 * pass that on unchanged, because a relay holds the cluster's key too and digests are what a relay
 * is judged by. The hop MAC ties the record to one connection and its place on it, so a record can
 * be neither replayed nor left out unnoticed.
 */
import { bytesOfHex, concat, readU32, u32, u64, utf8 } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { protocolError } from './fields.js'
import type { Primitives } from './primitives.js'

/** What a digests record is about; the numbers of its header. */
export interface DigestPlace {
  readonly stream: number
  readonly offset: number
  readonly length: number
}

/** Digests with the origin's MAC: the part of the payload that is the same on every hop. */
export interface SignedDigests {
  readonly originMac: Uint8Array
  /** 8 or 32 bytes for each block the place covers, in order. */
  readonly digests: Uint8Array
}

/** How the digests of a stream are cut. */
export interface DigestGeometry {
  readonly blockBytes: number
  /** 8 for xxh64, 32 for sha256. */
  readonly digestBytes: number
}

const macBytes = limits.macBytes
const headBytes = 2 * macBytes + 4
const sequenceMax = 0xffff_ffff

/** Digest bytes one record can carry. */
export const digestBytesPerRecord = limits.recordDigestBytes - headBytes

/** The key of the origin's MACs in one transfer; `transfer` is 32 hex digits. */
export function originDigestKey(
  primitives: Primitives,
  key: Uint8Array,
  transfer: string,
): Uint8Array {
  const salt = bytesOfHex(transfer)
  if (salt === null || salt.length !== 16) throw new TypeError('transfer must be 32 hex digits')
  return primitives.hkdf(key, salt, utf8('fastreplica 1 digests'), 32)
}

function originMacOf(
  primitives: Primitives,
  originKey: Uint8Array,
  place: DigestPlace,
  digests: Uint8Array,
): Uint8Array {
  const head = [u32(place.stream), u64(place.offset), u32(place.length)]
  return primitives.hmac(originKey, ...head, digests).subarray(0, macBytes)
}

function hopMacOf(
  primitives: Primitives,
  hopKey: Uint8Array,
  sequence: number,
  originMac: Uint8Array,
): Uint8Array {
  return primitives.hmac(hopKey, u32(sequence), originMac).subarray(0, macBytes)
}

/** At the origin, once per run of blocks, for all feeds. */
export function signDigests(
  primitives: Primitives,
  originKey: Uint8Array,
  place: DigestPlace,
  digests: Uint8Array,
): SignedDigests {
  if (digests.length > digestBytesPerRecord) {
    throw new TypeError(`digests take more than ${digestBytesPerRecord} bytes`)
  }
  return { originMac: originMacOf(primitives, originKey, place, digests), digests }
}

/** Wraps signed digests for one outgoing feed; list the records in the order of the calls. */
export class DigestSender {
  readonly #primitives: Primitives
  readonly #hopKey: Uint8Array
  #sequence = 0

  constructor(primitives: Primitives, hopKey: Uint8Array) {
    this.#primitives = primitives
    this.#hopKey = hopKey
  }

  wrap(signed: SignedDigests): Uint8Array {
    if (this.#sequence > sequenceMax) {
      throw new FrError('ERR_FR_LIMIT', 'a feed carried all the digest records it can')
    }
    const hopMac = hopMacOf(this.#primitives, this.#hopKey, this.#sequence, signed.originMac)
    const payload = concat(signed.originMac, hopMac, u32(this.#sequence), signed.digests)
    this.#sequence += 1
    return payload
  }
}

/** Checks the digests records of one incoming feed, in the order they arrive. */
export class DigestReceiver {
  readonly #primitives: Primitives
  readonly #hopKey: Uint8Array
  readonly #originKey: Uint8Array
  #sequence = 0

  constructor(primitives: Primitives, hopKey: Uint8Array, originKey: Uint8Array) {
    this.#primitives = primitives
    this.#hopKey = hopKey
    this.#originKey = originKey
  }

  /**
   * The checked digests; hand them to DigestSender.wrap of every relay feed as they are. Throws
   * ERR_FR_PROTOCOL, after which the feed deserves no trust and must be closed.
   */
  unwrap(place: DigestPlace, geometry: DigestGeometry, payload: Uint8Array): SignedDigests {
    if (payload.length < headBytes || payload.length > limits.recordDigestBytes) {
      throw protocolError(`a digests record has ${payload.length} bytes of payload`)
    }
    const originMac = payload.slice(0, macBytes)
    const sequence = readU32(payload, 2 * macBytes)
    const digests = payload.slice(headBytes)
    const hopMac = hopMacOf(this.#primitives, this.#hopKey, sequence, originMac)
    if (!this.#primitives.equal(hopMac, payload.subarray(macBytes, 2 * macBytes))) {
      throw protocolError('the hop MAC of a digests record is wrong')
    }
    if (sequence !== this.#sequence) {
      throw protocolError(`digests record ${sequence} came in the place of ${this.#sequence}`)
    }
    const expected = originMacOf(this.#primitives, this.#originKey, place, digests)
    if (!this.#primitives.equal(expected, originMac)) {
      throw protocolError("the origin's MAC of a digests record is wrong")
    }
    const { blockBytes, digestBytes } = geometry
    const blocks = Math.ceil(place.length / blockBytes)
    if (place.offset % blockBytes !== 0 || blocks * digestBytes !== digests.length) {
      throw protocolError('a digests record does not fit the blocks it covers')
    }
    this.#sequence += 1
    return { originMac, digests }
  }
}
