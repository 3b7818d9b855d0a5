/**
 * The shapes of the public face: options in, progress and results out. All sizes are bytes, all
 * rates bytes per second, all durations in the unit their name ends with. What is optional may be
 * left out; what is `null` in a result is not known.
 */
import type { EventEmitter } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import type { NodeOutcome, Shape, Strategy } from '../control/messages/types.js'
import type {
  NodeProgress,
  Plan,
  Progress,
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

export type { NodeOutcome, Shape, Strategy } from '../control/messages/types.js'

/** One event of a node or a push, for a log. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly event: string
  readonly fields: Record<string, string | number | boolean | null>
}

export interface NodeOptions {
  /** HOST[:PORT], like 10.0.0.2, [::1]:7400; port 7400 where none is given, 0 picks a free one. */
  listen: string
  dataDir: string
  /** Text is used as its UTF-8 bytes after one trailing newline is trimmed; at least 32 bytes. */
  key?: Uint8Array | string
  /** Accepted beside `key` while keys are being changed. */
  previousKey?: Uint8Array | string
  name?: string
  /** HOST:PORT that other nodes dial, where the address that origins are given leads nowhere. */
  advertise?: string
  mirror?: boolean
  engine?: 'native' | 'portable'
  minFreeBytes?: number
  keepPartialsSeconds?: number
  /**
   * Asked about each file that is offered, before anything is reserved for it. False refuses it
   * with ERR_FR_REFUSED, a thrown FrError with its own code and text; any other error, and what is
   * no boolean, with ERR_FR_INTERNAL and a line in the log. It has 3 s to answer: ERR_FR_TIMEOUT.
   * A sender that tries again asks again.
   */
  accept?: AcceptHook
  logger?: (line: LogLine) => void
  signal?: AbortSignal
}

/**
 * The events of a node, as EventEmitter knows them. Each `offer` is followed by one `published` or
 * one `failed`.
 */
export interface NodeEvents {
  /** A file is offered; the `accept` hook has not been asked yet. */
  offer: [offer: NodeOffer]
  /** The file is durable under its name. */
  published: [publication: NodePublication]
  /** The file was refused or has failed, and everything it held here is given back. */
  failed: [failure: NodeFailure]
}

export interface FrNode extends EventEmitter<NodeEvents>, AsyncDisposable {
  /** HOST:PORT it listens on, with the port that was picked. */
  readonly address: string
  readonly nodeId: string
  status(): NodeStatus
  close(): Promise<void>
}

export interface PushTarget {
  /** HOST[:PORT]; port 7400 where none is given. */
  readonly address: string
  readonly uplinkBytesPerSecond?: number
  readonly downlinkBytesPerSecond?: number
  readonly site?: string
  /** HOST:PORT that its mates dial, where that differs from `address`. */
  readonly advertise?: string
}

/**
 * What can be pushed: a path, a `file:` URL, a `FileHandle` (all of its file, wherever it stands;
 * it stays yours), bytes, or a stream of bytes. Bytes and streams are kept in a file without a name
 * in the directory for temporary files (TMPDIR) before any node is contacted: bytes must not be
 * changed before `plan`. What has no name needs `as`.
 */
export type PushSource = string | URL | FileHandle | Uint8Array | AsyncIterable<Uint8Array | string>

export interface PushOptions {
  to: readonly (string | PushTarget)[]
  key?: Uint8Array | string
  /** Name at the nodes; the file's own name when absent, where it has one. */
  as?: string | Uint8Array
  strategy?: Strategy
  shape?: Shape | 'auto'
  groupSize?: number
  /** How blocks are verified: blake3 where there is a key, else xxh64. */
  digest?: 'blake3' | 'sha256' | 'xxh64'
  engine?: 'native' | 'portable'
  /** Refuse nodes that already hold the name. */
  noClobber?: boolean
  /**
   * Refuse nodes whose file system does not keep the mode and modification time of the file. By
   * default such a node completes, with a sentence in its `warnings`.
   */
  strict?: boolean
  /** The origin's own uplink; it serves the predicted time, the bound and the first second. */
  uplinkBytesPerSecond?: number
  /** How long a node that cannot be connected to is dialled again and again; 10,000 by default. */
  connectMs?: number
  /**
   * How long a node that says nothing stays in the push, in milliseconds; default 15,000. Others do
   * its work meanwhile, and it goes on when it is heard again; then it fails: ERR_FR_NODE_SILENT.
   */
  silenceMs?: number
  /**
   * How many more attempts a node gets that was connected to and failed for a reason that may pass
   * (`retryable`); 2 by default.
   */
  retries?: number
  /**
   * How long the push may take, in milliseconds, from the first dial; for ever by default. A node
   * that is not complete then fails: ERR_FR_TIMEOUT, without another attempt.
   */
  timeoutMs?: number
  /**
   * A node that lands less on average over 10 s, although bytes are there for it, fails:
   * ERR_FR_TIMEOUT, without another attempt. Making the file durable may take as long as all of
   * its bytes at this rate, and 10 s. No rate is too low by default.
   */
  minRateBytesPerSecond?: number
  /**
   * Where another push is writing the name: wait, and begin once it is free at every node. By
   * default such a push is refused as a whole, at every node: ERR_FR_BUSY.
   */
  wait?: boolean
  /**
   * Write a timeline of the push into this file, in the Chrome trace event format. It must not
   * exist, or be an older trace; ERR_FR_TRACE before any node is contacted.
   */
  trace?: string
  /** Let others who hold the key add nodes (`fr add`); `transfer.add` needs no leave. */
  allowAdd?: boolean
  /** Make and report the plan, send nothing. */
  dryRun?: boolean
  logger?: (line: LogLine) => void
  signal?: AbortSignal
}

export type {
  AcceptHook,
  Kept,
  NodeFailure,
  NodeOffer,
  NodeProgress,
  NodePublication,
  Plan,
  Progress,
  PushResult,
  PushShare,
  RelayStatus,
  StorageError,
  TransferStatus,
}

/** The events of a transfer, as EventEmitter knows them. */
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
   * or changed source, no usable key, and cancellation (with the reason given).
   */
  readonly result: Promise<PushResult>
  cancel(reason?: unknown): void
  /**
   * Adds one node while the push runs. Resolves when it takes part: it is brought level with the
   * others, and its outcome is in the result. Throws TypeError for what is no address; rejects with
   * FrError: ERR_FR_SAME_NODE for one that is in the push already, ERR_FR_LIMIT,
   * ERR_FR_NO_TRANSFER once the push is over, or why the node could not be had.
   */
  add(target: string | PushTarget): Promise<void>
  /** Cancels what is not finished; resolves when nothing of it is left. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface NodeStatus {
  readonly event: 'status'
  readonly node: string
  readonly nodeId: string
  readonly name: string | null
  readonly version: string
  readonly uptimeSeconds: number
  readonly engine: 'native' | 'portable'
  readonly dataDir: string
  readonly freeBytes: number
  /** What is wrong with the data directory now, one sentence each; empty: all is well. */
  readonly problems: readonly string[]
  /** The last transfer that failed because of the node's disk. */
  readonly lastError: StorageError | null
  /** Partial files of transfers that are over. */
  readonly kept: Kept
  readonly transfers: readonly TransferStatus[]
  readonly counters: Readonly<Record<string, number>>
}

export interface StatusOptions {
  key?: Uint8Array | string
  signal?: AbortSignal
  timeoutMs?: number
}

export interface AddOptions {
  /** HOST[:PORT] of a node that takes part in the transfer; it asks the origin. */
  via: string
  key?: Uint8Array | string
  signal?: AbortSignal
  timeoutMs?: number
}

export interface DigestOptions {
  /** xxh64. */
  digest?: 'blake3' | 'sha256' | 'xxh64'
  signal?: AbortSignal
}
