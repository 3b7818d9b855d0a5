/** What members do in the greetings of a link: who holds the cluster's key has come so far. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { selfOf } from '../../../src/net/crypto.js'
import { secureAsAcceptor } from '../../../src/net/tls.js'
import {
  decodeHello,
  encodeWelcome,
  greetingBytes,
  type Hello,
  linkStatement,
  ownDigests,
  type Welcome,
} from '../../../src/protocol/greeting.js'
import { seededSigner } from '../protocol/support.js'
import {
  acceptor,
  cleanUp,
  dialler,
  dialTo,
  keep,
  keyA,
  letIn,
  rejection,
  serve,
  serveAccept,
} from './handshake-support.js'
import { Client } from './tls-client.js'

afterEach(cleanUp)

describe('a dialler of a link that', () => {
  it('replays a hello of another connection is ERR_FR_AUTH', async () => {
    const server = await serveAccept()
    const first = await new Client(server.address).secured()
    const hello = first.hello(first.channel)
    first.socket.write(hello)
    await letIn(await server.next())
    const second = await new Client(server.address).secured()
    second.socket.write(hello)
    const error = await rejection(server.next(), 'ERR_FR_AUTH')
    expect(error.message).toBe('the signature of the dialling side is wrong')
  })

  const other = selfOf(seededSigner(0x0e))
  it.each<[string, (channel: Uint8Array) => Partial<Hello>]>([
    ['takes the id of another node', () => ({ publicKey: acceptor.signer.publicKey })],
    [
      'has another key sign',
      (channel) => {
        const ids = { dialler: dialler.nodeId, acceptor: null }
        return { signature: other.signer.sign(linkStatement('dialler', channel, ids)) }
      },
    ],
    [
      'signs for another node',
      (channel) => {
        const ids = { dialler: other.nodeId, acceptor: null }
        return { signature: dialler.signer.sign(linkStatement('dialler', channel, ids)) }
      },
    ],
    [
      'signs as the accepting side',
      (channel) => {
        const ids = { dialler: dialler.nodeId, acceptor: null }
        return { signature: dialler.signer.sign(linkStatement('acceptor', channel, ids)) }
      },
    ],
    ['does not sign', () => ({ signature: new Uint8Array(64) })],
    ['has a key that is none', () => ({ publicKey: new Uint8Array(32).fill(0xff) })],
  ])('%s is ERR_FR_AUTH', async (_, change) => {
    const server = await serveAccept()
    const client = await new Client(server.address).secured()
    client.socket.write(client.hello(client.channel, dialler, change(client.channel)))
    const error = await rejection(server.next(), 'ERR_FR_AUTH')
    expect(error.message).toBe('the signature of the dialling side is wrong')
    await client.closed()
  })

  it.each(['publicKey', 'signature'] as const)('says a %s of another length', async (name) => {
    const server = await serveAccept()
    for (const length of [0, 31, 33, 63, 65]) {
      const client = await new Client(server.address).secured()
      const change = { [name]: new Uint8Array(length) }
      client.socket.write(client.hello(client.channel, dialler, change))
      const error = await rejection(server.next(), 'ERR_FR_PROTOCOL')
      expect(error.message).toContain(name)
      await client.closed()
    }
  })

  it('is the node itself, led back by somebody between, is ERR_FR_AUTH at both ends', async () => {
    const server = await serveAccept()
    const dialled = dialTo(server.address, { self: acceptor })
    const error = await rejection(server.next(), 'ERR_FR_AUTH')
    expect(error.message).toBe('the connection leads back to the node that dialled it')
    expect((await rejection(dialled, 'ERR_FR_AUTH')).message).toContain('leads back')
  })

  it('does not wait for go is refused', async () => {
    const server = await serveAccept()
    const client = await new Client(server.address).secured()
    client.socket.write(Buffer.concat([client.hello(client.channel), Buffer.from('x')]))
    const error = await rejection(server.next(), 'ERR_FR_PROTOCOL')
    expect(error.message).toMatch(/did not wait for go/)
  })

  it('says too much, or something else, is refused', async () => {
    const server = await serveAccept()
    for (const bytes of [
      'ffffffff',
      '0110000030',
      '0200000063',
      '0300000031' + '7b7d',
      '00000000',
    ]) {
      const client = await new Client(server.address).secured()
      client.socket.write(Buffer.from(bytes, 'hex'))
      await rejection(server.next(), 'ERR_FR_PROTOCOL')
      await client.closed()
    }
  })

  it('has no digest algorithm in common hears so', async () => {
    const server = await serveAccept()
    const client = await new Client(server.address).secured()
    const hello = Buffer.from(client.hello(client.channel)).toString('latin1')
    client.socket.write(
      Buffer.from(
        hello.replace('"blake3","sha256","xxh64"', '"blak33","sha255","xxh63"'),
        'latin1',
      ),
    )
    await rejection(server.next(), 'ERR_FR_CAPABILITY')
  })
})

describe('an acceptor of a link that', () => {
  const answers: [string, (hello: Hello, channel: Uint8Array) => Partial<Welcome>, RegExp][] = [
    [
      'hands the signature of the dialler back',
      ({ signature }) => ({ signature }),
      /accepting side/,
    ],
    [
      'hands key and signature of the dialler back',
      ({ publicKey, signature }) => ({ publicKey, signature }),
      /accepting side/,
    ],
    ['takes the id of another node', () => ({ publicKey: seededSigner(1).publicKey }), /accepting/],
    [
      'signs an answer to another dialler',
      (_, channel) => {
        const ids = { dialler: '00'.repeat(16), acceptor: acceptor.nodeId }
        return { signature: acceptor.signer.sign(linkStatement('acceptor', channel, ids)) }
      },
      /accepting side/,
    ],
    [
      'signs an answer on another connection',
      () => {
        const ids = { dialler: dialler.nodeId, acceptor: acceptor.nodeId }
        const statement = linkStatement('acceptor', new Uint8Array(32), ids)
        return { signature: acceptor.signer.sign(statement) }
      },
      /accepting side/,
    ],
    [
      'is the dialler itself',
      (_, channel) => {
        const ids = { dialler: dialler.nodeId, acceptor: dialler.nodeId }
        const signature = dialler.signer.sign(linkStatement('acceptor', channel, ids))
        return { publicKey: dialler.signer.publicKey, signature }
      },
      /leads back/,
    ],
  ]

  it.each(answers)('%s is ERR_FR_AUTH', async (_, answer, text) => {
    const address = await serve((socket) => void play(socket))
    const play = async (raw: Socket): Promise<void> => {
      raw.on('error', () => {})
      await once(raw.pause(), 'readable')
      const { socket, channel } = await secureAsAcceptor(raw, [keyA])
      keep(socket)
      const [hello] = (await once(socket, 'data')) as [Buffer]
      expect(greetingBytes(hello)).toBe(hello.length)
      const ids = { dialler: dialler.nodeId, acceptor: acceptor.nodeId }
      const signature = acceptor.signer.sign(linkStatement('acceptor', channel, ids))
      const { publicKey } = acceptor.signer
      const right = { publicKey, incarnation: 2, digests: ownDigests, signature }
      socket.write(encodeWelcome({ ...right, ...answer(decodeHello(hello), channel) }))
    }
    expect((await rejection(dialTo(address), 'ERR_FR_AUTH')).message).toMatch(text)
  })
})
