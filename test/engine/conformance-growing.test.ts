/**
 * Streams that grow while they are sent, in both engines: what lies beyond the size so far waits
 * for it, beginnings of blocks are hashed where they are asked for, and what lies before the line
 * is forgotten.
 */
import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { createBlake3 } from '../../src/engine/hashing/blake3.js'
import { engines } from './engines.js'
import { rawEnd, rawHeader, rawPayload, rawRecords } from './raw.js'
import {
  blockBytes,
  drain,
  fileBytes,
  type Party,
  poll,
  streamId,
  useWorld,
  World,
} from './world.js'

const { block: blake3 } = await createBlake3()

/** The BLAKE3 subtree value of the bytes at this place of a file. */
function blake3Of(bytes: Buffer, offset: number): Buffer {
  blake3.start(offset)
  blake3.update(bytes)
  return Buffer.from(blake3.finish())
}

describe.each(engines)('$kind engine: a stream that grows', (under) => {
  const world = useWorld(under)

  /** A node that has nothing of a stream yet. */
  async function node(size = 0, hashes?: 'blake3') {
    const party = await world.party()
    const { engine } = party
    const receiver = await world.receiver(party, 0)
    const transfer = engine.openTransfer()
    engine.addStream(transfer, {
      ...{ stream: streamId, file: receiver.file, scratch: receiver.scratch, size, blockBytes },
      ...{ growing: true, complete: false, ...(hashes && { hashes }) },
    })
    const sender = await world.rawSender(party, transfer)
    const landed = (bytes: number) =>
      poll(`${bytes} landed`, () => engine.stats(transfer).landedBytes === bytes)
    const grow = (to: number, isFinal = false) =>
      engine.grow(transfer, { stream: streamId, size: to, isFinal })
    return { party, engine, receiver, transfer, ...sender, landed, grow }
  }

  /** The runs that were told, with their digests. */
  function told(party: Party) {
    return party.of('landed').map(({ offset, length, digests }) => ({
      ...{ offset, length },
      ...(digests && { value: Buffer.from(digests).toString('hex') }),
    }))
  }

  const ended = (socket: { write(bytes: Buffer): unknown; end(): unknown }) => {
    socket.write(rawEnd)
    socket.end()
  }

  it('takes what comes beyond its size once it has grown, with all behind it', async () => {
    const { party, socket, feed, receiver, landed, grow } = await node(blockBytes)
    const bytes = fileBytes(3 * blockBytes)
    socket.write(rawPayload(0, bytes.subarray(0, blockBytes)))
    socket.write(rawPayload(blockBytes, bytes.subarray(blockBytes)))
    ended(socket)
    await landed(blockBytes)
    await party.until('the first block is told', () => told(party).length === 1)
    grow(2 * blockBytes)
    grow(blockBytes)
    expect(party.of('feedClosed')).toEqual([])
    grow(3 * blockBytes)
    await landed(3 * blockBytes)
    expect((await party.closed(feed)).code).toBeNull()
    expect(told(party).reduce((sum, { length }) => sum + length, 0)).toBe(3 * blockBytes)
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('tells a short last block once its size is final, and takes nothing behind it', async () => {
    const { party, socket, feed, landed, grow, transfer, engine } = await node(3 * blockBytes)
    const tail = 1_000
    socket.write(rawPayload(0, fileBytes(blockBytes + tail)))
    await landed(blockBytes + tail)
    grow(blockBytes + tail, true)
    await party.until('both are told', () => told(party).length === 2)
    expect(told(party)).toEqual([
      { offset: 0, length: blockBytes },
      { offset: blockBytes, length: tail },
    ])
    expect(() => grow(4 * blockBytes)).toThrow(TypeError)
    socket.write(rawPayload(blockBytes + tail, fileBytes(1)))
    expect((await party.closed(feed)).code).toBe('ERR_FR_PROTOCOL')
    expect(engine.stats(transfer).landedBytes).toBe(blockBytes + tail)
  })

  it('tells the last block where its bytes come after the final size', async () => {
    const { party, socket, landed, grow } = await node(blockBytes)
    socket.write(rawPayload(0, fileBytes(500)))
    await landed(500)
    grow(700, true)
    socket.write(rawPayload(500, fileBytes(200)))
    await party.until('it is told', () => told(party).length === 1)
    expect(told(party)).toEqual([{ offset: 0, length: 700 }])
  })

  it('ends a feed that is in a record behind its end', async () => {
    const { party, socket, feed, landed, grow } = await node(blockBytes)
    socket.write(rawPayload(0, fileBytes(2_000)).subarray(0, 32 + 600))
    await landed(600)
    grow(1_000, true)
    expect((await party.closed(feed)).code).toBe('ERR_FR_PROTOCOL')
  })

  it('takes what had landed behind its end for none of it', async () => {
    const { party, socket, landed, grow, receiver } = await node(2 * blockBytes)
    const bytes = fileBytes(2 * blockBytes)
    socket.write(rawPayload(0, bytes))
    await landed(2 * blockBytes)
    grow(blockBytes + 5, true)
    await landed(blockBytes + 5)
    await party.until('its last block is told', () =>
      told(party).some(({ offset, length }) => offset + length === blockBytes + 5),
    )
    await party.engine.storage.trim(receiver.file)
    expect(receiver.content().equals(bytes.subarray(0, blockBytes + 5))).toBe(true)
  })

  it('is as long as its last byte, and has its size once it is trimmed', async () => {
    const { party, socket, landed, grow, receiver } = await node(3 * blockBytes)
    const path = join(receiver.data, '.fastreplica', 'partials', 'main')
    const bytes = fileBytes(100)
    socket.write(rawPayload(blockBytes, bytes))
    await landed(100)
    expect(statSync(path).size).toBe(blockBytes + 100)
    socket.write(rawHeader({ kind: 2, offset: BigInt(blockBytes + 100), length: 50 }))
    await landed(150)
    grow(blockBytes + 150, true)
    await party.engine.storage.trim(receiver.file)
    expect(statSync(path).size).toBe(blockBytes + 150)
    const whole = Buffer.concat([Buffer.alloc(blockBytes), bytes, Buffer.alloc(50)])
    expect(receiver.content().equals(whole)).toBe(true)
  })

  it('is no longer than what is in it where it is trimmed before its end', async () => {
    const { party, socket, landed, grow, receiver } = await node(blockBytes)
    const path = join(receiver.data, '.fastreplica', 'partials', 'main')
    const bytes = fileBytes(blockBytes + 100)
    grow(5 * blockBytes)
    socket.write(rawPayload(0, bytes))
    await landed(blockBytes + 100)
    await party.engine.storage.trim(receiver.file)
    expect(statSync(path).size).toBe(blockBytes + 100)
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('has blocks by sections, and tells no run across a border', async () => {
    const border = limits.sectionBytes
    const { party, socket, landed } = await node(border + 4 * blockBytes, 'blake3')
    // The first section has a block of its own here, the second one of two.
    const first = border - blockBytes
    const bytes = fileBytes(4 * blockBytes)
    socket.write(rawPayload(first, bytes.subarray(0, 3 * blockBytes)))
    await landed(3 * blockBytes)
    await party.until('both are told', () => told(party).length === 2)
    const runs = told(party).sort((a, b) => a.offset - b.offset)
    expect(runs).toMatchObject([
      { offset: first, length: blockBytes },
      { offset: border, length: 2 * blockBytes },
    ])
    for (const { offset, length, value } of runs) {
      const own = bytes.subarray(offset - first, offset - first + length)
      if (value !== undefined) expect(value).toBe(blake3Of(own, offset).toString('hex'))
    }
    // Half a block of the second section is none.
    socket.write(rawPayload(border + 2 * blockBytes, bytes.subarray(0, blockBytes)))
    await landed(4 * blockBytes)
    expect(told(party)).toHaveLength(2)
  })

  it('answers a cut once all of it has landed, and the newest only', async () => {
    const { party, engine, transfer, socket, landed } = await node(4 * blockBytes)
    const bytes = fileBytes(2_000)
    const cut = (length: number, offset = blockBytes) =>
      engine.cut(transfer, { stream: streamId, offset, length })
    cut(1_500)
    cut(1_025)
    socket.write(rawPayload(blockBytes, bytes.subarray(0, 1_024)))
    await landed(1_024)
    expect(told(party)).toEqual([])
    socket.write(rawPayload(blockBytes + 1_024, bytes.subarray(1_024)))
    await party.until('it is answered', () => told(party).length === 1)
    const expected = (length: number) => ({
      ...{ offset: blockBytes, length },
      value: blake3Of(bytes.subarray(0, length), blockBytes).toString('hex'),
    })
    expect(told(party)).toEqual([expected(1_025)])
    await landed(2_000)
    cut(2_000)
    await party.until('the next one at once', () => told(party).length === 2)
    expect(told(party)[1]).toEqual(expected(2_000))
    for (const [offset, length] of [
      [1, 1],
      [blockBytes, blockBytes + 1],
      [0, 0],
    ] as const)
      expect(() => cut(length, offset)).toThrow(TypeError)
  })

  it('hashes the beginning of a large block that is answered from the file', async () => {
    const start = limits.sectionBytes * (2 ** 6 - 1)
    const { party, engine, transfer, receiver } = await node(start + 4 * 2 ** 20)
    const bytes = fileBytes(3 * 2 ** 20 + 7)
    const path = join(receiver.data, '.fastreplica', 'partials', 'main')
    truncateSync(path, start)
    writeFileSync(path, bytes, { flag: 'a' })
    engine.hold(transfer, { stream: streamId, offset: start, length: bytes.length })
    engine.cut(transfer, { stream: streamId, offset: start, length: bytes.length })
    await party.until('it is answered', () => told(party).length === 1)
    expect(told(party)).toEqual([
      { offset: start, length: bytes.length, value: blake3Of(bytes, start).toString('hex') },
    ])
  })

  it('folds values to those of larger blocks', async () => {
    const { engine } = await node()
    const bytes = fileBytes(5 * 4_096 + 100)
    const values = (of: number) =>
      Buffer.concat(
        Array.from({ length: Math.ceil(bytes.length / of) }, (_, i) =>
          blake3Of(bytes.subarray(i * of, (i + 1) * of), i * of),
        ),
      )
    for (const by of [1, 2, 4, 8])
      expect(Buffer.from(engine.foldBlake3(values(4_096), by))).toEqual(values(by * 4_096))
    expect(engine.foldBlake3(Buffer.alloc(0), 4)).toHaveLength(0)
    for (const by of [0, 3]) expect(() => engine.foldBlake3(values(4_096), by)).toThrow(TypeError)
    expect(() => engine.foldBlake3(Buffer.alloc(31), 2)).toThrow(TypeError)
  })

  it('grows at its origin, where all up to its size is there', async () => {
    const party = await world.party()
    const path = join(world.root, 'source')
    const bytes = fileBytes(2 * blockBytes)
    writeFileSync(path, bytes.subarray(0, 1_000))
    const { file } = await party.engine.storage.openSource(path)
    const transfer = party.engine.openTransfer()
    const stream = { stream: streamId, file, size: 1_000, blockBytes }
    party.engine.addStream(transfer, { ...stream, complete: true, growing: true })
    const { socket, feed } = await world.rawReceiver(party, transfer)
    const came = drain(socket)
    const send = (offset: number, length: number) =>
      party.engine.send(feed, { stream: streamId, offset, length })
    send(0, 1_000)
    expect(() => send(1_000, 1)).toThrow(TypeError)
    writeFileSync(path, bytes.subarray(1_000), { flag: 'a' })
    party.engine.grow(transfer, { stream: streamId, size: bytes.length, isFinal: true })
    send(1_000, bytes.length - 1_000)
    party.engine.finish(feed)
    const payloads = rawRecords(await came).filter(({ kind }) => kind === 1)
    expect(Buffer.concat(payloads.map(({ payload }) => payload)).equals(bytes)).toBe(true)
  })

  it('passes the last record on although its place was passed on before', async () => {
    const { party, engine, transfer } = await node(blockBytes)
    const { socket, feed } = await world.rawReceiver(party, transfer)
    const came = drain(socket)
    engine.setRoute(transfer, 3, [{ feed, next: 4 }])
    const relay = (offset: number, length: number, fill: number) =>
      engine.relayDigests(transfer, {
        ...{ stream: streamId, offset, length, route: 3 },
        payload: Buffer.alloc(97, fill),
      })
    for (const fill of [1, 1, 2, 1, 2]) relay(0, 100, fill)
    relay(0, 0, 3)
    engine.finish(feed)
    const records = rawRecords(await came).filter(({ kind }) => kind === 3)
    expect(records.map(({ length, payload }) => [length, payload[0]])).toEqual([
      [100, 1],
      [100, 2],
      [0, 3],
    ])
  })

  it('forgets routes and digests before the line, which a late feed begins at', async () => {
    const { engine, transfer, socket, landed, party } = await node(8 * blockBytes)
    const bytes = fileBytes(4 * blockBytes)
    socket.write(rawPayload(0, bytes, 1))
    await landed(4 * blockBytes)
    for (let block = 0; block < 4; block++)
      engine.relayDigests(transfer, {
        ...{ stream: streamId, offset: block * blockBytes, length: blockBytes, route: 1 },
        payload: Buffer.alloc(97, block),
      })
    const line = 2 * blockBytes + 10
    engine.forget(transfer, { stream: streamId, before: line })
    engine.forget(transfer, { stream: streamId, before: 5 })
    // What comes there again is dropped, and gets no route.
    socket.write(rawPayload(0, bytes.subarray(0, blockBytes), 2))
    await poll('it was dropped', () => engine.stats(transfer).duplicateBytes === blockBytes)
    engine.assign(transfer, { stream: streamId, offset: 0, length: blockBytes, route: 2 })
    const late = await world.rawReceiver(party, transfer)
    const came = drain(late.socket)
    for (const route of [1, 2]) engine.setRoute(transfer, route, [{ feed: late.feed, next: route }])
    // It can still be sent where somebody asks.
    engine.send(late.feed, { stream: streamId, offset: 5, length: 20 })
    engine.finish(late.feed)
    const records = rawRecords(await came)
    const digests = records.filter(({ kind }) => kind === 3)
    expect(digests.map(({ payload }) => payload[0])).toEqual([2, 3])
    const seen = new Uint8Array(bytes.length)
    for (const { kind, offset, length, payload, route } of records) {
      if (kind !== 1) continue
      expect(route).toBe(offset < line ? 0 : 1)
      expect(payload.equals(bytes.subarray(offset, offset + length))).toBe(true)
      seen.fill(1, offset, offset + length)
    }
    const expected = new Uint8Array(bytes.length).fill(1, 5, 25).fill(1, line)
    expect(Buffer.from(seen).equals(expected)).toBe(true)
  })

  it('draws the line no further than all has landed', async () => {
    const { engine, transfer, socket, landed, party } = await node(8 * blockBytes)
    const bytes = fileBytes(4 * blockBytes)
    socket.write(rawPayload(0, bytes.subarray(0, blockBytes), 1))
    socket.write(rawPayload(2 * blockBytes, bytes.subarray(2 * blockBytes), 1))
    await landed(3 * blockBytes)
    engine.forget(transfer, { stream: streamId, before: 4 * blockBytes })
    const late = await world.rawReceiver(party, transfer)
    const came = drain(late.socket)
    engine.setRoute(transfer, 1, [{ feed: late.feed, next: 0 }])
    // The line is drawn once what lies behind it has come.
    await poll('the history', () => late.socket.bytesRead > 2 * blockBytes)
    socket.write(rawPayload(blockBytes, bytes.subarray(blockBytes, 2 * blockBytes), 1))
    await landed(4 * blockBytes)
    engine.finish(late.feed)
    const records = rawRecords(await came).filter(({ kind }) => kind === 1)
    expect(records.reduce((sum, { length }) => sum + length, 0)).toBe(3 * blockBytes)
    expect(records.every(({ offset }) => offset >= blockBytes)).toBe(true)
  })

  it('lets an asked feed bring again what lies before the line', async () => {
    const { engine, transfer, landed, party } = await node(4 * blockBytes)
    const bytes = fileBytes(2 * blockBytes)
    const asked = await world.rawSender(party, transfer, true)
    engine.ask(asked.feed, { stream: streamId, offset: 0, length: 2 * blockBytes })
    asked.socket.write(rawPayload(0, bytes))
    await landed(2 * blockBytes)
    engine.forget(transfer, { stream: streamId, before: 2 * blockBytes })
    asked.socket.write(rawPayload(100, bytes.subarray(100, 400)))
    await poll('it was dropped', () => engine.stats(transfer).duplicateBytes === 300)
    asked.socket.write(rawPayload(2 * blockBytes, bytes.subarray(0, 1)))
    expect((await party.closed(asked.feed)).code).toBe('ERR_FR_PROTOCOL')
  })

  it('is nothing that other streams are', async () => {
    const party = await world.party()
    const { transfer } = await world.receiver(party, blockBytes)
    const { engine } = party
    const of = { stream: streamId }
    expect(() => engine.grow(transfer, { ...of, size: 2 * blockBytes })).toThrow(TypeError)
    expect(() => engine.cut(transfer, { ...of, offset: 0, length: 1 })).toThrow(TypeError)
    expect(() => engine.forget(transfer, { ...of, before: 1 })).toThrow(TypeError)
    const grows = await node()
    expect(() => grows.grow(limits.growingSpanBytes + 1)).toThrow(TypeError)
    expect(() => grows.grow(0.5)).toThrow(TypeError)
  })
})

it('a record that waits too long for its stream to grow ends its feed, and no other', async () => {
  const closed = engines.map(async (under) => {
    const world = new World(under)
    world.open()
    try {
      const party = await world.party()
      const { engine } = party
      const { file } = await world.receiver(party, 0)
      const transfer = engine.openTransfer()
      const stream = { stream: streamId, file, size: 10, blockBytes }
      engine.addStream(transfer, { ...stream, growing: true, complete: false })
      const [waits, other] = [
        await world.rawSender(party, transfer),
        await world.rawSender(party, transfer),
      ]
      waits.socket.write(rawPayload(0, fileBytes(11)))
      other.socket.write(rawPayload(0, fileBytes(10)))
      await poll('the other one goes on', () => engine.stats(transfer).landedBytes === 10)
      expect(party.of('feedClosed')).toEqual([])
      const { feed, code } = await party.closed(waits.feed)
      return [feed === waits.feed, code, engine.stats(transfer).landedBytes]
    } finally {
      await world.close()
    }
  })
  expect(await Promise.all(closed)).toEqual(engines.map(() => [true, 'ERR_FR_PROTOCOL', 10]))
})
