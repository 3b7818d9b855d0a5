/**
 * Types of the public API: options in, progress and results out. Sizes are bytes, rates bytes per
 * second, durations in the unit that ends their name. Optional members may be left out; a `null` in
 * a result means unknown.
 */
import type { EventEmitter } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import type { EndedTransfer } from '../agent/ended.js'
import type { LimitsStatus, RatesStatus } from '../agent/node-limits.js'
import type { ComponentFault } from '../control/members/faults.js'
import type { NodeOutcome, Shape, Strategy } from '../control/messages/types.js'
import type {
  NodeProgress,
  Plan,
  Progress,
  PushRelay,
  PushResult,
  PushShare,
} from '../control/view/push-view.js'
import type {
  AcceptHook,
  NodeFailure,
  NodeOffer,
  NodePublication,
} from '../session/receiver/acceptance.js'
import type { RelayStatus, TransferStatus } from '../session/receiver/transfer-status.js'
import type { Kept, StorageError } from '../store/node-store.js'
import type { Deciding } from './commit-types.js'
import type { Credentials } from './credential-types.js'
import type { DiskOptions } from './disk-types.js'
import type { MasteredStatus } from './master-types.js'
import type { Holding } from './open-types.js'
import type { Attributed, PeerOptions } from './peer-options.js'
import type { PushWishes } from './push-wishes.js'
import type { RightsStatus } from './rights-types.js'
import type { SiteLinkOptions } from './seal.js'
import type { VersionOptions } from './version-types.js'

export type {
  HeldKind,
  HeldState,
  NamedFailure,
  NodeOutcome,
  NodeTree,
  Shape,
  Strategy,
  TreeFigures,
} from '../control/messages/types.js'
export type * from './coding-types.js'
export type * from './commit-types.js'
export type * from './credential-types.js'
export type * from './descriptor-types.js'
export type * from './disk-types.js'
export type * from './get-types.js'
export type * from './held-types.js'
export type * from './limit-types.js'
export type * from './rights-types.js'
export type { SiteLinkOptions } from './seal.js'
export type * from './tree-types.js'
export type * from './version-types.js'
export type * from './wait-types.js'

/** One log event of a node or a push. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly event: string
  readonly fields: Record<string, string | number | boolean | null>
}

export interface NodeOptions extends Credentials, DiskOptions, VersionOptions, PeerOptions {
  /** HOST[:PORT], like 10.0.0.2 or [::1]:7400; the default port is 7400, and 0 picks a free one. */
  listen: string
  /** Accepted beside `key` during key rotation. */
  previousKey?: Uint8Array | string
  name?: string
  /** HOST:PORT that other nodes dial, if they cannot use the address that origins dial. */
  advertise?: string
  /** Says in its status that it is meant to be a mirror; any node can be one. */
  mirror?: boolean
  /** Serves what `dataDir` holds, writes nothing there, locks nothing: ERR_FR_READ_ONLY. */
  readOnly?: boolean
  /** Has no files, passes on what pushes send through it (`relays`, `via`): ERR_FR_RELAY_ONLY. */
  relayOnly?: boolean
  engine?: 'native' | 'portable'
  minFreeBytes?: number
  keepPartialsSeconds?: number
  /**
   * Clients that fetch files from the node at the same time (`get`); default 32, at most 128, and 0
   * serves none. One more is told ERR_FR_LIMIT and may try again.
   */
  maxServes?: number
  /**
   * What the node sends and receives at most on its data connections, in bytes a second, whatever
   * for: files that are pushed to it or through it, repairs, pulls, and files that it serves. At
   * least 65,536. Origins count with it. `client.limit` changes it while the node runs.
   */
  limitUpBytesPerSecond?: number
  limitDownBytesPerSecond?: number
  /**
   * Data connections that the node sends on at once, whatever for: to mates, to nodes that ask it
   * for bytes, for copies, and to clients that fetch files. Origins make groups to fit. One more is
   * not opened, or refused, with ERR_FR_LIMIT, and others send instead; by default any number.
   */
  maxFeeds?: number
  /**
   * Called for each offered file, before anything is reserved for it. False refuses the file with
   * ERR_FR_REFUSED, a thrown FrError with its own code and text; any other error or result refuses
   * it with ERR_FR_INTERNAL and a line in the log. It has 3 s to answer: ERR_FR_TIMEOUT. It is
   * called again when the sender tries again.
   */
  accept?: AcceptHook
  logger?: (line: LogLine) => void
  signal?: AbortSignal
}

/**
 * Events of a node, for EventEmitter. Each `offer` is followed by one `published` or one `failed`.
 */
export interface NodeEvents {
  /** A file is offered, and the `accept` hook has not been called yet. */
  offer: [offer: NodeOffer]
  /** The file is durable under its name. */
  published: [publication: NodePublication]
  /** The file was refused or has failed, and nothing of it is left here. */
  failed: [failure: NodeFailure]
}

export interface FrNode extends EventEmitter<NodeEvents>, AsyncDisposable, Attributed, Holding {
  /** HOST:PORT that it listens on, with the port that was picked. */
  readonly address: string
  readonly nodeId: string
  status(): NodeStatus
  /** Reads `authorize` again, now. Rejects with ERR_FR_PEERS, and what was read before counts. */
  reload(): Promise<void>
  close(): Promise<void>
}

export interface PushTarget {
  /** HOST[:PORT]; the default port is 7400. */
  readonly address: string
  readonly uplinkBytesPerSecond?: number
  readonly downlinkBytesPerSecond?: number
  readonly site?: string
  /** HOST:PORT that mates of the node dial, if it differs from `address`. */
  readonly advertise?: string
  /** HOST:PORT of the gateway (`relayOnly`) behind which the node is. */
  readonly via?: string
}

/**
 * Content to push: a path, a `file:` URL, a `FileHandle` (the whole file, whatever its position; it
 * stays yours), bytes, or a stream of bytes. Bytes and streams are stored in a file without a name
 * in the directory for temporary files (TMPDIR) before any node is contacted; do not change bytes
 * before `plan`. Content without a name needs `as`.
 *
 * A directory goes with all that is in it, under its own name or `as`. Several paths go into the
 * directory `as`, each under its own name.
 */
export type PushSource =
  | string
  | URL
  | FileHandle
  | Uint8Array
  | AsyncIterable<Uint8Array | string>
  | readonly (string | URL)[]

export interface PushOptions extends Credentials, PushWishes {
  to: readonly (string | PushTarget)[]
  /** Name at the nodes; by default the file's own name, if it has one. */
  as?: string | Uint8Array
  strategy?: Strategy
  shape?: Shape | 'auto'
  /** Nodes of a group, 1 to 64; more are a chain of groups. By default 32, and 16 in a chain. */
  groupSize?: number
  /**
   * Whom a node feeds in the next group: the one where its part enters (default), which passes it
   * on to its mates, or every node, so that only the first group has an exchange. That sends twice
   * as much, on half as many hops, and waits for the slowest node of all.
   */
  handover?: 'corresponding' | 'every'
  /** The site where this process stands; nodes of it are fed first. */
  site?: string
  /**
   * What sites may send each other, each way: no more crosses in this push, and the way from site
   * to site, the predicted time and the bound count with it. Each byte crosses once. `seal`: what
   * crosses is sealed, as with `seal` all is.
   */
  siteLinks?: readonly SiteLinkOptions[]
  /** Algorithm that verifies blocks; by default blake3 with a key and xxh64 without. */
  digest?: 'blake3' | 'sha256' | 'xxh64'
  engine?: 'native' | 'portable'
  /** Refuse nodes that already have the name. */
  noClobber?: boolean
  /**
   * Earlier versions of the name that nodes keep from now on, at least (0: as many as the node
   * keeps by itself), for `client.rollback`. Of trees only with `atomic`.
   */
  keep?: number
  /**
   * Refuse nodes whose file system does not keep the file's mode and modification time. By default
   * such a node completes, with a sentence in its `warnings`.
   */
  strict?: boolean
  /**
   * Read the source, even if nothing about the file has changed since an earlier push wrote down
   * its digests.
   */
  verify?: boolean
  /** The origin's own uplink; used for the predicted time, the bound and the first second. */
  uplinkBytesPerSecond?: number
  /** Milliseconds for which a node is dialled again while it cannot be reached; default 10,000. */
  connectMs?: number
  /**
   * Milliseconds that a silent node stays in the push; default 15,000. Others do its work
   * meanwhile, and it resumes when it is heard again; after that it fails: ERR_FR_NODE_SILENT.
   */
  silenceMs?: number
  /**
   * Milliseconds of silence after which a node is suspected and dealt nothing; default 1,000, or
   * half of `failAfterMs`. Both grow with the round trip and with how late the node's words come.
   */
  suspectAfterMs?: number
  /**
   * Milliseconds of silence after which others do the work of a node; default 2,000. It is sooner
   * where one of its mates misses it, too. Less than `silenceMs`, more than `suspectAfterMs`.
   */
  failAfterMs?: number
  /**
   * Part of the median rate of all relays, below which a node is demoted: it is given nothing to
   * relay and still served, and tried again after a while. Default 0.05; 0: never. Not for
   * `classic`, whose shares are dealt once and for all.
   */
  demoteBelow?: number
  /**
   * Further attempts for a node that was reached and failed for a reason that may pass
   * (`retryable`); default 2.
   */
  retries?: number
  /**
   * Milliseconds for which a node that was reached and lost (its process died, its machine is being
   * restarted) is waited for once all others have their outcomes; default 60,000. While the push
   * runs it is dialled for as long as that takes, and what it has kept is not sent again. Each time
   * counts as one of `retries`. 0: it is dialled for `connectMs` only.
   */
  rejoinMs?: number
  /**
   * Milliseconds that the push may take, from the first dial; no limit by default. A node that is
   * not complete by then fails without another attempt: ERR_FR_TIMEOUT.
   */
  timeoutMs?: number
  /**
   * A node that lands less on average over 10 s although bytes are waiting for it fails without
   * another attempt: ERR_FR_TIMEOUT. Making the file durable may take as long as the whole file at
   * this rate, plus 10 s. By default no rate is too low.
   */
  minRateBytesPerSecond?: number
  /**
   * What this push may use of each machine that takes part, in bytes a second: this process and
   * each node sends, and each node receives, no more than this for it. At least 65,536, and a block
   * of the file: ERR_FR_UNSUPPORTED.
   */
  limitUpBytesPerSecond?: number
  limitDownBytesPerSecond?: number
  /**
   * Weight of this push, 1 to 100, against the other transfers of a node that has a limit; default
   * 10. One of 20 has twice the rate of one of 10 while both want more than they get.
   */
  priority?: number
  /**
   * Connections that carry the bytes from one machine to another, 1 to 16. `auto` (default): one,
   * and more on a way that one alone does not fill, which the native engine sees.
   */
  flows?: number | 'auto'
  /**
   * Wait while another push writes the name, and begin once it is free at every node. By default
   * the push is then refused at every node: ERR_FR_BUSY.
   */
  wait?: boolean
  /**
   * Write a timeline of the push into this file, in the Chrome trace event format. The file must
   * not exist, or be an older trace; otherwise ERR_FR_TRACE, before any node is contacted.
   */
  trace?: string
  /** Let others who hold the key add nodes (`fr add`); `transfer.add` always works. */
  allowAdd?: boolean
  /**
   * Make and report the plan without sending anything. Of a directory, nodes are asked what would
   * change: `result.tree.dry`; nothing does.
   */
  dryRun?: boolean
  /**
   * HOST[:PORT] of nodes that copy the file, in this order of preference, to nodes that this
   * process cannot reach. One that does not hold the content is sent it first, under the same name.
   */
  mirrors?: readonly string[]
  /** Nodes that pass on what they are dealt while it arrives and keep nothing; at most 8. */
  relays?: readonly string[]
  /** Have a mirror copy the file to all nodes; this process sends only what the mirror lacks. */
  spareOrigin?: boolean
  logger?: (line: LogLine) => void
  signal?: AbortSignal
}

export type {
  AcceptHook,
  ComponentFault,
  EndedTransfer,
  Kept,
  LimitsStatus,
  NodeFailure,
  NodeOffer,
  NodeProgress,
  NodePublication,
  Plan,
  Progress,
  PushRelay,
  PushResult,
  PushShare,
  RatesStatus,
  RelayStatus,
  StorageError,
  TransferStatus,
}

/** Events of a transfer, for EventEmitter. */
export interface TransferEvents {
  plan: [plan: Plan]
  progress: [progress: Progress]
  node: [outcome: NodeOutcome]
  result: [result: PushResult]
}

/** A push under way: iterate its progress, listen to its events, await its result. */
export interface Transfer
  extends EventEmitter<TransferEvents>,
    AsyncIterable<Progress>,
    AsyncDisposable {
  readonly id: string
  /**
   * Resolves once a plan was made, whatever became of the nodes. Rejects for misuse, an unreadable
   * or changed source, an unusable key, and cancellation (with the given reason).
   */
  readonly result: Promise<PushResult>
  cancel(reason?: unknown): void
  /** Of a push with `follow`: nothing more comes, and the content is final as it is now. */
  finish(): void
  /**
   * Adds one node while the push runs. Resolves when it takes part; it then catches up with the
   * others, and its outcome is in the result. Throws TypeError for an invalid address; rejects with
   * FrError: ERR_FR_SAME_NODE when the node is already in the push, ERR_FR_LIMIT,
   * ERR_FR_NO_TRANSFER once the push is over, or the reason why the node could not join.
   */
  add(target: string | PushTarget): Promise<void>
  /** Cancels what is not finished; resolves when everything is closed. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface NodeStatus extends Deciding, RightsStatus, MasteredStatus {
  readonly event: 'status'
  readonly node: string
  readonly nodeId: string
  readonly name: string | null
  /** It is meant to be a mirror. */
  readonly mirror: boolean
  /** It writes nothing to its data directory. */
  readonly readOnly: boolean
  readonly relayOnly: boolean
  readonly version: string
  readonly uptimeSeconds: number
  readonly engine: 'native' | 'portable'
  /** The first, where there are several (`client.disks`); what follows is of all together. */
  readonly dataDir: string
  readonly freeBytes: number
  /** Present problems of the data directory, one sentence each; empty when there are none. */
  readonly problems: readonly string[]
  /** Last transfer failure that was caused by the node's disk. */
  readonly lastError: StorageError | null
  /** Partial files of earlier transfers. */
  readonly kept: Kept
  /** Files that the node has whole, by its records; `damaged` records are dropped. */
  readonly held: { readonly files: number; readonly bytes: number; readonly damaged: number }
  /** What it keeps to; null: no limit. */
  readonly limits: LimitsStatus
  /** Payload of all its transfers now, smoothed over about a second. */
  readonly rates: RatesStatus
  readonly transfers: readonly TransferStatus[]
  /** Transfers that have ended in the last hour, the newest first; a bounded number. */
  readonly ended: readonly EndedTransfer[]
  readonly counters: Readonly<Record<string, number>>
}

export interface StatusOptions extends Credentials {
  signal?: AbortSignal
  timeoutMs?: number
}

export interface AddOptions extends Credentials {
  /** HOST[:PORT] of a node in the transfer; it asks the origin. */
  via: string
  signal?: AbortSignal
  timeoutMs?: number
}

/** How a node copies a file that it holds: as an origin that pushes it. */
export interface CopyOptions
  extends Pick<
    PushOptions,
    | 'to'
    | 'key'
    | 'tls'
    | 'as'
    | 'strategy'
    | 'shape'
    | 'groupSize'
    | 'handover'
    | 'siteLinks'
    | 'relays'
    | 'limitUpBytesPerSecond'
    | 'limitDownBytesPerSecond'
    | 'priority'
    | 'flows'
    | 'seal'
    | 'noClobber'
    | 'strict'
    | 'connectMs'
    | 'silenceMs'
    | 'suspectAfterMs'
    | 'failAfterMs'
    | 'demoteBelow'
    | 'allowAdd'
    | 'retries'
    | 'rejoinMs'
    | 'timeoutMs'
    | 'minRateBytesPerSecond'
    | 'wait'
    | 'signal'
  > {
  /** HOST[:PORT] of a node that holds the file. */
  from: string
  /** The site where that node stands. */
  site?: string
  /** The uplink of that node; used for the predicted time, the bound and the first second. */
  uplinkBytesPerSecond?: number
}

export interface DigestOptions {
  /** Default xxh64. */
  digest?: 'blake3' | 'sha256' | 'xxh64'
  signal?: AbortSignal
}
