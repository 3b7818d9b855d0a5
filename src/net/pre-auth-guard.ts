/**
 * Bounds how many connections a listener holds that have not proved the key. When one more comes,
 * the oldest goes: a flood of silent strangers delays nobody who proves the key at once, because
 * that takes a connection milliseconds and a stranger's turn comes after a whole round of others.
 */
import type { Socket } from 'node:net'
import { limits } from '../base/limits.js'

export class PreAuthGuard {
  readonly #most: number
  /** In the order of their coming, each with what takes its listener off. */
  readonly #sockets = new Map<Socket, () => void>()
  #evicted = 0

  constructor(most: number = limits.unauthenticatedConnections) {
    this.#most = most
  }

  /** Connections held now. */
  get size(): number {
    return this.#sockets.size
  }

  /** Connections destroyed to make room, since the start. */
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

  /** The socket has proved the key, or is gone. Unknown sockets are ignored. */
  release(socket: Socket): void {
    this.#sockets.get(socket)?.()
    this.#sockets.delete(socket)
  }

  /** Destroys everything held: the listener closes. */
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
