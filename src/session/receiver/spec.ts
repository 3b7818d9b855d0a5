/** What is known of a transfer at a node once its offer is complete. */

import type { Detection } from '../../base/detection.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import type { TransferShare } from '../../base/rate-limits.js'
import type { Role, StreamEntry, TreePart } from '../../control/messages/types.js'

export interface ReceptionSpec {
  readonly transfer: string
  readonly algorithm: DigestAlgorithm
  readonly noClobber: boolean
  /** Refuse, rather than warn, when the file system does not keep the attributes of the file. */
  readonly strict: boolean
  /** Of the content, where the origin knows it before it sends anything; null: it does not. */
  readonly fileDigest: string | null
  readonly role: Role
  readonly entry: StreamEntry
  /** So many earlier versions are to be kept, at least; undefined: as the node does. */
  readonly keep?: number | undefined
  /** It becomes a version beside what has the name. */
  readonly beside?: boolean | undefined
  /** Undefined: a file, and part of no tree. */
  readonly tree?: TreePart | undefined
  /** What the push may use of this node. */
  readonly share?: TransferShare | undefined
  /** Of the origin; the data connection of the origin must come from the same. */
  readonly originId: string
  /** Number of the disk that it lands at. */
  readonly place: number
  /** HOST:PORT that its control link comes from. */
  readonly originAddress: string
  /** How long a silent node stays a member of the push, and so its connections. */
  readonly silenceMs: number
  /** When silence counts for something before that; undefined: as usual. */
  readonly detection?: Detection | undefined
  readonly isPlanned: boolean
  /** Resolves when an earlier attempt of this transfer has given everything back here. */
  readonly after?: Promise<void>
}
