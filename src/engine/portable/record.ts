/**
 * The 32 byte header of a record on a feed (docs/architecture.md, "Records").
 *
 * Every header carries a check of its own, seeded per connection: one flipped bit closes the feed
 * by name instead of misplacing bytes. This codec judges a header alone; whether stream, offset
 * and length fit the transfer is for the feed, which knows it. It never accepts what a correct
 * peer of this version does not send, and never throws on bytes from outside.
 */
import { limits } from '../../base/limits.js'

export type RecordKind = 'payload' | 'hole' | 'digests' | 'end'

/** One record, without the bytes that follow it. All of `end` but its kind is 0 or false. */
export interface RecordHeader {
  readonly kind: RecordKind
  readonly scratch: boolean
  /** Where the receiver passes the bytes on to; 0: nowhere. */
  readonly route: number
  readonly stream: number
  /** First byte of the stream that the record covers. */
  readonly offset: number
  /** Bytes of the stream that the record covers; payload: also the bytes that follow. */
  readonly length: number
  /** Bytes of digest payload that follow; 0 for every other kind. */
  readonly digestBytes: number
}

/** XXH64 of bytes under a seed. */
export type SeededHash = (bytes: Uint8Array, seed: bigint) => bigint

export const recordHeaderBytes = limits.recordHeaderBytes

const magic = 0xf5
const scratchFlag = 1
const checkAt = 28
const kinds: readonly RecordKind[] = ['payload', 'hole', 'digests', 'end']

/** Low 32 bits of XXH64 over the 28 bytes before the check. */
function checkOf(header: Buffer, seed: bigint, hash: SeededHash): number {
  return Number(hash(header.subarray(0, checkAt), seed) & 0xffff_ffffn)
}

/** Writes the header into the first 32 bytes of `into`. The caller has validated the fields. */
export function encodeRecordHeader(
  into: Buffer,
  header: RecordHeader,
  seed: bigint,
  hash: SeededHash,
): void {
  into[0] = magic
  into[1] = limits.protocolVersion
  into[2] = recordHeaderBytes
  into[3] = kinds.indexOf(header.kind) + 1
  into.writeUInt16LE(header.scratch ? scratchFlag : 0, 4)
  into.writeUInt16LE(header.route, 6)
  into.writeUInt32LE(header.stream, 8)
  into.writeUInt32LE(header.digestBytes, 12)
  into.writeBigUInt64LE(BigInt(header.offset), 16)
  into.writeUInt32LE(header.length, 24)
  into.writeUInt32LE(checkOf(into, seed, hash), checkAt)
}

/** Whether the 32 bytes are as their sender wrote them. */
export function isIntact(bytes: Buffer, seed: bigint, hash: SeededHash): boolean {
  return bytes.readUInt32LE(checkAt) === checkOf(bytes, seed, hash)
}

/** Reads 32 bytes; null is a violation of the protocol. */
export function decodeRecordHeader(
  bytes: Buffer,
  seed: bigint,
  hash: SeededHash,
): RecordHeader | null {
  if (!isIntact(bytes, seed, hash)) return null
  if (bytes[0] !== magic || bytes[1] !== limits.protocolVersion) return null
  if (bytes[2] !== recordHeaderBytes) return null
  const kind = kinds[bytes.readUInt8(3) - 1]
  const flags = bytes.readUInt16LE(4)
  const offset = bytes.readBigUInt64LE(16)
  if (kind === undefined || flags > scratchFlag || offset > Number.MAX_SAFE_INTEGER) return null
  const header: RecordHeader = {
    kind,
    scratch: flags === scratchFlag,
    route: bytes.readUInt16LE(6),
    stream: bytes.readUInt32LE(8),
    offset: Number(offset),
    length: bytes.readUInt32LE(24),
    digestBytes: bytes.readUInt32LE(12),
  }
  return isSound(header) ? header : null
}

function isSound(header: RecordHeader): boolean {
  const { length, digestBytes, route } = header
  if (header.scratch && (header.kind !== 'payload' || route !== 0)) return false
  switch (header.kind) {
    case 'payload':
      return length >= 1 && length <= limits.recordPayloadBytes && digestBytes === 0
    case 'hole':
      return length >= 1 && length <= limits.recordHoleBytes && digestBytes === 0
    case 'digests':
      // A content without bytes ends by one that covers none.
      return digestBytes >= 1 && digestBytes <= limits.recordDigestBytes
    case 'end':
      return (
        length === 0 &&
        digestBytes === 0 &&
        route === 0 &&
        header.stream === 0 &&
        header.offset === 0
      )
  }
}
