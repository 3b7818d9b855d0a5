/**
 * The record format by code of its own, so that a mistake in the engines' codecs is not repeated in
 * their tests: headers with any field wrong, and a reader that insists on sound ones.
 */
import type { Socket } from 'node:net'
import xxhash from 'xxhash-wasm'
import { seed, streamId } from './world.js'

const { h64Raw } = await xxhash()

export interface RawHeader {
  readonly magic?: number
  readonly version?: number
  readonly headerBytes?: number
  readonly kind?: number
  readonly flags?: number
  readonly route?: number
  readonly stream?: number
  readonly extra?: number
  readonly offset?: bigint
  readonly length?: number
  /** Flipped into the check. */
  readonly spoil?: number
}

/** A header byte by byte, by default a sound payload record of one byte at 0. */
export function rawHeader(fields: RawHeader = {}): Buffer {
  const view = new DataView(new ArrayBuffer(32))
  view.setUint8(0, fields.magic ?? 0xf5)
  view.setUint8(1, fields.version ?? 1)
  view.setUint8(2, fields.headerBytes ?? 32)
  view.setUint8(3, fields.kind ?? 1)
  view.setUint16(4, fields.flags ?? 0, true)
  view.setUint16(6, fields.route ?? 0, true)
  view.setUint32(8, fields.stream ?? streamId, true)
  view.setUint32(12, fields.extra ?? 0, true)
  view.setBigUint64(16, fields.offset ?? 0n, true)
  view.setUint32(24, fields.length ?? 1, true)
  const hash = h64Raw(new Uint8Array(view.buffer, 0, 28), seed)
  view.setUint32(28, (Number(hash & 0xffff_ffffn) ^ (fields.spoil ?? 0)) >>> 0, true)
  return Buffer.from(view.buffer)
}

export function rawPayload(offset: number, bytes: Buffer, route = 0, flags = 0): Buffer {
  const header = rawHeader({ route, flags, offset: BigInt(offset), length: bytes.length })
  return Buffer.concat([header, bytes])
}

export const rawEnd = rawHeader({ kind: 4, stream: 0, length: 0 })

export interface RawRecord {
  readonly kind: number
  readonly flags: number
  readonly route: number
  readonly stream: number
  readonly offset: number
  readonly length: number
  readonly payload: Buffer
}

/** The records of a connection as they come, for those who need not see its end. */
export async function* rawStream(socket: Socket): AsyncGenerator<RawRecord> {
  let rest = Buffer.alloc(0)
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk])
    let at = 0
    while (rest.length - at >= 32) {
      const follows = rest.readUInt8(at + 3) === 1 ? 24 : 12
      const end = at + 32 + rest.readUInt32LE(at + follows)
      if (end > rest.length) break
      yield* rawRecords(rest.subarray(at, end))
      at = end
    }
    rest = rest.subarray(at)
  }
}

/** Takes a byte stream apart; throws on a header that is not sound or a tail that is cut. */
export function rawRecords(bytes: Buffer): RawRecord[] {
  const records: RawRecord[] = []
  let at = 0
  while (at < bytes.length) {
    const header = bytes.subarray(at, at + 32)
    if (header.length < 32) throw new Error('a header is cut')
    const kind = header.readUInt8(3)
    const [flags, route] = [header.readUInt16LE(4), header.readUInt16LE(6)]
    const [stream, extra] = [header.readUInt32LE(8), header.readUInt32LE(12)]
    const [offset, length] = [Number(header.readBigUInt64LE(16)), header.readUInt32LE(24)]
    const fields = { kind, flags, route, stream, extra, length }
    const sound = rawHeader({ ...fields, offset: BigInt(offset) })
    if (!sound.equals(header)) throw new Error(`a bad header at ${at}`)
    const follows = kind === 1 ? length : extra
    const payload = bytes.subarray(at + 32, at + 32 + follows)
    if (payload.length < follows) throw new Error('a payload is cut')
    records.push({ kind, flags, route, stream, offset, length, payload })
    at += 32 + follows
  }
  return records
}
