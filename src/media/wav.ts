/** WAV (RIFF, and RF64 of EBU Tech 3306): one rate throughout, and decoding begins anywhere. */
import { contentLimits } from '../base/content-limits.js'
import { blockFileBytes } from '../base/division.js'
import { bitRateOf, type Found } from './found.js'
import { latin, Malformed, type Payload, type Reading } from './payload.js'

const chunksMax = 1_024

export function isWav(head: DataView): boolean {
  if (head.byteLength < 12) return false
  return ['RIFF', 'RF64', 'BW64'].includes(latin(head, 0)) && latin(head, 8) === 'WAVE'
}

export function* wavFound(payload: Payload): Reading<Found> {
  let format: { readonly byteRate: number; readonly frameBytes: number } | null = null
  let at = 12
  for (let chunks = 0; chunks < chunksMax; chunks++) {
    const head = yield* payload.at(at, 8)
    const type = latin(head, 0)
    if (type === 'fmt ') {
      const body = yield* payload.at(at + 8, 16)
      format = { byteRate: body.getUint32(8, true), frameBytes: body.getUint16(12, true) }
    }
    if (type === 'data') {
      if (format === null || format.byteRate === 0 || format.frameBytes === 0)
        throw new Malformed('there is no format')
      return found(payload.size, at + 8, format.byteRate, format.frameBytes)
    }
    // Chunks begin at even offsets.
    const bytes = head.getUint32(4, true)
    at += 8 + bytes + (bytes % 2)
  }
  throw new Malformed('there is no sound')
}

function found(size: number, start: number, byteRate: number, frameBytes: number): Found {
  const bitRate = bitRateOf(byteRate, 1)
  const step = Math.ceil(blockFileBytes(size, bitRate) / frameBytes) * frameBytes
  const count = Math.min(contentLimits.trackCuts, Math.ceil((size - start) / step))
  const starts = Array.from({ length: count }, (_, i) => start + i * step)
  return { format: 'wav', index: [], bitRate, starts, unitBytes: frameBytes }
}
