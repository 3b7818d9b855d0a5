/** What strangers, and members without an edge's secret, do to the opening of data connections. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import { PreAuthGuard } from '../../../src/net/pre-auth-guard.js'
import {
  confirmation,
  type Edge,
  edgeOf,
  encodeChallenge,
  encodeGo,
  encodeRefusal,
  encodeTicket,
  feedKeys,
  nonceOf,
  provedBytes,
  proveGo,
  ticketBytes,
} from '../../../src/protocol/ticket.js'
import {
  cleanUp,
  dataChannel,
  dialTo,
  edge,
  keep,
  keyA,
  keyB,
  letIn,
  openKey,
  rejection,
  serve,
  serveAccept,
  transfer,
} from './handshake-support.js'

afterEach(cleanUp)

const place = { transfer, from: 3, to: 5 }
const nonce = new Uint8Array(limits.nonceBytes).fill(9)
const otherEdge = edgeOf(nodePrimitives, new Uint8Array(32).fill(1), [3, 5])
const ticket = (key = keyA, changed: object = {}): Uint8Array =>
  encodeTicket(nodePrimitives, key.bytes, { ...place, edgeId: edge.id, nonce, ...changed })

/** A peer that says what the test wants it to say. */
class Puppet {
  readonly socket: Socket
  #buffer = Buffer.alloc(0)
  #isEnded = false
  #wake: () => void = () => undefined

  constructor(socket: Socket) {
    this.socket = keep(socket)
    socket.on('data', (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk])
      this.#wake()
    })
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        this.#isEnded = true
        this.#wake()
      })
  }

  static async to(address: string): Promise<Puppet> {
    const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
    await once(socket, 'connect')
    return new Puppet(socket)
  }

  /** The next message of so many bytes (an answer unless given); null once the other has closed. */
  async message(bytes?: number): Promise<Buffer | null> {
    for (;;) {
      const length = bytes ?? provedBytes(this.#buffer)
      if (length !== null && this.#buffer.length >= length) {
        const message = Buffer.from(this.#buffer.subarray(0, length))
        this.#buffer = this.#buffer.subarray(length)
        return message
      }
      if (this.#isEnded) return null
      await this.#more()
    }
  }

  async ended(): Promise<void> {
    while (!this.#isEnded) await this.#more()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/** Shows a ticket, and confirms what it is challenged with by the secret that it has. */
async function show(address: string, shown: Uint8Array, secret: Edge, ours = nonce) {
  const puppet = await Puppet.to(address)
  puppet.socket.write(shown)
  const confirm = async (): Promise<void> => {
    const challenge = (await puppet.message()) as Buffer
    const nonces = { dialler: ours, acceptor: nonceOf(challenge) }
    const keys = feedKeys(nodePrimitives, secret, place, nonces)
    puppet.socket.write(confirmation(nodePrimitives, keys))
  }
  return { puppet, confirm }
}

describe('a dialler of a data connection that', () => {
  it('speaks by the book is let in', async () => {
    const server = await serveAccept()
    const { puppet, confirm } = await show(server.address, ticket(), edge)
    const going = letIn(await server.next())
    await confirm()
    expect(await going).toMatchObject({ channel: 'data', from: 3, to: 5, transfer, key: keyA })
    const go = (await puppet.message()) as Buffer
    expect(go.subarray(0, -16)).toEqual(Buffer.from(encodeGo()))
  })

  it('holds another key, or none, is ERR_FR_AUTH before anything is answered', async () => {
    const server = await serveAccept()
    for (const key of [keyB, openKey]) {
      const { puppet } = await show(server.address, ticket(key), edge)
      const error = await rejection(server.next(), 'ERR_FR_AUTH')
      expect(error.message).toBe('the dialling side does not hold the same key')
      expect((await puppet.message())?.[0]).toBe(0xf9)
      await puppet.ended()
    }
  })

  it.each<[string, Edge]>([
    ['of another edge', otherEdge],
    ['that it has stolen', { id: edge.id, secret: new Uint8Array(32) }],
  ])('shows a ticket %s is ERR_FR_AUTH', async (_, secret) => {
    const server = await serveAccept()
    const { puppet, confirm } = await show(server.address, ticket(), secret)
    const going = letIn(await server.next())
    await confirm()
    const error = await rejection(going, 'ERR_FR_AUTH')
    expect(error.message).toBe('the dialling side does not hold the secret of this edge')
    expect((await puppet.message())?.[0]).toBe(0xf9)
  })

  it('replays what was once right is refused, also by an acceptor that has restarted', async () => {
    const first = await serveAccept()
    const { puppet, confirm } = await show(first.address, ticket(), edge)
    const going = letIn(await first.next())
    const written: Buffer[] = []
    const write = puppet.socket.write.bind(puppet.socket)
    puppet.socket.write = (chunk: Uint8Array) => {
      written.push(Buffer.from(chunk))
      return write(chunk)
    }
    await confirm()
    await going
    for (const server of [first, await serveAccept()]) {
      const again = await show(server.address, ticket(), edge)
      const refused = letIn(await server.next())
      again.puppet.socket.write(written[0] as Buffer)
      await rejection(refused, 'ERR_FR_AUTH')
    }
  })

  it('sends the challenge back is refused', async () => {
    const server = await serveAccept()
    const { puppet } = await show(server.address, ticket(), edge)
    const going = letIn(await server.next())
    const challenge = (await puppet.message()) as Buffer
    puppet.socket.write(challenge.subarray(-16))
    await rejection(going, 'ERR_FR_AUTH')
  })

  it('has a bit of its ticket changed on the way is refused', async () => {
    const server = await serveAccept()
    for (let at = 0; at < ticketBytes; at += 7) {
      const changed = Uint8Array.from(ticket())
      changed[at] = (changed[at] as number) ^ 0x40
      const { puppet } = await show(server.address, changed, edge)
      const error = await server.next().then(
        () => expect.unreachable(`bit of byte ${at}`),
        (reason: unknown) => reason,
      )
      expect(error).toMatchObject({ code: expect.stringMatching(/PROTOCOL|VERSION|AUTH/) })
      await puppet.ended()
    }
  })

  it('speaks another version hears so', async () => {
    const server = await serveAccept()
    const later = Uint8Array.from(ticket())
    later[1] = 2
    const { puppet } = await show(server.address, later, edge)
    const error = await rejection(server.next(), 'ERR_FR_VERSION')
    expect(error.message).toBe('the peer speaks protocol version 2, this side 1')
    expect((await puppet.message())?.subarray(4).toString()).toContain('ERR_FR_VERSION')
  })

  it('does not wait for an answer is refused', async () => {
    const server = await serveAccept()
    await show(server.address, Buffer.concat([ticket(), Buffer.from('x')]), edge)
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
    const { puppet } = await show(server.address, ticket(), edge)
    const going = letIn(await server.next())
    const challenge = (await puppet.message()) as Buffer
    const nonces = { dialler: nonce, acceptor: nonceOf(challenge) }
    const keys = feedKeys(nodePrimitives, edge, place, nonces)
    puppet.socket.write(Buffer.concat([confirmation(nodePrimitives, keys), Buffer.from('x')]))
    await rejection(going, 'ERR_FR_PROTOCOL')
  })

  it('cuts its ticket or confirmation short is named', async () => {
    const server = await serveAccept({ helloMs: 100 })
    const cut = await Puppet.to(server.address)
    cut.socket.end(ticket().subarray(0, 40))
    await rejection(server.next(), 'ERR_FR_NODE_LOST')
    const stalled = await Puppet.to(server.address)
    stalled.socket.write(ticket().subarray(0, 91))
    await rejection(server.next(), 'ERR_FR_TIMEOUT')
    await show(server.address, ticket(), edge)
    await rejection(letIn(await server.next()), 'ERR_FR_TIMEOUT')
  })

  it('sends its ticket byte by byte, but in time, is let in', async () => {
    const server = await serveAccept()
    const { puppet, confirm } = await show(server.address, new Uint8Array(), edge)
    for (const byte of ticket()) {
      puppet.socket.write(Uint8Array.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const going = letIn(await server.next())
    await confirm()
    await going
  })

  it.each<[string, Buffer]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
    ['zeros', Buffer.alloc(100)],
    ['a ticket to itself', Buffer.from(ticket(keyA, { from: 5 }))],
    ['8 MiB', Buffer.alloc(8 << 20, 0xff)],
  ])('speaks %s is refused and closed', async (_, bytes) => {
    const server = await serveAccept()
    const puppet = await Puppet.to(server.address)
    puppet.socket.write(bytes)
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
    await puppet.ended()
  })

  it('says nothing is closed at the deadline', async () => {
    const server = await serveAccept({ helloMs: 100 })
    const puppet = await Puppet.to(server.address)
    await rejection(server.next(), 'ERR_FR_TIMEOUT')
    await puppet.ended()
  })
})

describe('an acceptor of a data connection that', () => {
  const puppetServer = (play: (puppet: Puppet, shown: Buffer) => unknown): Promise<string> =>
    serve(async (socket) => {
      const puppet = new Puppet(socket)
      const shown = await puppet.message(ticketBytes)
      if (shown !== null) await play(puppet, shown)
    })
  const keysFor = (shown: Buffer, secret = edge) =>
    feedKeys(nodePrimitives, secret, place, { dialler: shown.subarray(44, 76), acceptor: nonce })

  it('does not hold the secret gets no confirmation', async () => {
    const said: unknown[] = []
    const address = await puppetServer(async (puppet, shown) => {
      puppet.socket.write(encodeChallenge(nodePrimitives, keysFor(shown, otherEdge), nonce))
      said.push(await puppet.message(16).then((bytes) => bytes?.[0]))
    })
    const error = await rejection(dialTo(address, dataChannel), 'ERR_FR_AUTH')
    expect(error.message).toBe('the accepting side does not hold the secret of this edge')
    while (said.length === 0) await sleep(2)
    // The refusal, not a proof.
    expect(said).toEqual([0xf9])
  })

  it('leads the ticket back to the dialler gets nowhere', async () => {
    const address = await puppetServer((puppet, shown) => puppet.socket.write(shown))
    await rejection(dialTo(address, dataChannel), 'ERR_FR_PROTOCOL')
  })

  it('says go without a challenge is refused', async () => {
    const address = await puppetServer((puppet) =>
      puppet.socket.write(Buffer.concat([encodeGo(), nonce])),
    )
    await rejection(dialTo(address, dataChannel), 'ERR_FR_PROTOCOL')
  })

  it('speaks garbage or another version is refused', async () => {
    const garbage = await puppetServer((puppet) => puppet.socket.write('HTTP/1.1 400\r\n\r\n'))
    await rejection(dialTo(garbage, dataChannel), 'ERR_FR_PROTOCOL')
    const later = await puppetServer((puppet, shown) => {
      const challenge = encodeChallenge(nodePrimitives, keysFor(shown), nonce)
      challenge[1] = 2
      puppet.socket.write(challenge)
    })
    await rejection(dialTo(later, dataChannel), 'ERR_FR_VERSION')
  })

  it('closes, says why, or says nothing, is named', async () => {
    const closing = await puppetServer((puppet) => puppet.socket.end())
    await rejection(dialTo(closing, dataChannel), 'ERR_FR_NODE_LOST')
    const busy = encodeRefusal('ERR_FR_LIMIT', 'full\u202e')
    const refusing = await puppetServer((puppet) => puppet.socket.end(busy))
    const error = await rejection(dialTo(refusing, dataChannel), 'ERR_FR_LIMIT')
    expect(error.message).toBe('the peer says: full?')
    const silent = await puppetServer(() => undefined)
    await rejection(dialTo(silent, { ...dataChannel, helloMs: 50 }), 'ERR_FR_TIMEOUT')
  })

  it('sends the go of another, or its own with another word in it, is refused', async () => {
    for (const bend of [
      (shown: Buffer) => proveGo(nodePrimitives, keysFor(shown, otherEdge)),
      (shown: Buffer) => {
        const go = proveGo(nodePrimitives, keysFor(shown), { ranges: [[0, 1]], receivedBytes: 9 })
        go[4] = 8
        return go
      },
    ]) {
      const address = await puppetServer(async (puppet, shown) => {
        puppet.socket.write(encodeChallenge(nodePrimitives, keysFor(shown), nonce))
        await puppet.message(16)
        puppet.socket.write(bend(shown))
      })
      await rejection(dialTo(address, dataChannel), 'ERR_FR_SPOILT')
    }
  })

  it('sends bytes behind go is refused at the handover', async () => {
    const address = await puppetServer(async (puppet, shown) => {
      puppet.socket.write(encodeChallenge(nodePrimitives, keysFor(shown), nonce))
      await puppet.message(16)
      const go = proveGo(nodePrimitives, keysFor(shown))
      puppet.socket.write(Buffer.concat([go, Buffer.from('early')]))
    })
    const data = await dialTo(address, dataChannel)
    expect(() => data.detach()).toThrow(/against its direction/)
  })
})

describe('the guard', () => {
  it('lets a member in while strangers come in hundreds', async () => {
    const guard = new PreAuthGuard()
    const server = await serveAccept({ guard })
    await Promise.all(Array.from({ length: 400 }, () => Puppet.to(server.address)))
    while (guard.size + guard.evicted < 400) await sleep(5)
    expect(guard.size).toBe(limits.unauthenticatedConnections)
    const { confirm } = await show(server.address, ticket(), edge)
    for (let outcome = 0; outcome < 400; outcome += 1) void server.next().catch(() => undefined)
    const going = letIn(await server.next())
    await confirm()
    await going
  })
})
