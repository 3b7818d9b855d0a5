/**
 * The payload of a digests record, opaque to the engine and the same bytes on every hop:
 *
 *     64 bytes signature | digests
 *
 * Idea: the author of a content signs what its block digests are and where they belong, once for
 * everybody. So a relay passes a record on as it came, and whoever holds a block can prove it to
 * anyone, also when the author is gone. A record that is replayed says nothing new, one that is
 * missing is asked for.
 */
import { bytesOfHex, concat, u32, u64, utf8 } from '../base/bytes.js'
import { type DigestAlgorithm, digestBytesOf } from '../base/digests.js'
import { limits } from '../base/limits.js'
import { protocolError } from './fields.js'
import type { Primitives, Signer } from './primitives.js'

/** What digests are about: bytes with an identity of their own, whatever transfer carries them. */
export interface SignedContent {
  /** 32 hex digits, random, born with the content. */
  readonly contentId: string
  readonly algorithm: DigestAlgorithm
  readonly blockBytes: number
}

/** The bytes that the digests of a record cover; the numbers of its header. */
export interface DigestPlace {
  readonly offset: number
  readonly length: number
}

const algorithmNumbers: Record<DigestAlgorithm, number> = { xxh64: 1, sha256: 2, blake3: 3 }
const label = utf8('fastreplica 1 digests')

/** What is signed. Contents that change, and signed ends of them, have no other values yet. */
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

/** The payload of a record; made once per run of blocks, for all feeds. */
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
 * The digests in a payload. Throws ERR_FR_PROTOCOL where they do not fit the place, or the author
 * (a public key) has not signed them: whoever brought them may only have passed them on.
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
