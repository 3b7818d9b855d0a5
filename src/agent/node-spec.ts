/** What a node is made of. */
import type { DigestAlgorithm } from '../base/digests.js'
import type { Logger } from '../base/log.js'
import type { NodeLimits } from '../base/rate-limits.js'
import type { Address } from '../net/address.js'
import type { Self } from '../net/handshake.js'
import type { Key } from '../net/keys.js'
import type { DataDirHandle, DataEngine, HashPool } from '../ports.js'
import type { Audience } from '../session/receiver/acceptance.js'
import type { EngineRouter } from '../session/router.js'
import type { VersionRules } from '../store/versions/kept-files.js'

export interface NodeServiceSpec {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly pool: HashPool
  readonly dir: DataDirHandle
  /** Path of `dir`, for messages. */
  readonly dataDir: string
  readonly listen: Address
  readonly keys: readonly Key[]
  readonly self: Self
  readonly minFreeBytes: number
  readonly keepPartialsSeconds: number
  readonly versions: VersionRules
  /** Nothing is written to the directory. */
  readonly isReadOnly: boolean
  /** It has no files, and only passes on what comes to it. */
  readonly isRelayOnly: boolean
  /** What lies in the directory becomes held, hashed with this; undefined: it does not. */
  readonly adopt: DigestAlgorithm | undefined
  /** Clients that fetch files at the same time. */
  readonly maxServes: number
  /** What it keeps to, until a client changes it. */
  readonly limits: NodeLimits
  readonly log: Logger
  readonly audience: Audience
  /** Returns the status as JSON, for questions over the wire. */
  readonly statusJson: () => string
}
