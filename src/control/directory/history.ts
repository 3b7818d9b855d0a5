/**
 * The announcements that a node knows.
 *
 * The idea: of all that one author says of one content under one name only the newest counts, so a
 * withdrawal takes the place of the publication that it ends, and an older record that somebody
 * sends again is superseded. What is too old to be compared with anything is taken from nobody.
 * Beyond its bounds the history forgets the oldest of the author that has the most: one author
 * cannot push out what the others have said.
 *
 * Never: more than limits.historyCount announcements or limits.historyBytes of them.
 */
import { limits } from '../../base/limits.js'
import type { Announcement } from '../messages/announcing.js'

export interface Kept {
  readonly announcement: Announcement
  /** As the author signed it. */
  readonly record: Uint8Array
}

/** `late`: it has expired, or is too old; `early`: from a clock that is far ahead. */
export type Taken = 'new' | 'known' | 'superseded' | 'late' | 'early' | 'full'

export class History {
  readonly #byId = new Map<string, Kept>()
  /** The newest word about a content. */
  readonly #byContent = new Map<string, Kept>()
  /** In the order in which they came. */
  readonly #byAuthor = new Map<string, Set<Kept>>()
  #bytes = 0

  get count(): number {
    return this.#byId.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get ids(): Iterable<string> {
    return this.#byId.keys()
  }

  get all(): Iterable<Kept> {
    return this.#byId.values()
  }

  /** Publications that have neither expired nor been withdrawn. */
  *published(nowMs: number): IterableIterator<Announcement> {
    for (const { announcement } of this.#byId.values())
      if (announcement.kind === 'publish' && !isOver(announcement, nowMs)) yield announcement
  }

  get(id: string): Kept | undefined {
    return this.#byId.get(id)
  }

  /** What would become of it. */
  judge(announcement: Announcement, nowMs: number): Exclude<Taken, 'full'> {
    if (this.#byId.has(announcement.id)) return 'known'
    if (isOver(announcement, nowMs)) return 'late'
    if (announcement.issuedAtMs > nowMs + limits.announcementAheadMs) return 'early'
    const other = this.#byContent.get(contentOf(announcement))?.announcement
    return other !== undefined && isNewer(other, announcement) ? 'superseded' : 'new'
  }

  /** `dropped`: what is forgotten for it. */
  add(kept: Kept, nowMs: number): { readonly taken: Taken; readonly dropped: readonly Kept[] } {
    const { announcement, record } = kept
    const taken = this.judge(announcement, nowMs)
    if (taken !== 'new') return { taken, dropped: [] }
    const dropped: Kept[] = []
    const before = this.#byContent.get(contentOf(announcement))
    if (before !== undefined) dropped.push(this.#drop(before))
    this.#byId.set(announcement.id, kept)
    this.#byContent.set(contentOf(announcement), kept)
    this.#of(announcement.author).add(kept)
    this.#bytes += record.length
    const own = this.#of(announcement.author)
    if (own.size > limits.historyPerAuthor) dropped.push(this.#drop(oldestOf(own)))
    while (this.count > limits.historyCount || this.#bytes > limits.historyBytes)
      dropped.push(this.#drop(oldestOf(this.#most())))
    const isKept = this.#byId.has(announcement.id)
    return { taken: isKept ? 'new' : 'full', dropped: dropped.filter((one) => one !== kept) }
  }

  /** Forgets what is over. */
  expire(nowMs: number): Kept[] {
    const over = [...this.all].filter(({ announcement }) => isOver(announcement, nowMs))
    return over.map((kept) => this.#drop(kept))
  }

  /** When something will be over; infinite: nothing ever. */
  get expiresMs(): number {
    let firstMs = Number.POSITIVE_INFINITY
    for (const { announcement } of this.all) firstMs = Math.min(firstMs, endOf(announcement))
    return firstMs
  }

  #of(author: string): Set<Kept> {
    const found = this.#byAuthor.get(author) ?? new Set()
    this.#byAuthor.set(author, found)
    return found
  }

  /** All of the author that has the most. */
  #most(): Set<Kept> {
    let most = new Set<Kept>()
    for (const one of this.#byAuthor.values()) if (one.size > most.size) most = one
    return most
  }

  #drop(kept: Kept): Kept {
    const { announcement, record } = kept
    const content = contentOf(announcement)
    this.#byId.delete(announcement.id)
    if (this.#byContent.get(content) === kept) this.#byContent.delete(content)
    const own = this.#of(announcement.author)
    own.delete(kept)
    if (own.size === 0) this.#byAuthor.delete(announcement.author)
    this.#bytes -= record.length
    return kept
  }
}

function oldestOf(kept: ReadonlySet<Kept>): Kept {
  const [first] = kept
  return first as Kept
}

function contentOf({ author, contentId, name }: Announcement): string {
  return `${author} ${contentId} ${name}`
}

function endOf({ issuedAtMs, expiresAtMs }: Announcement): number {
  const oldMs = issuedAtMs + limits.announcementAgeMs
  return Math.min(expiresAtMs ?? oldMs, oldMs)
}

function isOver(announcement: Announcement, nowMs: number): boolean {
  return endOf(announcement) <= nowMs
}

/** Of two of one moment a withdrawal counts, so that all nodes have the same. */
function isNewer(one: Announcement, other: Announcement): boolean {
  if (one.issuedAtMs !== other.issuedAtMs) return one.issuedAtMs > other.issuedAtMs
  if (one.kind !== other.kind) return one.kind === 'unpublish'
  return one.id > other.id
}
