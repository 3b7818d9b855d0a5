/**
 * Both sides of the opening of a data connection (protocol/ticket.ts).
 *
 * Until the last message has come a side sends nothing behind its own, and who is to receive stops
 * reading in the socket's handle before its last message leaves. So no later byte can be in a
 * JavaScript buffer when an engine takes the connection.
 */
import type { Socket } from 'node:net'
import { FrError } from '../base/errors.js'
import { type Lacking, lacksAll } from '../control/messages/types.js'
import { ownDigests, saidBy } from '../protocol/greeting.js'
import * as wire from '../protocol/ticket.js'
import { nodePrimitives, randomNonce } from './crypto.js'
import { Established, type Introduction, remoteAddressOf, type Ticketed } from './established.js'
import {
  closeAfter,
  closeWithError,
  HelloStream,
  ignore,
  onlyOnce,
  stopReading,
  within,
  writeLast,
} from './hello-stream.js'
import type { Key } from './keys.js'
import { OtherKeyWanted } from './tls.js'

export interface DataHello extends wire.TicketPlace {
  readonly edge: wire.Edge
  /** One more connection, beside one of this edge. */
  readonly isBeside?: boolean | undefined
  /** See DialOptions. */
  readonly hasLastWord?: boolean | undefined
}

/** Rejects with FrError, after telling the peer the reason where that makes sense. */
export async function greetData(
  socket: Socket,
  { edge, isBeside = false, hasLastWord = false, ...place }: DataHello,
  key: Key,
): Promise<Established> {
  const stream = new HelloStream(socket, wire.provedBytes)
  try {
    const nonce = randomNonce()
    const ticket = { ...place, edgeId: edge.id, nonce, isBeside }
    await stream.write(wire.encodeTicket(nodePrimitives, sharedOf(key, edge), ticket))
    const challenge = await stream.read()
    const nonces = { dialler: nonce, acceptor: nonceIn(challenge) }
    const keys = wire.feedKeys(nodePrimitives, edge, place, nonces)
    if (!wire.isChallengeOf(nodePrimitives, keys, challenge)) throw badProof('accepting')
    if (hasLastWord) await stopReading(socket)
    await stream.write(wire.confirmation(nodePrimitives, keys))
    const lacking = hasLastWord ? lacksAll : wire.takeGo(nodePrimitives, keys, await stream.read())
    if (!hasLastWord) await stopReading(socket)
    const behind = stream.stop()
    socket.on('error', ignore)
    // Bytes behind the last answer are an error on a data channel: detach() will refuse them.
    if (behind.length > 0) socket.unshift(behind)
    const terms = { ...keys, lacking }
    return new Established(introductionOf(socket, place, key), terms, { socket, raw: socket })
  } catch (error) {
    stream.release()
    closeAfter(socket, error, wire.encodeRefusal)
    throw error
  }
}

/** What the MAC of a ticket is made with. */
function sharedOf(key: Key, edge: wire.Edge): Uint8Array {
  return key.certificates ? edge.secret : key.bytes
}

/** Throws OtherKeyWanted where the acceptor does not know the key of the ticket. */
function nonceIn(challenge: Uint8Array): Uint8Array {
  try {
    return wire.nonceOf(challenge)
  } catch (error) {
    const isUnknown = error instanceof FrError && error.code === 'ERR_FR_AUTH'
    if (!isUnknown) throw error
    throw saidBy(new OtherKeyWanted('ERR_FR_AUTH', error.message))
  }
}

/**
 * Rejects as `greetData` does. `proved` is called once the dialler is known to be no stranger: with
 * a key by its ticket, with certificates only by the secret of its edge.
 */
export async function takeData(
  socket: Socket,
  keys: readonly Key[],
  helloMs: number | undefined,
  proved: () => void,
): Promise<Ticketed> {
  const stream = new HelloStream(socket, wire.ticketBytesOf)
  try {
    const message = await stream.read()
    const { edgeId, nonce, isBeside = false, ...place } = wire.decodeTicket(message)
    const isFor = (own: Key): boolean =>
      own.certificates !== undefined || wire.isTicketOf(nodePrimitives, own.bytes, message)
    const key = keys.find(isFor)
    if (key === undefined)
      throw new FrError('ERR_FR_AUTH', 'the dialling side does not hold the same key')
    const isLater = key.certificates !== undefined
    const isProved = (edge: wire.Edge): boolean =>
      !isLater || wire.isTicketOf(nodePrimitives, edge.secret, message)
    await stopReading(socket)
    if (stream.stop().length > 0 || socket.readableLength > 0)
      throw new FrError('ERR_FR_PROTOCOL', 'the dialler of a data connection did not wait for go')
    socket.on('error', ignore)
    const introduction = introductionOf(socket, place, key)
    if (!isLater) proved()
    const shown = { edgeId, isBeside, nonce, place, isProved, proved }
    return ticketed(socket, introduction, shown, helloMs)
  } catch (error) {
    stream.release()
    closeAfter(socket, error, wire.encodeRefusal)
    throw error
  }
}

interface Shown {
  readonly edgeId: string
  readonly isBeside: boolean
  /** Nonce of the dialler. */
  readonly nonce: Uint8Array
  readonly place: wire.TicketPlace
  /** False: the ticket was not made by whoever has the secret of this edge. */
  readonly isProved: (edge: wire.Edge) => boolean
  readonly proved: () => void
}

function ticketed(
  socket: Socket,
  introduction: FeedIntroduction,
  { edgeId, isBeside, nonce, place, isProved, proved }: Shown,
  helloMs: number | undefined,
): Ticketed {
  const decide = onlyOnce()
  return {
    ...introduction,
    edgeId,
    isBeside,
    async go(edge, lacking = () => lacksAll) {
      decide()
      if (!isProved(edge)) throw refused(socket, badProof('dialling'))
      const own = randomNonce()
      const nonces = { dialler: nonce, acceptor: own }
      const keys = wire.feedKeys(nodePrimitives, edge, place, nonces)
      await within(socket, helloMs, undefined, () => confirmed(socket, keys, own, lacking))
      proved()
      return new Established(introduction, keys, { socket, raw: socket })
    },
    refuse(code, text) {
      decide()
      closeWithError(socket, wire.encodeRefusal(code, text))
    },
  }
}

function refused(socket: Socket, error: FrError): FrError {
  closeAfter(socket, error, wire.encodeRefusal)
  return error
}

/** Challenges the dialler; `go`, where there is one, has been sent when this resolves. */
async function confirmed(
  socket: Socket,
  keys: wire.FeedKeys,
  nonce: Uint8Array,
  lacking: (() => Lacking) | null,
): Promise<void> {
  const stream = new HelloStream(socket, () => wire.confirmBytes)
  try {
    await stream.write(wire.encodeChallenge(nodePrimitives, keys, nonce))
    const proof = await stream.read()
    if (!nodePrimitives.equal(proof, wire.confirmation(nodePrimitives, keys)))
      throw badProof('dialling')
    await stopReading(socket)
    if (stream.stop().length > 0 || socket.readableLength > 0)
      throw new FrError('ERR_FR_PROTOCOL', 'the dialler of a data connection did not wait for go')
    if (lacking !== null) await writeLast(socket, wire.proveGo(nodePrimitives, keys, lacking()))
  } catch (error) {
    stream.release()
    closeAfter(socket, error, wire.encodeRefusal)
    throw error
  }
}

type FeedIntroduction = Introduction & wire.TicketPlace & { readonly channel: 'data' }

function introductionOf(socket: Socket, place: wire.TicketPlace, key: Key): FeedIntroduction {
  const { transfer, from, to } = place
  const remoteAddress = remoteAddressOf(socket)
  return {
    channel: 'data',
    transfer,
    from,
    to,
    peer: null,
    remoteAddress,
    digests: ownDigests,
    key,
  }
}

function badProof(side: 'dialling' | 'accepting'): FrError {
  return new FrError('ERR_FR_AUTH', `the ${side} side does not hold the secret of this edge`)
}
