/** What the readers of formats find, and the division that follows from it. */
import { contentLimits } from '../base/content-limits.js'
import {
  blockFileBytes,
  blockFiles,
  type ContentFormat,
  type Division,
  type Track,
} from '../base/division.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import { Malformed } from './payload.js'

export interface Found {
  readonly format: ContentFormat
  /** What a player needs before all media, in order; empty where it reads from the front. */
  readonly index: readonly RangePair[]
  /** Bits per second over the whole payload; null where it is not known. */
  readonly bitRate: number | null
  /** Offsets in the payload at which decoding can begin, ascending. */
  readonly starts: readonly number[]
  /** Block files are a multiple of this where no start is near. */
  readonly unitBytes?: number
}

/** Bits per second of so many bytes in so many seconds; null where that says nothing. */
export function bitRateOf(bytes: number, seconds: number): number | null {
  const rate = Math.round((bytes * 8) / seconds)
  return rate >= 1 && rate <= contentLimits.bitRateMax ? rate : null
}

export function divisionOf(size: number, found: Found): Division {
  const { format, bitRate, unitBytes = 1 } = found
  const ideal = blockFileBytes(size, bitRate)
  const blockBytes = Math.min(
    Math.ceil(ideal / unitBytes) * unitBytes,
    contentLimits.blockFileBytesMax,
  )
  const isLinear = found.index.length === 0
  const media = isLinear ? ([[0, size]] as const) : RangeSet.of(found.index).missing(0, size)
  const index: Track = { name: 'index', ranges: found.index, bitRate: null, cuts: [] }
  const ranges = media.length + found.index.length
  if (ranges > contentLimits.trackRanges) throw new Malformed('too many pieces')
  const cuts = placesIn(media, found.starts)
  const main = { name: isLinear ? 'all' : 'media', ranges: media, bitRate, cuts }
  const thinned = { ...main, cuts: usedCuts(main, blockBytes) }
  return { format, isLinear, blockBytes, tracks: isLinear ? [thinned] : [index, thinned] }
}

/** Offsets in the track file of offsets in the payload, ascending, each once. */
function placesIn(ranges: readonly RangePair[], starts: readonly number[]): number[] {
  const sorted = [...new Set(starts)].sort((a, b) => a - b)
  const places: number[] = []
  let [next, before] = [0, 0]
  for (const [offset, length] of ranges) {
    while ((sorted[next] ?? offset) < offset) next++
    for (; (sorted[next] ?? Infinity) < offset + length; next++) {
      const place = before + (sorted[next] as number) - offset
      if (place > 0) places.push(place)
    }
    before += length
  }
  return places
}

/** The cuts at which a block file begins: with them alone the block files are the same. */
function usedCuts(track: Track, blockBytes: number): number[] {
  const cuts = new Set(track.cuts)
  const used: number[] = []
  const last = track.cuts.at(-1) ?? 0
  for (const [offset] of blockFiles(track, blockBytes)) {
    if (cuts.has(offset)) used.push(offset)
    if (offset >= last || used.length === contentLimits.trackCuts) break
  }
  return used
}
