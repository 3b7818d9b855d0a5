/**
 * MP4 and QuickTime files, also in fragments.
 *
 * `moov` tells a player where everything is. Where it stands behind the media the file cannot be
 * played from the front, and all that is no media is the index. In fragments each `moof` tells it
 * for the media behind it.
 */
import type { RangePair } from '../base/ranges.js'
import { bitRateOf, type Found } from './found.js'
import { type Box, boxAt } from './iso-boxes.js'
import { fragmentOf } from './iso-fragments.js'
import { type IsoMovie, movieOf, syncOffsets } from './iso-tracks.js'
import { Exhausted, Malformed, type Payload, type Reading } from './payload.js'

/** Types of a first box by which a payload is taken for such a file. */
const firstTypes = ['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot', 'styp']

export function isIso(type: string): boolean {
  return firstTypes.includes(type)
}

interface Layout {
  moov: Box | null
  movie: IsoMovie | null
  /** Media there were before `moov`. */
  isIndexLast: boolean
  readonly media: Box[]
  /** Of fragments, and of those that can be decoded by themselves. */
  readonly fragments: number[]
  readonly starts: number[]
  /** Of the first fragment and of the last one whose time is known. */
  first: Timed | null
  last: Timed | null
}

interface Timed {
  readonly offset: number
  readonly seconds: number
}

export function* isoFound(payload: Payload): Reading<Found> {
  const layout: Layout = {
    moov: null,
    movie: null,
    isIndexLast: false,
    media: [],
    fragments: [],
    starts: [],
    first: null,
    last: null,
  }
  yield* walk(payload, layout)
  const { moov, movie, media, first, last } = layout
  if (moov === null || movie === null) throw new Malformed('there is no moov box')
  if (media.length === 0) throw new Malformed('there are no media')
  if (movie.isFragmented) {
    if (layout.isIndexLast) throw new Malformed('fragments come before the moov box')
    const isTimed = first !== null && last !== null && last.seconds > first.seconds
    const bitRate = isTimed
      ? bitRateOf(last.offset - first.offset, last.seconds - first.seconds)
      : bitRateOf(payload.size, movie.seconds ?? 0)
    // Key frames in the middle of fragments alone: a fragment is still what a player reads at once.
    const starts = layout.starts.length > 1 ? layout.starts : layout.fragments
    return { format: 'fragmented-mp4', index: [], bitRate, starts }
  }
  const bytes = media.reduce((sum, { start, end }) => sum + end - start, 0)
  return {
    format: 'mp4',
    index: layout.isIndexLast ? around(media, payload.size) : [],
    bitRate: movie.seconds === null ? null : bitRateOf(bytes, movie.seconds),
    starts: yield* startsOf(payload, movie),
  }
}

/** The boxes of the file, one after the other. What comes behind garbage, or too much, is media. */
function* walk(payload: Payload, layout: Layout): Reading<void> {
  try {
    let groupStart = 0
    for (let at = 0; at < payload.size; ) {
      const box = yield* boxAt(payload, at, payload.size, true)
      if (box.type === 'moov' && layout.moov === null) {
        layout.moov = box
        layout.movie = yield* movieOf(payload, box)
        layout.isIndexLast = layout.media.length > 0
        groupStart = box.end
      } else if (box.type === 'moof') yield* note(payload, layout, box, groupStart)
      else if (box.type === 'mdat') {
        layout.media.push(box)
        groupStart = box.end
      }
      at = box.end
    }
  } catch (error) {
    const isOver = error instanceof Malformed || error instanceof Exhausted
    if (!isOver || layout.movie === null) throw error
  }
}

function* note(payload: Payload, layout: Layout, box: Box, groupStart: number): Reading<void> {
  const main = layout.movie?.main ?? null
  if (main === null) throw new Malformed('fragments of no track')
  const fragment = yield* fragmentOf(payload, box, main)
  if (fragment === null) return
  layout.fragments.push(groupStart)
  if (fragment.isSync) layout.starts.push(groupStart)
  if (fragment.time === null || main.timescale === 0) return
  const timed = { offset: groupStart, seconds: fragment.time / main.timescale }
  layout.first ??= timed
  layout.last = timed
}

/** Offsets at which the main track can be decoded; none where its tables cannot be used. */
function* startsOf(payload: Payload, { main }: IsoMovie): Reading<number[]> {
  if (main?.samples == null) return []
  try {
    return yield* syncOffsets(payload, main.samples)
  } catch (error) {
    if (error instanceof Malformed || error instanceof Exhausted) return []
    throw error
  }
}

/** What is in the file around these boxes, merged. */
function around(boxes: readonly Box[], size: number): RangePair[] {
  const ranges: RangePair[] = []
  let at = 0
  for (const { start, end } of boxes) {
    if (start > at) ranges.push([at, start - at])
    at = end
  }
  if (at < size) ranges.push([at, size - at])
  return ranges
}
