/**
 * A connection on which both sides have proved the key: what is known of it, and who owns its
 * socket. See handshake.ts.
 */
import type { Socket } from 'node:net'
import type { DigestAlgorithm } from '../base/digests.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import type { Channel } from '../control/messages/types.js'
import type { Identity, LinkChannel } from '../protocol/greeting.js'
import type { Edge } from '../protocol/ticket.js'
import { formatAddress } from './address.js'
import { ignore } from './hello-stream.js'
import type { Key } from './keys.js'

/** What is known of a connection once both sides have proved the key. */
export interface Introduction {
  readonly channel: Channel
  /**
   * Data and pull channels: the transfer, who dials (its number), and whom.
   */
  readonly transfer: string | null
  readonly from: number | null
  readonly to: number | null
  /** Null on data channels: an edge says who is at the other end. */
  readonly peer: Identity | null
  /** HOST:PORT of the other end of the connection, as the kernel tells it. */
  readonly remoteAddress: string
  /** Digest algorithms both sides know. */
  readonly digests: readonly DigestAlgorithm[]
  /** The key that both sides proved. */
  readonly key: Key
}

/** A dialler of a data connection that has shown a ticket; it waits like `Admitted`. */
export interface Ticketed extends Introduction {
  readonly channel: 'data'
  readonly transfer: string
  readonly from: number
  readonly to: number
  /** Names the edge: 32 hex digits. */
  readonly edgeId: string
  /**
   * Sends `go` and waits until the dialler has proved the edge's secret. Rejects with ERR_FR_AUTH
   * when it does not hold it, ERR_FR_NODE_LOST, ERR_FR_TIMEOUT.
   */
  go(edge: Edge): Promise<Established>
  refuse(code: FrErrorCode, text: string): void
}

/** An admitted dialler that waits for the acceptor's word. Exactly one of the two is called. */
export interface Admitted extends Introduction {
  readonly channel: LinkChannel
  /** Sends `go`. Rejects with ERR_FR_NODE_LOST when the dialler is gone. */
  go(): Promise<Established>
  /** Sends an error instead and closes. */
  refuse(code: FrErrorCode, text: string): void
}

/** Secrets of one data connection, the same at both ends. */
export interface FeedSecrets {
  /** FeedSpec.seed. */
  readonly recordSeed: bigint
}

/** The sockets of a connection: a TLS socket over `raw`, or `raw` itself. */
export interface Sockets {
  readonly socket: Socket
  readonly raw: Socket
}

/** A connection on which both sides have proved the key and the acceptor has said `go`. */
export class Established implements Introduction {
  readonly channel: Channel
  readonly transfer: string | null
  readonly from: number | null
  readonly to: number | null
  readonly peer: Identity | null
  readonly remoteAddress: string
  readonly digests: readonly DigestAlgorithm[]
  readonly key: Key
  readonly #secrets: FeedSecrets | null
  readonly #raw: Socket
  #socket: Socket | null

  /** For this room. `socket` is paused and has the `error` listener `ignore`. */
  constructor(introduction: Introduction, secrets: FeedSecrets | null, { socket, raw }: Sockets) {
    this.channel = introduction.channel
    this.transfer = introduction.transfer
    this.from = introduction.from
    this.to = introduction.to
    this.peer = introduction.peer
    this.remoteAddress = introduction.remoteAddress
    this.digests = introduction.digests
    this.key = introduction.key
    this.#secrets = secrets
    this.#raw = raw
    this.#socket = socket
  }

  /** Data channels only. */
  get feed(): FeedSecrets {
    if (this.#secrets === null) throw new TypeError(`a ${this.channel} link is no feed`)
    return this.#secrets
  }

  /** Lets the socket options be set while the socket is still here. */
  tune(set: (raw: Socket) => void): void {
    if (this.#socket !== null) set(this.#raw)
  }

  /**
   * Hands the socket over: paused, without a listener of ours (the new owner adds its `error`
   * listener in the same turn, and calls `resume` when it wants to read). On data channels nothing
   * is buffered in JavaScript: if something is, the peer spoke out of turn, and this throws
   * ERR_FR_PROTOCOL. Throws ERR_FR_NODE_LOST when the connection broke meanwhile, ERR_FR_CLOSED the
   * second time.
   */
  detach(): Socket {
    const socket = this.#socket
    if (socket === null) throw new FrError('ERR_FR_CLOSED', 'the connection was handed over')
    this.#socket = null
    if (socket.destroyed) throw new FrError('ERR_FR_NODE_LOST', 'the connection broke')
    if (this.channel === 'data' && socket.readableLength > 0) {
      socket.destroy()
      throw new FrError('ERR_FR_PROTOCOL', 'bytes came on a data channel against its direction')
    }
    socket.off('error', ignore)
    return socket
  }

  /** Drops the connection unless it was handed over. */
  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }
}

/** HOST:PORT of the other end. */
export function remoteAddressOf(socket: Socket): string {
  return formatAddress({ host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 })
}
