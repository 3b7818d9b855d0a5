/** What an engine does for answers that others than nodes read: the body of an HTTP response. */
import type { ByteRange, FileHandle } from './storage.js'

export interface ServeSpec extends ByteRange {
  readonly file: FileHandle
  /** Milliseconds for which the connection may take nothing. */
  readonly stalledMs: number
  readonly signal?: StopSignal | undefined
}

/** An AbortSignal, as far as engines use one. */
export interface StopSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** A connected net.Socket, or tls.TLSSocket, of Node. */
export interface ServedSocket {
  readonly destroyed: boolean
}

export interface ServingEngine {
  /**
   * Sends bytes of a file on a connection that stays the caller's. All that the caller has written
   * goes first; until the promise settles it writes nothing, and then as before. It may read
   * meanwhile. The bytes are read as they are when they are sent, so they have to stay what they
   * are until the other side has them. On the native engine they pass JavaScript only where the
   * connection is encrypted.
   *
   * Resolves when the system has taken all of them. After a rejection some of them may have been
   * sent, and no more are: ERR_FR_NODE_LOST where the connection broke or took nothing for
   * `stalledMs` (cause: ETIMEDOUT), ERR_FR_SOURCE_CHANGED where the file ends before, ERR_FR_IO,
   * ERR_FR_LIMIT beyond limits.servesAtOnce, the signal's reason.
   */
  serve(socket: ServedSocket, spec: ServeSpec): Promise<void>
}
