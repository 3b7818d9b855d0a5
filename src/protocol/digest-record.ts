/**
 * The payload of a digests record, opaque to the engine and the same bytes on every hop:
 *
 *     64 bytes signature | digests
 *
 * The author of a content signs its block digests and their place once for all receivers. So a
 * relay passes a record on unchanged, and any holder can prove a block to anyone, even when the
 * author is gone. A replayed record adds nothing, and a missing one is asked for.
 */
import { bytesOfHex, concat, u32, u64, utf8 } from '../base/bytes.js'
import { type DigestAlgorithm, digestBytesOf } from '../base/digests.js'
import { limits } from '../base/limits.js'
import { protocolError } from './fields.js'
import type { Primitives, Signer } from './primitives.js'

/** The content that digests describe; its identity does not depend on the transfer. */
export interface SignedContent {
  /** 32 hex digits, random, assigned once to the content. */
  readonly contentId: string
  readonly algorithm: DigestAlgorithm
  readonly blockBytes: number
}

/** Range that the digests of a record cover, as in its header. */
export interface DigestPlace {
  readonly offset: number
  readonly length: number
}

const algorithmNumbers: Record<DigestAlgorithm, number> = { xxh64: 1, sha256: 2, blake3: 3 }
const label = utf8('fastreplica 1 digests')

/** The signed bytes. Version and seal are constants until contents can change. */
function statementOf(
  { contentId, algorithm, blockBytes }: SignedContent,
  { offset, length }: DigestPlace,
  digests: Uint8Array,
): Uint8Array {
  const id = bytesOfHex(contentId)
  if (id?.length !== 16) throw new TypeError('a content id must be 32 hex digits')
  const [version, isFinal, seal] = [u32(0), 0, 0]
  const kinds = Uint8Array.of(algorithmNumbers[algorithm], isFinal, seal, 0)
  const place = [u32(blockBytes), u64(offset), u32(length)]
  return concat(label, id, version, kinds, ...place, digests)
}

/** Payload of a record; made once per run of blocks, for all feeds. */
export function signDigests(
  author: Signer,
  content: SignedContent,
  place: DigestPlace,
  digests: Uint8Array,
): Uint8Array {
  if (limits.signatureBytes + digests.length > limits.recordDigestBytes)
    throw new TypeError('more digests than a record can carry')
  return concat(author.sign(statementOf(content, place, digests)), digests)
}

/**
 * Digests in a payload. Throws ERR_FR_PROTOCOL when they do not fit the range or the author (a
 * public key) has not signed them; the sender may only have passed them on.
 */
export function readDigests(
  primitives: Primitives,
  author: Uint8Array,
  content: SignedContent,
  place: DigestPlace,
  payload: Uint8Array,
): Uint8Array {
  const { blockBytes, algorithm } = content
  const signature = payload.subarray(0, limits.signatureBytes)
  const digests = payload.slice(limits.signatureBytes)
  const blocks = Math.ceil(place.length / blockBytes)
  if (place.offset % blockBytes !== 0 || blocks * digestBytesOf(algorithm) !== digests.length)
    throw protocolError('a digests record does not fit the blocks it covers')
  if (!primitives.verify(author, signature, statementOf(content, place, digests)))
    throw protocolError('the signature of a digests record is wrong')
  return digests
}
