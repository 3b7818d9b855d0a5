/** What a reception needs of the node it runs in. */
import type { Mate } from '../control/types.js'
import type { DataDirHandle, DataEngine, HashPool, Storage } from '../ports.js'
import type { Audience } from './acceptance.js'
import type { Established } from './handshake.js'
import type { Logger } from './log.js'
import type { NodeStore } from './node-store.js'
import type { Reception, ReceptionSpec } from './reception.js'
import type { Resolver } from './resolver.js'
import type { EngineRouter } from './router.js'

export interface NodeHost {
  readonly engine: DataEngine
  readonly storage: Storage
  readonly router: EngineRouter
  readonly pool: HashPool
  readonly dir: DataDirHandle
  readonly log: Logger
  readonly store: NodeStore
  readonly audience: Audience
  /** Rejects with ERR_FR_BUSY when another transfer is writing the same name. */
  claim(reception: Reception): Promise<void>
  /** Idempotent. */
  unclaim(reception: Reception): void
  /** It has ended, and gives back what it has. */
  ended(): void
  /** Rejects with ERR_FR_NO_SPACE; counts what other receptions will still write. */
  requireSpace(reception: Reception): Promise<void>
  /** The partial is there, a mate is known: parked connections are looked at again. */
  opened(reception: Reception): void
  introduced(reception: Reception): void
  dialMate(
    mate: Mate,
    spec: ReceptionSpec,
    signal: AbortSignal,
    channel: 'data' | 'pull',
    resolver: Resolver,
  ): Promise<Established>
}
