/** Announcements without signatures, for what decides about them. */
import { createHash } from 'node:crypto'
import type { Kept } from '../../../../src/control/directory/history.js'
import type { Announcement } from '../../../../src/control/messages/announcing.js'

export const startMs = 1_800_000_000_000

export function hex(text: string, digits = 32): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits)
}

/** `record`: so many bytes. */
export function announcementOf(changes: Partial<Announcement> = {}, bytes = 100): Kept {
  const said = {
    ...{ kind: 'publish', name: 'film.mp4', contentId: hex('content'), size: 10 },
    ...{ digest: `blake3:${'ab'.repeat(32)}`, where: 'region=eu', issuedAtMs: startMs },
    ...{ expiresAtMs: null, author: hex('author', 64) },
    initiator: { nodeId: hex('node 0'), address: '10.0.0.1:7400', site: '' },
    division: { format: 'bytes', isLinear: true, blockBytes: 1 << 20, tracks: [] },
    ...changes,
  } as const
  const announcement = { id: hex(JSON.stringify(said)), ...said } as Announcement
  return { announcement, record: new Uint8Array(bytes) }
}
