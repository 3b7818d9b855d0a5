/** What `fr publish` and `fr unpublish` show. Pure string building. */
import type { PublishedTrack, PublishResult, UnpublishResult } from '../../api/publish-types.js'
import { formatBytes } from '../../base/limits.js'

export function publishedLines(result: PublishResult): string[] {
  const { name, node, bytes, where, allow, format, isLinear, tracks, ttlSeconds } = result
  const until = ttlSeconds === null ? '' : `, for ${ttlSeconds} s`
  const others = allow === null ? '' : `, to be had by ${allow}`
  const order = isLinear ? 'from the front' : 'the index first'
  return [
    `published ${name} (${formatBytes(bytes)}) at ${node} for ${where}${others}${until}`,
    `${format}, ${order}: ${tracks.map(trackText).join('; ')}`,
  ]
}

function trackText({ name, bytes, blocks, bitRate }: PublishedTrack): string {
  const rate = bitRate === null ? '' : ` at ${Math.round(bitRate / 1000)} kbit/s`
  return `${name} ${formatBytes(bytes)}${rate} in ${blocks} ${blocks === 1 ? 'block' : 'blocks'}`
}

export function unpublishedLine({ name, contents }: UnpublishResult): string {
  const what = contents.length === 1 ? '1 content' : `${contents.length} contents`
  return `unpublished ${name}: ${what}`
}
