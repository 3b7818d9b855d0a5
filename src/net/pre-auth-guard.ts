/**
 * Bounds the connections of a listener that have not proved the key. One too many evicts the
 * oldest. A flood of silent strangers does not keep out anyone who proves the key at once: that
 * takes milliseconds, and evicting a connection takes a whole round of others.
 */
import type { Socket } from 'node:net'
import { limits } from '../base/limits.js'

export class PreAuthGuard {
  readonly #most: number
  /** Sockets in the order of arrival, each with a function that removes its listener. */
  readonly #sockets = new Map<Socket, () => void>()
  #evicted = 0

  constructor(most: number = limits.unauthenticatedConnections) {
    this.#most = most
  }

  /** Number of connections held. */
  get size(): number {
    return this.#sockets.size
  }

  /** Connections closed to make room, since the start. */
  get evicted(): number {
    return this.#evicted
  }

  /** The socket counts until `release` or until it is closed. */
  admit(socket: Socket): void {
    if (this.#sockets.has(socket)) return
    if (this.#sockets.size >= this.#most) this.#evictOldest()
    const onClose = (): void => this.release(socket)
    socket.once('close', onClose)
    this.#sockets.set(socket, () => socket.off('close', onClose))
  }

  /** Call when the socket has proved the key or is gone. Unknown sockets are ignored. */
  release(socket: Socket): void {
    this.#sockets.get(socket)?.()
    this.#sockets.delete(socket)
  }

  /** Closes every connection held, when the listener closes. */
  destroyAll(): void {
    for (const socket of [...this.#sockets.keys()]) {
      this.release(socket)
      socket.destroy()
    }
  }

  #evictOldest(): void {
    for (const [socket] of this.#sockets) {
      this.#evicted += 1
      this.release(socket)
      socket.destroy()
      return
    }
  }
}
