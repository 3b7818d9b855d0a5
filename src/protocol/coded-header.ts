/**
 * What stands in front of the frames of coded content: their lengths, and the digests of the file
 * as its author signed them. docs/protocol.md, section 9, has the layout.
 *
 * A node knows what the file is from the signed manifest; nothing here makes it larger than that.
 */
import { concat, readU32, u32, u64, u64At, utf8 } from '../base/bytes.js'
import { type Coding, codingNumber, frameBytesFor } from '../base/coding.js'
import { limits } from '../base/limits.js'
import type { Coded } from '../control/messages/coded.js'
import { protocolError } from './fields.js'

const magic = utf8('frcode 1')
/** Magic, bytes of all of it, coding, frame size, frames, file size, runs. */
export const codedHeadBytes = 8 + 4 + 4 + 4 + 4 + 8 + 4
const runHeadBytes = 8 + 4 + 4

/** The payload of a digest record, and what it covers. */
export interface HeaderRun {
  readonly offset: number
  readonly length: number
  readonly payload: Uint8Array
}

export interface CodedHeader {
  readonly coding: Coding
  /** Of the file. */
  readonly size: number
  /** Of each frame, u32 little-endian; none: zeros, or what the base has there. */
  readonly lengths: Uint8Array
  readonly runs: readonly HeaderRun[]
}

export function codedHeaderBytes({ lengths, runs }: Pick<CodedHeader, 'lengths' | 'runs'>): number {
  const signed = runs.reduce((sum, { payload }) => sum + runHeadBytes + payload.length, 0)
  return codedHeadBytes + lengths.length + signed
}

export function encodeCodedHeader(header: CodedHeader): Uint8Array {
  const { coding, size, lengths, runs } = header
  const signed = runs.flatMap(({ offset, length, payload }) => [
    ...[u64(offset), u32(length), u32(payload.length)],
    payload,
  ])
  return concat(
    magic,
    u32(codedHeaderBytes(header)),
    u32(codingNumber[coding]),
    u32(frameBytesFor(size)),
    u32(lengths.length / 4),
    u64(size),
    u32(runs.length),
    lengths,
    ...signed,
  )
}

/** How much there is of it, by its first codedHeadBytes. Throws ERR_FR_PROTOCOL. */
export function readCodedHead(head: Uint8Array, { coding, size }: Coded): number {
  const frames = Math.ceil(size / frameBytesFor(size))
  const bytes = head.length < codedHeadBytes ? 0 : readU32(head, 8)
  const isRight =
    bytes >= codedHeadBytes + 4 * frames &&
    bytes <= limits.codedHeaderBytes &&
    magic.every((byte, at) => head[at] === byte) &&
    readU32(head, 12) === codingNumber[coding] &&
    readU32(head, 16) === frameBytesFor(size) &&
    readU32(head, 20) === frames &&
    u64At(head, 24) === size
  if (!isRight) throw protocolError('coded content does not begin as its manifest says')
  return bytes
}

/** `bytes`: as many as readCodedHead said. `contentBytes`: of all of the coded content. */
export function readCodedHeader(
  bytes: Uint8Array,
  coded: Coded,
  contentBytes: number,
): CodedHeader {
  const { coding, size } = coded
  if (readCodedHead(bytes, coded) !== bytes.length)
    throw protocolError('the header of coded content is cut off')
  const frameBytes = frameBytesFor(size)
  const tableEnd = codedHeadBytes + 4 * readU32(bytes, 20)
  const lengths = bytes.slice(codedHeadBytes, tableEnd)
  let end = bytes.length
  for (let at = 0; at < lengths.length; at += 4) {
    const length = readU32(lengths, at)
    // What is stored as it is has a byte before it.
    if (length > frameBytes + 1) throw protocolError('a frame is longer than what it stands for')
    end += length
  }
  if (end !== contentBytes) throw protocolError('frames do not fill the coded content')
  const runs: HeaderRun[] = []
  let at = tableEnd
  for (let left = readU32(bytes, 32); left > 0; left--) {
    if (bytes.length - at < runHeadBytes) throw protocolError('a signed run is cut off')
    const [offset, length, more] = [
      u64At(bytes, at),
      readU32(bytes, at + 8),
      readU32(bytes, at + 12),
    ]
    at += runHeadBytes
    if (more > bytes.length - at) throw protocolError('a signed run is cut off')
    runs.push({ offset, length, payload: bytes.slice(at, at + more) })
    at += more
  }
  if (at !== bytes.length) throw protocolError('something stands behind the signed runs')
  return { coding, size, lengths, runs }
}
