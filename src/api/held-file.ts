/** What is told of something that a node holds. */
import type { Found } from '../agent/held-client.js'
import { shownName } from './held-name.js'
import type { HeldFile } from './types.js'

export function heldFile(node: string, { name, entry, nowMs, disk }: Found): HeldFile {
  const { kind, state, size, heldBytes, entries, fileDigest, publishedAtMs, verifiedAtMs } = entry
  const secondsSince = (atMs: number | null): number | null =>
    atMs === null ? null : Math.max(0, (nowMs - atMs) / 1000)
  return {
    event: 'held',
    node,
    ...shownName(name),
    ...{ kind, state, bytes: size, heldBytes, entries },
    digest: fileDigest,
    version: versionOf(publishedAtMs, fileDigest),
    ageSeconds: secondsSince(publishedAtMs),
    verifiedSecondsAgo: secondsSince(verifiedAtMs),
    disk,
  }
}

const timeMsMax = 8.64e15

/** `20260131T235959Z-0123abcd`; null without a time or digest. */
function versionOf(publishedAtMs: number | null, fileDigest: string | null): string | null {
  if (publishedAtMs === null || fileDigest === null) return null
  const time = new Date(Math.min(publishedAtMs, timeMsMax)).toISOString()
  const short = time.replace(/[-:]|\.\d+/g, '')
  return `${short}-${fileDigest.slice(fileDigest.indexOf(':') + 1).slice(0, 8)}`
}
