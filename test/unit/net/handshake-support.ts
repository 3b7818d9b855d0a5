/** Loopback connections for the handshake and link tests: both ends, honest or not. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { expect } from 'vitest'
import { FrError, type FrErrorCode } from '../../../src/base/errors.js'
import {
  type AcceptOptions,
  type Admitted,
  accept,
  type DialOptions,
  dial,
  type Established,
} from '../../../src/net/handshake.js'
import { type Key, openKey, parseKey } from '../../../src/net/keys.js'
import { encodeMessage, messageBytes } from '../../../src/protocol/hello.js'

export const keyA: Key = parseKey('a'.repeat(32))
export const keyB: Key = parseKey('b'.repeat(32))
export { openKey }

export const dialler = { nodeId: 'd1'.repeat(16), incarnation: 1 }
export const acceptor = { nodeId: 'ac'.repeat(16), incarnation: 2 }
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
  next(): Promise<Admitted>
}> {
  const outcomes: Promise<Admitted>[] = []
  const waiting: ((outcome: Promise<Admitted>) => void)[] = []
  const address = await serve((socket) => {
    const outcome = accept(socket, { keys: [keyA], self: acceptor, ...options })
    outcome.catch(() => undefined)
    const waiter = waiting.shift()
    if (waiter === undefined) outcomes.push(outcome)
    else waiter(outcome)
  })
  const next = async (): Promise<Admitted> => {
    const outcome = outcomes.shift()
    return outcome ?? (await new Promise<Admitted>((resolve) => waiting.push((o) => resolve(o))))
  }
  return { address, next }
}

export function dialTo(address: string, options: Partial<DialOptions> = {}): Promise<Established> {
  const dialled = dial({ address, channel: 'control', keys: [keyA], self: dialler, ...options })
  dialled.catch(() => undefined)
  return dialled
}

export const dataChannel = { channel: 'data', transfer, from: 3, to: 5 } as const

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
  const accepted = await admitted.go()
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

/** A peer that says what the test wants it to say. */
export class Puppet {
  readonly socket: Socket
  #buffer = Buffer.alloc(0)
  #isEnded = false
  #wake: () => void = () => undefined

  constructor(socket: Socket) {
    this.socket = keep(socket)
    const ended = (): void => {
      this.#isEnded = true
      this.#wake()
    }
    socket.on('data', (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk])
      this.#wake()
    })
    socket.on('end', ended)
    socket.on('close', ended)
  }

  static async to(address: string): Promise<Puppet> {
    const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
    await once(socket, 'connect')
    return new Puppet(socket)
  }

  /** The next whole message, or null once the other side has closed. */
  async message(): Promise<Buffer | null> {
    for (;;) {
      const length = messageBytes(this.#buffer)
      if (length !== null && this.#buffer.length >= length) {
        const message = Buffer.from(this.#buffer.subarray(0, length))
        this.#buffer = this.#buffer.subarray(length)
        return message
      }
      if (this.#isEnded) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async json(): Promise<Record<string, unknown> | null> {
    const message = await this.message()
    return message === null ? null : JSON.parse(message.subarray(4).toString())
  }

  say(message: object): void {
    this.socket.write(encodeMessage(message))
  }

  /** Resolves when the other side has closed. */
  async ended(): Promise<void> {
    while (!this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

export const hello = {
  fr: 1,
  type: 'hello',
  channel: 'data',
  transfer,
  from: 3,
  to: 5,
  nonce: '5a'.repeat(32),
  ...dialler,
  caps: { mac: ['hmac-sha256-128'], seal: ['none'], digest: ['xxh64', 'sha256'], auth: 'key' },
}
