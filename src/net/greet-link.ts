/**
 * Both sides of a link's beginning: TLS with the cluster's key, then hello, welcome and go
 * (protocol/greeting.ts).
 *
 * Never: a link that was led back to the node that dialled it.
 */
import type { Socket } from 'node:net'
import { FrError } from '../base/errors.js'
import * as wire from '../protocol/greeting.js'
import { nodePrimitives } from './crypto.js'
import { type Admitted, Established, type Introduction, remoteAddressOf } from './established.js'
import { closeWithError, HelloStream, ignore, lostError } from './hello-stream.js'
import type { Key } from './keys.js'
import { type Secured, secureAsAcceptor, secureAsDialler } from './tls.js'

export interface LinkHello {
  readonly self: wire.Identity
  readonly channel: wire.LinkChannel
  readonly transfer: string | null
  readonly from: number | null
  readonly to: number | null
  /** Refuses any other node that answers, with ERR_FR_UNREACHABLE. */
  readonly expectedNodeId?: string | undefined
}

/** Rejects with FrError; the peer has then been told why, as far as that makes sense. */
export async function greetLink(
  raw: Socket,
  hello: LinkHello,
  key: Key,
  otherKeys: readonly Key[],
): Promise<Established> {
  const secured = await secureAsDialler(raw, key, otherKeys)
  const { socket, channel } = secured
  const stream = new HelloStream(socket, wire.greetingBytes)
  try {
    const { self, expectedNodeId, ...part } = hello
    const prove = proverOf(key, channel)
    const proof = prove('dialler', self.nodeId, null)
    const { nodeId, incarnation } = self
    await stream.write(
      wire.encodeHello({ ...part, nodeId, incarnation, digests: wire.ownDigests, proof }),
    )
    const { digests: theirs, proof: theirProof, ...peer } = wire.decodeWelcome(await stream.read())
    if (theirProof !== prove('acceptor', self.nodeId, peer.nodeId)) throw badProof('accepting')
    if (peer.nodeId === self.nodeId) throw ledBack()
    const digests = wire.commonDigests(wire.ownDigests, theirs)
    if (expectedNodeId !== undefined && expectedNodeId !== peer.nodeId)
      throw new FrError('ERR_FR_UNREACHABLE', 'another node answers at that address')
    wire.decodeGo(await stream.read())
    const remoteAddress = remoteAddressOf(raw)
    const introduction = { ...part, peer, remoteAddress, digests, key }
    const behindGo = stream.stop()
    socket.on('error', ignore)
    // The acceptor may speak as soon as it has said go.
    if (behindGo.length > 0) socket.unshift(behindGo)
    return new Established(introduction, null, { socket, raw })
  } catch (error) {
    stream.release()
    end(secured, error)
    throw error
  }
}

/** Rejects as `greetLink` does. */
export async function takeLink(
  raw: Socket,
  self: wire.Identity,
  keys: readonly Key[],
): Promise<Admitted> {
  const secured = await secureAsAcceptor(raw, keys)
  const { socket, key, channel } = secured
  const stream = new HelloStream(socket, wire.greetingBytes)
  try {
    const their = wire.decodeHello(await stream.read())
    const prove = proverOf(key, channel)
    if (their.proof !== prove('dialler', their.nodeId, null)) throw badProof('dialling')
    if (their.nodeId === self.nodeId) throw ledBack()
    const digests = wire.commonDigests(their.digests, wire.ownDigests)
    const proof = prove('acceptor', their.nodeId, self.nodeId)
    await stream.write(wire.encodeWelcome({ ...self, digests: wire.ownDigests, proof }))
    if (stream.stop().length > 0 || socket.readableLength > 0)
      throw new FrError('ERR_FR_PROTOCOL', 'handshake: the dialler did not wait for go')
    socket.on('error', ignore)
    const introduction: LinkIntroduction = {
      channel: their.channel,
      transfer: their.transfer,
      from: their.from,
      to: their.to,
      peer: { nodeId: their.nodeId, incarnation: their.incarnation },
      remoteAddress: remoteAddressOf(raw),
      digests,
      key,
    }
    return admit(introduction, raw, socket)
  } catch (error) {
    stream.release()
    end(secured, error)
    throw error
  }
}

type LinkIntroduction = Introduction & { readonly channel: wire.LinkChannel }

function admit(introduction: LinkIntroduction, raw: Socket, socket: Socket): Admitted {
  let isDecided = false
  const decide = (): void => {
    if (isDecided) throw new FrError('ERR_FR_CLOSED', 'go or refuse was called before')
    isDecided = true
  }
  return {
    ...introduction,
    async go() {
      decide()
      await new Promise<void>((resolve, reject) => {
        socket.write(wire.encodeGo(), (error) => (error ? reject(lostError(error)) : resolve()))
      })
      return new Established(introduction, null, { socket, raw })
    },
    refuse(code, text) {
      decide()
      closeWithError(socket, wire.encodeError(code, text))
    },
  }
}

/** Of one connection; the ids are the dialler's and, where it is known, the acceptor's. */
function proverOf(key: Key, channel: Uint8Array) {
  return (role: wire.Role, dialler: string, acceptor: string | null): string =>
    wire.linkProof(nodePrimitives, key.bytes, role, channel, { dialler, acceptor })
}

function badProof(side: 'dialling' | 'accepting'): FrError {
  return new FrError('ERR_FR_AUTH', `the proof of the ${side} side is wrong`)
}

function ledBack(): FrError {
  return new FrError('ERR_FR_AUTH', 'the connection was led back to the node that dialled it')
}

/** Closes after a failure; the peer hears of what it can do something about. */
function end({ socket }: Secured, error: unknown): void {
  const isWorthSaying =
    error instanceof FrError && error.code !== 'ERR_FR_NODE_LOST' && !wire.isSaidByPeer(error)
  if (isWorthSaying) closeWithError(socket, wire.encodeError(error.code, error.message))
  else socket.on('error', ignore).destroy()
}
