/**
 * FLAC (RFC 9639): metadata, then frames, each decoded by itself. A frame is known by its sync code
 * and the CRC-8 of its header, and is looked for where a block file would end.
 */
import { contentLimits } from '../base/content-limits.js'
import { blockFileBytes } from '../base/division.js'
import { bitRateOf, type Found } from './found.js'
import { latin, Malformed, type Payload, type Reading, withinBudget } from './payload.js'

const marker = 'fLaC'
const [streamInfo, streamInfoBytes] = [0, 34]
const metadataMax = 1_024
/** Bytes in which a frame is looked for, where its largest is not said; and of its header. */
const [searchBytes, headerBytesMax] = [16 * 1024, 16]

export function isFlac(head: DataView): boolean {
  return head.byteLength >= 4 && latin(head, 0) === marker
}

export function* flacFound(payload: Payload, begin = 0): Reading<Found> {
  let at = begin + marker.length
  let info: DataView | null = null
  for (let blocks = 0; ; blocks++) {
    if (blocks === metadataMax) throw new Malformed('too much metadata')
    const head = (yield* payload.at(at, 4)).getUint32(0)
    const [isLast, type, bytes] = [head >>> 31 === 1, (head >>> 24) & 0x7f, head & 0xff_ffff]
    if (blocks === 0 && (type !== streamInfo || bytes < streamInfoBytes))
      throw new Malformed('there is no stream information')
    info ??= yield* payload.at(at + 4, streamInfoBytes)
    at += 4 + bytes
    if (isLast) break
  }
  const largest = info.getUint32(6) & 0xff_ffff
  const sampleRate = info.getUint32(10) >>> 12
  const samples = (info.getUint8(13) & 0xf) * 2 ** 32 + info.getUint32(14)
  const bitRate = samples > 0 ? bitRateOf(payload.size, samples / sampleRate) : null
  const starts: number[] = []
  yield* withinBudget(search(payload, { at, bitRate, largest, starts }))
  return { format: 'flac', index: [], bitRate, starts }
}

interface Search {
  /** Of the first frame. */
  readonly at: number
  readonly bitRate: number | null
  /** Bytes of the largest frame; 0: not said. */
  readonly largest: number
  readonly starts: number[]
}

/** Notes a frame at about each block file. */
function* search(payload: Payload, { at, bitRate, largest, starts }: Search): Reading<void> {
  const blockBytes = blockFileBytes(payload.size, bitRate)
  const window = Math.min((largest || searchBytes) + headerBytesMax, Math.ceil(blockBytes / 2))
  let place = blockBytes
  while (place + headerBytesMax < payload.size && starts.length < contentLimits.trackCuts) {
    const length = Math.min(window, payload.size - place)
    const view = place > at ? yield* payload.at(place, length) : null
    const frame = view === null ? -1 : frameIn(view)
    if (frame >= 0) starts.push(place + frame)
    place += blockBytes + Math.max(0, frame)
  }
}

/** Offset of the first header of a frame; -1: there is none. */
function frameIn(view: DataView): number {
  for (let at = 0; at + headerBytesMax <= view.byteLength; at++)
    if (view.getUint8(at) === 0xff && (view.getUint8(at + 1) & 0xfe) === 0xf8)
      if (isHeader(view, at)) return at
  return -1
}

function isHeader(view: DataView, at: number): boolean {
  const blockSize = view.getUint8(at + 2) >> 4
  const rate = view.getUint8(at + 2) & 0xf
  const [channels, depth] = [view.getUint8(at + 3) >> 4, (view.getUint8(at + 3) >> 1) & 7]
  if (blockSize === 0 || rate === 15 || channels > 10 || depth === 3) return false
  if (view.getUint8(at + 3) & 1) return false
  // The number of the frame, or of its sample, in the form of UTF-8.
  const ones = Math.clz32(~(view.getUint8(at + 4) << 24))
  if (ones === 1 || ones > 7) return false
  const numberBytes = Math.max(1, ones)
  const sizeBytes = blockSize === 6 ? 1 : blockSize === 7 ? 2 : 0
  const rateBytes = rate === 12 ? 1 : rate === 13 || rate === 14 ? 2 : 0
  const bytes = 4 + numberBytes + sizeBytes + rateBytes
  return crc8(view, at, bytes) === view.getUint8(at + bytes)
}

function crc8(view: DataView, at: number, bytes: number): number {
  let crc = 0
  for (let i = 0; i < bytes; i++) {
    crc ^= view.getUint8(at + i)
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1
  }
  return crc
}
