/**
 * A connection whose two sides have proved the key: what is known about it, and who owns its
 * socket. See handshake.ts.
 */
import type { Socket } from 'node:net'
import type { DigestAlgorithm } from '../base/digests.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import type { Channel, Lacking } from '../control/messages/types.js'
import type { Identity, LinkChannel, LinkPart } from '../protocol/greeting.js'
import type { Edge } from '../protocol/ticket.js'
import { formatAddress } from './address.js'
import { ignore } from './hello-stream.js'
import type { Key } from './keys.js'

/** Whoever is there has proved who it is, and this side has nothing to do with it. */
export class Unwelcome extends FrError {}

/** Facts about a connection whose two sides have proved the key. */
export interface Introduction {
  readonly channel: Channel
  /** Data and pull channels: the transfer, and the member numbers of dialler and acceptor. */
  readonly transfer: string | null
  readonly from: number | null
  readonly to: number | null
  /** Null on data channels, where the edge identifies the peer. */
  readonly peer: Identity | null
  /** HOST:PORT of the other end, as the kernel reports it. */
  readonly remoteAddress: string
  /** Digest algorithms that both sides know. */
  readonly digests: readonly DigestAlgorithm[]
  /** The key that both sides proved. */
  readonly key: Key
  /** Control channels: the link that begins or goes on here, and what the other side has heard. */
  readonly link?: LinkPart
}

/** The dialler of a data connection has shown a ticket and waits, as with `Admitted`. */
export interface Ticketed extends Introduction {
  readonly channel: 'data'
  readonly transfer: string
  readonly from: number
  readonly to: number
  /** Id of the edge: 32 hex digits. */
  readonly edgeId: string
  /** It is to be one more connection, beside one of this edge, and takes nobody's place. */
  readonly isBeside: boolean
  /**
   * Sends `go` once the dialler has proved the edge's secret, with what `lacking` then says: from
   * there on this connection takes the place of any earlier one, unless it is beside it. Rejects
   * with ERR_FR_AUTH when it does not have the secret, ERR_FR_NODE_LOST, ERR_FR_TIMEOUT, and with
   * what `lacking` throws, which the dialler is told. Null: the dialler has the last word
   * (DialOptions), so `go` is not sent.
   */
  go(edge: Edge, lacking?: (() => Lacking) | null): Promise<Established>
  refuse(code: FrErrorCode, text: string): void
}

/** An authenticated dialler that waits. Call exactly one of `go` and `refuse`. */
export interface Admitted extends Introduction {
  readonly channel: LinkChannel
  /**
   * Sends `go`; `heard`: of a link that goes on, how many frames came. Rejects with
   * ERR_FR_NODE_LOST when the dialler is gone.
   */
  go(heard?: number): Promise<Established>
  /** Sends an error instead and closes. `address`: with ERR_FR_MOVED, who takes it. */
  refuse(code: FrErrorCode, text: string, address?: string): void
}

/** What is known of a data connection. */
export interface FeedTerms {
  /** FeedSpec.seed, the same at both ends. */
  readonly recordSeed: bigint
  /** FeedSpec.seal; absent: it is not sealed. */
  readonly seal?: Uint8Array
  /** At the dialler: what the acceptor has said. */
  readonly lacking?: Lacking
}

/** The sockets of a connection: a TLS socket over `raw`, or `raw` itself. */
export interface Sockets {
  readonly socket: Socket
  readonly raw: Socket
}

/** A connection whose two sides have proved the key and whose acceptor has sent `go`. */
export class Established implements Introduction {
  readonly channel: Channel
  readonly transfer: string | null
  readonly from: number | null
  readonly to: number | null
  readonly peer: Identity | null
  readonly remoteAddress: string
  readonly digests: readonly DigestAlgorithm[]
  readonly key: Key
  readonly link?: LinkPart
  readonly #terms: FeedTerms | null
  readonly #raw: Socket
  #socket: Socket | null

  /** For this room. `socket` must be paused and have the `error` listener `ignore`. */
  constructor(introduction: Introduction, terms: FeedTerms | null, { socket, raw }: Sockets) {
    this.channel = introduction.channel
    this.transfer = introduction.transfer
    this.from = introduction.from
    this.to = introduction.to
    this.peer = introduction.peer
    this.remoteAddress = introduction.remoteAddress
    this.digests = introduction.digests
    this.key = introduction.key
    if (introduction.link !== undefined) this.link = introduction.link
    this.#terms = terms
    this.#raw = raw
    this.#socket = socket
  }

  /** Data channels only. */
  get feed(): FeedTerms {
    if (this.#terms === null) throw new TypeError(`a ${this.channel} link is not a feed`)
    return this.#terms
  }

  /** Sets options of the socket; only before `detach`. */
  tune(set: (raw: Socket) => void): void {
    if (this.#socket !== null) set(this.#raw)
  }

  /** At the dialler of a data connection: what the acceptor has said. */
  get lacking(): Lacking | undefined {
    return this.#terms?.lacking
  }

  /**
   * Hands the socket over: paused, without listeners of this room. The new owner adds an `error`
   * listener in the same turn, and calls `resume` to read. On data channels no byte may be buffered
   * in JavaScript; one that is came too early, and this throws ERR_FR_PROTOCOL. Throws
   * ERR_FR_NODE_LOST when the connection is broken, ERR_FR_CLOSED the second time.
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

  /** Closes the connection unless it was handed over. */
  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }
}

/** HOST:PORT of the other end. */
export function remoteAddressOf(socket: Socket): string {
  return formatAddress({ host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 })
}
