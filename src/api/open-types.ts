/** Contents of a node, opened in its own process. */
import type { ServedSocket } from '../ports.js'

export interface SendOptions {
  /** Milliseconds for which the connection may take nothing; default 60,000. */
  stalledMs?: number
  signal?: AbortSignal
}

/** A content that a node has, still writes down, or gets. */
export interface OpenContent extends AsyncDisposable {
  readonly name: string
  /**
   * `held`: all of it is there. `growing`: its author still writes it, and it comes in order.
   * `arriving`: its author has ended, and it comes in any order.
   */
  readonly state: 'held' | 'growing' | 'arriving'
  /** Bytes; null: it is still written. */
  readonly size: number | null
  /** Of the whole, as `fr digest` prints it; null: it was still written when it was opened. */
  readonly digest: string | null
  /** The same for the same content, also while it is still written. */
  readonly contentId: string
  /** As its author's file has it, in milliseconds since 1970. */
  readonly modifiedMs: number
  /** Criteria of those who may have it (`--only`); null: whoever asks. */
  readonly only: string | null
  /** Verified bytes from there on; 0: none yet, or it ends before. */
  available(offset: number): number
  /**
   * Resolves to the verified bytes from there on, once there are any; 0: it ends there. Rejects
   * with the reason why no more come, or the signal's.
   */
  waitFor(offset: number, signal?: AbortSignal): Promise<number>
  /** Verified bytes from there on, at most these and 1 MiB; none where there are none. */
  read(offset: number, length: number): Promise<Uint8Array>
  /**
   * Sends verified bytes on a connection, behind all that was written to it; nothing may be written
   * before it resolves. They pass JavaScript only where it is encrypted, or the engine portable.
   * Rejects with ERR_FR_NODE_LOST where the connection breaks or takes nothing for `stalledMs`,
   * ERR_FR_SOURCE_CHANGED where somebody cut the file off, the signal's reason; some of the bytes
   * may have been sent then. RangeError: not all of them are there.
   */
  sendTo(
    socket: ServedSocket,
    range: { readonly offset: number; readonly length: number },
    options?: SendOptions,
  ): Promise<void>
  /** SHA-256 of the whole, 64 hex digits; null: not known yet, or it still comes. */
  readonly knownSha256: string | null
  /**
   * Works it out once, in a thread of its own, one content after the other; known then while the
   * node runs. Rejects with ERR_FR_BUSY for what still comes, ERR_FR_LIMIT where many wait,
   * ERR_FR_SOURCE_CHANGED.
   */
  sha256(): Promise<string>
  /** What is being sent goes on. Idempotent. */
  close(): void
}

export interface Holding {
  /**
   * Opens a file that the node has under this name, a version of one (`NAME@VERSION`), or one that
   * comes. It stays what it is while it is open, whatever becomes of the name. Rejects with
   * ERR_FR_NOT_HELD, ERR_FR_IS_DIRECTORY, ERR_FR_NAME, ERR_FR_CLOSED.
   */
  open(name: string | Uint8Array): Promise<OpenContent>
  /**
   * What is recorded of a tree that the node has under this name, or of a version of one. Rejects
   * with ERR_FR_NOT_HELD for what is no tree, ERR_FR_NAME, ERR_FR_CLOSED.
   */
  openTree(name: string | Uint8Array): Promise<OpenTree>
}

/** A tree of a node: what was pushed, without a look at the files. */
export interface OpenTree extends AsyncDisposable {
  /**
   * `tree:` and 64 hex digits, of its names, contents and links: the same at all nodes that have
   * the same, whatever modes and times are. Null: it is not whole.
   */
  readonly digest: string | null
  /** When a push of it last came to its end here; null: since it began another has not. */
  readonly wholeAtMs: number | null
  /** Criteria of those who may have it (`--only`); null: whoever asks. */
  readonly only: string | null
  /** In walk order, behind the entry of this name. */
  entries(after?: Uint8Array): AsyncGenerator<OpenTreeEntry>
  /** Of this name below the tree; null: there is none. */
  find(name: Uint8Array): Promise<OpenTreeEntry | null>
  /** Idempotent. */
  close(): Promise<void>
}

export interface OpenTreeEntry {
  /** Below the tree. */
  readonly name: Uint8Array
  readonly kind: 'file' | 'symlink' | 'directory'
  /** Bytes of a file, else 0. */
  readonly size: number
  /** Of a file, as `fr digest` prints it; null: it was found to have another one. */
  readonly digest: string | null
}
