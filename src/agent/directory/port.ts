/** What the rest of a node sees of the directory. */
import type { Attributes } from '../../base/attributes.js'
import type { Announcement } from '../../control/messages/announcing.js'
import type { DirectoryPeer } from '../../control/messages/directory.js'

export type { DirectoryPeer } from '../../control/messages/directory.js'

export interface DirectoryPort {
  /**
   * Spreads a signed record (protocol/announcement.ts) to every node. Resolves once this node
   * knows it and has told its neighbours. Rejects with ERR_FR_PROTOCOL where its author has not
   * signed it, ERR_FR_STALE where a newer one is known or its time is over, ERR_FR_LIMIT.
   */
  announce(record: Uint8Array): Promise<void>
  /**
   * Calls `told` for each announcement that is known or becomes known, once, also for withdrawals
   * and what this node has announced. In a later microtask. Returns what ends it.
   */
  onAnnouncement(told: (announcement: Announcement, record: Uint8Array) => void): () => void
  /** Publications that have neither expired nor been withdrawn. */
  readonly known: Iterable<Announcement>
  /** Other nodes of this node's site that are known of, at most limits.kinKnown. */
  siteMates(): readonly DirectoryPeer[]
  /** What criteria judge this node by: its attributes, its name, its id. */
  readonly attributes: Attributes
  /** Calls `changed` after they have changed. Returns what ends it. */
  onAttributes(changed: () => void): () => void
}
