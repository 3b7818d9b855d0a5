/** Connections opened before they are wanted, and what becomes of a dial when they are gone. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EarlyConnections } from '../../../src/net/early-connections.js'
import { accept } from '../../../src/net/handshake.js'
import {
  acceptor,
  cleanUp,
  dataChannel,
  dialTo,
  keep,
  keyA,
  letIn,
  serve,
} from './handshake-support.js'

let early: EarlyConnections
/** Those that have reached the server. */
let arrived: Socket[]
let address: string

beforeEach(async () => {
  early = new EarlyConnections()
  arrived = []
  address = await serve((socket) => arrived.push(keep(socket)))
})

afterEach(() => {
  early.end()
  cleanUp()
})

async function open(): Promise<Socket> {
  const socket = keep(connect(Number(address.split(':')[1]), '127.0.0.1'))
  await once(socket, 'connect')
  return socket
}

describe('an early connection', () => {
  it('is one for each address, and belongs to who takes it', async () => {
    early.open(address, open)
    early.open(address, open)
    const socket = await early.take(address)
    expect(socket?.readyState).toBe('open')
    expect(await early.take(address)).toBeUndefined()
    expect(arrived).toHaveLength(1)
    early.end()
    expect(socket?.destroyed).toBe(false)
  })

  it('is none where the node cannot be reached, and where it broke meanwhile', async () => {
    early.open(address, () => Promise.reject(new Error('planted')))
    expect(await early.take(address)).toBeUndefined()
    const socket = await open()
    early.open(address, () => Promise.resolve(socket))
    socket.destroy()
    expect(await early.take(address)).toBeUndefined()
  })

  it.each(['drop', 'end'] as const)('is closed by %s while it is still opened', async (how) => {
    early.open(address, open)
    if (how === 'drop') early.drop(address)
    else early.end()
    expect(await early.take(address)).toBeUndefined()
    while (arrived.length === 0) await new Promise(setImmediate)
    await once((arrived[0] as Socket).resume(), 'close')
  })
})

describe('a data connection', () => {
  const greeting = async (socket: Socket) =>
    letIn(await accept(socket, { keys: [keyA], self: acceptor }))

  it('goes over the early one', async () => {
    const opened = await open()
    while (arrived.length === 0) await new Promise(setImmediate)
    const dialled = dialTo(address, { ...dataChannel, opened })
    const accepted = await greeting(arrived[0] as Socket)
    await dialled
    expect(arrived).toHaveLength(1)
    accepted.close()
  })

  it('is opened anew where the node has closed the early one', async () => {
    const opened = await open()
    while (arrived.length === 0) await new Promise(setImmediate)
    ;(arrived[0] as Socket).destroy()
    const dialled = dialTo(address, { ...dataChannel, opened })
    while (arrived.length < 2) await new Promise(setImmediate)
    const accepted = await greeting(arrived[1] as Socket)
    await dialled
    accepted.close()
  })
})
