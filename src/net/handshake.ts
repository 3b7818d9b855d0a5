/**
 * The opening of a connection, at either end. Links (control, pull, status) are TLS 1.3 with the
 * cluster's key (tls.ts, greet-link.ts); data connections show a ticket (greet-data.ts). One port
 * serves both, and the first byte tells them apart.
 *
 * States of the acceptor: held (by the guard) -> proved (the dialler holds the key) -> admitted
 * (the caller decides) -> established (`go` sent) or refused. A violation, the deadline, a broken
 * connection or an abort ends either side at once.
 *
 * Never: key bytes in an error, unfiltered text of a stranger in an error, a connection beyond
 * loopback without a key.
 */
import type { Socket } from 'node:net'
import { FrError, type FrErrorDetails } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Channel } from '../control/messages/types.js'
import { bridgeFirstByte } from '../protocol/bridging.js'
import { isPartOfTransfer, type Self } from '../protocol/greeting.js'
import type { Edge } from '../protocol/ticket.js'
import { type Address, isLoopback, requireAddress } from './address.js'
import { connect, onlyLoopback } from './connect.js'
import type { Admitted, Established, Ticketed } from './established.js'
import { type Crossing, takeCrossing } from './greet-bridge.js'
import { greetData, takeData } from './greet-data.js'
import { greetLink, type LastingLink, takeLink } from './greet-link.js'
import { aborted, ignore, lostError, within } from './hello-stream.js'
import type { Key } from './keys.js'
import type { PreAuthGuard } from './pre-auth-guard.js'
import { Resolver } from './resolver.js'
import { OtherKeyWanted, tlsFirstByte } from './tls.js'

export type { Identity, Self } from '../protocol/greeting.js'
export {
  type Admitted,
  Established,
  type Introduction,
  remoteAddressOf,
  type Ticketed,
} from './established.js'

/** Options of both sides. */
export interface SideOptions {
  /** The key and, during rotation, the previous one; or the open key alone. */
  readonly keys: readonly Key[]
  readonly self: Self
  /** Milliseconds for the whole handshake; default limits.helloMs. */
  readonly helloMs?: number
}

export interface DialOptions extends SideOptions {
  /** HOST:PORT. */
  readonly address: string
  readonly channel: Channel
  /** Data and pull channels: 32 hex digits. */
  readonly transfer?: string
  /** Data and pull channels: member number of this side. */
  readonly from?: number
  /** Data and pull channels: member number of the node that is dialled. */
  readonly to?: number
  /** Data channels: the edge from the plan. */
  readonly edge?: Edge
  /** Data channels: one more connection, beside one of this edge. */
  readonly isBeside?: boolean | undefined
  /**
   * Data channels: this side receives, and bytes may be waiting for the connection. It gets no
   * `go`, which they would be read with: they follow its own last message.
   */
  readonly hasLastWord?: boolean | undefined
  /** Links: refuses another node at the address, with ERR_FR_UNREACHABLE. */
  readonly expectedNodeId?: string
  /** Control channels: the link outlives its connections, if the owners of its ends let it. */
  readonly link?: LastingLink
  /** Milliseconds to connect, from when the address is known; default limits.connectMs. */
  readonly connectMs?: number
  readonly signal?: AbortSignal
  /** A connection to the node on which nothing was said; where it is gone, another is opened. */
  readonly opened?: Socket | undefined
  /** How else than directly a connection to the node is made; what it rejects with is passed on. */
  readonly connect?: (() => Promise<Socket>) | undefined
  /** Called when a connection has been made, before anything is said on it. */
  readonly connected?: (() => void) | undefined
  /** Resolves host names; shared by all who dial the same hosts. */
  readonly resolver?: Resolver
}

export interface AcceptOptions extends SideOptions {
  /** Counts the socket until its peer has proved the key. */
  readonly guard?: PreAuthGuard
}

/** Connects and proves the key. Rejects with FrError whose `node` is the address. */
export async function dial(options: DialOptions): Promise<Established> {
  const { signal, keys } = options
  requireKeys(keys)
  const isPart = isPartOfTransfer(options.channel)
  for (const name of ['transfer', 'from', 'to'] as const) {
    if (isPart !== (options[name] !== undefined))
      throw new TypeError(`data and pull channels, and no others, need '${name}'`)
  }
  if ((options.channel === 'data') !== (options.edge !== undefined))
    throw new TypeError("data channels, and no others, need 'edge'")
  const address = requireAddress(options.address, 'address')
  try {
    if (signal?.aborted) throw aborted(signal)
    const opening = options.connect ?? directly(options, address)
    const greetOver = (socket: Socket, key: Key, others: readonly Key[]): Promise<Established> =>
      within(socket, options.helloMs, signal, () => greet(options, socket, key, others))
    const attempt = async (key: Key, others: readonly Key[]): Promise<Established> => {
      if (signal?.aborted) throw aborted(signal)
      const socket = await opening()
      options.connected?.()
      return greetOver(socket, key, others)
    }
    const [key, ...others] = keys as [Key, ...Key[]]
    const first = async (): Promise<Established> => {
      const { opened } = options
      if (opened === undefined) return attempt(key, others)
      return greetOver(opened, key, others).catch((error: unknown) => {
        if (error instanceof FrError && error.code === 'ERR_FR_NODE_LOST')
          return attempt(key, others)
        throw error
      })
    }
    return await first().catch((error: unknown) => {
      const [other] = others
      if (error instanceof OtherKeyWanted && other !== undefined) return attempt(other, [])
      throw error
    })
  } catch (error) {
    throw withNode(error, options.address)
  }
}

/** Connects to an address without a gateway. Without a key only loopback is dialled. */
export function directly(
  options: Pick<DialOptions, 'resolver' | 'keys' | 'connectMs' | 'signal'>,
  address: Address,
): () => Promise<Socket> {
  const { keys, signal, connectMs = limits.connectMs, resolver = new Resolver() } = options
  return async () => {
    const found = await resolver.resolve(address.host, signal)
    const addresses = keys[0]?.isOpen ? onlyLoopback(address.host, found) : found
    const socket = await connect(address, addresses, { connectMs, ...(signal && { signal }) })
    resolver.prefer(address.host, socket.remoteAddress ?? '')
    return socket
  }
}

function greet(
  options: DialOptions,
  socket: Socket,
  key: Key,
  others: readonly Key[],
): Promise<Established> {
  const { self, channel, expectedNodeId, link, transfer = null, from = null, to = null } = options
  if (channel !== 'data') {
    const hello = { self, channel, transfer, from, to, expectedNodeId, link }
    return greetLink(socket, hello, key, others)
  }
  const place = { transfer: transfer as string, from: from as number, to: to as number }
  const { edge, isBeside, hasLastWord } = options
  return greetData(socket, { ...place, edge: edge as Edge, isBeside, hasLastWord }, key)
}

/**
 * Serves a new connection until its dialler has proved the key. Rejects with FrError, after telling
 * the peer the reason where that makes sense; the socket then closes.
 */
export function accept(
  socket: Socket,
  options: AcceptOptions & { readonly isGateway: boolean },
): Promise<Admitted | Ticketed | Crossing>
export function accept(socket: Socket, options: AcceptOptions): Promise<Admitted | Ticketed>
export function accept(
  socket: Socket,
  options: AcceptOptions & { readonly isGateway?: boolean },
): Promise<Admitted | Ticketed | Crossing> {
  const { keys, self, guard, isGateway = false } = options
  requireKeys(keys)
  guard?.admit(socket)
  return within(socket, options.helloMs, undefined, async () => {
    socket.setNoDelay(true)
    if (keys[0]?.isOpen && !isLoopback(socket.remoteAddress ?? '')) {
      socket.on('error', ignore).destroy()
      throw new FrError('ERR_FR_OPEN', 'the accepting side has no key and serves only loopback')
    }
    const first = await firstByte(socket)
    const admitted =
      first === tlsFirstByte
        ? await takeLink(socket, self, keys)
        : isGateway && first === bridgeFirstByte
          ? await takeCrossing(socket)
          : await takeData(socket, keys, options.helloMs, () => guard?.release(socket))
    if (admitted.channel !== 'data') guard?.release(socket)
    return admitted
  })
}

/** Waits for the first byte and puts it back. The socket is paused. */
function firstByte(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    const release = (): void => {
      socket.off('data', onData)
      socket.off('end', onEnd)
      socket.off('close', onEnd)
      socket.off('error', onError)
    }
    const onData = (chunk: Uint8Array): void => {
      release()
      socket.pause()
      socket.unshift(chunk)
      resolve(chunk[0] as number)
    }
    const onError = (error: Error): void => {
      release()
      socket.on('error', ignore).destroy()
      reject(lostError(error))
    }
    const onEnd = (): void =>
      onError(new FrError('ERR_FR_NODE_LOST', 'the peer closed the connection in the handshake'))
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('close', onEnd)
    socket.on('error', onError)
  })
}

function requireKeys(keys: readonly Key[]): void {
  if (keys.length === 0 || keys.length > limits.keysPerSide) {
    throw new TypeError(`keys must hold 1 to ${limits.keysPerSide} keys`)
  }
  if (keys.length > 1 && keys.some((key) => key.certificates !== undefined)) {
    throw new TypeError('keys must not mix certificates with others')
  }
  if (keys.length > 1 && keys.some((key) => key.isOpen)) {
    throw new TypeError('keys must not mix the open key with others')
  }
}

function withNode(error: unknown, node: string): unknown {
  if (!(error instanceof FrError)) return error
  const details: FrErrorDetails = { cause: error.cause ?? error, node }
  if (error.errno !== undefined) details.errno = error.errno
  if (error.syscall !== undefined) details.syscall = error.syscall
  return new FrError(error.code, error.message, details)
}
