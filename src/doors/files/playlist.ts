/** The text of a media playlist (RFC 8216) of byte ranges in one file. */
import type { RangePair } from '../../base/ranges.js'
import type { Segmenting } from '../../media/segmenting.js'

export interface PlaylistOf {
  /** Of the file, without quotation marks. */
  readonly uri: string
  /** Who plays a film that still comes begins where it begins, and not at its end. */
  readonly isFromStart: boolean
}

/** EXT-X-MAP in a playlist of media segments is of this version. */
const version = 6

/** Of a film that has segments. */
export function playlistOf(
  { segments, map, isWhole }: Pick<Segmenting, 'segments' | 'map' | 'isWhole'>,
  { uri, isFromStart }: PlaylistOf,
): string {
  const { list, dropped, droppedDiscontinuities, targetSeconds } = segments
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${version}`,
    `#EXT-X-TARGETDURATION:${targetSeconds}`,
    `#EXT-X-MEDIA-SEQUENCE:${dropped}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${droppedDiscontinuities}`,
  ]
  if (isWhole && dropped === 0) lines.push('#EXT-X-PLAYLIST-TYPE:VOD')
  if (!isWhole && isFromStart) lines.push('#EXT-X-START:TIME-OFFSET=0')
  if (map !== null) lines.push(`#EXT-X-MAP:URI="${uri}",BYTERANGE="${rangeText(map)}"`)
  for (const { offset, length, seconds, isDiscontinuous } of list) {
    if (isDiscontinuous) lines.push('#EXT-X-DISCONTINUITY')
    lines.push(`#EXTINF:${seconds.toFixed(6)},`)
    lines.push(`#EXT-X-BYTERANGE:${rangeText([offset, length])}`, uri)
  }
  if (isWhole) lines.push('#EXT-X-ENDLIST')
  return `${lines.join('\n')}\n`
}

function rangeText([offset, length]: RangePair): string {
  return `${length}@${offset}`
}
