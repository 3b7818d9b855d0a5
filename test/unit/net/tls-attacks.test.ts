/** What strangers, and members that break the rules, do to the TLS of a link. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { ControlLink } from '../../../src/net/link.js'
import { PreAuthGuard } from '../../../src/net/pre-auth-guard.js'
import { proxy } from '../../e2e/proxy.js'
import {
  cleanUp,
  dialTo,
  keep,
  keyA,
  keyB,
  letIn,
  openKey,
  pair,
  rejection,
  serve,
  serveAccept,
} from './handshake-support.js'
import { Client, closed, identityOf } from './tls-client.js'

afterEach(cleanUp)

describe('a dialler of a link that', () => {
  it('names the key and does not hold it is ERR_FR_AUTH', async () => {
    const server = await serveAccept()
    const client = new Client(server.address, keyB, identityOf(keyA))
    const error = await rejection(server.next(), 'ERR_FR_AUTH')
    expect(error.message).toBe('the dialling side does not hold the same key')
    await client.closed()
    expect(client.error).toBe('ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER')
  })

  it('offers 32 zero bytes to a side with a key is ERR_FR_AUTH', async () => {
    const server = await serveAccept()
    for (const identity of [identityOf(openKey), identityOf(keyA)]) {
      const client = new Client(server.address, openKey, identity)
      await rejection(server.next(), 'ERR_FR_AUTH')
      await client.closed()
    }
  })

  it('speaks another version hears so', async () => {
    const server = await serveAccept()
    const client = new Client(server.address, keyA, identityOf(keyA, 2))
    const error = await rejection(server.next(), 'ERR_FR_VERSION')
    expect(error.message).toBe('the peer speaks protocol version 2, this side 1')
    await client.closed()
    expect(client.error).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  })

  it.each([
    ['is a browser', { pskCallback: undefined, ciphers: undefined }],
    ['speaks TLS 1.2', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'PSK' }],
  ] as unknown as [string, ConnectionOptions][])('%s is no wrong key', async (_, options) => {
    const server = await serveAccept()
    const client = new Client(server.address, keyA, identityOf(keyA), {
      rejectUnauthorized: false,
      ...options,
    })
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
    await client.closed()
  })

  it('names a key in a way of its own is no wrong key', async () => {
    const server = await serveAccept()
    for (const identity of ['Client_identity', 'fastreplica', 'x'.repeat(255)]) {
      new Client(server.address, keyA, identity)
      await rejection(server.next(), 'ERR_FR_PROTOCOL')
    }
  })

  it('resumes a session without the key is refused', async () => {
    // A server that gives sessions out, in the same process and with the same context.
    const sessions: Buffer[] = []
    const server = await serveAccept()
    const first = new Client(server.address)
    first.socket.on('session', (session) => sessions.push(session))
    await first.secured()
    first.socket.write(first.hello(first.channel))
    await letIn(await server.next())
    await once(first.socket, 'data')
    expect(sessions).not.toEqual([])
    for (const session of sessions) {
      const again = new Client(server.address, keyA, identityOf(keyA), {
        session,
        pskCallback: () => null as never,
      })
      again.socket.on('secureConnect', () => again.socket.write(again.hello(again.channel)))
      await server.next().then(
        () => expect.unreachable('a saved session was admitted'),
        (error: unknown) =>
          expect(error).toMatchObject({ code: expect.stringMatching(/AUTH|PROTOCOL/) }),
      )
    }
  })
})

describe('a stranger that', () => {
  const raw = async (address: string): Promise<Socket> => {
    const socket = keep(connect(Number(address.split(':')[1]), '127.0.0.1'))
    await once(socket, 'connect')
    return socket
  }

  it('begins a ClientHello and stalls is closed at the deadline', async () => {
    const server = await serveAccept({ helloMs: 100 })
    for (const start of ['16', '1603', '16030100fa010000f60303']) {
      const socket = await raw(server.address)
      socket.write(Buffer.from(start, 'hex'))
      await rejection(server.next(), 'ERR_FR_TIMEOUT')
      await closed(socket)
    }
  })

  it('floods behind the first byte is not read', async () => {
    const server = await serveAccept()
    const socket = await raw(server.address)
    socket.write(Buffer.concat([Buffer.from('160301', 'hex'), Buffer.alloc(8 << 20, 0xff)]))
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
    await closed(socket)
  })

  it('stalls is held by the guard, and the oldest goes', async () => {
    const guard = new PreAuthGuard(2)
    const server = await serveAccept({ guard })
    const sockets: Socket[] = []
    for (let count = 1; count <= 3; count++) {
      const socket = await raw(server.address)
      socket.write(Buffer.from('16030100fa', 'hex'))
      sockets.push(socket)
      while (guard.size + guard.evicted < count) await sleep(2)
    }
    await rejection(server.next(), 'ERR_FR_NODE_LOST')
    expect([guard.size, guard.evicted]).toEqual([2, 1])
    const client = await new Client(server.address).secured()
    client.socket.write(client.hello(client.channel))
    for (let outcome = 0; outcome < 2; outcome++) void server.next().catch(() => undefined)
    await letIn(await server.next())
    expect(guard.size).toBe(1)
  })

  it('changes a byte of a link on its way closes it with ERR_FR_PROTOCOL', async () => {
    const server = await serveAccept()
    let isOn = false
    const door = await proxy(server.address, (from, to) => {
      from.on('data', (chunk: Buffer) => {
        if (isOn) chunk[chunk.length - 1] = (chunk.at(-1) as number) ^ 1
        to.write(chunk)
      })
    })
    const dialled = dialTo(door.address)
    const accepted = await letIn(await server.next())
    const codes: unknown[] = []
    const hooks = { onFrame: () => undefined, onClose: (code: unknown) => codes.push(code) }
    new ControlLink(accepted, hooks)
    const link = new ControlLink(await dialled, hooks)
    isOn = true
    link.send({ type: 'beat' })
    while (codes.length < 2) await sleep(2)
    expect(codes).toEqual(['ERR_FR_PROTOCOL', 'ERR_FR_PROTOCOL'])
    door.close()
  })
})

describe('an acceptor of a link that', () => {
  it('speaks another version is ERR_FR_VERSION', async () => {
    const alert = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 70)
    const address = await serve((socket) =>
      socket.once('data', () => socket.end(alert)).on('error', () => {}),
    )
    expect((await rejection(dialTo(address), 'ERR_FR_VERSION')).message).toMatch(
      /another protocol version/,
    )
  })

  it('speaks no TLS is ERR_FR_PROTOCOL', async () => {
    const address = await serve((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    )
    await rejection(dialTo(address), 'ERR_FR_PROTOCOL')
  })

  it('closes, or says nothing, is named', async () => {
    const closing = await serve((socket) => socket.end())
    await rejection(dialTo(closing), 'ERR_FR_NODE_LOST')
    const resetting = await serve((socket) => socket.once('data', () => socket.resetAndDestroy()))
    await rejection(dialTo(resetting), 'ERR_FR_NODE_LOST')
    const silent = await serve((socket) => socket.resume())
    await rejection(dialTo(silent, { helloMs: 50 }), 'ERR_FR_TIMEOUT')
    const undecided = await serveAccept()
    await rejection(dialTo(undecided.address, { helloMs: 300 }), 'ERR_FR_TIMEOUT')
  })
})

describe('a link', () => {
  it('ends when its raw socket does, and the other way round', async () => {
    const [ours, theirs] = await pair()
    let raw: Socket | undefined
    ours.tune((socket) => {
      raw = socket
    })
    const socket = keep(ours.detach())
    socket.destroy()
    while (raw?.destroyed !== true) await sleep(2)
    await closed(keep(theirs.detach()))
  })
})
