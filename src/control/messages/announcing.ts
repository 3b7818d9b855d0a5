/**
 * Announcements of contents by criteria, as everybody reads them. Pure data.
 *
 * The *author* (a client) signs one; the *initiator* is the node that holds the content first, and
 * spreads it; nodes that match the criteria fetch the content.
 */
import type { Division } from '../../base/division.js'

export type { ContentFormat, Division, Track } from '../../base/division.js'

export interface Initiator {
  /** 32 hex digits: what the node proves to whoever dials it. */
  readonly nodeId: string
  /** HOST:PORT at which others reach it. */
  readonly address: string
  /** Empty where the node has no attribute `site`. */
  readonly site: string
}

export const announcementKinds = ['publish', 'unpublish'] as const

/**
 * `unpublish` withdraws the content of the same author and content id, under that name: all else it
 * says is that of the publication, but for the division, which has no track files.
 */
export interface Announcement {
  /** Digest of the signed bytes, 32 hex digits: two records of one id say the same. */
  readonly id: string
  readonly kind: (typeof announcementKinds)[number]
  /** Name of the file at every node. */
  readonly name: string
  /** 32 hex digits. */
  readonly contentId: string
  /** Digest of the whole file. */
  readonly digest: string
  readonly size: number
  /** Which nodes are to have it: criteria in canonical form. */
  readonly where: string
  /** Which others may have it: criteria in canonical form; null: nobody. */
  readonly allow: string | null
  /** Unix milliseconds, by the clock of the author; null: it does not expire. */
  readonly issuedAtMs: number
  readonly expiresAtMs: number | null
  /** Ed25519 public key that signed, 64 hex digits. */
  readonly author: string
  readonly initiator: Initiator
  readonly division: Division
}
