/**
 * The shipping codec between simulated machines. Whatever travels is written as it would be on a
 * connection, and read by the other side: a frame, digest record or manifest that the codec
 * refuses or changes throws, which fails the seed by the name of the frame.
 *
 * Signatures are pretended, because they need node:crypto; those of digest records and of manifest
 * pages are made with them and checked as in the product.
 */
import { bytesOfHex, concat, hexOf } from '../base/bytes.js'
import type { Detection } from '../base/detection.js'
import { blockBytesFor, limits } from '../base/limits.js'
import type { BlockBytes } from '../base/sections.js'
import type { HeldRun } from '../control/holdings/have.js'
import type { Frame, Role, StreamEntry } from '../control/messages/types.js'
import { spanBytes } from '../control/space/space.js'
import type { DigestSpec } from '../ports.js'
import { signDigests } from '../protocol/digest-record.js'
import { encodeBody, encodeFrame, FrameReader } from '../protocol/frames.js'
import { encodeName, ManifestAssembler, paginate } from '../protocol/manifest.js'
import type { Primitives, Signer } from '../protocol/primitives.js'
import { type Content, Contents } from '../session/driver/contents.js'
import { digestBytes, type SimFile } from './content.js'

/** FNV-1a, 32 bits, over parts laid end to end. */
function mix(start: number, parts: readonly Uint8Array[]): number {
  let hash = start
  for (const part of parts)
    for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ (part[i] as number), 0x0100_0193)
  return hash >>> 0
}

function spread(hash: number): Uint8Array {
  const bytes = new Uint8Array(32)
  for (let i = 0; i < 4; i++) bytes[i] = hash >>> (8 * i)
  return bytes
}

const basis = 0x811c_9dc5

export const pretended: Primitives = {
  hmac: (key, ...parts) => spread(mix(mix(basis, [key]), parts)),
  hkdf: (key, salt, info, bytes) => {
    const spreads = Array.from({ length: Math.ceil(bytes / 32) }, (_, i) =>
      spread(mix(basis + i, [key, salt, info])),
    )
    return concat(...spreads).slice(0, bytes)
  },
  equal: (left, right) =>
    left.length === right.length && left.every((byte, i) => byte === right[i]),
  verify: (publicKey, signature, message) =>
    pretended.equal(signature, pretendedSignature(publicKey, message)),
}

function pretendedSignature(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  return concat(spread(mix(basis, [publicKey, message])), new Uint8Array(32))
}

/** Anybody could sign like this; the simulator forges nothing. */
export const pretendedAuthor: Signer = {
  publicKey: new Uint8Array(32).fill(7),
  sign: (message) => pretendedSignature(pretendedAuthor.publicKey, message),
}

/** One direction of a control or pull link. */
export class SimChannel {
  readonly #reader = new FrameReader()
  readonly #written: (bytes: number) => void
  readonly #isUnchecked: boolean

  /** `written`: told how long each frame is. `isUnchecked`: nobody reads what was written. */
  constructor(written: (bytes: number) => void, isUnchecked: boolean) {
    this.#written = written
    this.#isUnchecked = isUnchecked
  }

  /** Writes the frame now; calling the result reads it, where and when it arrives. */
  write<F extends Frame>(frame: F): () => F {
    const bytes = encodeFrame(encodeBody(frame))
    this.#written(bytes.length)
    if (this.#isUnchecked) return () => frame
    return () => {
      const read: Frame[] = []
      this.#reader.push(bytes, (one) => read.push(one))
      if (read.length !== 1 || !isEqual(read[0], frame))
        throw new Error(`the codec changes frame ${frame.type}: ${JSON.stringify([frame, read])}`)
      return read[0] as F
    }
  }
}

/** Of plain data, as frames are. */
function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  const [left, right] = [a, b] as Record<string, unknown>[]
  return names.every((name) => isEqual(left?.[name], right?.[name]))
}

const transfer = '5'.repeat(32)
const contentId = '6'.repeat(32)
const author = hexOf(pretendedAuthor.publicKey)

/** What the digest records of the file are about. */
export function contentsOf(size: number, blockBytes: BlockBytes): Contents {
  const about = { contentId, author, algorithm: 'xxh64', blockBytes } as const
  const most = blockBytes === 'sections' ? limits.growingSpanBytes : size
  return new Contents([{ stream: 0, base: 0, size: most, ...about }])
}

/** The digests of a run of the file, as records of its author. */
export function signedRecords(
  { bytes, blockBytes }: Pick<SimFile, 'bytes' | 'blockBytes'>,
  { offset, length, digests }: HeldRun,
): DigestSpec[] {
  const content = contentsOf(bytes, blockBytes).of(0) as Content
  const most = limits.hashTaskBytes
  return Array.from({ length: Math.ceil(length / most) }, (_, i) => {
    const place = { offset: offset + i * most, length: Math.min(most, length - i * most) }
    const [from, until] = [i * most, i * most + place.length].map(
      (at) => Math.ceil(at / blockBytes) * digestBytes,
    )
    const own = digests.subarray(from, until)
    return { stream: 0, ...place, payload: signDigests(pretendedAuthor, content, place, own) }
  })
}

/** The offer of one file to a node, and the pages of its manifest. */
export function offerFrames(
  bytes: number,
  planned: boolean,
  role: Role = 'receiver',
  detection?: Detection,
  isGrowing = false,
): Frame[] {
  const name = encodeName(Uint8Array.of(0x66, 0x69, 0x6c, 0x65))
  const times = { mtimeSeconds: 1_700_000_000, mtimeNanos: 5 }
  const entry = {
    stream: 0,
    contentId,
    author,
    ...name,
    base: 0,
    span: isGrowing ? limits.growingSpanBytes : spanBytes(bytes, blockBytesFor(bytes)),
    ...(isGrowing && { growing: true as const }),
    size: bytes,
    dataBytes: bytes,
    mode: 0o644,
    ...times,
  }
  const { pages, summary } = paginate([entry], pretendedAuthor)
  const how = { author, digest: 'xxh64', noClobber: false, strict: false } as const
  const { silenceMs } = limits
  const silence = { silenceMs, ...(detection && { detection }) }
  const offer = { transfer, ...how, ...summary, ...silence, planned, fileDigest: null, role }
  return [{ type: 'offer', ...offer }, ...pages]
}

/** What a node makes of these frames; undefined while pages of the manifest are missing. */
export function readOffer([offer, ...pages]: readonly Frame[]):
  | {
      offer: Frame & { type: 'offer' }
      entry: StreamEntry
    }
  | undefined {
  if (offer?.type !== 'offer') throw new Error('no offer comes first')
  const assembler = new ManifestAssembler(
    offer,
    pretended,
    bytesOfHex(offer.author) ?? new Uint8Array(),
  )
  let entries: StreamEntry[] | null = null
  for (const page of pages) if (page.type === 'manifest') entries = assembler.add(page)
  const entry = entries?.[0]
  return entry && { offer, entry }
}
