/** What a node is made of. */
import type { Attributes } from '../base/attributes.js'
import type { NodeLimits } from '../base/rate-limits.js'
import type { AttributesChange } from '../control/messages/directory.js'
import type { Address } from '../net/address.js'
import type { Self } from '../net/handshake.js'
import type { Key } from '../net/keys.js'
import type { DataEngine, HashPool } from '../ports.js'
import type { Audience } from '../session/receiver/acceptance.js'
import type { EngineRouter } from '../session/router.js'
import type { Cluster } from './cluster.js'
import type { DirectoryPlace } from './directory/node-directory.js'
import type { DisksSpec } from './disks.js'
import type { Peers } from './peers.js'
import type { Privileges } from './privileges.js'

export interface NodeServiceSpec extends DisksSpec {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly pool: HashPool
  readonly listen: Address
  readonly keys: readonly Key[]
  readonly self: Self
  /** Clients that fetch files at the same time. */
  readonly maxServes: number
  /** What it keeps to, until a client changes it. */
  readonly limits: NodeLimits
  readonly audience: Audience
  /** Who may speak to it, and what each may ask; absent: whoever holds the key may do all. */
  readonly peers?: Peers | undefined
  /** Of a process that root has started, and that serves as another user. */
  readonly privileges?: Privileges | undefined
  /** Data directory in which announcements are kept; null: nothing is written there. */
  readonly announcementsIn?: string | null
  /** HOST:PORT at which others reach it; absent: where it listens. */
  readonly advertise?: string | undefined
  /** Of one process of several; absent: it is the only one. */
  readonly cluster?: Cluster | undefined
  /** Absent: it is a root of its own. */
  readonly directory?: DirectoryPlace
  /** Returns the status as JSON, for questions over the wire. */
  readonly statusJson: () => string
  /** Changes attributes of the node: see Answers. */
  readonly describe: (change: AttributesChange) => Attributes
}
