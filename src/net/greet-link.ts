/**
 * Both sides of the opening of a link: TLS with the cluster's key or certificates, then hello,
 * welcome and go (protocol/greeting.ts).
 *
 * Never: accepts a link that leads back to the node that dialled it.
 */
import type { Socket } from 'node:net'
import { FrError } from '../base/errors.js'
import * as wire from '../protocol/greeting.js'
import { nodePrimitives } from './crypto.js'
import {
  type Admitted,
  Established,
  type Introduction,
  remoteAddressOf,
  Unwelcome,
} from './established.js'
import {
  closeAfter,
  closeWithError,
  HelloStream,
  ignore,
  onlyOnce,
  writeLast,
} from './hello-stream.js'
import type { Key } from './keys.js'
import { type Secured, secureAsAcceptor, secureAsDialler } from './tls.js'
import { certifiedAcceptor, certifiedDialler } from './tls-certified.js'

export interface LinkHello {
  readonly self: wire.Self
  readonly channel: wire.LinkChannel
  readonly transfer: string | null
  readonly from: number | null
  readonly to: number | null
  /** Refuses another node at the address, with ERR_FR_UNREACHABLE. */
  readonly expectedNodeId?: string | undefined
  readonly link?: LastingLink | undefined
}

/** A link that can go on over another connection. */
export interface LastingLink {
  /** 32 hex digits. */
  readonly id: string
  /** It goes on: nothing more is taken on its last connection, on which so many frames came. */
  readonly heard?: () => number
}

/** Rejects with FrError, after telling the peer the reason where that makes sense. */
export async function greetLink(
  raw: Socket,
  hello: LinkHello,
  key: Key,
  otherKeys: readonly Key[],
): Promise<Established> {
  const secured = key.certificates
    ? await certifiedDialler(raw, key)
    : await secureAsDialler(raw, key, otherKeys)
  const { socket, channel, refusal } = secured
  const stream = new HelloStream(socket, wire.greetingBytes)
  try {
    if (refusal !== undefined) throw refusal
    const { self, expectedNodeId, link, ...part } = hello
    const word = wordOf(self, wire.linkStatement('dialler', channel, idsOf(self, null)))
    const heard = link?.heard?.()
    const told = link && { link: { id: link.id, ...(heard !== undefined && { heard }) } }
    await stream.write(wire.encodeHello({ ...part, ...word, ...told }))
    const their = wire.decodeWelcome(await stream.read())
    const peer = peerOf(their, secured)
    const statement = wire.linkStatement('acceptor', channel, idsOf(self, peer))
    if (!isSigned(their, statement)) throw badSignature('accepting')
    if (peer.nodeId === self.nodeId) throw ledBack()
    requireAdmitted(self, peer)
    const digests = wire.commonDigests(wire.ownDigests, their.digests)
    if (expectedNodeId !== undefined && expectedNodeId !== peer.nodeId)
      throw new FrError('ERR_FR_UNREACHABLE', 'another node answers at that address')
    const go = wire.decodeGo(await stream.read())
    if ((go.heard === undefined) !== (heard === undefined))
      throw new FrError('ERR_FR_PROTOCOL', 'the accepting side has mistaken the link')
    const remoteAddress = remoteAddressOf(raw)
    const lasting = link && { link: { id: link.id, ...go } }
    const introduction = { ...part, peer, remoteAddress, digests, key, ...lasting }
    const behindGo = stream.stop()
    watch(raw, self, secured, peer)
    socket.on('error', ignore)
    // The acceptor may send frames right after `go`.
    if (behindGo.length > 0) socket.unshift(behindGo)
    return new Established(introduction, null, { socket, raw })
  } catch (error) {
    stream.release()
    closeAfter(socket, error, wire.encodeError)
    throw error
  }
}

/** Rejects as `greetLink` does. */
export async function takeLink(
  raw: Socket,
  self: wire.Self,
  keys: readonly Key[],
): Promise<Admitted> {
  const [own] = keys
  const secured = own?.certificates
    ? await certifiedAcceptor(raw, own)
    : await secureAsAcceptor(raw, keys)
  const { socket, key, channel, refusal } = secured
  const stream = new HelloStream(socket, wire.greetingBytes)
  try {
    if (refusal !== undefined) throw refusal
    const their = wire.decodeHello(await stream.read())
    const peer = peerOf(their, secured)
    const statement = wire.linkStatement('dialler', channel, idsOf(peer, null))
    if (!isSigned(their, statement)) throw badSignature('dialling')
    if (peer.nodeId === self.nodeId) throw ledBack()
    requireAdmitted(self, peer)
    const digests = wire.commonDigests(their.digests, wire.ownDigests)
    const word = wordOf(self, wire.linkStatement('acceptor', channel, idsOf(peer, self)))
    const { advertise, seal } = self
    const limits = self.limits?.()
    const sealed = seal === undefined ? {} : ({ sealed: true } as const)
    const more = { ...(advertise && { advertise }), ...(limits && { limits }), ...sealed }
    await stream.write(wire.encodeWelcome({ ...word, ...more }))
    if (stream.stop().length > 0 || socket.readableLength > 0)
      throw new FrError('ERR_FR_PROTOCOL', 'handshake: the dialler did not wait for go')
    socket.on('error', ignore)
    watch(raw, self, secured, peer)
    const introduction: LinkIntroduction = {
      channel: their.channel,
      transfer: their.transfer,
      from: their.from,
      to: their.to,
      peer,
      remoteAddress: remoteAddressOf(raw),
      digests,
      key,
      ...(their.link && { link: their.link }),
    }
    return admit(introduction, raw, socket)
  } catch (error) {
    stream.release()
    closeAfter(socket, error, wire.encodeError)
    throw error
  }
}

type LinkIntroduction = Introduction & { readonly channel: wire.LinkChannel }

function admit(introduction: LinkIntroduction, raw: Socket, socket: Socket): Admitted {
  const decide = onlyOnce()
  return {
    ...introduction,
    async go(heard) {
      decide()
      await writeLast(socket, wire.encodeGo(heard))
      return new Established(introduction, null, { socket, raw })
    },
    refuse(code, text, address) {
      decide()
      closeWithError(socket, wire.encodeError(code, text, address))
    },
  }
}

interface Named {
  readonly nodeId: string
}

function idsOf(dialler: Named, acceptor: Named | null) {
  return { dialler: dialler.nodeId, acceptor: acceptor?.nodeId ?? null }
}

/** The link ends when its other side is not authorized any more, or its certificate is revoked. */
function watch(
  raw: Socket,
  self: wire.Self,
  { key, peer: shown }: Secured,
  { nodeId }: Named,
): void {
  self.linked?.(nodeId, raw)
  if (shown !== undefined) key.certificates?.connected(raw, { nodeId, ...shown })
}

function peerOf(
  { publicKey, incarnation, ...more }: wire.Welcome,
  { peer }: Secured,
): wire.Identity {
  const nodeId = wire.nodeIdOf(nodePrimitives, publicKey)
  const certified = peer && { name: peer.name }
  const { attributes, advertise, limits, sealed } = more
  const claims = attributes && { attributes }
  const said = { ...claims, ...(advertise && { advertise }), ...(limits && { limits }) }
  return { nodeId, incarnation, ...certified, ...said, ...(sealed && { sealed }) }
}

/** What this side says about itself. */
function wordOf({ signer, incarnation, ...self }: wire.Self, said: Uint8Array): wire.Welcome {
  const { publicKey } = signer
  const claims = self.attributes && { attributes: self.attributes }
  const proof = { publicKey, incarnation, digests: wire.ownDigests, signature: signer.sign(said) }
  return { ...proof, ...claims }
}

function isSigned({ publicKey, signature }: wire.Welcome, statement: Uint8Array): boolean {
  return nodePrimitives.verify(publicKey, signature, statement)
}

function badSignature(side: 'dialling' | 'accepting'): FrError {
  return new FrError('ERR_FR_AUTH', `the signature of the ${side} side is wrong`)
}

function requireAdmitted({ admits }: wire.Self, { nodeId, name }: wire.Identity): void {
  if (admits?.(nodeId, name ?? null) !== false) return
  const who = name === undefined ? nodeId : `${nodeId} (${name})`
  throw new Unwelcome('ERR_FR_AUTH', `${who} is not among the authorized peers`)
}

function ledBack(): FrError {
  return new FrError('ERR_FR_AUTH', 'the connection leads back to the node that dialled it')
}
