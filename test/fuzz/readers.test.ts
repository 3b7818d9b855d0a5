/**
 * The readers of the wire that are written in TypeScript, with changed messages (reading.ts).
 */

import { expect } from 'vitest'
import xxhash from 'xxhash-wasm'
import { concat } from '../../src/base/bytes.js'
import type { Frame, StreamEntry } from '../../src/control/messages/types.js'
import { decodeRecordHeader, encodeRecordHeader } from '../../src/engine/portable/record.js'
import { nodePrimitives } from '../../src/net/crypto.js'
import { readDigests, signDigests } from '../../src/protocol/digest-record.js'
import { encodeBody, encodeFrame, FrameReader } from '../../src/protocol/frames.js'
import * as greeting from '../../src/protocol/greeting.js'
import { ManifestAssembler, type ManifestPage, signPage } from '../../src/protocol/manifest.js'
import * as ticket from '../../src/protocol/ticket.js'
import fc from '../support/property.js'
import { anyFrame } from '../unit/protocol/frame-support.js'
import { hex } from '../unit/protocol/parts.js'
import { seededSigner, streamEntry } from '../unit/protocol/support.js'
import { fuzz, type Reader } from './reading.js'

const key = new Uint8Array(32).fill(7)
const author = seededSigner(1)
const content = { contentId: 'c0'.repeat(16), algorithm: 'blake3', blockBytes: 65_536 } as const
const place = { offset: 65_536, length: 100_000 }
const recordSeed = 99n
const { h64Raw } = await xxhash()

function frameOf(bytes: Uint8Array): Frame | null {
  const frames: Frame[] = []
  new FrameReader().push(bytes, (frame) => frames.push(frame))
  return frames[0] ?? null
}

const written = (frame: Frame): Uint8Array => encodeFrame(encodeBody(frame))

const isReport = ({ type }: Frame): boolean => type === 'progress' || type === 'backlog'

const sizes = { span: 65_536, size: 30, dataBytes: 7 }

/** In a row: each begins where the last one ends. */
function placed(entry: StreamEntry, stream: number): StreamEntry {
  return { ...entry, stream, base: stream * sizes.span, ...sizes }
}

/** A page is signed again after it was changed: else nothing behind the signature is reached. */
function manifestOf(bytes: Uint8Array): Uint8Array | null {
  const frame = frameOf(bytes)
  if (frame?.type !== 'manifest') return null
  const summary = { streams: 3, bytes: 100, manifestPages: 2 }
  const assembler = new ManifestAssembler(summary, nodePrimitives, author.publicKey)
  assembler.add(signPage(author, frame.page, frame.entries))
  return written(frame)
}

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const side = { publicKey: bytesOf(32), incarnation: fc.maxSafeNat(), signature: bytesOf(64) }
const digests = fc.constant(greeting.ownDigests)
const number = fc.nat({ max: 0xffff_ffff })

function greetingReader<T>(
  fields: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): Reader {
  const read = (bytes: Uint8Array): Uint8Array | null => {
    const length = greeting.greetingBytes(bytes)
    if (length === null || length > bytes.length) return null
    return encode(decode(bytes.subarray(0, length)))
  }
  return { form: 'json', valid: fields.map(encode), read }
}

const readers: Record<string, Reader> = {
  'a frame': {
    form: 'json',
    valid: anyFrame.map(written),
    read: (bytes) => {
      const frame = frameOf(bytes)
      return frame && written(frame)
    },
  },
  'a report': {
    form: 'binary',
    isExact: true,
    valid: anyFrame.filter(isReport).map(written),
    read: (bytes) => {
      if (bytes.length < 5) return null
      // With the length put right: else a change of length is never read.
      const shown = Buffer.from(bytes)
      shown.writeUInt32LE(bytes.length - 4)
      const frame = frameOf(shown)
      if (frame === null || !isReport(frame)) return null
      const again = written(frame)
      expect(shown.equals(again)).toBe(true)
      return again
    },
  },
  'a manifest page': {
    form: 'json',
    valid: fc
      .uniqueArray(streamEntry, { minLength: 1, maxLength: 3, selector: (entry) => entry.name })
      .map((entries) => entries.map((entry, stream) => placed(entry, stream)))
      .map((entries): ManifestPage => signPage(author, 1, entries))
      .map(written),
    read: manifestOf,
  },
  hello: greetingReader(
    fc.oneof(
      fc.record({
        channel: fc.constantFrom('control' as const, 'status' as const),
        ...{ ...side, digests, transfer: fc.constant(null) },
        ...{ from: fc.constant(null), to: fc.constant(null) },
      }),
      fc.record({
        channel: fc.constant('pull' as const),
        ...{ ...side, digests, transfer: hex(32), from: number, to: number },
      }),
    ) as fc.Arbitrary<greeting.Hello>,
    greeting.encodeHello,
    greeting.decodeHello,
  ),
  welcome: greetingReader(
    fc.record(
      { ...side, digests, advertise: fc.constant('node-a.lan:7400') },
      { requiredKeys: ['publicKey', 'incarnation', 'signature', 'digests'] },
    ) as fc.Arbitrary<greeting.Welcome>,
    greeting.encodeWelcome,
    greeting.decodeWelcome,
  ),
  'a ticket': {
    form: 'binary',
    valid: fc
      .record({
        ...{ transfer: hex(32), edgeId: hex(32), from: fc.nat({ max: 9 }) },
        ...{ to: fc.integer({ min: 10, max: 0xffff_ffff }) },
        nonce: bytesOf(32),
      })
      .map((fields) => ticket.encodeTicket(nodePrimitives, key, fields)),
    read: (bytes) => {
      const length = ticket.ticketBytesOf(bytes)
      if (length === null || length > bytes.length) return null
      const shown = bytes.subarray(0, length)
      const isRight = ticket.isTicketOf(nodePrimitives, key, shown)
      const again = ticket.encodeTicket(nodePrimitives, key, ticket.decodeTicket(shown))
      // The MAC alone says whether it was made by a holder of the key.
      expect(isRight).toBe(Buffer.from(again).equals(shown))
      return again
    },
  },
  'the answer to a ticket': {
    form: 'binary',
    valid: fc.oneof(
      fc.constant(ticket.encodeGo()),
      fc.string({ unit: 'binary', maxLength: 50 }).map((text) => {
        return ticket.encodeRefusal('ERR_FR_BUSY', text)
      }),
      bytesOf(52).map((bytes) => {
        return concat(Uint8Array.of(0xf8, 1, 0, 0), bytes.subarray(4))
      }),
    ),
    read: (bytes) => {
      const length = ticket.answerBytes(bytes)
      if (length === null || length > bytes.length) return null
      const answer = bytes.subarray(0, length)
      try {
        if (answer[0] === 0xfa) ticket.decodeGo(answer)
        else ticket.nonceOf(answer)
      } catch (error) {
        // A refusal that was understood is thrown as the error that it names.
        if (!greeting.isSaidByPeer(error as Error)) throw error
      }
      return answer
    },
  },
  'a record header': {
    form: 'binary',
    isExact: true,
    valid: fc
      .record({
        kind: fc.constantFrom('payload' as const, 'hole' as const, 'digests' as const),
        ...{
          route: fc.integer({ min: 0, max: 0xffff }),
          scratch: fc.constant(false),
          stream: number,
        },
        ...{ offset: fc.maxSafeNat(), length: fc.integer({ min: 1, max: 2 ** 20 }) },
      })
      .map((fields) => {
        const header = { ...fields, digestBytes: fields.kind === 'digests' ? 96 : 0 }
        const bytes = Buffer.alloc(32)
        encodeRecordHeader(bytes, header, recordSeed, h64Raw)
        return bytes
      }),
    read: (bytes) => {
      if (bytes.length < 32) return null
      const shown = Buffer.from(bytes.subarray(0, 32))
      // With the check put right: else a change is never read.
      const check = h64Raw(shown.subarray(0, 28), recordSeed) & 0xffff_ffffn
      shown.writeUInt32LE(Number(check), 28)
      const header = decodeRecordHeader(shown, recordSeed, h64Raw)
      if (header === null) return null
      const again = Buffer.alloc(32)
      encodeRecordHeader(again, header, recordSeed, h64Raw)
      expect(again.equals(shown)).toBe(true)
      return again
    },
  },
  'signed digests': {
    form: 'binary',
    isExact: true,
    valid: fc
      .uint8Array({ minLength: 64, maxLength: 64 })
      .map((values) => signDigests(author, content, place, values)),
    read: (bytes) => {
      readDigests(nodePrimitives, author.publicKey, content, place, bytes)
      return bytes
    },
  },
}

fuzz(readers)
