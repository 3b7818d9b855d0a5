import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import type { Ticketed } from '../../../src/net/handshake.js'
import { Resolver } from '../../../src/net/resolver.js'
import {
  acceptor,
  cleanUp,
  dataChannel,
  dialler,
  dialTo,
  edge,
  keep,
  keyA,
  keyB,
  letIn,
  openKey,
  pair,
  rejection,
  seen,
  serve,
  serveAccept,
  transfer,
} from './handshake-support.js'

afterEach(cleanUp)

const ownEvents = ['data', 'readable', 'error', 'close', 'drain', 'timeout', 'connect', 'lookup']
const nextData = async (socket: Socket): Promise<string> => {
  socket.resume()
  return String((await once(socket, 'data'))[0])
}
const listenersOf = (socket: Socket): string[] =>
  ownEvents.filter((event) => socket.listenerCount(event) > 0)

describe('an established connection', () => {
  it('is known and keyed alike at both ends', async () => {
    const [ours, theirs] = await pair()
    expect(ours.peer).toEqual(seen(acceptor))
    expect(theirs.peer).toEqual(seen(dialler))
    for (const end of [ours, theirs]) {
      expect(end).toMatchObject({ channel: 'control', transfer: null, from: null, key: keyA })
      expect(end.digests).toEqual(['blake3', 'sha256', 'xxh64'])
      expect(end.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/)
    }
    expect(() => ours.feed).toThrow(TypeError)
  })

  it('tells each end what the other says of itself', async () => {
    const [asks, serves] = [{ name: 'a' }, { site: 'eu', gpu: '' }]
    const [ours, theirs] = await pair(
      { self: { ...dialler, attributes: asks } },
      { self: { ...acceptor, attributes: serves } },
    )
    expect(ours.peer).toEqual({ ...seen(acceptor), attributes: serves })
    expect(theirs.peer).toEqual({ ...seen(dialler), attributes: asks })
  })

  it('has secrets of its own, shown to nobody', async () => {
    const [first, theirs] = await pair(dataChannel)
    const [second] = await pair(dataChannel)
    expect(first.feed.recordSeed).toBe(theirs.feed.recordSeed)
    expect(first.feed.recordSeed).not.toBe(second.feed.recordSeed)
    const shown = inspect(first, { depth: 9, showHidden: true }) + JSON.stringify(first)
    expect(shown).not.toContain(String(first.feed.recordSeed))
    expect(shown).not.toMatch(/Uint8Array/)
  })

  it('on a data channel says whose transfer it is', async () => {
    const [ours, theirs] = await pair(dataChannel)
    for (const end of [ours, theirs]) {
      expect(end).toMatchObject({ channel: 'data', transfer, from: 3, to: 5 })
    }
  })

  it('is handed over once, paused, with no listener left and no delay', async () => {
    for (const channel of [{}, dataChannel, { channel: 'status' as const }]) {
      for (const end of await pair(channel)) {
        const socket = keepAfter(end.detach())
        expect(socket.readableFlowing).toBe(false)
        expect(socket.readableLength + socket.writableLength).toBe(0)
        expect(() => end.detach()).toThrow(/handed over/)
      }
    }
  })

  it('leaves the bytes behind go in the kernel', async () => {
    const [ours, theirs] = await pair(dataChannel)
    const receiver = keepAfter(theirs.detach())
    const sender = keepAfter(ours.detach())
    sender.write(Buffer.alloc(50_000, 1))
    await sleep(100)
    expect(receiver.readableLength).toBe(0)
    expect(receiver.bytesRead).toBeLessThan(2000)
    // And a stream that takes the socket finds all of them.
    let bytes = 0
    receiver.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    receiver.resume()
    while (bytes < 50_000) await once(receiver, 'data')
    sender.end()
    await once(receiver, 'end')
    expect(bytes).toBe(50_000)
  })

  it('flows both ways afterwards, whoever speaks first', async () => {
    for (const diallerFirst of [true, false]) {
      const [ours, theirs] = await pair()
      const [dialled, accepted] = [keepAfter(ours.detach()), keepAfter(theirs.detach())]
      const [first, second] = diallerFirst ? [dialled, accepted] : [accepted, dialled]
      first.write('one')
      await sleep(20)
      const one = await nextData(second)
      second.write('two')
      expect(one + (await nextData(first))).toBe('onetwo')
    }
  })

  it('keeps what the acceptor says at once for the next reader of a control channel', async () => {
    const server = await serveAccept()
    const dialled = dialTo(server.address)
    const socket = keepAfter((await letIn(await server.next())).detach())
    socket.write('early')
    await sleep(20)
    expect(await nextData(keepAfter((await dialled).detach()))).toBe('early')
  })

  it('leaves in the kernel what comes against the direction of a data channel', async () => {
    const [ours, theirs] = await pair(dataChannel)
    keepAfter(theirs.detach()).write('x')
    await sleep(20)
    expect(keepAfter(ours.detach()).readableLength).toBe(0)
  })

  it('leaves in the kernel what comes behind the last word of its dialler', async () => {
    const server = await serveAccept()
    const dialled = dialTo(server.address, { ...dataChannel, isBeside: true, hasLastWord: true })
    const early = (await server.next()) as Ticketed
    const sender = keepAfter((await early.go(edge, null)).detach())
    sender.write('early')
    const ours = await dialled
    await sleep(20)
    const receiver = keepAfter(ours.detach())
    expect(receiver.readableLength).toBe(0)
    expect(await nextData(receiver)).toBe('early')
  })

  it('that was closed is not handed over', async () => {
    const [ours, theirs] = await pair()
    ours.close()
    ours.close()
    expect(() => ours.detach()).toThrow(/handed over/)
    const socket = keepAfter(theirs.detach())
    socket.resume()
    await once(socket, 'close')
  })

  function keepAfter(socket: Socket): Socket {
    // A TLS socket has some of Node's.
    const ours = socket instanceof TLSSocket ? ['data', 'readable', 'drain'] : ownEvents
    expect(listenersOf(socket).filter((event) => ours.includes(event))).toEqual([])
    return keep(socket)
  }
})

describe('keys', () => {
  it('that differ are ERR_FR_AUTH at both ends', async () => {
    const server = await serveAccept({ keys: [keyB] })
    const error = await rejection(dialTo(server.address), 'ERR_FR_AUTH')
    expect(error.message).toBe('the accepting side does not hold the same key')
    expect(error.node).toBe(server.address)
    await rejection(server.next(), 'ERR_FR_AUTH')
  })

  it('two are accepted during rotation, at either end', async () => {
    for (const [dialling, accepting] of [
      [[keyA], [keyB, keyA]],
      [[keyB], [keyB, keyA]],
      [[keyB, keyA], [keyA]],
      [
        [keyB, keyA],
        [keyA, keyB],
      ],
    ]) {
      const [ours, theirs] = await pair({ keys: dialling ?? [] }, { keys: accepting ?? [] })
      expect(ours.key).toBe(theirs.key)
      expect(ours.key).toBe(dialling?.find((key) => accepting?.includes(key)))
    }
  })

  it('a key against none is ERR_FR_AUTH that says which side lacks it', async () => {
    const keyed = await serveAccept()
    const lacking = await rejection(dialTo(keyed.address, { keys: [openKey] }), 'ERR_FR_AUTH')
    expect(lacking.message).toMatch(/the accepting side has a key, the dialling side has none/)
    const open = await serveAccept({ keys: [openKey] })
    const having = await rejection(dialTo(open.address), 'ERR_FR_AUTH')
    expect(having.message).toMatch(/the dialling side has a key, the accepting side has none/)
    await rejection(open.next(), 'ERR_FR_AUTH')
  })

  it('none at both ends works on loopback', async () => {
    const [ours] = await pair({ keys: [openKey] }, { keys: [openKey] })
    expect(ours.key.isOpen).toBe(true)
  })

  it('without one nothing beyond loopback is dialled', async () => {
    for (const address of ['10.0.0.1:7400', '[2001:db8::1]:7400', '0.0.0.0:7400']) {
      const error = await rejection(dialTo(address, { keys: [openKey] }), 'ERR_FR_OPEN')
      expect(error.node).toBe(address)
    }
    const server = await serveAccept({ keys: [openKey] })
    const port = server.address.split(':')[1]
    const resolve = (found: string): Promise<unknown> =>
      dialTo(`some-name:${port}`, {
        keys: [openKey],
        resolver: new Resolver({
          lookup: (_, callback) => {
            queueMicrotask(() => callback(null, [found]))
            return () => undefined
          },
        }),
      })
    await rejection(resolve('10.0.0.1'), 'ERR_FR_OPEN')
    const dialled = resolve('127.0.0.1')
    await letIn(await server.next())
    await dialled
  })

  it('are one or two, never mixed with the open one', async () => {
    for (const keys of [[], [keyA, keyB, keyA], [openKey, keyA], [keyA, openKey]]) {
      await expect(dialTo('127.0.0.1:1', { keys })).rejects.toThrow(TypeError)
    }
  })
})

describe('the acceptor decides', () => {
  it('not before it is asked, and then with a reason', async () => {
    const server = await serveAccept()
    const dialled = dialTo(server.address, dataChannel)
    let isSettled = false
    dialled.then(
      () => {
        isSettled = true
      },
      () => {
        isSettled = true
      },
    )
    const admitted = await server.next()
    expect(admitted).toMatchObject({ channel: 'data', transfer, from: 3, to: 5, edgeId: edge.id })
    await sleep(50)
    expect(isSettled).toBe(false)
    admitted.refuse('ERR_FR_BUSY', 'not\u001b now')
    const error = await rejection(dialled, 'ERR_FR_BUSY')
    expect(error.message).toBe('the peer says: not? now')
  })

  it('once', async () => {
    const server = await serveAccept()
    dialTo(server.address)
    const admitted = await server.next()
    await letIn(admitted)
    expect(() => admitted.refuse('ERR_FR_BUSY', '')).toThrow(/called before/)
    await rejection(letIn(admitted), 'ERR_FR_CLOSED')
  })

  it('too late for a dialler that is gone', async () => {
    const server = await serveAccept()
    const controller = new AbortController()
    const dialled = dialTo(server.address, { signal: controller.signal })
    const admitted = await server.next()
    controller.abort()
    await rejection(dialled, 'ERR_FR_ABORTED')
    await sleep(50)
    // The first write may still go into a connection the kernel knows to be dead.
    await letIn(admitted).then(
      (established) => established.close(),
      (error: unknown) => expect(error).toMatchObject({ code: 'ERR_FR_NODE_LOST' }),
    )
  })
})

describe('dialling', () => {
  it('nobody is ERR_FR_UNREACHABLE with the system error', async () => {
    const address = await serve(() => undefined)
    cleanUp()
    const error = await rejection(dialTo(address), 'ERR_FR_UNREACHABLE')
    expect(error).toMatchObject({ syscall: 'connect', errno: 111, node: address })
    expect(error.message).toContain('ECONNREFUSED')
  })

  it('a name nobody knows is ERR_FR_UNREACHABLE', async () => {
    const unknown = Object.assign(new Error('no'), { code: 'ENOTFOUND', errno: -3008 })
    const error = await rejection(
      dialTo('some-name:1', {
        resolver: new Resolver({
          lookup: (_, callback) => {
            queueMicrotask(() => callback(unknown, []))
            return () => undefined
          },
        }),
      }),
      'ERR_FR_UNREACHABLE',
    )
    expect(error.message).toContain('ENOTFOUND')
    expect(error.errno).toBeUndefined()
  })

  it('a name that is not answered blames the look-up, not the peer', async () => {
    const resolver = new Resolver({ lookup: () => () => undefined, lookupMs: 50 })
    const error = await rejection(dialTo('some-name:1', { resolver }), 'ERR_FR_UNREACHABLE')
    expect(error.message).toContain('the look-up of the name some-name got no answer within 50 ms')
    expect(error.message).toContain('the node was not contacted')
  })

  it('is cancelled at any time', async () => {
    const reason = new Error('enough')
    const early = await rejection(
      dialTo('127.0.0.1:1', { signal: AbortSignal.abort(reason) }),
      'ERR_FR_ABORTED',
    )
    expect(early.cause).toBe(reason)
    const resolving = new AbortController()
    const dialled = dialTo('some-name:1', {
      resolver: new Resolver({ lookup: () => () => undefined }),
      signal: resolving.signal,
    })
    resolving.abort(reason)
    expect((await rejection(dialled, 'ERR_FR_ABORTED')).cause).toBe(reason)
    const greeting = new AbortController()
    let isClosed = false
    const silent = await serve((socket) => {
      socket
        .on('error', () => undefined)
        .on('close', () => {
          isClosed = true
        })
      socket.resume()
      greeting.abort(reason)
    })
    await rejection(dialTo(silent, { signal: greeting.signal }), 'ERR_FR_ABORTED')
    while (!isClosed) await sleep(5)
  })

  it('another node than expected is refused', async () => {
    const server = await serveAccept()
    const dialled = dialTo(server.address, { expectedNodeId: '00'.repeat(16) })
    expect((await rejection(dialled, 'ERR_FR_UNREACHABLE')).message).toMatch(/another node/)
    const other = await serveAccept()
    const expected = dialTo(other.address, { expectedNodeId: acceptor.nodeId })
    await letIn(await other.next())
    expect((await expected).peer).toEqual(seen(acceptor))
  })

  it('refuses misuse by name', async () => {
    await expect(dialTo('no:where')).rejects.toThrow(/^address must be HOST/)
    await expect(dialTo('a:1', { channel: 'data' })).rejects.toThrow(/^data and pull .* 'transfer'/)
    await expect(dialTo('a:1', { transfer })).rejects.toThrow(/no others, need 'transfer'/)
    const { to: _, ...noTarget } = dataChannel
    await expect(dialTo('a:1', noTarget)).rejects.toThrow(/need 'to'/)
  })
})
