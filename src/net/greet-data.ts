/**
 * Both sides of the handshake of a data connection over a socket; messages and secrets are
 * protocol/hello.ts.
 *
 * Idea: between its last message and the peer's `go` a side sends nothing, and reading is stopped
 * in the socket's handle before `go` leaves; so no byte of what follows can be in a JavaScript
 * buffer when an engine takes the connection.
 */
import type { Socket } from 'node:net'
import { FrError } from '../base/errors.js'
import { isSaidByPeer } from '../protocol/greeting.js'
import * as wire from '../protocol/hello.js'
import { nodePrimitives, randomNonce } from './crypto.js'
import { type Admitted, Established, type Introduction, remoteAddressOf } from './established.js'
import { closeWithError, HelloStream, ignore, lostError, stopReading } from './hello-stream.js'
import type { Key } from './keys.js'

export interface DataHello {
  readonly self: wire.Identity
  readonly transfer: string
  readonly from: number
  readonly to: number
  readonly expectedNodeId?: string | undefined
}

type Auth = 'key' | 'open'

/** Rejects with FrError; the peer has then been told why, as far as that makes sense. */
export async function greetData(
  socket: Socket,
  hello: DataHello,
  keys: readonly Key[],
): Promise<Established> {
  const stream = new HelloStream(socket, wire.messageBytes)
  try {
    return await greetAsDialler(socket, stream, hello, keys)
  } catch (error) {
    stream.release()
    end(socket, error)
    throw error
  }
}

/** Rejects as `greetData` does. */
export async function takeData(
  socket: Socket,
  self: wire.Identity,
  keys: readonly Key[],
): Promise<Admitted> {
  const stream = new HelloStream(socket, wire.messageBytes)
  try {
    const { introduction, secrets } = await greetAsAcceptor(socket, stream, self, keys)
    await stopReading(socket)
    if (stream.stop().length > 0 || socket.readableLength > 0) {
      throw new FrError('ERR_FR_PROTOCOL', 'handshake: the dialler did not wait for go')
    }
    socket.on('error', ignore)
    return admit(socket, introduction, secrets)
  } catch (error) {
    stream.release()
    end(socket, error)
    throw error
  }
}

function authOf(keys: readonly Key[]): Auth {
  return keys[0]?.isOpen === true ? 'open' : 'key'
}

async function greetAsDialler(
  socket: Socket,
  stream: HelloStream,
  { self, transfer, from, to, expectedNodeId }: DataHello,
  keys: readonly Key[],
): Promise<Established> {
  const own: wire.DiallerHello = {
    channel: 'data',
    nonce: randomNonce(),
    nodeId: self.nodeId,
    incarnation: self.incarnation,
    transfer,
    from,
    to,
    caps: wire.ownCapabilities(authOf(keys)),
  }
  const ownMessage = wire.encodeDiallerHello(own)
  await stream.write(ownMessage)

  const theirMessage = await stream.read()
  const their = wire.decodeAcceptorHello(theirMessage)
  wire.checkAuth(own.caps, their.caps)
  const { digests } = wire.negotiate(own.caps, their.caps)
  const transcript = wire.transcriptHash(nodePrimitives, ownMessage, theirMessage)
  const key = provedKey(keys, 'acceptor', transcript, wire.decodeProve(await stream.read()))
  if (expectedNodeId !== undefined && expectedNodeId !== their.nodeId) {
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
  await stopReading(socket)
  const behindGo = stream.stop()
  socket.on('error', ignore)
  // The acceptor may speak as soon as it has said go; on a data channel detach() will refuse it.
  if (behindGo.length > 0) socket.unshift(behindGo)
  const nonces = { dialler: own.nonce, acceptor: their.nonce }
  const secrets = wire.sessionSecrets(nodePrimitives, key.bytes, nonces, transcript)
  return new Established(introduction, secrets, { socket, raw: socket })
}

async function greetAsAcceptor(
  socket: Socket,
  stream: HelloStream,
  self: wire.Identity,
  keys: readonly Key[],
): Promise<{ introduction: Introduction; secrets: wire.SessionSecrets }> {
  const theirMessage = await stream.read()
  const their = wire.decodeDiallerHello(theirMessage)
  const own: wire.AcceptorHello = {
    nonce: randomNonce(),
    ...self,
    caps: wire.ownCapabilities(authOf(keys)),
  }
  wire.checkAuth(their.caps, own.caps)
  const { digests } = wire.negotiate(their.caps, own.caps)

  const ownMessage = wire.encodeAcceptorHello(own)
  const transcript = wire.transcriptHash(nodePrimitives, theirMessage, ownMessage)
  const proofs = keys.map((key) => wire.proofOf(nodePrimitives, key.bytes, 'acceptor', transcript))
  await stream.write(Buffer.concat([ownMessage, wire.encodeProve(proofs)]))

  const proof = wire.decodeAuth(await stream.read())
  const key = provedKey(keys, 'dialler', transcript, [proof])
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
      return new Established(introduction, secrets, { socket, raw: socket })
    },
    refuse(code, text) {
      decide()
      closeWithError(socket, wire.encodeError(code, text))
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

/** Closes after a failure; the peer hears of what it can do something about. */
function end(socket: Socket, error: unknown): void {
  const isWorthSaying =
    error instanceof FrError && error.code !== 'ERR_FR_NODE_LOST' && !isSaidByPeer(error)
  if (isWorthSaying) closeWithError(socket, wire.encodeError(error.code, error.message))
  else socket.on('error', ignore).destroy()
}
