/**
 * The division of a content: in which order it is delivered, and in which pieces.
 *
 * The idea: a *track file* is a list of ranges of the file, in the order of delivery. A content
 * that can be played from the front is one track file; else what a player needs first (the index)
 * is the first track file, and the media follow. A *block file* is a range of a track file of about
 * two seconds, which begins where decoding can begin, as far as such places are known. Everybody
 * computes block files from the division, which is signed, so they are the same everywhere. The
 * blocks that are verified are cut without regard to them.
 */
import { limits } from './limits.js'
import { type RangePair, RangeSet } from './ranges.js'

/** `bytes`: nothing is known of the format. */
export const contentFormats = [
  ...(['mp4', 'fragmented-mp4', 'matroska', 'mpeg-ts', 'mp3', 'wav', 'flac'] as const),
  'bytes',
] as const
export type ContentFormat = (typeof contentFormats)[number]

export interface Track {
  /** Lower-case letters, digits and `-`. */
  readonly name: string
  /** Bytes of the file, in the order of delivery; none empty. */
  readonly ranges: readonly RangePair[]
  /** Bits per second of playback; null where it is not known. */
  readonly bitRate: number | null
  /** Offsets in the track file, ascending, at which decoding can begin; the first byte is none. */
  readonly cuts: readonly number[]
}

export interface Division {
  readonly format: ContentFormat
  /** It can be played from the front while it comes. */
  readonly isLinear: boolean
  /** Bytes of a block file: each but the last of a track has half as much to half as much again. */
  readonly blockBytes: number
  /** In the order of delivery. Together they have each byte of the file exactly once. */
  readonly tracks: readonly Track[]
}

/** Bytes of a track file. */
export function trackBytes(track: Track): number {
  return track.ranges.reduce((sum, [, length]) => sum + length, 0)
}

/** Bytes of a block file for a bit rate, and for content of this size. */
export function blockFileBytes(size: number, bitRate: number | null): number {
  const { blockFileSeconds, blockFileBytesMin, blockFileBytesMax, blockFiles } = limits
  const wanted =
    bitRate === null ? limits.blockFileBytes : Math.ceil((bitRate / 8) * blockFileSeconds)
  const least = Math.max(blockFileBytesMin, Math.ceil(size / blockFiles))
  return Math.min(blockFileBytesMax, Math.max(least, wanted))
}

/** Content of which nothing is known but its size: one track file, delivered from the front. */
export function linearBytes(size: number): Division {
  const ranges: RangePair[] = size === 0 ? [] : [[0, size]]
  return {
    format: 'bytes',
    isLinear: true,
    blockBytes: blockFileBytes(size, null),
    tracks: size === 0 ? [] : [{ name: 'all', ranges, bitRate: null, cuts: [] }],
  }
}

/** The block files of a track, as ranges of the track file, in order; one at a time. */
export function* blockFiles(track: Track, blockBytes: number): IterableIterator<RangePair> {
  const [least, most] = [Math.ceil(blockBytes / 2), blockBytes + Math.floor(blockBytes / 2)]
  const end = trackBytes(track)
  let next = 0
  for (let start = 0; start < end; ) {
    const ideal = start + blockBytes
    let cut: number | null = null
    for (; (track.cuts[next] ?? end) <= start + most; next++) {
      const at = track.cuts[next]
      if (at === undefined) break
      if (at < start + least) continue
      if (cut !== null && Math.abs(cut - ideal) <= Math.abs(at - ideal)) break
      cut = at
    }
    const stop = cut ?? (end - start <= most ? end : ideal)
    yield [start, stop - start]
    start = stop
  }
}

/** The bytes of the file that a range of a track file stands for, in the order of delivery. */
export function rangesOfTrack(
  { ranges }: Pick<Track, 'ranges'>,
  [offset, length]: RangePair,
): RangePair[] {
  const found: RangePair[] = []
  let at = 0
  for (const [start, bytes] of ranges) {
    const from = Math.max(offset, at)
    const to = Math.min(offset + length, at + bytes)
    if (from < to) found.push([start + from - at, to - from])
    at += bytes
  }
  return found
}

/**
 * Why this can be no division of a content of that size, as a sentence; null if it can. All that
 * the types do not say is checked.
 */
export function divisionFault(division: Division, size: number): string | null {
  const { tracks, blockBytes } = division
  if (tracks.length > limits.tracks) return `there are more than ${limits.tracks} track files`
  if (blockBytes < limits.blockFileBytesMin || blockBytes > limits.blockFileBytesMax)
    return 'block files are too small or too large'
  if (size / blockBytes > limits.blockFiles && blockBytes < limits.blockFileBytesMax)
    return 'there are too many block files'
  const names = new Set(tracks.map(({ name }) => name))
  if (names.size < tracks.length) return 'two track files have one name'
  const seen = new RangeSet()
  let [ranges, cuts] = [0, 0]
  for (const track of tracks) {
    ranges += track.ranges.length
    cuts += track.cuts.length
    if (ranges > limits.trackRanges) return `there are more than ${limits.trackRanges} ranges`
    if (cuts > limits.trackCuts) return `there are more than ${limits.trackCuts} cuts`
    const fault = trackFault(track, size, seen)
    if (fault !== null) return `the track file ${track.name} ${fault}`
  }
  return seen.bytes === size ? null : 'the track files do not have all bytes of the content'
}

function trackFault(track: Track, size: number, seen: RangeSet): string | null {
  if (!/^[a-z0-9-]+$/.test(track.name) || track.name.length > limits.trackNameChars)
    return 'has a name that is not lower-case letters, digits and -'
  if (track.ranges.length === 0) return 'is empty'
  for (const [offset, length] of track.ranges) {
    if (length <= 0 || offset < 0 || offset + length > size) return 'goes beyond the content'
    if (seen.present(offset, length).length > 0) return 'has bytes that are there already'
    seen.add(offset, length)
  }
  const bytes = trackBytes(track)
  let last = 0
  for (const cut of track.cuts) {
    if (cut <= last || cut >= bytes) return 'has cuts that are not ascending, or outside of it'
    last = cut
  }
  return null
}
