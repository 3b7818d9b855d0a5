/**
 * Both sides of the handshake over a socket; messages and secrets are protocol/hello.ts.
 *
 * The acceptor's states: greeted (hello read) -> proved (its hello and proofs sent) -> admitted
 * (the dialler's proof is right; the caller decides) -> established (`go` sent) or refused. The
 * dialler's: connecting -> greeting -> proving -> established. Any violation, the deadline, a
 * broken connection or an abort ends either side at once.
 *
 * Idea: between its last message and the peer's `go` a side sends nothing, and reading is stopped
 * in the socket's handle before `go` leaves; so no byte of what follows can be in a JavaScript
 * buffer when an engine takes the connection.
 *
 * Never: key bytes in an error, a word of a stranger in an error text uncleaned, a connection
 * beyond loopback without a key.
 */
import type { Socket } from 'node:net'
import type { DigestAlgorithm } from '../base/digests.js'
import { FrError, type FrErrorCode, type FrErrorDetails } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Channel } from '../control/messages/types.js'
import * as wire from '../protocol/hello.js'
import { formatAddress, isLoopback, requireAddress } from './address.js'
import { connect, onlyLoopback } from './connect.js'
import { nodePrimitives, randomNonce } from './crypto.js'
import { closeWithError, HelloStream, ignore, lostError } from './hello-stream.js'
import type { Key } from './keys.js'
import type { PreAuthGuard } from './pre-auth-guard.js'
import { Resolver } from './resolver.js'

export type { Identity } from '../protocol/hello.js'

/** What both sides bring. */
export interface SideOptions {
  /** The key and, during rotation, the one before it; or the open key alone. */
  readonly keys: readonly Key[]
  readonly self: wire.Identity
  /** Whole handshake, in milliseconds; limits.helloMs unless given. */
  readonly helloMs?: number
}

export interface DialOptions extends SideOptions {
  /** HOST:PORT. */
  readonly address: string
  readonly channel: Channel
  /** Data and pull channels: 32 hex digits. */
  readonly transfer?: string
  /** Data and pull channels: the index of this side among the mates, -1 the origin. */
  readonly from?: number
  /** Data and pull channels: DiallerHello.to. */
  readonly to?: number
  /** Refuses any other node that answers there, with ERR_FR_UNREACHABLE. */
  readonly expectedNodeId?: string
  /** From when the address is known; limits.connectMs unless given. */
  readonly connectMs?: number
  readonly signal?: AbortSignal
  /** Looks names up; shared by those who dial the same hosts. */
  readonly resolver?: Resolver
}

export interface AcceptOptions extends SideOptions {
  /** Counts the socket until it has proved the key. */
  readonly guard?: PreAuthGuard
}

/** What is known of a connection once both sides have proved the key. */
export interface Introduction {
  readonly channel: Channel
  /**
   * Data and pull channels: the transfer, who dials (a mate's index, -1 the origin), and whom.
   */
  readonly transfer: string | null
  readonly from: number | null
  readonly to: number | null
  readonly peer: wire.Identity
  /** HOST:PORT of the other end of the connection, as the kernel tells it. */
  readonly remoteAddress: string
  /** Digest algorithms both sides know. */
  readonly digests: readonly DigestAlgorithm[]
  /** The key that both sides proved: origin and node derive the transfer's digest key from it. */
  readonly key: Key
}

/** An admitted dialler that waits for the acceptor's word. Exactly one of the two is called. */
export interface Admitted extends Introduction {
  /** Sends `go`. Rejects with ERR_FR_NODE_LOST when the dialler is gone. */
  go(): Promise<Established>
  /** Sends an error instead and closes. */
  refuse(code: FrErrorCode, text: string): void
}

/** A connection on which both sides have proved the key and the acceptor has said `go`. */
export class Established implements Introduction {
  readonly channel: Channel
  readonly transfer: string | null
  readonly from: number | null
  readonly to: number | null
  readonly peer: wire.Identity
  readonly remoteAddress: string
  readonly digests: readonly DigestAlgorithm[]
  readonly key: Key
  readonly #role: wire.Role
  readonly #secrets: wire.SessionSecrets
  #socket: Socket | null

  /** For this module. `socket` is paused and has the `error` listener `ignore`. */
  constructor(
    introduction: Introduction,
    role: wire.Role,
    secrets: wire.SessionSecrets,
    socket: Socket,
  ) {
    this.channel = introduction.channel
    this.transfer = introduction.transfer
    this.from = introduction.from
    this.to = introduction.to
    this.peer = introduction.peer
    this.remoteAddress = introduction.remoteAddress
    this.digests = introduction.digests
    this.key = introduction.key
    this.#role = role
    this.#secrets = secrets
    this.#socket = socket
  }

  /** MAC key of the control frames this side sends. */
  get macKeySend(): Uint8Array {
    return this.#secrets.macKeys[this.#role]
  }

  /** MAC key of the control frames this side receives. */
  get macKeyReceive(): Uint8Array {
    return this.#secrets.macKeys[this.#role === 'dialler' ? 'acceptor' : 'dialler']
  }

  /** Key of hop MACs in digests records, the same at both ends. */
  get hopKey(): Uint8Array {
    return this.#secrets.hopKey
  }

  /** FeedSpec.seed, the same at both ends. */
  get recordSeed(): bigint {
    return this.#secrets.recordSeed
  }

  /** Lets the socket options be set while the socket is still here. */
  tune(set: (socket: Socket) => void): void {
    if (this.#socket !== null) set(this.#socket)
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

/** Connects and proves the key. Rejects with FrError, whose `node` is the address. */
export async function dial(options: DialOptions): Promise<Established> {
  const { signal } = options
  const auth = authOf(options.keys)
  const isPart = wire.isPartOfTransfer(options.channel)
  for (const name of ['transfer', 'from', 'to'] as const) {
    if (isPart !== (options[name] !== undefined))
      throw new TypeError(`data and pull channels, and no others, need '${name}'`)
  }
  const address = requireAddress(options.address, 'address')
  const aborted = (): FrError =>
    new FrError('ERR_FR_ABORTED', 'dialling was cancelled', { cause: signal?.reason })
  let stream: HelloStream | undefined
  const onAbort = (): void => stream?.fail(aborted())
  let socket: Socket | undefined
  try {
    if (signal?.aborted) throw aborted()
    const resolver = options.resolver ?? new Resolver()
    const found = await resolver.resolve(address.host, signal)
    const addresses = auth === 'open' ? onlyLoopback(address.host, found) : found
    if (signal?.aborted) throw aborted()
    socket = await connect(address, addresses, {
      connectMs: options.connectMs ?? limits.connectMs,
      ...(signal && { signal }),
    })
    resolver.prefer(address.host, socket.remoteAddress ?? '')
    stream = new HelloStream(socket, options.helloMs ?? limits.helloMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) throw aborted()
    return await greetAsDialler(options, auth, socket, stream)
  } catch (error) {
    stream?.release()
    if (socket !== undefined) end(socket, error)
    throw withNode(error, options.address)
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

async function greetAsDialler(
  options: DialOptions,
  auth: 'key' | 'open',
  socket: Socket,
  stream: HelloStream,
): Promise<Established> {
  const own: wire.DiallerHello = {
    channel: options.channel,
    nonce: randomNonce(),
    nodeId: options.self.nodeId,
    incarnation: options.self.incarnation,
    transfer: options.transfer ?? null,
    from: options.from ?? null,
    to: options.to ?? null,
    caps: wire.ownCapabilities(auth),
  }
  const ownMessage = wire.encodeDiallerHello(own)
  await stream.write(ownMessage)

  const theirMessage = await stream.read()
  const their = wire.decodeAcceptorHello(theirMessage)
  wire.checkAuth(own.caps, their.caps)
  const { digests } = wire.negotiate(own.caps, their.caps)
  const transcript = wire.transcriptHash(nodePrimitives, ownMessage, theirMessage)
  const key = provedKey(options.keys, 'acceptor', transcript, wire.decodeProve(await stream.read()))
  if (options.expectedNodeId !== undefined && options.expectedNodeId !== their.nodeId) {
    throw new FrError('ERR_FR_UNREACHABLE', 'another node answers at that address')
  }

  const proof = wire.proofOf(nodePrimitives, key.bytes, 'dialler', transcript)
  await stream.write(wire.encodeAuth(proof))
  wire.decodeGo(await stream.read())
  const introduction: Introduction = {
    channel: own.channel,
    transfer: own.transfer,
    from: own.from,
    to: own.to,
    peer: {
      nodeId: their.nodeId,
      incarnation: their.incarnation,
      ...(their.advertise !== undefined && { advertise: their.advertise }),
    },
    remoteAddress: remoteAddressOf(socket),
    digests,
    key,
  }
  const behindGo = await stream.stop()
  socket.on('error', ignore)
  // The acceptor may speak as soon as it has said go; on a data channel detach() will refuse it.
  if (behindGo.length > 0) socket.unshift(behindGo)
  const nonces = { dialler: own.nonce, acceptor: their.nonce }
  const secrets = wire.sessionSecrets(nodePrimitives, key.bytes, nonces, transcript)
  return new Established(introduction, 'dialler', secrets, socket)
}

/**
 * Serves a connection just accepted, up to the point where the dialler has proved the key. Rejects
 * with FrError; the socket has then been told why, as far as that makes sense, and closes.
 */
export async function accept(socket: Socket, options: AcceptOptions): Promise<Admitted> {
  const auth = authOf(options.keys)
  options.guard?.admit(socket)
  const stream = new HelloStream(socket, options.helloMs ?? limits.helloMs)
  try {
    socket.setNoDelay(true)
    if (auth === 'open' && !isLoopback(socket.remoteAddress ?? '')) {
      throw new FrError('ERR_FR_OPEN', 'the accepting side has no key and serves only loopback')
    }
    const { introduction, secrets } = await greetAsAcceptor(options, auth, socket, stream)
    if ((await stream.stop()).length > 0 || socket.readableLength > 0) {
      throw new FrError('ERR_FR_PROTOCOL', 'handshake: the dialler did not wait for go')
    }
    socket.on('error', ignore)
    options.guard?.release(socket)
    return admit(socket, introduction, secrets)
  } catch (error) {
    stream.release()
    end(socket, error)
    throw error
  }
}

async function greetAsAcceptor(
  options: AcceptOptions,
  auth: 'key' | 'open',
  socket: Socket,
  stream: HelloStream,
): Promise<{ introduction: Introduction; secrets: wire.SessionSecrets }> {
  const theirMessage = await stream.read()
  const their = wire.decodeDiallerHello(theirMessage)
  const own: wire.AcceptorHello = {
    nonce: randomNonce(),
    nodeId: options.self.nodeId,
    incarnation: options.self.incarnation,
    ...(options.self.advertise !== undefined && { advertise: options.self.advertise }),
    caps: wire.ownCapabilities(auth),
  }
  wire.checkAuth(their.caps, own.caps)
  const { digests } = wire.negotiate(their.caps, own.caps)

  const ownMessage = wire.encodeAcceptorHello(own)
  const transcript = wire.transcriptHash(nodePrimitives, theirMessage, ownMessage)
  const proofs = options.keys.map((key) =>
    wire.proofOf(nodePrimitives, key.bytes, 'acceptor', transcript),
  )
  await stream.write(Buffer.concat([ownMessage, wire.encodeProve(proofs)]))

  const proof = wire.decodeAuth(await stream.read())
  const key = provedKey(options.keys, 'dialler', transcript, [proof])
  const introduction: Introduction = {
    channel: their.channel,
    transfer: their.transfer,
    from: their.from,
    to: their.to,
    peer: { nodeId: their.nodeId, incarnation: their.incarnation },
    remoteAddress: remoteAddressOf(socket),
    digests,
    key,
  }
  const nonces = { dialler: their.nonce, acceptor: own.nonce }
  const secrets = wire.sessionSecrets(nodePrimitives, key.bytes, nonces, transcript)
  return { introduction, secrets }
}

function admit(socket: Socket, introduction: Introduction, secrets: wire.SessionSecrets): Admitted {
  let isDecided = false
  const decide = (): void => {
    if (isDecided) throw new FrError('ERR_FR_CLOSED', 'go or refuse was called before')
    isDecided = true
  }
  return {
    ...introduction,
    async go() {
      decide()
      // An engine that takes the file descriptor takes nothing that JavaScript has yet to write.
      await new Promise<void>((resolve, reject) => {
        socket.write(wire.encodeGo(), (error) => (error ? reject(lostError(error)) : resolve()))
      })
      return new Established(introduction, 'acceptor', secrets, socket)
    },
    refuse(code, text) {
      decide()
      closeWithError(socket, code, text)
    },
  }
}

/** The first of our keys under which one of the proofs was made. */
function provedKey(
  keys: readonly Key[],
  role: wire.Role,
  transcript: Uint8Array,
  proofs: readonly Uint8Array[],
): Key {
  for (const key of keys) {
    const expected = wire.proofOf(nodePrimitives, key.bytes, role, transcript)
    if (proofs.some((proof) => nodePrimitives.equal(proof, expected))) return key
  }
  throw new FrError(
    'ERR_FR_AUTH',
    `the ${role === 'dialler' ? 'dialling' : 'accepting'} side does not hold the same key`,
  )
}

function authOf(keys: readonly Key[]): 'key' | 'open' {
  const [first] = keys
  if (first === undefined || keys.length > limits.keysPerSide) {
    throw new TypeError(`keys must hold 1 to ${limits.keysPerSide} keys`)
  }
  if (keys.length > 1 && keys.some((key) => key.isOpen)) {
    throw new TypeError('keys must not mix the open key with others')
  }
  return first.isOpen ? 'open' : 'key'
}

/** Closes after a failure; the peer hears of what it can do something about. */
function end(socket: Socket, error: unknown): void {
  const isWorthSaying =
    error instanceof FrError && error.code !== 'ERR_FR_NODE_LOST' && error.code !== 'ERR_FR_ABORTED'
  if (isWorthSaying && !wire.isSaidByPeer(error)) {
    closeWithError(socket, error.code, error.message)
  } else {
    socket.on('error', ignore)
    socket.destroy()
  }
}

/** HOST:PORT of the other end. */
export function remoteAddressOf(socket: Socket): string {
  return formatAddress({ host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 })
}

function withNode(error: unknown, node: string): unknown {
  if (!(error instanceof FrError)) return error
  const details: FrErrorDetails = { cause: error.cause ?? error, node }
  if (error.errno !== undefined) details.errno = error.errno
  if (error.syscall !== undefined) details.syscall = error.syscall
  return new FrError(error.code, error.message, details)
}
