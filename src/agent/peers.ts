/**
 * Who may speak to this node, where a list says so (base/authorized-peers.ts): the list as it is
 * now, and the connections of those who are on it.
 *
 * The file is looked at twice a second, which also finds one that was renamed into its place, and
 * read again where it is not the one of the last look, or when the caller says so (SIGHUP). A list
 * that cannot be used changes nothing: the one before stays, and the log says what is wrong.
 *
 * Never: a list that others than its owner, or root, may change.
 */

import { type AuthorizedPeer, AuthorizedPeers } from '../base/authorized-peers.js'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import type { Logger } from '../base/log.js'
import { peerLimits } from '../base/peer-limits.js'
import type { Closable, Self } from '../protocol/greeting.js'
import { ownList, stampOf } from '../store/files/own-list.js'

export interface PeersOptions {
  readonly log: Logger
  /** Throws where something of a peer (its rights) cannot be used. */
  readonly check?: (peer: AuthorizedPeer) => void
}

export class Peers {
  readonly #path: string
  readonly #options: PeersOptions
  readonly #listeners = new Set<() => void>()
  /** Links that are open, by the id of their other end. */
  readonly #sockets = new Map<string, Set<Closable>>()
  /** What certificates call those who have shown one; null: they have none. Oldest first. */
  readonly #names = new Map<string, string | null>()
  /** Who is admitted beside the list, with all rights; it is never cut off. */
  #also: AuthorizedPeer | undefined
  #table: AuthorizedPeers
  #seen: string
  #said = ''
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(path: string, options: PeersOptions, { table, seen }: Read) {
    this.#path = path
    this.#options = options
    this.#table = table
    this.#seen = seen
    this.#look()
  }

  /** Rejects with ERR_FR_PEERS. */
  static async open(path: string, options: PeersOptions): Promise<Peers> {
    return new Peers(path, options, await read(path, options))
  }

  get table(): AuthorizedPeers {
    return this.#table
  }

  /** Undefined: it is not authorized. `certified`: the name in its certificate. */
  find(nodeId: string, certified?: string): AuthorizedPeer | undefined {
    const listed = this.#table.find(nodeId) ?? (this.#also?.id === nodeId ? this.#also : undefined)
    return listed ?? (certified === undefined ? undefined : this.#table.certified(certified))
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
    return name === undefined && this.#table.hasCertified
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
    const reading = this.#reading.then(() => this.#read())
    this.#reading = reading.catch(() => {})
    return reading
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#sockets.clear()
    this.#listeners.clear()
  }

  #look(): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => {
      void this.#lookOnce().finally(() => this.#look())
    }, peerLimits.lookMs).unref()
  }

  async #lookOnce(): Promise<void> {
    const seen = await stampOf(this.#path)
    if (seen !== this.#seen) await this.reload().catch(() => {})
  }

  async #read(): Promise<void> {
    try {
      const { table, seen } = await read(this.#path, this.#options)
      if (this.#isClosed) return
      this.#seen = seen
      this.#said = ''
      this.#table = table
      const fields = { path: this.#path, peers: table.all.length }
      this.#options.log({ level: 'info', event: 'peers-read', fields })
      for (const [nodeId, sockets] of this.#sockets)
        if (!this.admits(nodeId)) this.#cut(nodeId, sockets)
      for (const listener of this.#listeners) listener()
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_PEERS')
      if (!this.#isClosed && text !== this.#said)
        this.#options.log({ level: 'error', event: 'peers-refused', fields: { code, text } })
      this.#said = text
      throw error
    }
  }

  /** What runs over it ends by itself first, with a reason, where it can say one. */
  #cut(nodeId: string, sockets: ReadonlySet<Closable>): void {
    this.#sockets.delete(nodeId)
    setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, 100).unref()
  }
}

interface Read {
  readonly table: AuthorizedPeers
  /** What tells this version of the file from others. */
  readonly seen: string
}

async function read(path: string, { check }: PeersOptions): Promise<Read> {
  try {
    const { text, seen } = await ownList(path, peerLimits.fileBytes)
    return { table: AuthorizedPeers.parse(text, check), seen }
  } catch (error) {
    const text = `authorized peers, ${path}: ${(error as Error).message}`
    throw new FrError('ERR_FR_PEERS', text, { cause: error, path })
  }
}
