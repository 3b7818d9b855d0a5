/** A TLS client by hand, for tests of what acceptors refuse. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { nodePrimitives } from '../../../src/net/crypto.js'
import {
  encodeHello,
  encodePskIdentity,
  type Hello,
  keyIdOf,
  linkStatement,
  ownDigests,
  pskOf,
} from '../../../src/protocol/greeting.js'
import { dialler, keep, keyA } from './handshake-support.js'

const idOf = (key: typeof keyA): string => keyIdOf(nodePrimitives, key.bytes, key.isOpen)
/** How a key is named in the clear. */
export const identityOf = (key: typeof keyA, version = 1): string =>
  encodePskIdentity({ version, keyId: idOf(key), otherKeyIds: [] })

export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve()
    socket.once('close', () => resolve())
    socket.resume()
  })
}

/** A TLS client by hand: `error` is the code by which it ended. */
export class Client {
  readonly socket: TLSSocket
  error: string | undefined

  constructor(
    address: string,
    psk = keyA,
    identity = identityOf(psk),
    more: ConnectionOptions = {},
  ) {
    const port = Number(address.split(':')[1])
    this.socket = tlsConnect({
      port,
      ciphers: 'TLS_AES_128_GCM_SHA256:PSK',
      minVersion: 'TLSv1.3',
      pskCallback: () => ({ psk: pskOf(nodePrimitives, psk.bytes, psk.isOpen), identity }),
      checkServerIdentity: () => undefined,
      ...more,
    })
    keep(this.socket)
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error ??= error.code
    })
  }

  get channel(): Uint8Array {
    return this.socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  }

  hello(channel: Uint8Array, self = dialler, change: Partial<Hello> = {}): Uint8Array {
    const ids = { dialler: self.nodeId, acceptor: null }
    const signature = self.signer.sign(linkStatement('dialler', channel, ids))
    const { publicKey } = self.signer
    const none = { transfer: null, from: null, to: null }
    const word = { publicKey, incarnation: 1, digests: ownDigests, signature }
    return encodeHello({ ...word, ...none, channel: 'control', ...change })
  }

  async secured(): Promise<this> {
    await once(this.socket, 'secureConnect')
    return this
  }

  async closed(): Promise<void> {
    await closed(this.socket)
  }
}
