/**
 * TLS 1.3 over a connected socket, with the cluster's key as pre-shared key and a fresh key
 * exchange: control, pull and status links.
 *
 * The dialler names its key in the clear and proves it by the binder of its first message; a wrong
 * key fails inside OpenSSL before anything else of the stranger is parsed. The acceptor gives its
 * reason as a TLS alert, the only thing that can be said to a stranger.
 *
 * One secure context serves all connections, because building one costs ten times a handshake. It
 * trusts no certificate and issues no tickets. A connection counts only when its own callback
 * returned the key: a resumed session would outlive a change of the key.
 *
 * Never: a socket without an `error` listener.
 */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  createSecureContext,
  type SecureContext,
  TLSSocket,
  type TLSSocketOptions,
  connect as tlsConnect,
} from 'node:tls'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import {
  decodePskIdentity,
  encodePskIdentity,
  keyIdOf,
  type PskIdentity,
  pskOf,
} from '../protocol/greeting.js'
import { nodePrimitives } from './crypto.js'
import { ignore, lostError } from './hello-stream.js'
import type { Key } from './keys.js'

const protocol = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:PSK',
} as const

/** First byte of a TLS connection: a handshake record. */
export const tlsFirstByte = 0x16

/** Alerts with the acceptor's reason, and Node's error codes for them (RFC 8446, section 6). */
export const alerts = {
  protocolVersion: [70, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'],
  keyless: [71, 'ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY'],
  unknownKey: [115, 'ERR_SSL_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY'],
  certified: [116, 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'],
} as const
/** OpenSSL's own alert: another key has that name. */
const wrongBinder = 'ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER'

let context: SecureContext | undefined

function sharedContext(): SecureContext {
  context ??= createSecureContext({
    ...protocol,
    ca: [],
    secureOptions: constants.SSL_OP_NO_TICKET,
  })
  return context
}

const derived = new WeakMap<Key, { readonly id: string; readonly psk: Uint8Array }>()

function pskFor(key: Key): { readonly id: string; readonly psk: Uint8Array } {
  const known = derived.get(key)
  if (known !== undefined) return known
  const made = {
    id: keyIdOf(nodePrimitives, key.bytes, key.isOpen),
    psk: pskOf(nodePrimitives, key.bytes, key.isOpen),
  }
  derived.set(key, made)
  return made
}

/** A paused TLS connection whose two sides have proved `key`. */
export interface Secured {
  readonly socket: TLSSocket
  readonly key: Key
  /** Exporter of RFC 9266: 32 bytes that no other connection has. */
  readonly channel: Uint8Array
  /** With certificates: whose it is. */
  readonly peer?: { readonly name: string; readonly certificate: Uint8Array }
  /** With certificates: why the other side is nobody; it is to be told. */
  readonly refusal?: FrError
}

/** The acceptor does not know our first key, but may know the next one. */
export class OtherKeyWanted extends FrError {}

/**
 * Proves `key`. `others` are named too, so that the acceptor knows which keys this side could use
 * next. Rejects with FrError. The raw socket is destroyed with the TLS socket.
 */
export async function secureAsDialler(
  raw: Socket,
  key: Key,
  others: readonly Key[],
): Promise<Secured> {
  const { id: keyId, psk } = pskFor(key)
  const otherKeyIds = others.map((other) => pskFor(other).id)
  const identity = encodePskIdentity({ version: limits.protocolVersion, keyId, otherKeyIds })
  let isAsked = false
  const socket = tlsConnect({
    ...protocol,
    socket: raw,
    secureContext: sharedContext(),
    pskCallback: () => {
      isAsked = true
      return { psk, identity }
    },
    checkServerIdentity: () => undefined,
  })
  try {
    await settled(socket, raw, 'secureConnect')
  } catch (error) {
    throw diallerError(error as NodeJS.ErrnoException, key)
  }
  if (!isAsked) throw new FrError('ERR_FR_AUTH', notSame('accepting'))
  return secured(socket, key)
}

/** Options of a TLSSocket that Node's types lack. */
interface PskServerOptions {
  readonly pskCallback: (socket: TLSSocket, identity: string) => Uint8Array | null
}

/** Finds the key that the dialler names and lets it prove that key. Rejects with FrError. */
export async function secureAsAcceptor(raw: Socket, keys: readonly Key[]): Promise<Secured> {
  let key: Key | undefined
  let refusal: FrError | undefined
  const options: TLSSocketOptions & PskServerOptions = {
    isServer: true,
    secureContext: sharedContext(),
    pskCallback: (_, identity) => {
      const said = decodePskIdentity(identity)
      key = said === null ? undefined : keys.find((own) => isNamed(own, said))
      if (key !== undefined) return pskFor(key).psk
      if (said === null) return null
      const { alert, error } = refusalOf(said, keys)
      refusal = error
      // Sent before OpenSSL's own alert, which would not give the reason.
      raw.write(Uint8Array.of(0x15, 3, 3, 0, 2, 2, alert))
      return null
    },
  }
  const socket = new TLSSocket(raw, options)
  // Node keeps errors, such as a changed record, of a socket that no tls.Server made.
  socket.on('_tlsError', (error: Error) => socket.destroy(error))
  try {
    await settled(socket, raw, 'secure')
  } catch (error) {
    throw refusal ?? acceptorError(error as NodeJS.ErrnoException)
  }
  if (key === undefined) {
    socket.on('error', ignore).destroy()
    throw new FrError('ERR_FR_AUTH', notSame('dialling'))
  }
  return secured(socket, key)
}

function isNamed(key: Key, { version, keyId }: PskIdentity): boolean {
  return version === limits.protocolVersion && keyId === pskFor(key).id
}

/** Says why none of our keys fits. */
function refusalOf(said: PskIdentity, keys: readonly Key[]): { alert: number; error: FrError } {
  if (said.version !== limits.protocolVersion) {
    const own = limits.protocolVersion
    const text = `the peer speaks protocol version ${said.version}, this side ${own}`
    return { alert: alerts.protocolVersion[0], error: new FrError('ERR_FR_VERSION', text) }
  }
  const isOpen = keys[0]?.isOpen === true
  if (isOpen) {
    const error = new FrError('ERR_FR_AUTH', lacks('accepting'))
    return { alert: alerts.keyless[0], error }
  }
  if (said.keyId === 'open') {
    const error = new FrError('ERR_FR_AUTH', lacks('dialling'))
    return { alert: alerts.unknownKey[0], error }
  }
  const text = notSame('dialling')
  const mayComeAgain = keys.some((key) => said.otherKeyIds.includes(pskFor(key).id))
  const error = mayComeAgain
    ? new FrError('ERR_FR_CLOSED', 'the dialler will retry with its other key')
    : new FrError('ERR_FR_AUTH', text)
  return { alert: alerts.unknownKey[0], error }
}

function diallerError(error: NodeJS.ErrnoException, key: Key): FrError {
  switch (error.code) {
    case alerts.protocolVersion[1]: {
      const own = limits.protocolVersion
      const text = `the peer speaks another protocol version than this side, ${own}`
      return new FrError('ERR_FR_VERSION', text)
    }
    case alerts.keyless[1]:
      return new FrError('ERR_FR_AUTH', lacks('accepting'))
    case alerts.unknownKey[1]:
      if (key.isOpen) return new FrError('ERR_FR_AUTH', lacks('dialling'))
      return new OtherKeyWanted('ERR_FR_AUTH', notSame('accepting'))
    case alerts.certified[1]:
      return new FrError('ERR_FR_AUTH', hasCertificate('accepting'))
    case wrongBinder:
      return new FrError('ERR_FR_AUTH', notSame('accepting'))
    default:
      return lostError(error)
  }
}

function acceptorError(error: NodeJS.ErrnoException): FrError {
  if (error.code === 'ERR_SSL_BINDER_DOES_NOT_VERIFY')
    return new FrError('ERR_FR_AUTH', notSame('dialling'))
  return lostError(error)
}

function notSame(side: 'dialling' | 'accepting'): string {
  return `the ${side} side does not hold the same key`
}

function lacks(side: 'dialling' | 'accepting'): string {
  const other = side === 'dialling' ? 'accepting' : 'dialling'
  return `the ${other} side has a key, the ${side} side has none`
}

/** The other side has a key, or nothing. */
export function hasCertificate(side: 'dialling' | 'accepting'): string {
  const other = side === 'dialling' ? 'accepting' : 'dialling'
  return `the ${side} side has a certificate, the ${other} side has none`
}

/** Resolves when the handshake is over; the `error` listener `ignore` stays. */
export function settled(
  socket: TLSSocket,
  raw: Socket,
  done: 'secure' | 'secureConnect',
): Promise<void> {
  raw.on('error', ignore)
  socket.on('error', ignore)
  return new Promise((resolve, reject) => {
    const release = (): void => {
      socket.off(done, onDone)
      socket.off('error', onError)
      socket.off('close', onClose)
    }
    const onDone = (): void => {
      release()
      socket.off('error', ignore)
      resolve()
    }
    const onError = (error: Error): void => {
      release()
      reject(error)
    }
    const onClose = (): void =>
      onError(new FrError('ERR_FR_NODE_LOST', 'the peer closed the connection in the handshake'))
    socket.on(done, onDone)
    socket.on('error', onError)
    socket.on('close', onClose)
  })
}

function secured(socket: TLSSocket, key: Key): Secured {
  return { socket, key, channel: channelOf(socket) }
}

export function channelOf(socket: TLSSocket): Uint8Array {
  return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
}
