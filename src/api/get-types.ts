/** Types of `get`: options in, progress and the result out. */

import type { Writable } from 'node:stream'
import type { FrErrorCode } from '../base/errors.js'
import type { LogEntry } from '../base/log.js'
import type { Credentials } from './credential-types.js'
import type { SealOptions } from './seal.js'

export interface GetOptions extends Credentials, SealOptions {
  /**
   * HOST[:PORT] of nodes that hold the file. They are asked for different blocks at the same time.
   * Where their contents differ, the first one that answers in the order of this list counts. Small
   * files of a tree come from one node at a time.
   */
  from: readonly string[]
  /**
   * A path, by default the last component of the name in the current directory, or a stream, which
   * gets the bytes in order as they are verified, and is not ended. With a slash at the end it is
   * the directory that gets it under that component. A tree needs a path at which nothing is,
   * whatever `force` says.
   */
  output?: string | Writable
  /** Only these bytes, `last` included; beyond the end of the file is ERR_FR_RANGE. */
  range?: { readonly first: number; readonly last: number }
  /** Replace a file that is at `output`; by default that is ERR_FR_EXISTS. */
  force?: boolean
  /**
   * The name is a pattern, as with `client.list`, and `output` a directory, by default the current
   * one: all that matches, files and trees, is stored there under its whole name.
   */
  glob?: boolean
  /**
   * Also what is still written (`push` with `follow`, `pushStream`): each byte comes once the node
   * has verified it, from one node at a time, until the push has said where the file ends. By
   * default such a name is ERR_FR_NOT_HELD. A file that is written no more comes as it always does.
   */
  follow?: boolean
  key?: Uint8Array | string
  /**
   * What is true of this client, for contents that only some may have (`push` with `only`,
   * `publish`); a node with a list of authorized peers goes by that instead.
   */
  attributes?: Readonly<Record<string, string>>
  engine?: 'native' | 'portable'
  /**
   * Milliseconds that it may take; no limit by default. Whatever the limit, it fails when nothing
   * is verified for 15 s, or for 60 s while a node says that it serves too many.
   */
  timeoutMs?: number
  /**
   * Connections that carry the bytes from each node, 1 to 16. `auto` (default): one, and more on a
   * way that one alone does not fill, which a node with the native engine sees.
   */
  flows?: number | 'auto'
  logger?: (line: LogEntry) => void
  signal?: AbortSignal
}

export interface GetHolder {
  /** HOST:PORT as the caller wrote it. */
  readonly holder: string
  /** waiting: not connected, or not yet; out: nothing is asked of it any more. */
  readonly state: 'waiting' | 'connected' | 'out'
  /** Bytes in blocks that came from it and were right. */
  readonly bytes: number
  /** `CODE: text` of its last failure; null when there was none since it brought something. */
  readonly reason: string | null
}

export interface GetProgress {
  readonly event: 'progress'
  readonly name: string
  /** What is fetched; null until a node has said how much that is, or the last byte is written. */
  readonly bytes: number | null
  /** Of `bytes`, here and right. */
  readonly verifiedBytes: number
  /** Of `verifiedBytes`, what an earlier fetch had left. */
  readonly foundBytes: number
  readonly seconds: number
  readonly rateBytesPerSecond: number
  readonly etaSeconds: number | null
  readonly holders: readonly GetHolder[]
}

export interface GetResult {
  readonly event: 'result'
  readonly name: string
  /** Path of the output; null for a stream. */
  readonly output: string | null
  readonly bytes: number
  /** Of `bytes`, what an earlier fetch had left. */
  readonly foundBytes: number
  readonly seconds: number
  /** In whole blocks, so for a range it may be more than `bytes`. */
  readonly from: readonly Omit<GetHolder, 'state'>[]
  /** Of the whole file; null where `tree` is there. */
  readonly digest: string | null
  /** Only of a tree, and of what matches a pattern. */
  readonly tree?: GetTree
}

/** What has come of a tree, or of several and files. */
export interface GetTree {
  readonly entries: number
  readonly files: number
  /** False: the last push of the tree has not ended well at the node. */
  readonly isWhole: boolean
  /** Entries that could not be had, because they are not as they were pushed, or kept here. */
  readonly failedCount: number
  /** At most 64 of them. */
  readonly failures: readonly {
    readonly name: string
    readonly code: FrErrorCode
    readonly text: string
  }[]
}

/** A fetch under way: iterate its progress, await its result. */
export interface Get extends AsyncIterable<GetProgress>, AsyncDisposable {
  /**
   * Resolves when the output is whole, verified and durable. Rejects with FrError, or the reason of
   * a cancellation. What was fetched for a path stays beside it, and the next `get` goes on.
   */
  readonly result: Promise<GetResult>
  cancel(reason?: unknown): void
}
