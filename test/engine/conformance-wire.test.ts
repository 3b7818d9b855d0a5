/**
 * What both engines refuse on a feed, and what is left when a connection ends where it should not.
 */
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { type RawHeader, rawEnd, rawHeader, rawPayload } from './raw.js'
import { blockBytes, drain, fileBytes, gone, MIB, poll, seed, streamId, useWorld } from './world.js'

const size = 4 * blockBytes
const econnreset = 104

const violations: Record<string, RawHeader> = {
  'another magic': { magic: 0xf4 },
  'another version': { version: 2 },
  'version 0': { version: 0 },
  'another header length': { headerBytes: 40 },
  'kind 0': { kind: 0 },
  'an unknown kind': { kind: 5 },
  'an unknown flag': { flags: 2 },
  'a high flag': { flags: 0x8000 },
  'two flags at once': { flags: 3 },
  'a route for scratch': { flags: 1, route: 1 },
  'an unknown stream': { stream: streamId + 1 },
  'digest bytes on payload': { extra: 1 },
  'an offset at the end': { offset: BigInt(size) },
  'an offset beyond the end': { offset: BigInt(size) + 1n },
  'an offset beyond safe integers': { offset: 1n << 53n },
  'the largest offset': { offset: (1n << 64n) - 1n },
  'payload that passes the end': { offset: BigInt(size) - 1n, length: 2 },
  'payload of length 0': { length: 0 },
  'payload of over 1 MiB': { length: MIB + 1 },
  'payload of the largest length': { length: 0xffff_ffff },
  'a hole of length 0': { kind: 2, length: 0 },
  'a hole of over 1 GiB': { kind: 2, length: 1024 * MIB + 1 },
  'a hole that passes the end': { kind: 2, length: size + 1 },
  'a hole with bytes': { kind: 2, extra: 1 },
  'a hole in scratch': { kind: 2, flags: 1 },
  'digests of nothing': { kind: 3, extra: 8, length: 0 },
  'digests without bytes': { kind: 3, extra: 0 },
  'digests of over 256 KiB': { kind: 3, extra: 256 * 1024 + 1 },
  'digests that pass the end': { kind: 3, extra: 8, offset: BigInt(size) - 1n, length: 2 },
  'digests of an unknown stream': { kind: 3, extra: 8, stream: 0 },
  'digests in scratch': { kind: 3, extra: 8, flags: 1 },
  'an end with a length': { kind: 4, stream: 0, length: 1 },
  'an end with a flag': { kind: 4, stream: 0, length: 0, flags: 1 },
  'an end with a route': { kind: 4, stream: 0, length: 0, route: 1 },
  'an end of a stream': { kind: 4, length: 0 },
  'an end with an offset': { kind: 4, stream: 0, length: 0, offset: 1n },
  'an end with bytes': { kind: 4, stream: 0, length: 0, extra: 1 },
  'a wrong check': { spoil: 1 },
  'a check wrong in its top bit': { spoil: 0x8000_0000 },
}

function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

describe.each(engines)('$kind engine: records refused', (under) => {
  const world = useWorld(under)

  it.each(Object.entries(violations))('%s', async (_what, fields) => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const { socket, feed } = await world.rawSender(party, receiver.transfer)
    // Bytes follow that would land if the header were taken for a sound one.
    socket.write(Buffer.concat([rawHeader(fields), Buffer.alloc(1000, 1)]))
    expect(await party.closed(feed)).toMatchObject({
      transfer: receiver.transfer,
      code: 'spoil' in fields ? 'ERR_FR_SPOILT' : 'ERR_FR_PROTOCOL',
    })
    await gone(socket)
    expect(party.engine.stats(receiver.transfer)).toEqual({
      ...{ landedBytes: 0, holeBytes: 0, scratchBytes: 0 },
      ...{ receivedBytes: 0, duplicateBytes: 0, sentBytes: 0 },
      feeds: [],
    })
    expect(receiver.content().equals(Buffer.alloc(size))).toBe(true)
    expect(party.events).toHaveLength(1)
  })

  it('a header with any one bit flipped', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    for (let byte = 0; byte < 32; byte += 1) {
      const { socket, feed } = await world.rawSender(party, receiver.transfer)
      const header = rawHeader({ length: 1 })
      header[byte] = (header[byte] as number) ^ (1 << (byte % 8))
      socket.write(header)
      expect((await party.closed(feed)).code, `byte ${byte}`).toBe('ERR_FR_SPOILT')
    }
  })

  it('everything after a good record, which stays', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const { socket, feed } = await world.rawSender(party, receiver.transfer)
    const bytes = fileBytes(blockBytes)
    socket.write(
      Buffer.concat([rawPayload(0, bytes), rawHeader({ kind: 9 }), rawPayload(1, bytes)]),
    )
    expect((await party.closed(feed)).code).toBe('ERR_FR_PROTOCOL')
    expect(party.of('landed')).toMatchObject([{ offset: 0, length: blockBytes }])
    expect(party.engine.stats(receiver.transfer).landedBytes).toBe(blockBytes)
    expect(receiver.content().subarray(0, blockBytes).equals(bytes)).toBe(true)
  })

  it('scratch where there is no scratch file', async () => {
    const party = await world.party()
    const origin = await world.origin(party, fileBytes(size))
    const { socket, feed } = await world.rawSender(party, origin.transfer)
    socket.write(rawPayload(0, Buffer.alloc(10), 0, 1))
    expect((await party.closed(feed)).code).toBe('ERR_FR_PROTOCOL')
  })

  it('a connection whose ends derived different seeds', async () => {
    const party = await world.party()
    const origin = await world.origin(party, fileBytes(size))
    const receiver = await world.receiver(party, size)
    const [a, b] = await world.pair()
    const incoming = party.engine.adopt(b, { transfer: receiver.transfer, direction: 'in', seed })
    const spec = { transfer: origin.transfer, direction: 'out', seed: seed + 1n } as const
    const outgoing = party.engine.adopt(a, spec)
    party.engine.send(outgoing, { stream: streamId, offset: 0, length: size })
    expect((await party.closed(incoming)).code).toBe('ERR_FR_SPOILT')
    expect((await party.closed(outgoing)).code).toBe('ERR_FR_NODE_LOST')
    expect(party.engine.stats(receiver.transfer).landedBytes).toBe(0)
  })

  it('a byte after the end record', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const { socket, feed } = await world.rawSender(party, receiver.transfer)
    socket.write(Buffer.concat([rawEnd, Buffer.from([0])]))
    expect((await party.closed(feed)).code).toBe('ERR_FR_PROTOCOL')
  })

  it('a byte from the receiver of an outgoing feed', async () => {
    const party = await world.party()
    const origin = await world.origin(party, fileBytes(size))
    const { socket, feed } = await world.rawReceiver(party, origin.transfer)
    socket.write('x')
    expect((await party.closed(feed)).code).toBe('ERR_FR_PROTOCOL')
    socket.resume()
    await gone(socket)
  })
})

describe.each(engines)('$kind engine: records taken', (under) => {
  const world = useWorld(under)

  it('takes records in any pieces, down to single bytes', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, 40)
    const { socket, feed } = await world.rawSender(party, receiver.transfer)
    socket.setNoDelay(true)
    const bytes = fileBytes(40)
    const all = Buffer.concat([
      rawPayload(30, bytes.subarray(30)),
      rawHeader({ kind: 3, extra: 5, length: 40 }),
      Buffer.from('five!'),
      rawPayload(0, bytes.subarray(0, 30)),
      rawEnd,
    ])
    for (const byte of all) {
      await write(socket, Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.end()
    expect((await party.closed(feed)).code).toBeNull()
    expect(receiver.content().equals(bytes)).toBe(true)
    expect(party.of('digests').map(({ payload }) => Buffer.from(payload).toString())).toEqual([
      'five!',
    ])
    expect(party.of('landed')).toMatchObject([{ offset: 0, length: 40 }])
  })

  it('takes a record of 1 MiB whose bytes come late', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, MIB)
    const { socket } = await world.rawSender(party, receiver.transfer)
    const bytes = fileBytes(MIB)
    const record = rawPayload(0, bytes)
    socket.write(record.subarray(0, 300_000))
    await poll('the first part lands', () => {
      return party.engine.stats(receiver.transfer).landedBytes === 300_000 - 32
    })
    await party.landed(receiver.transfer, MIB, 4 * blockBytes)
    socket.write(record.subarray(300_000))
    await party.landed(receiver.transfer, MIB)
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('takes a hole for zeros, once, and relays it', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const relay = await world.rawReceiver(party, receiver.transfer, true)
    const relayed = drain(relay.socket)
    const { socket, feed } = await world.rawSender(party, receiver.transfer)
    const bytes = Buffer.alloc(blockBytes, 'x')
    socket.write(
      Buffer.concat([
        rawPayload(blockBytes, bytes),
        rawHeader({ kind: 2, route: 1, length: size }),
        rawPayload(0, bytes),
        rawEnd,
      ]),
    )
    socket.end()
    expect((await party.closed(feed)).code).toBeNull()
    await party.landed(receiver.transfer, size)
    const expected = Buffer.alloc(size).fill('x', blockBytes, 2 * blockBytes)
    expect(receiver.content().equals(expected)).toBe(true)
    expect(party.engine.stats(receiver.transfer).landedBytes).toBe(size)
    party.engine.finish(relay.feed)
    expect((await relayed).length).toBeGreaterThan(32)
    expect((await party.closed(relay.feed)).code).toBeNull()
  })
})

describe.each(engines)('$kind engine: connections that break', (under) => {
  const world = useWorld(under)

  it.each([
    ['at once', Buffer.alloc(0)],
    ['in a header', rawHeader().subarray(0, 17)],
    ['after a header', rawHeader({ length: 10 })],
    ['in digests', Buffer.concat([rawHeader({ kind: 3, extra: 8 }), Buffer.alloc(3)])],
    ['at a record border, without end', rawPayload(0, Buffer.alloc(10))],
  ])('EOF %s is a lost node', async (_where, bytes) => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const { socket, feed } = await world.rawSender(party, receiver.transfer)
    socket.end(bytes)
    expect(await party.closed(feed)).toMatchObject({ code: 'ERR_FR_NODE_LOST', errno: 0 })
    await gone(socket)
    expect(party.of('digests')).toEqual([])
  })

  it('keeps what landed before EOF in mid-payload; another feed brings the rest', async () => {
    const party = await world.party()
    const bytes = fileBytes(size)
    const origin = await world.origin(party, bytes)
    const receiver = await world.receiver(party, size)
    const { socket, feed } = await world.rawSender(party, receiver.transfer)
    const have = blockBytes + 1234
    socket.end(rawPayload(0, bytes).subarray(0, 32 + have))
    expect((await party.closed(feed)).code).toBe('ERR_FR_NODE_LOST')
    expect(party.engine.stats(receiver.transfer).landedBytes).toBe(have)
    expect(party.of('landed')).toMatchObject([{ offset: 0, length: blockBytes }])
    expect(receiver.content().subarray(0, have).equals(bytes.subarray(0, have))).toBe(true)
    const rest = await world.feed(party, origin.transfer, party, receiver.transfer)
    party.engine.send(rest.out, { stream: streamId, offset: 0, length: size })
    await party.landed(receiver.transfer, size)
    await poll('duplicates', () => {
      const { feeds } = party.engine.stats(receiver.transfer)
      return feeds.find((it) => it.feed === rest.in)?.duplicateBytes === have
    })
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('reports a reset by its number', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const { socket, feed } = await world.rawSender(party, receiver.transfer)
    socket.write(rawPayload(0, Buffer.alloc(size)).subarray(0, 1000))
    await poll('a part lands', () => party.engine.stats(receiver.transfer).landedBytes === 968)
    socket.resetAndDestroy()
    const event = await party.closed(feed)
    expect(event).toMatchObject({ code: 'ERR_FR_NODE_LOST', errno: econnreset })
    expect(party.engine.stats(receiver.transfer).landedBytes).toBe(968)
  })

  it('a receiver that half-closes, resets or closes before the end is a lost node', async () => {
    const party = await world.party()
    // More than the kernel takes from a receiver that does not read: there is no end to wait for.
    const big = 16 * MIB
    const origin = await world.origin(party, fileBytes(big))
    for (const leave of ['end', 'resetAndDestroy', 'destroy'] as const) {
      const { socket, feed } = await world.rawReceiver(party, origin.transfer)
      party.engine.send(feed, { stream: streamId, offset: 0, length: big })
      socket[leave]()
      expect((await party.closed(feed)).code, leave).toBe('ERR_FR_NODE_LOST')
      socket.resume()
      await gone(socket)
    }
    expect(party.of('feedClosed')).toHaveLength(3)
    expect(party.of('fileFailed')).toEqual([])
  })

  it('a connection that is gone when it is adopted is a lost node', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    for (const direction of ['in', 'out'] as const) {
      const [a, b] = await world.pair()
      b.destroy()
      await gone(b)
      const feed = party.engine.adopt(b, { transfer: receiver.transfer, direction, seed })
      expect((await party.closed(feed)).code).toBe('ERR_FR_NODE_LOST')
      a.destroy()
    }
  })
})
