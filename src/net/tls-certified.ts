/**
 * TLS 1.3 with certificates on both sides, in place of the cluster's key (tls.ts). Each side judges
 * the chain of the other by its own authorities, period of validity and list of what is revoked.
 * No host names are compared: who it is, the certificate's name says.
 *
 * A chain that does not hold ends the connection after the handshake of TLS, so that the other side
 * is told why, inside it. Nothing of a greeting is read before.
 *
 * The protocol's version is the one of the application protocol (ALPN) that both sides name.
 */
import type { Socket } from 'node:net'
import { TLSSocket, type TLSSocketOptions, connect as tlsConnect } from 'node:tls'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { nameOfPeer } from './certificates.js'
import { Unwelcome } from './established.js'
import { lostError } from './hello-stream.js'
import type { Key } from './keys.js'
import { alerts, channelOf, hasCertificate, type Secured, settled } from './tls.js'

const application = `fastreplica/${limits.protocolVersion}`

const noApplication = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'
/** The acceptor has no certificate: it wants a key. */
const keyWanted = 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'

/** Rejects with FrError. The raw socket is destroyed with the TLS socket. */
export async function certifiedDialler(raw: Socket, key: Key): Promise<Secured> {
  const socket = tlsConnect({
    socket: raw,
    secureContext: contextOf(key),
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ALPNProtocols: [application],
    // Judged below.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  })
  try {
    await settled(socket, raw, 'secureConnect')
  } catch (error) {
    throw diallerError(error as NodeJS.ErrnoException)
  }
  return certified(socket, key, 'accepting', socket.authorizationError)
}

/** Options and insides of a TLSSocket that Node's types lack; the same in Node 20 to 26. */
interface CertifiedServerOptions {
  readonly pskCallback: (socket: TLSSocket, identity: string) => null
}
interface Insides {
  readonly _handle: { verifyError(): NodeJS.ErrnoException | null }
}

/** Rejects as `certifiedDialler` does. */
export async function certifiedAcceptor(raw: Socket, key: Key): Promise<Secured> {
  let isKeyShown = false
  const options: TLSSocketOptions & CertifiedServerOptions = {
    isServer: true,
    secureContext: contextOf(key),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: protocolsOf(application) as never,
    pskCallback: () => {
      isKeyShown = true
      // Sent before OpenSSL's own alert, which would not give the reason.
      raw.write(Uint8Array.of(0x15, 3, 3, 0, 2, 2, alerts.certified[0]))
      return null
    },
  }
  const socket = new TLSSocket(raw, options)
  // Node keeps errors, such as a changed record, of a socket that no tls.Server made.
  socket.on('_tlsError', (error: Error) => socket.destroy(error))
  try {
    await settled(socket, raw, 'secure')
  } catch (error) {
    if (isKeyShown) throw new FrError('ERR_FR_AUTH', hasCertificate('accepting'))
    throw lostError(error as NodeJS.ErrnoException)
  }
  const { _handle } = socket as unknown as Insides
  return certified(socket, key, 'dialling', _handle.verifyError())
}

type Side = 'dialling' | 'accepting'

/** `fault`: what OpenSSL finds of the chain of the `side` that is the other one. */
function certified(
  socket: TLSSocket,
  key: Key,
  side: Side,
  fault: Error | string | null | undefined,
): Secured {
  const refusal = refusalOf(socket, side, fault)
  const shown = socket.getPeerCertificate()
  const name = refusal === undefined ? nameOfPeer(shown) : ''
  const nobody =
    name === null
      ? new FrError('ERR_FR_AUTH', `the certificate of the ${side} side names nobody`)
      : undefined
  const secured: Secured = { socket, key, channel: channelOf(socket) }
  const why = refusal ?? nobody
  if (why !== undefined) return { ...secured, refusal: why }
  return { ...secured, peer: { name: name as string, certificate: shown.raw } }
}

function refusalOf(
  socket: TLSSocket,
  side: Side,
  fault: Error | string | null | undefined,
): FrError | undefined {
  if (socket.alpnProtocol !== application)
    return new FrError('ERR_FR_VERSION', 'the peer speaks another protocol version than this side')
  if (!fault) return undefined
  const code = typeof fault === 'string' ? fault : ((fault as { code?: string }).code ?? '')
  return new Unwelcome('ERR_FR_AUTH', `the certificate of the ${side} side ${saidOf(String(code))}`)
}

/** What OpenSSL's names of faults mean; the others by name. */
function saidOf(code: string): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'has expired'
    case 'CERT_NOT_YET_VALID':
      return 'is not valid yet'
    case 'CERT_REVOKED':
      return 'is revoked'
    case 'CRL_HAS_EXPIRED':
      return 'cannot be judged: the list of revoked ones has expired (--tls-crl)'
    case 'UNABLE_TO_GET_CRL':
      return 'cannot be judged: there is no list of revoked ones of its authority (--tls-crl)'
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `is of no authority that is trusted here (${code})`
    default:
      return `is not valid (${code})`
  }
}

function diallerError(error: NodeJS.ErrnoException): FrError {
  if (error.code === noApplication)
    return new FrError('ERR_FR_VERSION', 'the peer speaks another protocol version than this side')
  if (error.code === keyWanted) return new FrError('ERR_FR_AUTH', hasCertificate('dialling'))
  return lostError(error)
}

function contextOf({ certificates }: Key) {
  if (certificates === undefined) throw new TypeError('this key is none of certificates')
  return certificates.context
}

/** As TLS has them: each behind its length. */
function protocolsOf(name: string): Buffer {
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name)])
}
