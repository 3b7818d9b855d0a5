/**
 * The payload of a digests record, opaque to the engine and the same bytes on every hop:
 *
 *     64 bytes signature | u8 flags: 1 final | digests
 *
 * The author of a content signs its block digests and their place once for all receivers. So a
 * relay passes a record on unchanged, and any holder can prove a block to anyone, even when the
 * author is gone. A replayed record adds nothing, and a missing one is asked for.
 *
 * A content that grows (base/sections.ts) has records that end inside a block, at a *cut*: their
 * last digest is that of the beginning of the block. The record with the final flag says where the
 * content ends; it covers the last block, and nothing where there is none.
 */
import { bytesOfHex, concat, u32, u64, utf8 } from '../base/bytes.js'
import { type DigestAlgorithm, digestBytesOf } from '../base/digests.js'
import { limits } from '../base/limits.js'
import { type BlockBytes, blockBytesAt, isInSection } from '../base/sections.js'
import { protocolError } from './fields.js'
import type { Primitives, Signer } from './primitives.js'

/** The content that digests describe; its identity does not depend on the transfer. */
export interface SignedContent {
  /** 32 hex digits, random, assigned once to the content. */
  readonly contentId: string
  readonly algorithm: DigestAlgorithm
  readonly blockBytes: BlockBytes
}

/** Range that the digests of a record cover, as in its header. */
export interface DigestPlace {
  readonly offset: number
  readonly length: number
}

/** What a record says, found authentic. */
export interface ReadDigests {
  readonly digests: Uint8Array
  /** The content ends where the record does. */
  readonly isFinal: boolean
}

const finalFlag = 1

const algorithmNumbers: Record<DigestAlgorithm, number> = { xxh64: 1, sha256: 2, blake3: 3 }
const label = utf8('fastreplica 1 digests')

/** The signed bytes. Version and seal are constants until contents can change. */
function statementOf(
  { contentId, algorithm, blockBytes }: SignedContent,
  { offset, length }: DigestPlace,
  isFinal: boolean,
  digests: Uint8Array,
): Uint8Array {
  const id = bytesOfHex(contentId)
  if (id?.length !== 16) throw new TypeError('a content id must be 32 hex digits')
  const [version, seal] = [u32(0), 0]
  const kinds = Uint8Array.of(algorithmNumbers[algorithm], isFinal ? finalFlag : 0, seal, 0)
  const place = [u32(blockBytesAt(offset, blockBytes)), u64(offset), u32(length)]
  return concat(label, id, version, kinds, ...place, digests)
}

/** Payload of a record; made once per run of blocks, for all feeds. */
export function signDigests(
  author: Signer,
  content: SignedContent,
  place: DigestPlace,
  digests: Uint8Array,
  isFinal = false,
): Uint8Array {
  if (limits.digestHeadBytes + digests.length > limits.recordDigestBytes)
    throw new TypeError('more digests than a record can carry')
  const signature = author.sign(statementOf(content, place, isFinal, digests))
  return concat(signature, Uint8Array.of(isFinal ? finalFlag : 0), digests)
}

/**
 * Digests in a payload. Throws ERR_FR_PROTOCOL when they do not fit the range or the author (a
 * public key) has not signed them; the sender may only have passed them on. Where a range may end
 * is for the caller, who knows what of the content there is.
 */
export function readDigests(
  primitives: Primitives,
  author: Uint8Array,
  content: SignedContent,
  place: DigestPlace,
  payload: Uint8Array,
): ReadDigests {
  const signature = payload.subarray(0, limits.signatureBytes)
  const flags = payload[limits.signatureBytes] ?? 0
  const digests = payload.slice(limits.digestHeadBytes)
  const isFinal = flags === finalFlag
  const blocks = blocksOf(content, place, isFinal)
  const digestBytes = digestBytesOf(content.algorithm)
  if (flags > finalFlag || blocks === null || blocks * digestBytes !== digests.length)
    throw protocolError('a digests record does not fit the blocks it covers')
  if (!primitives.verify(author, signature, statementOf(content, place, isFinal, digests)))
    throw protocolError('the signature of a digests record is wrong')
  return { digests, isFinal }
}

/** Blocks that a record is about; null for a range that none may have. */
function blocksOf(
  { blockBytes }: SignedContent,
  { offset, length }: DigestPlace,
  isFinal: boolean,
): number | null {
  // The end of a content without bytes is about no block.
  if (length === 0) return isFinal && offset === 0 ? 0 : null
  const bytes = blockBytesAt(offset, blockBytes)
  const isAtBlock = blockBytes === 'sections' ? isInSection(offset, length) : offset % bytes === 0
  return isAtBlock ? Math.ceil(length / bytes) : null
}
