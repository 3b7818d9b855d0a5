/** Handshakes that come a byte at a time, or never end: bytes put off no deadline. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { KIB } from '../../../src/base/limits.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import { encodeTicket, provedBytes } from '../../../src/protocol/ticket.js'
import {
  cleanUp,
  edge,
  keep,
  keyA,
  letIn,
  rejection,
  serveAccept,
  transfer,
} from './handshake-support.js'
import { Client, closed } from './tls-client.js'

afterEach(cleanUp)

const helloMs = 600

async function raw(address: string): Promise<Socket> {
  const socket = keep(connect(Number(address.split(':')[1]), '127.0.0.1'))
  await once(socket, 'connect')
  return socket
}

/** A byte every now and then, until the other side has closed: all of them in many deadlines. */
function drip(socket: Socket | TLSSocket, bytes: Uint8Array): void {
  let at = 0
  const timer = setInterval(() => {
    const isOver = socket.destroyed || !socket.writable || at === bytes.length
    if (isOver) return clearInterval(timer)
    socket.write(bytes.subarray(at, ++at))
  }, helloMs / 10)
}

const nonce = new Uint8Array(32).fill(9)
const ticket = encodeTicket(nodePrimitives, keyA.bytes, {
  ...{ transfer, from: 3, to: 5 },
  ...{ edgeId: edge.id, nonce },
})

describe('a dialler that sends a byte at a time', () => {
  it.each<[string, (address: string) => Promise<Socket>]>([
    [
      'of a ClientHello',
      async (address) => {
        const socket = await raw(address)
        drip(socket, Buffer.from('1603010200010001fc0303'.padEnd(1_000, '0'), 'hex'))
        return socket
      },
    ],
    [
      'of a ticket',
      async (address) => {
        const socket = await raw(address)
        drip(socket, ticket)
        return socket
      },
    ],
    [
      'of its hello, with the key',
      async (address) => {
        const client = await new Client(address).secured()
        drip(client.socket, client.hello(client.channel))
        return client.socket
      },
    ],
  ])('%s is closed at the deadline', async (_, begin) => {
    const server = await serveAccept({ helloMs })
    const socket = await begin(server.address)
    await rejection(server.next(), 'ERR_FR_TIMEOUT')
    await closed(socket)
  })

  it('of its confirmation is closed at the deadline', async () => {
    const server = await serveAccept({ helloMs })
    const socket = await raw(server.address)
    socket.write(ticket)
    const going = letIn(await server.next())
    const [challenge] = await once(socket, 'data')
    expect(challenge.length).toBe(provedBytes(challenge))
    drip(socket, new Uint8Array(16))
    await rejection(going, 'ERR_FR_TIMEOUT')
    await closed(socket)
  })
})

describe('a dialler that sends too much', () => {
  it('of a ClientHello, in records that are right, is closed before it has sent it', async () => {
    const server = await serveAccept()
    const socket = await raw(server.address)
    const record = Buffer.alloc(5 + 16 * KIB)
    record.set([0x16, 3, 1, 0x40, 0])
    // One message of nearly 16 MiB.
    const first = Buffer.from(record)
    first.set([1, 0xff, 0xff, 0xff, 3, 3], 5)
    socket.write(first)
    for (let at = 1; at < 1_024; at++) socket.write(record)
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
    await closed(socket)
    expect(socket.bytesWritten).toBeLessThan(1_024 * record.length)
  })
})
