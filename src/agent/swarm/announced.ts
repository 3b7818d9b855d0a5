/** Which of several announcements counts, and whether something that is held is what one is of. */
import type { Announcement } from '../../control/messages/announcing.js'
import type { HeldStream } from '../../store/catalogue/record.js'

function isNewer(a: Announcement, b: Announcement): boolean {
  return a.issuedAtMs === b.issuedAtMs ? a.id > b.id : a.issuedAtMs > b.issuedAtMs
}

/** Of each name the newest. */
export function newestOf(known: readonly Announcement[]): Iterable<Announcement> {
  const newest = new Map<string, Announcement>()
  for (const announcement of known) {
    const other = newest.get(announcement.name)
    if (other === undefined || isNewer(announcement, other))
      newest.set(announcement.name, announcement)
  }
  return newest.values()
}

export type ContentName = Pick<Announcement, 'name' | 'contentId'>

export function keyOf({ name, contentId }: ContentName): string {
  return `${contentId} ${name}`
}

export function isOfContent(a: ContentName, b: ContentName): boolean {
  return a.contentId === b.contentId && a.name === b.name
}

export function isSame(
  held: { readonly digest: string | null; readonly size: number } | HeldStream,
  { digest, size }: Announcement,
): boolean {
  const known = 'fileDigest' in held ? held.fileDigest : held.digest
  return known === digest && held.size === size
}
