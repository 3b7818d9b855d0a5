/**
 * Who may speak to this node, where a list says so (base/authorized-peers.ts): the list as it is
 * now (store/files/watched-list.ts; looked at twice a second), and the connections of those who are
 * on it. What is wrong with a list is in the log.
 *
 * Never: a list that others than its owner, or root, may change.
 */

import { type AuthorizedPeer, AuthorizedPeers } from '../base/authorized-peers.js'
import type { Logger } from '../base/log.js'
import { peerLimits } from '../base/peer-limits.js'
import type { Closable, Self } from '../protocol/greeting.js'
import { WatchedList } from '../store/files/watched-list.js'

export interface PeersOptions {
  readonly log: Logger
  /** Throws where something of a peer (its rights) cannot be used. */
  readonly check?: (peer: AuthorizedPeer) => void
}

export class Peers {
  readonly #path: string
  readonly #log: Logger
  readonly #listeners = new Set<() => void>()
  /** Links that are open, by the id of their other end. */
  readonly #sockets = new Map<string, Set<Closable>>()
  /** What certificates call those who have shown one; null: they have none. Oldest first. */
  readonly #names = new Map<string, string | null>()
  /** Who is admitted beside the list, with all rights; it is never cut off. */
  #also: AuthorizedPeer | undefined
  #list!: WatchedList<AuthorizedPeers>

  private constructor(path: string, log: Logger) {
    this.#path = path
    this.#log = log
  }

  /** Rejects with ERR_FR_PEERS. */
  static async open(path: string, { log, check }: PeersOptions): Promise<Peers> {
    const peers = new Peers(path, log)
    const { fileBytes: bytesMax, lookMs } = peerLimits
    const parse = (text: string): AuthorizedPeers => AuthorizedPeers.parse(text, check)
    peers.#list = await WatchedList.open(
      { path, of: 'authorized peers', bytesMax, lookMs, parse },
      {
        taken: () => peers.#taken(),
        refused: ({ code, message: text }) =>
          log({ level: 'error', event: 'peers-refused', fields: { code, text } }),
      },
    )
    return peers
  }

  get table(): AuthorizedPeers {
    return this.#list.value
  }

  /** Undefined: it is not authorized. `certified`: the name in its certificate. */
  find(nodeId: string, certified?: string): AuthorizedPeer | undefined {
    const listed = this.table.find(nodeId) ?? (this.#also?.id === nodeId ? this.#also : undefined)
    return listed ?? (certified === undefined ? undefined : this.table.certified(certified))
  }

  /**
   * `certified`: the name in the certificate that it has shown now, which is remembered; null: it
   * has none; undefined: what it has shown before counts. Of whom nothing is known it may be, where
   * certificates are listed, until it shows its own.
   */
  admits(nodeId: string, certified?: string | null): boolean {
    if (certified !== undefined) this.#remember(nodeId, certified)
    const name = this.#names.get(nodeId)
    if (this.find(nodeId, name ?? undefined) !== undefined) return true
    return name === undefined && this.table.hasCertified
  }

  #remember(nodeId: string, name: string | null): void {
    this.#names.delete(nodeId)
    this.#names.set(nodeId, name)
    for (const [oldest] of this.#names) {
      if (this.#names.size <= peerLimits.certifiedKnown) break
      this.#names.delete(oldest)
    }
  }

  /** Whoever runs this process, which asks itself. */
  admitAlso(nodeId: string, name: string): void {
    this.#also = { id: nodeId, name, rightsText: null, line: 0, column: 0 }
  }

  /** For all connections of the node. */
  get gate(): Pick<Self, 'admits' | 'linked'> {
    return {
      admits: (nodeId, certified) => this.admits(nodeId, certified),
      linked: (nodeId, link) => this.connected(nodeId, link),
    }
  }

  /** Called when the list has changed, after links of those who are gone were closed. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** The link is closed once its other end is not authorized any more. */
  connected(nodeId: string, socket: Closable): void {
    const sockets = this.#sockets.get(nodeId) ?? new Set()
    this.#sockets.set(nodeId, sockets.add(socket))
    socket.once('close', () => {
      sockets.delete(socket)
      if (sockets.size === 0 && this.#sockets.get(nodeId) === sockets) this.#sockets.delete(nodeId)
    })
  }

  /** Reads the file again. Rejects with ERR_FR_PEERS, and the list stays as it was. */
  reload(): Promise<void> {
    return this.#list.reload()
  }

  close(): void {
    this.#list.close()
    this.#sockets.clear()
    this.#listeners.clear()
  }

  #taken(): void {
    const fields = { path: this.#path, peers: this.table.all.length }
    this.#log({ level: 'info', event: 'peers-read', fields })
    for (const [nodeId, sockets] of this.#sockets)
      if (!this.admits(nodeId)) this.#cut(nodeId, sockets)
    for (const listener of this.#listeners) listener()
  }

  /** What runs over it ends by itself first, with a reason, where it can say one. */
  #cut(nodeId: string, sockets: ReadonlySet<Closable>): void {
    this.#sockets.delete(nodeId)
    setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, 100).unref()
  }
}
