/**
 * MP3 (ISO/IEC 11172-3 and 13818-3, layer III): frames, each with a header of its own, behind tags
 * that are no sound. Decoding can begin at any frame.
 */
import { contentLimits } from '../base/content-limits.js'
import { bitRateOf, type Found } from './found.js'
import { latin, Malformed, type Payload, type Reading, withinBudget } from './payload.js'

/** Thousand bits per second, by the index in a header, of MPEG-1 and of MPEG-2 and 2.5. */
const bitRates = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const
const sampleRates = [44_100, 48_000, 32_000] as const
/** Frames in a row by which sound is known. */
const framesKnown = 4
const headerBytes = 4

interface Frame {
  readonly bytes: number
  readonly bitRate: number
  readonly sampleRate: number
  readonly samples: number
  readonly isMono: boolean
  readonly isFirstVersion: boolean
}

function frameOf(header: number): Frame | null {
  const version = (header >>> 19) & 3
  const layer = (header >>> 17) & 3
  if (header >>> 21 !== 0x7ff || version === 1 || layer !== 1) return null
  const isFirstVersion = version === 3
  const rate = bitRates[isFirstVersion ? 0 : 1][(header >>> 12) & 15]
  const sampleBase = sampleRates[(header >>> 10) & (3 as 0 | 1 | 2)]
  if (rate === undefined || rate === 0 || sampleBase === undefined) return null
  const sampleRate = sampleBase / (version === 3 ? 1 : version === 2 ? 2 : 4)
  const samples = isFirstVersion ? 1_152 : 576
  const padding = (header >>> 9) & 1
  const bytes = Math.floor((samples * 125 * rate) / sampleRate) + padding
  const isMono = ((header >>> 6) & 3) === 3
  return { bytes, bitRate: rate * 1_000, sampleRate, samples, isMono, isFirstVersion }
}

/** Bytes of an ID3v2 tag at the beginning; 0: there is none. */
export function* tagBytes(payload: Payload): Reading<number> {
  if (payload.size < 10) return 0
  const head = yield* payload.at(0, 10)
  if (latin(head, 0, 3) !== 'ID3') return 0
  const size = [6, 7, 8, 9].reduce((sum, at) => sum * 128 + (head.getUint8(at) & 0x7f), 0)
  return 10 + size + (head.getUint8(5) & 0x10 ? 10 : 0)
}

/** Whether sound begins at this offset. */
export function* hasFrames(payload: Payload, start: number): Reading<boolean> {
  let at = start
  for (let frames = 0; frames < framesKnown; frames++) {
    if (at + headerBytes > payload.size) return frames > 0 && at === payload.size
    const frame = frameOf((yield* payload.at(at, headerBytes)).getUint32(0))
    if (frame === null) return false
    at += frame.bytes
  }
  return true
}

export function* mp3Found(payload: Payload, start: number): Reading<Found> {
  const first = frameOf((yield* payload.at(start, headerBytes)).getUint32(0))
  if (first === null) throw new Malformed('there is no frame')
  const starts: number[] = []
  let [seconds, end] = [0, start]
  function* scan(): Reading<void> {
    while (end + headerBytes <= payload.size && starts.length < contentLimits.analysisStarts) {
      const frame = frameOf((yield* payload.at(end, headerBytes)).getUint32(0))
      if (frame === null) return
      starts.push(end)
      end += frame.bytes
      seconds += frame.samples / frame.sampleRate
    }
  }
  const said = yield* saidSeconds(payload, start, first)
  yield* withinBudget(scan())
  const bitRate =
    said === null ? bitRateOf(end - start, seconds) : bitRateOf(payload.size - start, said)
  return { format: 'mp3', index: [], bitRate, starts }
}

/** What a first frame without sound (Xing, Info, VBRI) says of how long all is; null: nothing. */
function* saidSeconds(payload: Payload, start: number, first: Frame): Reading<number | null> {
  const { bytes, isFirstVersion, isMono, samples, sampleRate } = first
  const side = isFirstVersion ? (isMono ? 17 : 32) : isMono ? 9 : 17
  if (bytes < headerBytes + 50 || start + bytes > payload.size) return null
  const view = yield* payload.at(start, bytes)
  const xing = latin(view, headerBytes + side, 4)
  let frames = 0
  if ((xing === 'Xing' || xing === 'Info') && view.getUint32(headerBytes + side + 4) & 1)
    frames = view.getUint32(headerBytes + side + 8)
  else if (latin(view, headerBytes + 32, 4) === 'VBRI')
    frames = view.getUint32(headerBytes + 32 + 14)
  return frames === 0 ? null : (frames * samples) / sampleRate
}
