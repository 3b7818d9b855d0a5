/**
 * What a payload is, and the division of it that suits a player. Any payload has one: what is not
 * known, or is not what it claims to be, is bytes from the front.
 *
 * The same bytes always have the same division. At most `analysisReadBytes` of them are read.
 */
import { type Division, divisionFault, linearBytes } from '../base/division.js'
import { flacFound, isFlac } from './flac.js'
import { divisionOf, type Found } from './found.js'
import { isIso, isoFound } from './iso.js'
import { isMatroska, matroskaFound } from './matroska.js'
import { hasFrames, mp3Found, tagBytes } from './mpeg-audio.js'
import { packingOf, tsFound } from './mpeg-ts.js'
import { Exhausted, latin, Malformed, Payload, type Reading } from './payload.js'
import { isWav, wavFound } from './wav.js'

export function* analysis(size: number): Reading<Division> {
  try {
    const found = yield* claimed(new Payload(size))
    const division = found === null ? null : divisionOf(size, found)
    if (division !== null && divisionFault(division, size) === null) return division
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof Exhausted)) throw error
  }
  return linearBytes(size)
}

/** What the first bytes claim decides whose reader looks. */
function* claimed(payload: Payload): Reading<Found | null> {
  const head = yield* payload.at(0, Math.min(payload.size, 12))
  if (head.byteLength < 12) return null
  if (isIso(latin(head, 4))) return yield* isoFound(payload)
  if (isMatroska(head.getUint32(0))) return yield* matroskaFound(payload)
  if (isFlac(head)) return yield* flacFound(payload)
  if (isWav(head)) return yield* wavFound(payload)
  const packing = yield* packingOf(payload)
  if (packing !== null) return yield* tsFound(payload, packing)
  const tag = yield* tagBytes(payload)
  if (tag > 0 && tag + 4 <= payload.size && isFlac(yield* payload.at(tag, 4)))
    return yield* flacFound(payload, tag)
  return (yield* hasFrames(payload, tag)) ? yield* mp3Found(payload, tag) : null
}
