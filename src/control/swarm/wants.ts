/**
 * What a node wants of the contents that are for it.
 *
 *     all | none | first 10% | first 64MiB | tracks:0,2      how much of each
 *     GLOB                                                   which names, an earlier one first
 *
 * Without a pattern every name is wanted. Where there is room for so much only (`bytes`) names of
 * earlier patterns come first, then newer contents; what does not fit any more is passed over, and
 * is not here for long where something came that goes before it.
 */
import { utf8 } from '../../base/bytes.js'
import { type Division, rangesOfTrack } from '../../base/division.js'
import { Glob, globFault } from '../../base/glob.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { partIn, sizeIn } from '../../base/units.js'
import type { Announcement } from '../messages/announcing.js'

export type WantedPart =
  | { readonly type: 'all' | 'none' }
  | { readonly type: 'share'; readonly part: number }
  | { readonly type: 'bytes'; readonly bytes: number }
  | { readonly type: 'tracks'; readonly tracks: readonly number[] }

export interface Wants {
  readonly part: WantedPart
  /** Empty: every name. */
  readonly globs: readonly Glob[]
  /** Of all contents together; null: as much as there is room for. */
  readonly bytes: number | null
  /** Milliseconds since it was published; null: any. */
  readonly ageMs: number | null
}

export const wantsAll: Wants = { part: { type: 'all' }, globs: [], bytes: null, ageMs: null }

/** What these texts mean together; as a string: the end of a sentence about what is wrong. */
export function wantsIn(
  texts: readonly string[],
  { bytes = null, ageMs = null }: Partial<Pick<Wants, 'bytes' | 'ageMs'>> = {},
): Wants | string {
  const globs: Glob[] = []
  let part: WantedPart | undefined
  if (texts.length > limits.swarmWantTexts) return `takes ${limits.swarmWantTexts} of them at most`
  for (const text of texts) {
    const found = partOf(text)
    if (typeof found === 'string') return found
    if (found === null) globs.push(new Glob(utf8(text)))
    else if (part === undefined) part = found
    else return 'says how much twice'
  }
  return { part: part ?? wantsAll.part, globs, bytes, ageMs }
}

/** Null: it is a pattern. */
function partOf(text: string): WantedPart | string | null {
  if (text === 'all' || text === 'none') return { type: text }
  if (text.startsWith('first ')) return firstOf(text.slice('first '.length))
  if (text.startsWith('tracks:')) {
    const tracks = text.slice('tracks:'.length).split(',')
    const isRight = tracks.every((one) => /^\d$/.test(one))
    return isRight
      ? { type: 'tracks', tracks: tracks.map(Number) }
      : 'names no tracks, as tracks:0,2'
  }
  const fault = globFault(utf8(text))
  return fault === null ? null : `is no pattern: ${fault}`
}

function firstOf(text: string): WantedPart | string {
  if (text.endsWith('%')) {
    const part = partIn(text)
    return typeof part === 'string' ? part : { type: 'share', part }
  }
  const bytes = sizeIn(text)
  return typeof bytes === 'string' ? bytes : { type: 'bytes', bytes }
}

/** The ranges of the file that are wanted, in order of delivery. */
export function wantedRanges({ tracks }: Division, size: number, part: WantedPart): RangePair[] {
  const all = tracks.map(({ ranges }) => ranges)
  const first = (bytes: number) => rangesOfTrack({ ranges: all.flat() }, [0, bytes])
  switch (part.type) {
    case 'all':
      return all.flat()
    case 'none':
      return []
    case 'tracks':
      return part.tracks.flatMap((track) => all[track] ?? [])
    case 'share':
      return first(Math.round(size * part.part))
    case 'bytes':
      return first(part.bytes)
    default:
      return part satisfies never
  }
}

/** Of these contents, which are for the node, those that it wants; the most wanted first. */
export function chosen(
  contents: Iterable<Announcement>,
  { globs, bytes, ageMs, part }: Wants,
  nowMs: number,
): Announcement[] {
  if (part.type === 'none') return []
  const ranked: { readonly content: Announcement; readonly rank: number }[] = []
  for (const content of contents) {
    const name = utf8(content.name)
    const rank = globs.length === 0 ? 0 : globs.findIndex((glob) => glob.matches(name))
    const isYoung = ageMs === null || content.issuedAtMs + ageMs > nowMs
    if (rank >= 0 && isYoung) ranked.push({ content, rank })
  }
  ranked.sort((a, b) => a.rank - b.rank || b.content.issuedAtMs - a.content.issuedAtMs)
  let left = bytes ?? Number.POSITIVE_INFINITY
  return ranked.flatMap(({ content }) => {
    const ranges = wantedRanges(content.division, content.size, part)
    const wanted = ranges.reduce((sum, [, length]) => sum + length, 0)
    if (wanted > left) return []
    left -= wanted
    return [content]
  })
}
