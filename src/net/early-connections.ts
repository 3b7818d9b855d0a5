/**
 * Connections that are opened before they are wanted. A data connection to a node follows its link
 * at once, so the first of its round trips need not wait for those of the link.
 *
 * Nothing is said on such a connection, and nothing depends on it: the node closes one that is
 * silent for too long, and then whoever wants it opens another. At most one for each address.
 */
import type { Socket } from 'node:net'
import { ignore } from './hello-stream.js'

type Connecting = Promise<Socket | undefined>

export class EarlyConnections {
  readonly #opened = new Map<string, Connecting>()

  /** `connect` may fail: then there is none. */
  open(address: string, connect: () => Promise<Socket>): void {
    if (this.#opened.has(address)) return
    const connecting = connect().then(
      (socket) => socket.on('error', ignore),
      () => undefined,
    )
    this.#opened.set(address, connecting)
  }

  /** The caller's from now on, without listeners; undefined where there is none. */
  async take(address: string): Connecting {
    const connecting = this.#opened.get(address)
    this.#opened.delete(address)
    const socket = await connecting
    if (socket === undefined || socket.destroyed || !socket.writable) return undefined
    return socket.off('error', ignore)
  }

  /** It is not wanted any more. */
  drop(address: string): void {
    const connecting = this.#opened.get(address)
    this.#opened.delete(address)
    void connecting?.then((socket) => socket?.destroy())
  }

  end(): void {
    for (const address of [...this.#opened.keys()]) this.drop(address)
  }
}
