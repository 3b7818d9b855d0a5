/**
 * Blocks that are in the file before anything arrives (`hold`), in both engines: they are served,
 * passed on and kept from being written over like blocks that landed, and never told.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { type RawRecord, rawEnd, rawPayload, rawRecords } from './raw.js'
import { blockBytes, drain, fileBytes, poll, streamId, useWorld } from './world.js'

const tail = 5000
const size = 7 * blockBytes + tail
const half = 4 * blockBytes

describe.each(engines)('$kind engine: held blocks', (under) => {
  const world = useWorld(under)

  /** A node with all bytes of a stream in its partial, of which it does not know yet. */
  async function node(stream: { hashes?: 'xxh64' } = {}) {
    const party = await world.party()
    const receiver = await world.receiver(party, size, world.root, stream)
    const bytes = fileBytes(size)
    const path = join(receiver.data, '.fastreplica', 'partials', 'main')
    writeFileSync(path, bytes)
    const { transfer } = receiver
    const { engine } = party
    const landed = (count: number) =>
      poll(`${count} bytes are there`, () => engine.stats(transfer).landedBytes === count)
    return {
      party,
      engine,
      receiver,
      transfer,
      bytes,
      landed,
      hold: (offset: number, length: number) =>
        engine.hold(transfer, { stream: streamId, offset, length }),
      /** The held blocks, once they count. */
      holds: async (offset: number, length: number) => {
        const { landedBytes } = engine.stats(transfer)
        engine.hold(transfer, { stream: streamId, offset, length })
        await landed(landedBytes + length)
      },
      /** Where blocks start that were told. */
      told: () => [...party.blocks(transfer, size)].sort((a, b) => a - b),
    }
  }

  type Node = Awaited<ReturnType<typeof node>>

  /** A child driven by the test: all that its feed brings until it is finished. */
  async function child({ engine, transfer }: Node) {
    const { socket, feed } = await world.rawReceiver({ engine } as Node['party'], transfer)
    const all = drain(socket)
    const records = async (): Promise<RawRecord[]> => {
      engine.finish(feed)
      return rawRecords(await all).filter(({ kind }) => kind === 1)
    }
    return { feed, records }
  }

  /** The bytes that came, by route; none comes twice. */
  function got(records: readonly RawRecord[], bytes: Buffer): Record<number, number> {
    const seen = new Uint8Array(bytes.length)
    const byRoute: Record<number, number> = {}
    for (const { route, offset, length, payload } of records) {
      expect(seen.subarray(offset, offset + length).every((one) => one === 0)).toBe(true)
      seen.fill(1, offset, offset + length)
      expect(payload.equals(bytes.subarray(offset, offset + length))).toBe(true)
      byRoute[route] = (byRoute[route] ?? 0) + length
    }
    return byRoute
  }

  it('are served at once, counted as landed, and never told', async () => {
    const made = await node()
    const { engine, transfer, bytes } = made
    const before = await child(made)
    engine.send(before.feed, { stream: streamId, offset: 0, length: size })
    await made.holds(0, half)
    await made.holds(half, size - half)
    const after = await child(made)
    engine.send(after.feed, { stream: streamId, offset: 0, length: size, route: 3 })
    expect(got(await before.records(), bytes)).toEqual({ 0: size })
    expect(got(await after.records(), bytes)).toEqual({ 3: size })
    expect(engine.stats(transfer)).toMatchObject({
      landedBytes: size,
      holeBytes: 0,
      receivedBytes: 0,
      duplicateBytes: 0,
    })
    expect(made.told()).toEqual([])
  })

  it('are not written over, and count what arrives of them as duplicate', async () => {
    const made = await node({ hashes: 'xxh64' })
    const { party, engine, transfer, bytes, receiver } = made
    await made.holds(2 * blockBytes, 3 * blockBytes)
    const others = fileBytes(size)
    const sender = await world.rawSender(party, transfer)
    sender.socket.write(rawPayload(0, others, 0))
    sender.socket.write(rawEnd)
    sender.socket.end()
    expect((await party.closed(sender.feed)).code).toBeNull()
    expect(engine.stats(transfer)).toMatchObject({
      landedBytes: size,
      receivedBytes: size,
      duplicateBytes: 3 * blockBytes,
    })
    const expected = Buffer.from(others)
    bytes.copy(expected, 2 * blockBytes, 2 * blockBytes, 5 * blockBytes)
    expect(receiver.content().equals(expected)).toBe(true)
    await party.until('the others are told', () => made.told().length === 5)
    expect(made.told()).toEqual([0, 1, 5, 6, 7].map((block) => block * blockBytes))
    for (const { length, digests } of party.of('landed'))
      if (digests !== undefined) expect(digests.length).toBe(Math.ceil(length / blockBytes) * 8)
  })

  it.each(['before', 'after'] as const)(
    'go where their route leads, when that is assigned %s',
    async (when) => {
      const made = await node()
      const { engine, transfer, bytes } = made
      const [early, late, left] = [await child(made), await child(made), await child(made)]
      engine.setRoute(transfer, 9, [
        { feed: early.feed, next: 4 },
        { feed: left.feed, next: 6 },
      ])
      const assign = () =>
        engine.assign(transfer, { stream: streamId, offset: 0, length: half, route: 9 })
      if (when === 'before') assign()
      await made.holds(0, size)
      if (when === 'after') assign()
      engine.setRoute(transfer, 9, [
        { feed: early.feed, next: 4 },
        { feed: late.feed, next: 5 },
      ])
      // What a feed was given before it left the table stays its own, and is not given again.
      engine.setRoute(transfer, 9, [
        { feed: early.feed, next: 4 },
        { feed: late.feed, next: 5 },
        { feed: left.feed, next: 6 },
      ])
      expect(got(await early.records(), bytes)).toEqual({ 4: half })
      expect(got(await late.records(), bytes)).toEqual({ 5: half })
      expect(got(await left.records(), bytes)).toEqual({ 6: half })
    },
  )

  it('get the route that their bytes come with later', async () => {
    const made = await node()
    const { party, engine, transfer, bytes } = made
    await made.holds(0, size)
    const one = await child(made)
    engine.setRoute(transfer, 2, [{ feed: one.feed, next: 0 }])
    const sender = await world.rawSender(party, transfer)
    sender.socket.write(rawPayload(0, bytes.subarray(0, blockBytes), 2))
    await poll('it came', () => engine.stats(transfer).duplicateBytes === blockBytes)
    expect(got(await one.records(), bytes)).toEqual({ 0: blockBytes })
  })

  it('that have landed in part are whole, and not told either', async () => {
    const made = await node()
    const { party, engine, transfer, bytes } = made
    const sender = await world.rawSender(party, transfer)
    const one = await child(made)
    engine.send(one.feed, { stream: streamId, offset: 0, length: size })
    // Block 0 whole, of block 1 a piece in the middle, of the last its end.
    const parts = [
      [0, blockBytes],
      [blockBytes + 100, blockBytes + 1100],
      [size - 10, size],
    ] as const
    for (const [from, to] of parts) sender.socket.write(rawPayload(from, bytes.subarray(from, to)))
    await made.landed(blockBytes + 1010)
    made.hold(0, 3 * blockBytes)
    made.hold(7 * blockBytes, tail)
    await made.landed(3 * blockBytes + tail)
    await party.until('what was whole before is told', () => made.told().length === 1)
    sender.socket.write(rawPayload(0, bytes))
    await party.until('the rest is told', () => made.told().length === 5)
    expect(made.told()).toEqual([0, 3, 4, 5, 6].map((block) => block * blockBytes))
    expect(engine.stats(transfer)).toMatchObject({
      landedBytes: size,
      receivedBytes: size + blockBytes + 1010,
    })
    expect(got(await one.records(), bytes)).toEqual({ 0: size })
  })

  it('while bytes of them are arriving are counted and sent once', async () => {
    const made = await node()
    const { party, engine, transfer, bytes } = made
    const one = await child(made)
    engine.send(one.feed, { stream: streamId, offset: 0, length: size })
    const sender = await world.rawSender(party, transfer)
    sender.socket.write(rawPayload(0, bytes))
    for (let at = 0; at < size; at += blockBytes) {
      made.hold(at, Math.min(blockBytes, size - at))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await poll('all came', () => engine.stats(transfer).receivedBytes === size)
    await made.landed(size)
    expect(got(await one.records(), bytes)).toEqual({ 0: size })
    made.told()
  })

  it('make a file that is only read a stream that serves all', async () => {
    const party = await world.party()
    const { engine } = party
    const { storage } = engine
    const first = await world.receiver(party, size)
    const bytes = fileBytes(size)
    writeFileSync(join(first.data, 'held'), bytes)
    const file = await storage.openHeld(first.dir, Buffer.from('held'))
    const transfer = engine.openTransfer()
    engine.addStream(transfer, { stream: streamId, file, size, blockBytes, complete: false })
    engine.hold(transfer, { stream: streamId, offset: 0, length: size })
    const { socket, feed } = await world.rawReceiver(party, transfer)
    const all = drain(socket)
    engine.send(feed, { stream: streamId, offset: 0, length: size })
    engine.finish(feed)
    const records = rawRecords(await all).filter(({ kind }) => kind === 1)
    expect(got(records, bytes)).toEqual({ 0: size })
    expect((await party.closed(feed)).code).toBeNull()
    expect(readFileSync(join(first.data, 'held')).equals(bytes)).toBe(true)
  })

  it('change nothing in a stream that is complete', async () => {
    const party = await world.party()
    const origin = await world.origin(party, fileBytes(size))
    party.engine.hold(origin.transfer, { stream: streamId, offset: 0, length: size })
    const { socket, feed } = await world.rawReceiver(party, origin.transfer)
    const all = drain(socket)
    party.engine.send(feed, { stream: streamId, offset: 0, length: 1 })
    party.engine.finish(feed)
    expect(rawRecords(await all).map(({ length }) => length)).toEqual([1, 0])
    expect(party.engine.stats(origin.transfer).landedBytes).toBe(0)
  })

  it('count for nothing once the file has failed', async () => {
    const party = await world.party()
    const { engine } = party
    const first = await world.receiver(party, size)
    writeFileSync(join(first.data, 'held'), fileBytes(size))
    const file = await engine.storage.openHeld(first.dir, Buffer.from('held'))
    const transfer = engine.openTransfer()
    engine.addStream(transfer, { stream: streamId, file, size, blockBytes, complete: false })
    const sender = await world.rawSender(party, transfer)
    sender.socket.write(rawPayload(0, fileBytes(blockBytes)))
    // It was opened for reading only.
    expect((await party.failed(transfer)).code).toBe('ERR_FR_IO')
    engine.hold(transfer, { stream: streamId, offset: 0, length: size })
    const { socket, feed } = await world.rawReceiver(party, transfer)
    const all = drain(socket)
    engine.send(feed, { stream: streamId, offset: 0, length: size })
    engine.finish(feed)
    expect(rawRecords(await all).map(({ kind }) => kind)).toEqual([4])
    expect(engine.stats(transfer).landedBytes).toBe(0)
  })

  it('are bytes of a stream that is known', async () => {
    const made = await node()
    const { engine, transfer } = made
    const refused: readonly (readonly [number, number])[] = [
      [0, 0],
      [0, size + 1],
      [8 * blockBytes, blockBytes],
      [-blockBytes, blockBytes],
      [0.5, blockBytes],
      [0, Number.NaN],
    ]
    for (const [offset, length] of refused)
      expect(() => made.hold(offset, length), `${offset}, ${length}`).toThrow(TypeError)
    const range = { offset: 0, length: blockBytes }
    expect(() => engine.hold(transfer, { ...range, stream: 8 })).toThrow(TypeError)
    expect(() => engine.hold(transfer + 999, { ...range, stream: streamId })).toThrow(TypeError)
    engine.closeTransfer(transfer)
    expect(() => made.hold(0, blockBytes)).toThrow(TypeError)
  })
})
