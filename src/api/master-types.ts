/** Options and status of a master. */

import type { LogEntry } from '../base/log.js'
import type { Credentials } from './credential-types.js'
import type { PlacedStatus } from './directory-types.js'
import type { AuditLine } from './rights-types.js'

export interface MasterOptions extends Credentials {
  /** HOST[:PORT]; the default port is 7400, and 0 picks a free one. */
  listen: string
  /** Directory for its key and what it keeps; one master at a time. */
  dataDir: string
  /** Path of a topology in YAML; default: all nodes are near each other, and links unlimited. */
  topology?: string
  /** Directory of file sets in YAML; default: none, until some are applied. */
  sets?: string
  /**
   * `nats://HOST:PORT[,HOST:PORT][/BUCKET]`, or `tls://`: where it keeps its state together with
   * other masters, of which one leads (NATS with JetStream). Default: in `dataDir`, alone.
   */
  state?: string
  /** Path of a JSON file with what that needs beside it: user, password, token, tls, replicas. */
  stateFile?: string
  /** HOST:PORT where nodes and other masters reach it, where it differs from `listen`. */
  advertise?: string
  /** Accepted beside `key` during key rotation. */
  previousKey?: Uint8Array | string
  /** Path of a list of peers (`fr node --authorize`): nodes need the right `relay`. */
  authorize?: string
  logger?: (line: LogEntry) => void
  signal?: AbortSignal
}

export interface MasterStatus {
  readonly event: 'master'
  /** HOST:PORT. */
  readonly master: string
  readonly nodeId: string
  readonly version: string
  readonly uptimeSeconds: number
  /** False: of several masters another one does, or none. */
  readonly leads: boolean
  /** HOST:PORT of the one of several masters that leads; null: nobody, or there is only one. */
  readonly leader: string | null
  /** Names of those that are linked, in the order in which they came. */
  readonly nodes: readonly string[]
  readonly sets: number
  /** Contents that anybody has spoken of. */
  readonly contents: number
  /** Copies under way. */
  readonly copies: number
  readonly counters: {
    readonly connections: number
    readonly refusedConnections: number
    readonly authFailures: number
  }
  readonly audit: readonly AuditLine[]
}

export interface FrMaster extends AsyncDisposable {
  /** HOST:PORT that it listens on, with the port that was picked. */
  readonly address: string
  readonly nodeId: string
  status(): MasterStatus
  /**
   * Reads the sets and `authorize` again, now. Rejects with ERR_FR_DOCUMENT or ERR_FR_PEERS, and
   * what was read before counts.
   */
  reload(): Promise<void>
  close(): Promise<void>
}

/** What a node says of its master. */
export interface MasteredStatus extends PlacedStatus {
  /** Null: it has none. */
  readonly master: {
    /** HOST:PORT. */
    readonly address: string
    /** It has heard all that the node holds. */
    readonly isLinked: boolean
    /** Why there is no link; null where there is one. */
    readonly fault: string | null
    /** Files that the node is to hold, as the master said last. */
    readonly required: number
  } | null
}
