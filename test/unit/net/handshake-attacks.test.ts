import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import { PreAuthGuard } from '../../../src/net/pre-auth-guard.js'
import {
  encodeAcceptorHello,
  encodeMessage,
  encodeProve,
  ownCapabilities,
  proofOf,
  transcriptHash,
} from '../../../src/protocol/hello.js'
import {
  acceptor,
  cleanUp,
  dataChannel,
  dialTo,
  hello,
  keyA,
  keyB,
  Puppet,
  rejection,
  serve,
  serveAccept,
} from './handshake-support.js'

afterEach(cleanUp)

/** A puppet that has sent its hello and read what a real acceptor answers. */
async function greeted(address: string, own: object = hello) {
  const puppet = await Puppet.to(address)
  const ownMessage = encodeMessage(own)
  puppet.socket.write(ownMessage)
  const theirMessage = (await puppet.message()) as Buffer
  const prove = (await puppet.json()) as { type: string; proofs: string[] }
  const transcript = transcriptHash(nodePrimitives, ownMessage, theirMessage)
  const proof = proofOf(nodePrimitives, keyA.bytes, 'dialler', transcript)
  return { puppet, theirMessage, prove, transcript, proof: Buffer.from(proof).toString('hex') }
}

/** Serves one dialler with a puppet for acceptor. */
async function puppetServer(play: (puppet: Puppet, theirHello: Buffer) => void): Promise<string> {
  return serve(async (socket) => {
    const puppet = new Puppet(socket)
    const message = await puppet.message()
    if (message !== null) play(puppet, message)
  })
}

const acceptorHello = { nonce: '3c'.repeat(32), ...acceptor, caps: ownCapabilities('key') }

describe('a dialler that', () => {
  it('speaks by the book is admitted', async () => {
    const server = await serveAccept()
    const { puppet, prove, proof } = await greeted(server.address)
    expect(prove).toMatchObject({
      type: 'prove',
      proofs: [expect.stringMatching(/^[0-9a-f]{64}$/)],
    })
    puppet.say({ type: 'auth', proof })
    await (await server.next()).go()
    expect(await puppet.json()).toEqual({ type: 'go' })
  })

  it('hands the proof of the acceptor back is refused', async () => {
    const server = await serveAccept()
    const { puppet, prove } = await greeted(server.address)
    puppet.say({ type: 'auth', proof: prove.proofs[0] })
    await rejection(server.next(), 'ERR_FR_AUTH')
    expect(await puppet.json()).toMatchObject({ type: 'error', code: 'ERR_FR_AUTH' })
    await puppet.ended()
  })

  it('hands on a proof the acceptor made in another conversation is refused', async () => {
    const server = await serveAccept()
    const first = await greeted(server.address)
    const second = await greeted(server.address)
    second.puppet.say({ type: 'auth', proof: first.prove.proofs[0] })
    void server.next().catch(() => undefined)
    await rejection(server.next(), 'ERR_FR_AUTH')
  })

  it('replays a hello and a proof that were once right is refused', async () => {
    const server = await serveAccept()
    const first = await greeted(server.address)
    first.puppet.say({ type: 'auth', proof: first.proof })
    await (await server.next()).go()
    const second = await greeted(server.address)
    second.puppet.say({ type: 'auth', proof: first.proof })
    await rejection(server.next(), 'ERR_FR_AUTH')
  })

  it('proves another key, or nothing, is refused', async () => {
    const server = await serveAccept()
    for (const key of [keyB.bytes, new Uint8Array(32)]) {
      const { puppet, transcript } = await greeted(server.address)
      const proof = Buffer.from(proofOf(nodePrimitives, key, 'dialler', transcript)).toString('hex')
      puppet.say({ type: 'auth', proof })
      await rejection(server.next(), 'ERR_FR_AUTH')
    }
  })

  it('has its hello changed on the way is refused', async () => {
    const server = await serveAccept()
    const { puppet, theirMessage } = await greeted(server.address)
    const claimed = encodeMessage({ ...hello, nodeId: '00'.repeat(16) })
    const other = transcriptHash(nodePrimitives, claimed, theirMessage)
    const proof = proofOf(nodePrimitives, keyA.bytes, 'dialler', other)
    puppet.say({ type: 'auth', proof: Buffer.from(proof).toString('hex') })
    await rejection(server.next(), 'ERR_FR_AUTH')
  })

  it('does not wait for go is refused', async () => {
    const server = await serveAccept()
    const { puppet, proof } = await greeted(server.address)
    puppet.socket.write(Buffer.concat([encodeMessage({ type: 'auth', proof }), Buffer.from('x')]))
    const error = await rejection(server.next(), 'ERR_FR_PROTOCOL')
    expect(error.message).toMatch(/did not wait for go/)
  })

  it('speaks another version hears so', async () => {
    const server = await serveAccept()
    const puppet = await Puppet.to(server.address)
    puppet.say({ fr: 2, type: 'hello' })
    const error = await rejection(server.next(), 'ERR_FR_VERSION')
    expect(error.message).toMatch(/version 2/)
    expect(await puppet.json()).toMatchObject({ type: 'error', code: 'ERR_FR_VERSION' })
  })

  it('has nothing in common hears so', async () => {
    const server = await serveAccept()
    const puppet = await Puppet.to(server.address)
    puppet.say({ ...hello, caps: { ...hello.caps, seal: ['tls'] } })
    await rejection(server.next(), 'ERR_FR_CAPABILITY')
    expect(await puppet.json()).toMatchObject({ type: 'error', code: 'ERR_FR_CAPABILITY' })
  })

  it.each<[string, Buffer]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
    ['zeros', Buffer.alloc(100)],
    ['a huge length', Buffer.from('ffffffff', 'hex')],
    ['a length one too large', Buffer.from('01100000', 'hex')],
    ['no JSON', Buffer.from('0400000041414141', 'hex')],
    ['a list', Buffer.from('020000005b5d', 'hex')],
    ['an auth first', Buffer.from(encodeMessage({ type: 'auth', proof: '0'.repeat(64) }))],
    ['a hello without fields', Buffer.from(encodeMessage({ fr: 1, type: 'hello' }))],
  ])('speaks %s is refused and closed', async (_, bytes) => {
    const server = await serveAccept()
    const puppet = await Puppet.to(server.address)
    puppet.socket.write(bytes)
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
    expect(await puppet.json()).toMatchObject({ type: 'error', code: 'ERR_FR_PROTOCOL' })
    await puppet.ended()
  })

  it('says hello twice is refused', async () => {
    const server = await serveAccept()
    const { puppet } = await greeted(server.address)
    puppet.say(hello)
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
  })

  it('says nothing is closed at the deadline', async () => {
    const server = await serveAccept({ helloMs: 100 })
    const started = performance.now()
    const puppet = await Puppet.to(server.address)
    await rejection(server.next(), 'ERR_FR_TIMEOUT')
    expect(performance.now() - started).toBeGreaterThan(90)
    await puppet.ended()
    expect(performance.now() - started).toBeLessThan(limits.helloMs)
  })

  it('stays at the deadline although it never closes is destroyed', async () => {
    const server = await serveAccept({ helloMs: 50 })
    const socket = connect({ port: Number(server.address.split(':')[1]), allowHalfOpen: true })
    const puppet = new Puppet(socket)
    await rejection(server.next(), 'ERR_FR_TIMEOUT')
    const closing = performance.now()
    const chatter = setInterval(() => socket.write('x'), 20)
    await new Promise((resolve) => socket.on('close', resolve))
    clearInterval(chatter)
    expect(performance.now() - closing).toBeLessThan(limits.lingerMs + 10_000)
    expect(puppet.socket.destroyed).toBe(true)
  })

  it('sends a byte now and then is closed at the same deadline', async () => {
    const server = await serveAccept({ helloMs: 200 })
    const puppet = await Puppet.to(server.address)
    const message = encodeMessage(hello)
    let at = 0
    const drip = setInterval(() => {
      puppet.socket.write(message.subarray(at, at + 1))
      at += 1
    }, 20)
    await rejection(server.next(), 'ERR_FR_TIMEOUT')
    clearInterval(drip)
    // All of it would take seconds.
    expect(at).toBeLessThan(message.length / 2)
  })

  it('sends its messages byte by byte, but in time, is admitted', async () => {
    const server = await serveAccept()
    const puppet = await Puppet.to(server.address)
    puppet.socket.setNoDelay(true)
    const own = encodeMessage(hello)
    for (const byte of own) {
      puppet.socket.write(Uint8Array.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const theirs = (await puppet.message()) as Buffer
    await puppet.message()
    const proof = proofOf(
      nodePrimitives,
      keyA.bytes,
      'dialler',
      transcriptHash(nodePrimitives, own, theirs),
    )
    puppet.say({ type: 'auth', proof: Buffer.from(proof).toString('hex') })
    expect((await server.next()).peer.nodeId).toBe(hello.nodeId)
  })

  it('floods is not read beyond its first message', async () => {
    const server = await serveAccept()
    const puppet = await Puppet.to(server.address)
    puppet.socket.write(Buffer.alloc(8 << 20, 0xff))
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
    await puppet.ended()
  })

  it('leaves is ERR_FR_NODE_LOST', async () => {
    const server = await serveAccept()
    const puppet = await Puppet.to(server.address)
    puppet.socket.end(encodeMessage(hello).subarray(0, 10))
    await rejection(server.next(), 'ERR_FR_NODE_LOST')
    const reset = await Puppet.to(server.address)
    reset.socket.resetAndDestroy()
    await rejection(server.next(), 'ERR_FR_NODE_LOST')
  })
})

describe('an acceptor that', () => {
  it('does not hold the key gets no proof', async () => {
    const said: unknown[] = []
    const address = await puppetServer(async (puppet, theirHello) => {
      const ownMessage = encodeAcceptorHello(acceptorHello)
      const transcript = transcriptHash(nodePrimitives, theirHello, ownMessage)
      const proof = proofOf(nodePrimitives, keyB.bytes, 'acceptor', transcript)
      puppet.socket.write(Buffer.concat([ownMessage, encodeProve([proof])]))
      said.push(await puppet.json(), await puppet.json())
    })
    await rejection(dialTo(address, dataChannel), 'ERR_FR_AUTH')
    while (said.length < 2) await sleep(5)
    expect(said).toEqual([expect.objectContaining({ type: 'error', code: 'ERR_FR_AUTH' }), null])
  })

  it('reflects the hello of the dialler gets nowhere', async () => {
    const address = await puppetServer((puppet, theirHello) => {
      puppet.socket.write(theirHello)
      puppet.say({ type: 'prove', proofs: ['00'.repeat(32)] })
    })
    await rejection(dialTo(address, dataChannel), 'ERR_FR_AUTH')
  })

  it('sends no proofs, or too many, is refused', async () => {
    for (const [proofs, code] of [
      [[], 'ERR_FR_AUTH'],
      [new Array(3).fill('00'.repeat(32)), 'ERR_FR_PROTOCOL'],
    ] as const) {
      const address = await puppetServer((puppet) => {
        puppet.socket.write(encodeAcceptorHello(acceptorHello))
        puppet.say({ type: 'prove', proofs })
      })
      await rejection(dialTo(address, dataChannel), code)
    }
  })

  it('sends go without a proof is refused', async () => {
    const address = await puppetServer((puppet) => {
      puppet.socket.write(encodeAcceptorHello(acceptorHello))
      puppet.say({ type: 'go' })
    })
    await rejection(dialTo(address, dataChannel), 'ERR_FR_PROTOCOL')
  })

  it('speaks garbage, another version, or too much is refused', async () => {
    for (const [bytes, code] of [
      ['HTTP/1.1 400 Bad Request\r\n\r\n', 'ERR_FR_PROTOCOL'],
      [encodeMessage({ fr: 9, type: 'hello' }), 'ERR_FR_VERSION'],
      [Buffer.from('01100000', 'hex'), 'ERR_FR_PROTOCOL'],
    ] as const) {
      const address = await puppetServer((puppet) => puppet.socket.write(bytes))
      await rejection(dialTo(address, dataChannel), code)
    }
  })

  it('is silent, or silent before go, is ERR_FR_TIMEOUT', async () => {
    const silent = await serve((socket) => socket.resume())
    await rejection(dialTo(silent, { ...dataChannel, helloMs: 50 }), 'ERR_FR_TIMEOUT')
    const undecided = await serveAccept()
    await rejection(dialTo(undecided.address, { ...dataChannel, helloMs: 100 }), 'ERR_FR_TIMEOUT')
  })

  it('closes is ERR_FR_NODE_LOST', async () => {
    const address = await puppetServer((puppet) => puppet.socket.end())
    await rejection(dialTo(address, dataChannel), 'ERR_FR_NODE_LOST')
    const resetting = await puppetServer((puppet) => puppet.socket.resetAndDestroy())
    await rejection(dialTo(resetting, dataChannel), 'ERR_FR_NODE_LOST')
  })

  it('closes with a word is heard', async () => {
    const address = await puppetServer((puppet) => {
      puppet.socket.end(encodeMessage({ type: 'error', code: 'ERR_FR_LIMIT', text: 'full\u202e' }))
    })
    const error = await rejection(dialTo(address, dataChannel), 'ERR_FR_LIMIT')
    expect(error.message).toBe('the peer says: full?')
  })

  it('sends bytes right behind go on a data channel is refused at the handover', async () => {
    const address = await puppetServer(async (puppet, theirHello) => {
      const ownMessage = encodeAcceptorHello(acceptorHello)
      const transcript = transcriptHash(nodePrimitives, theirHello, ownMessage)
      const proof = proofOf(nodePrimitives, keyA.bytes, 'acceptor', transcript)
      puppet.socket.write(Buffer.concat([ownMessage, encodeProve([proof])]))
      await puppet.message()
      puppet.socket.write(Buffer.concat([encodeMessage({ type: 'go' }), Buffer.from('early')]))
    })
    const data = await dialTo(address, dataChannel)
    expect(() => data.detach()).toThrow(/against its direction/)
  })
})

describe('the guard', () => {
  it('closes the oldest stranger and spares who has proved the key', async () => {
    const guard = new PreAuthGuard(3)
    const server = await serveAccept({ guard })
    const known = await greeted(server.address)
    known.puppet.say({ type: 'auth', proof: known.proof })
    const admitted = await server.next()
    expect(guard.size).toBe(0)

    const strangers: Puppet[] = []
    for (let count = 0; count < 5; count += 1) {
      strangers.push(await Puppet.to(server.address))
      while (guard.size + guard.evicted < count + 1) await sleep(2)
      expect(guard.size).toBeLessThanOrEqual(3)
    }
    expect(guard.evicted).toBe(2)
    await Promise.all(strangers.slice(0, 2).map((stranger) => stranger.ended()))
    expect(strangers.map((stranger) => stranger.socket.readyState === 'open')).toEqual([
      false,
      false,
      true,
      true,
      true,
    ])
    await rejection(server.next(), 'ERR_FR_NODE_LOST')
    await admitted.go()
    expect(await known.puppet.json()).toEqual({ type: 'go' })

    const [third] = strangers.slice(2)
    third?.socket.destroy()
    while (guard.size > 2) await sleep(2)
    guard.destroyAll()
    expect(guard.size).toBe(0)
    await Promise.all(strangers.map((stranger) => stranger.ended()))
  })

  it('counts a refused connection until it is closed', async () => {
    const guard = new PreAuthGuard()
    const server = await serveAccept({ guard })
    const puppet = await Puppet.to(server.address)
    puppet.socket.write('GET / HTTP/1.1\r\n')
    await rejection(server.next(), 'ERR_FR_PROTOCOL')
    expect(guard.size).toBe(1)
    await puppet.ended()
    while (guard.size > 0) await sleep(2)
  })

  it('lets a client in while strangers come in hundreds', async () => {
    const guard = new PreAuthGuard()
    const server = await serveAccept({ guard })
    const strangers = await Promise.all(
      Array.from({ length: 400 }, () => Puppet.to(server.address)),
    )
    while (guard.size + guard.evicted < 400) await sleep(5)
    expect(guard.size).toBe(limits.unauthenticatedConnections)
    const { puppet, proof } = await greeted(server.address)
    puppet.say({ type: 'auth', proof })
    for (let outcome = 0; outcome < 400; outcome += 1) void server.next().catch(() => undefined)
    await (await server.next()).go()
    expect(await puppet.json()).toEqual({ type: 'go' })
    expect(strangers).toHaveLength(400)
  })
})
