/** Types about the data directories of a node. */

import type { DiskState } from '../control/messages/types.js'
import type { Credentials } from './credential-types.js'

export type { DiskState } from '../control/messages/types.js'

/** Options of `startNode` about where files are kept. */
export interface DiskOptions {
  /**
   * What the node wants of contents that are announced for it: `all` (the default), `none`,
   * `first 10%`, `first 64MiB` or `tracks:0,2` of each, and patterns of names, of which an earlier
   * one goes first. At most 64.
   */
  want?: readonly string[]
  /** Bytes that these contents may take together; newer ones take the place of older ones. */
  wantBytes?: number
  /** How long after it was published a content is wanted. */
  wantAgeSeconds?: number
  /**
   * Required, but not with `relayOnly`. Several, at most 16, share what comes: they should be on
   * disks of their own. The first has the identity of the node and must be there; another one that
   * is missing is named, and taken once it is there.
   */
  dataDir?: string | readonly string[]
  /**
   * How files are spread over several: `whole`, the default, keeps each on one disk, as a plain
   * file. `striped` spreads the bytes of each that is longer than 1 MiB over all of them, so that
   * no disk has a plain file; trees, compressed pushes and files with holes stay whole.
   */
  placement?: 'whole' | 'striped'
  /**
   * What this process does of a node that is several processes over one `dataDir` `shared:DIR`
   * (docs/clusters.md); default: all.
   */
  roles?: readonly NodeRole[]
  /** Files that lie in `dataDir` already become held; they are hashed in the background. */
  adopt?: boolean
}

/**
 * `distribute`: receives, stores and passes on. `serve`: serves what those have published, and
 * takes nothing: ERR_FR_READ_ONLY. `control`: the same, and whoever wants to send something is
 * handed over to one that distributes.
 */
export type NodeRole = 'control' | 'distribute' | 'serve'

export interface DisksOptions extends Credentials {
  signal?: AbortSignal
  /** Default 10,000. */
  timeoutMs?: number
}

/** What the device beneath a data directory does, in the last second or so. */
export interface DiskActivity {
  /** Part of the time in which it had anything to do, 0..1. */
  readonly busy: number
  /** Milliseconds from a request to its end, on the average. */
  readonly requestMs: number
  readonly readBytesPerSecond: number
  readonly writtenBytesPerSecond: number
}

/** One data directory of a node. */
export interface DiskStatus {
  readonly event: 'disk'
  /** HOST:PORT that was asked. */
  readonly node: string
  /** Of the data directory, as the node was given it. */
  readonly path: string
  /**
   * - ok: it takes files.
   * - full: nothing more may be written.
   * - failing: a transfer has failed there in the last minute, so others are given new files.
   * - away: it does not answer, or is no longer at its path.
   * - missing: it was not there when the node started.
   */
  readonly state: DiskState
  /** What is wrong, one sentence each; empty when nothing is. */
  readonly problems: readonly string[]
  /** Of the file system, for all; null: not known. */
  readonly bytes: number | null
  readonly freeBytes: number
  /** What the node holds there, by its records. */
  readonly held: { readonly files: number; readonly bytes: number }
  /** Of unfinished transfers. */
  readonly partialBytes: number
  /** Transfers that land there now, and bytes that they will still write. */
  readonly transfers: number
  readonly waitingBytes: number
  /** Null where the system does not count what the device does. */
  readonly activity: DiskActivity | null
  /** What a second in which the device was busy has written; null: not known yet. */
  readonly speedBytesPerSecond: number | null
}
