/** What a reception needs of the node it runs in. */
import type { DigestAlgorithm } from '../../base/digests.js'
import type { Logger } from '../../base/log.js'
import type { Applied } from '../../control/messages/types.js'
import type { Dialler } from '../../net/dial.js'
import type {
  DataDirHandle,
  DataEngine,
  FileHandle,
  FileIdentity,
  HashPool,
  Storage,
} from '../../ports.js'
import type { HeldWork } from '../../store/held/work.js'
import type { NodeStore } from '../../store/node-store.js'
import type { Place } from '../../store/partial.js'
import type { SharedContents } from '../../store/shared/contents.js'
import type { FeedPlaces } from '../driver/feed-places.js'
import type { EngineRouter } from '../router.js'
import type { Audience } from './acceptance.js'
import type { Consents } from './consents.js'
import type { ReceptionSpec } from './spec.js'

/** Who brings it, and what. */
export type GuestSpec = Pick<
  ReceptionSpec,
  'transfer' | 'originAddress' | 'originId' | 'isPlanned' | 'place' | 'fileDigest' | 'tree'
>

/** What the node may know of what lands there. */
export interface Guest {
  readonly spec: GuestSpec
  readonly name: Uint8Array
  /** What it needs on the disk beyond what is there, and what of it is still to come. */
  readonly neededBytes: number
  readonly openBytes: number
  /** Its bytes are reserved on the disk. */
  hasSpace: boolean
  readonly hasPlan: boolean
  readonly isEnded: boolean
  givesWay(): boolean
}

/** Where a file is put instead of its name. */
export interface OtherPlace {
  readonly name: Uint8Array
  readonly give: Place
}

/** What blocks may be filled from. */
export interface OlderFile {
  readonly file: FileHandle
  /** When it was opened. */
  readonly identity: FileIdentity
}

/** Brings what bundles list into place. */
export interface BundleApplier {
  /**
   * Refuses the name of a tree that could not be applied, or not in this way, or that is held for
   * others than these criteria say; with `onlyBy` one that something has already, unless that came
   * with this push.
   */
  check(
    tree: Uint8Array,
    isAtomic: boolean,
    only?: string,
    onlyBy?: { readonly originId: string; readonly tree: string },
  ): Promise<void>
  /**
   * Where a file by itself goes that belongs to a tree which changes all at once; `name`: as if it
   * did not. Throws ERR_FR_NODE_CLOSED where no bundle of the push has come.
   */
  placeOf(file: {
    readonly originId: string
    readonly tree: string
    readonly name: Uint8Array
  }): OtherPlace
  /**
   * Bytes that the tree has where the last listings of this push found files lacking, as one file,
   * which the caller closes. `id`: of a partial that may be made for it.
   */
  olderOf(
    tree: Uint8Array,
    push: { readonly originId: string; readonly tree: string; readonly only?: string | undefined },
    id: string,
  ): Promise<OlderFile | undefined>
  /**
   * `id` is that of the partial, `name` that of the tree. One at a time of each tree. Rejects where
   * nothing of the bundle was applied.
   */
  apply(bundle: {
    readonly id: string
    readonly file: FileHandle
    readonly bytes: number
    readonly name: Uint8Array
    readonly originId: string
    readonly algorithm: DigestAlgorithm
    readonly keep?: number | undefined
    readonly only?: string | undefined
  }): Promise<Applied>
}

export interface NodeHost {
  readonly engine: DataEngine
  /** The data connections that the node sends on. */
  readonly places: FeedPlaces
  readonly storage: Storage
  readonly router: EngineRouter
  readonly pool: HashPool
  readonly dir: DataDirHandle
  readonly log: Logger
  readonly store: NodeStore
  readonly work: HeldWork
  /** Absent: the node takes no trees. */
  readonly trees?: BundleApplier | undefined
  /** Absent: nobody else uses the directory. */
  readonly shared?: SharedContents | undefined
  readonly consents: Consents
  readonly audience: Audience
  readonly counters: { wrongDigests: number }
  /** Rejects with ERR_FR_BUSY when another transfer is writing the same name. */
  claim(guest: Guest): Promise<void>
  /** Idempotent. */
  unclaim(guest: Guest): void
  /** It has ended, and gives back what it has. */
  ended(): void
  /** Rejects with ERR_FR_NO_SPACE; counts what other receptions will still write. */
  requireSpace(guest: Guest): Promise<void>
  /** The partial is there, a mate is known: parked connections are looked at again. */
  opened(guest: Guest): void
  introduced(guest: Guest): void
  /** For what one transfer dials: names are looked up once for all of it. */
  dialler(): Dialler
}
