/** Loopback connections for the handshake and link tests: both ends, honest or not. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { expect } from 'vitest'
import { FrError, type FrErrorCode } from '../../../src/base/errors.js'
import { nodePrimitives, selfOf } from '../../../src/net/crypto.js'
import {
  type AcceptOptions,
  type Admitted,
  accept,
  type DialOptions,
  dial,
  type Established,
  type Identity,
  type Self,
  type Ticketed,
} from '../../../src/net/handshake.js'
import { type Key, openKey, parseKey } from '../../../src/net/keys.js'
import { edgeOf } from '../../../src/protocol/ticket.js'
import { seededSigner } from '../protocol/support.js'

export const keyA: Key = parseKey('a'.repeat(32))
export const keyB: Key = parseKey('b'.repeat(32))
export { openKey }

export const dialler: Self = { ...selfOf(seededSigner(0xd1)), incarnation: 1 }
export const acceptor: Self = { ...selfOf(seededSigner(0xac)), incarnation: 2 }

/** What the other end of a link knows of a side. */
export function seen({ nodeId, incarnation }: Self): Identity {
  return { nodeId, incarnation }
}

export const transfer = '77'.repeat(16)

const cleanups: (() => void)[] = []

/** To be called after each test: destroys every socket and server of it. */
export function cleanUp(): void {
  for (const cleanup of cleanups.splice(0)) cleanup()
}

export function keep(socket: Socket): Socket {
  socket.on('error', () => undefined)
  cleanups.push(() => socket.destroy())
  return socket
}

export async function serve(onSocket: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    cleanups.push(() => socket.destroy())
    onSocket(socket)
  })
  cleanups.push(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A listener that greets whoever comes; `next` gives the outcomes in the order of the sockets. */
export async function serveAccept(options: Partial<AcceptOptions> = {}): Promise<{
  address: string
  next(): Promise<Admitted | Ticketed>
}> {
  const outcomes: Promise<Admitted | Ticketed>[] = []
  const waiting: ((outcome: Promise<Admitted | Ticketed>) => void)[] = []
  const address = await serve((socket) => {
    const outcome = accept(socket, { keys: [keyA], self: acceptor, ...options })
    outcome.catch(() => undefined)
    const waiter = waiting.shift()
    if (waiter === undefined) outcomes.push(outcome)
    else waiter(outcome)
  })
  const next = async (): Promise<Admitted | Ticketed> => {
    const outcome = outcomes.shift()
    return (
      outcome ??
      (await new Promise<Admitted | Ticketed>((resolve) => waiting.push((o) => resolve(o))))
    )
  }
  return { address, next }
}

export function dialTo(address: string, options: Partial<DialOptions> = {}): Promise<Established> {
  const dialled = dial({ address, channel: 'control', keys: [keyA], self: dialler, ...options })
  dialled.catch(() => undefined)
  return dialled
}

export const edge = edgeOf(nodePrimitives, new Uint8Array(32).fill(0xed), [3, 5])
export const dataChannel = { channel: 'data', transfer, from: 3, to: 5, edge } as const

/** Lets the dialler in. */
export function letIn(early: Admitted | Ticketed): Promise<Established> {
  return early.channel === 'data' ? early.go(edge) : early.go()
}

/** Both ends of an established connection. */
export async function pair(
  dialling: Partial<DialOptions> = {},
  accepting: Partial<AcceptOptions> = {},
): Promise<[dialled: Established, accepted: Established]> {
  const server = await serveAccept(accepting)
  const dialled = dialTo(server.address, dialling)
  // A dialler whose first key the acceptor does not hold comes again with the other one.
  const admitted = await server.next().catch((error: FrError) => {
    if (error.code !== 'ERR_FR_CLOSED') throw error
    return server.next()
  })
  const accepted = await letIn(admitted)
  cleanups.push(() => accepted.close())
  const ours = await dialled
  cleanups.push(() => ours.close())
  return [ours, accepted]
}

export async function rejection(promise: Promise<unknown>, code: FrErrorCode): Promise<FrError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(FrError)
  expect((error as FrError).code).toBe(code)
  return error as FrError
}
