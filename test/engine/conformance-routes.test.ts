/**
 * Routes in both engines: what a node's table says of the bytes that land there, whenever the
 * table, its feeds and the routes of the bytes come.
 */
import { describe, expect, it } from 'vitest'
import type { FrError } from '../../src/base/errors.js'
import { limits } from '../../src/base/limits.js'
import { engines } from './engines.js'
import { type RawRecord, rawEnd, rawHeader, rawPayload, rawRecords } from './raw.js'
import {
  blockBytes,
  drain,
  fileBytes,
  type Party,
  poll,
  type Receiver,
  streamId,
  useWorld,
} from './world.js'

const size = 8 * blockBytes
const half = size / 2
const whole = { stream: streamId, offset: 0, length: size }

describe.each(engines)('$kind engine: routes', (under) => {
  const world = useWorld(under)

  /** A child driven by the test: all that its feed brings until it is finished. */
  async function child(party: Party, transfer: number) {
    const { socket, feed } = await world.rawReceiver(party, transfer)
    const bytes = drain(socket)
    const records = async (): Promise<RawRecord[]> => {
      party.engine.finish(feed)
      return rawRecords(await bytes).filter(({ kind }) => kind !== 4)
    }
    return { feed, records }
  }

  it('leaves out what its receiver has, of the history alone', async () => {
    const { party, transfer, bytes, brings, landed, settled } = await node()
    brings(0, half, 1)
    await landed(half)
    const late = await child(party, transfer)
    const skip = (offset: number, length: number) =>
      party.engine.skip(late.feed, { stream: streamId, offset, length })
    skip(100, blockBytes)
    skip(half - 10, 20)
    party.engine.setRoute(transfer, 1, [{ feed: late.feed, next: 2 }])
    await settled()
    brings(half, size, 1)
    await landed(size)
    const runs = routesOf(await late.records(), bytes)
    const at = [100, 100 + blockBytes, half - 10, half]
    expect(runs).toEqual([
      [2, at[0]],
      [-1, at[1]],
      [2, at[2]],
      [-1, at[3]],
      [2, size],
    ])
    expect(() => skip(size, 1)).toThrow(TypeError)
  })

  type Runs = readonly (readonly [route: number, end: number])[]

  /** Which route bytes came with, in order, -1 where none came; no byte comes twice. */
  function routesOf(records: readonly RawRecord[], bytes: Buffer): Runs {
    const routes = new Int32Array(bytes.length).fill(-1)
    for (const { kind, flags, route, offset, length, payload } of records) {
      expect(flags).toBe(0)
      const isFresh = routes.subarray(offset, offset + length).every((one) => one === -1)
      expect(isFresh, `bytes at ${offset} came twice`).toBe(true)
      routes.fill(route, offset, offset + length)
      if (kind === 1) expect(payload.equals(bytes.subarray(offset, offset + length))).toBe(true)
      else expect(bytes.subarray(offset, offset + length).every((byte) => byte === 0)).toBe(true)
    }
    const runs: (readonly [number, number])[] = []
    for (let at = 1; at <= routes.length; at++)
      if (routes[at] !== routes[at - 1]) runs.push([routes[at - 1] as number, at])
    return runs
  }

  /** A node of which all of a file lands as the records of a sender say. */
  async function node() {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const sender = await world.rawSender(party, receiver.transfer)
    const bytes = fileBytes(size)
    const brings = (from: number, to: number, route: number) =>
      sender.socket.write(rawPayload(from, bytes.subarray(from, to), route))
    const { transfer } = receiver
    const landed = (upTo: number) => party.landed(transfer, size, upTo)
    const probe = await world.rawReceiver(party, transfer)
    let calls = 0
    // What comes on a connection may be taken before a call that was made earlier.
    const settled = async () => {
      party.engine.send(probe.feed, { stream: streamId, offset: 0, length: 1 })
      calls += 1
      await poll('all calls are done', () => {
        const { feeds } = party.engine.stats(transfer)
        return feeds.find(({ feed }) => feed === probe.feed)?.payloadBytes === calls
      })
    }
    return { party, transfer, sender, bytes, brings, landed, settled }
  }

  it('a chain: the child first, mates, and what only the child gets', async () => {
    const [a, parent, mate] = [await world.party(), await world.party(), await world.party()]
    const [head, tail] = [await world.party(), await world.party()]
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const receivers: Receiver[] = []
    for (const party of [parent, mate, head, tail])
      receivers.push(await world.receiver(party, size))
    const [p, m, h, t] = receivers as [Receiver, Receiver, Receiver, Receiver]
    const toParent = await world.feed(a, origin.transfer, parent, p.transfer)
    const toMate = await world.feed(a, origin.transfer, mate, m.transfer)
    const between = await world.feed(parent, p.transfer, mate, m.transfer)
    const down = await world.feed(parent, p.transfer, head, h.transfer)
    const last = await world.feed(head, h.transfer, tail, t.transfer)
    parent.engine.setRoute(p.transfer, 1, [
      { feed: down.out, next: 1, first: true },
      { feed: between.out, next: 0 },
    ])
    parent.engine.setRoute(p.transfer, 2, [{ feed: down.out, next: 1 }])
    head.engine.setRoute(h.transfer, 1, [{ feed: last.out, next: 0 }])
    const upper = { ...whole, length: half }
    const lower = { ...whole, offset: half, length: half }
    a.engine.send(toParent.out, { ...upper, route: 1 })
    a.engine.send(toParent.out, { ...lower, route: 2 })
    a.engine.send(toMate.out, lower)
    const parties = [parent, mate, head, tail]
    await Promise.all(parties.map((party, i) => party.landed(receivers[i]?.transfer ?? 0, size)))
    for (const [i, party] of parties.entries()) {
      const { transfer, content } = receivers[i] as Receiver
      expect(content().equals(bytes)).toBe(true)
      expect(party.engine.stats(transfer)).toMatchObject({ receivedBytes: size, duplicateBytes: 0 })
    }
    const { feeds } = parent.engine.stats(p.transfer)
    expect(feeds.find(({ feed }) => feed === down.out)?.payloadBytes).toBe(size)
    expect(feeds.find(({ feed }) => feed === between.out)?.payloadBytes).toBe(half)
  })

  it('a tree: each child gets its route under its own number', async () => {
    const { party, transfer, bytes, brings, landed } = await node()
    const [left, right] = [await child(party, transfer), await child(party, transfer)]
    const both = [left, right]
    party.engine.setRoute(
      transfer,
      7,
      both.map(({ feed }, i) => ({ feed, next: 20 + i })),
    )
    party.engine.setRoute(transfer, 65_535, [{ feed: right.feed, next: 65_535 }])
    brings(0, 1000, 7)
    brings(1000, half, 65_535)
    brings(half, size, 0)
    await landed(size)
    const routes = [routesOf(await left.records(), bytes), routesOf(await right.records(), bytes)]
    expect(routes).toEqual([
      [
        [20, 1000],
        [-1, size],
      ],
      [
        [21, 1000],
        [65_535, half],
        [-1, size],
      ],
    ])
  })

  it('a feed that enters a table gets its history, one that leaves gets no more', async () => {
    const { party, transfer, bytes, brings, landed, settled } = await node()
    const [x, y] = [await child(party, transfer), await child(party, transfer)]
    const quarter = size / 4
    const set = async (...targets: { feed: number; next: number }[]) => {
      party.engine.setRoute(transfer, 1, targets)
      await settled()
    }
    brings(0, quarter, 1)
    await landed(quarter)
    await set({ feed: x.feed, next: 0 })
    brings(quarter, 2 * quarter, 1)
    await landed(2 * quarter)
    await set({ feed: y.feed, next: 3 })
    brings(2 * quarter, 3 * quarter, 1)
    await landed(3 * quarter)
    // Back again: what it missed, under the number of now.
    await set({ feed: x.feed, next: 5 }, { feed: y.feed, next: 3 })
    await set({ feed: x.feed, next: 5 }, { feed: y.feed, next: 4 })
    brings(3 * quarter, size, 1)
    await landed(size)
    await set()
    await set({ feed: x.feed, next: 9 }, { feed: y.feed, next: 9 })
    const routes = [routesOf(await x.records(), bytes), routesOf(await y.records(), bytes)]
    expect(routes).toEqual([
      [
        [0, 2 * quarter],
        [5, size],
      ],
      [
        [3, 3 * quarter],
        [4, size],
      ],
    ])
  })

  it('bytes of routes that nobody has set land, and wait', async () => {
    const { party, transfer, bytes, sender, landed } = await node()
    const count = 2_047
    // Routes up to the highest there can be; a record takes the portable engine a turn or two.
    const records = Array.from({ length: count }, (_, i) =>
      rawPayload(i, bytes.subarray(i, i + 1), 32 * i + 32),
    )
    sender.socket.write(Buffer.concat(records))
    sender.socket.write(rawPayload(count, bytes.subarray(count), 40_000))
    await landed(size)
    const late = await child(party, transfer)
    party.engine.setRoute(transfer, 40_000, [{ feed: late.feed, next: 2 }])
    party.engine.setRoute(transfer, 384, [{ feed: late.feed, next: 1 }])
    expect(routesOf(await late.records(), bytes)).toEqual([
      [-1, 11],
      [1, 12],
      [-1, 1_249],
      [2, 1_250],
      [-1, count],
      [2, size],
    ])
  })

  it('the first route of a byte counts, also one that comes with a later copy', async () => {
    const { party, transfer, bytes, brings, sender } = await node()
    const [x, y] = [await child(party, transfer), await child(party, transfer)]
    party.engine.setRoute(transfer, 1, [{ feed: x.feed, next: 0 }])
    party.engine.setRoute(transfer, 2, [{ feed: y.feed, next: 0 }])
    brings(0, half, 0)
    brings(0, 1000, 1)
    brings(0, half, 2)
    brings(0, half, 1)
    brings(half, size, 2)
    brings(0, size, 1)
    sender.socket.end(rawEnd)
    expect((await party.closed(sender.feed)).code).toBeNull()
    const routes = [routesOf(await x.records(), bytes), routesOf(await y.records(), bytes)]
    expect(routes).toEqual([
      [
        [0, 1000],
        [-1, size],
      ],
      [
        [-1, 1000],
        [0, size],
      ],
    ])
  })

  it('assigned bytes are passed on from what is held, and as the rest lands', async () => {
    const { party, transfer, bytes, brings, landed, settled } = await node()
    const [x, y] = [await child(party, transfer), await child(party, transfer)]
    party.engine.setRoute(transfer, 1, [{ feed: x.feed, next: 0 }])
    party.engine.setRoute(transfer, 2, [{ feed: y.feed, next: 8 }])
    brings(0, half, 0)
    await landed(half)
    const assign = (offset: number, length: number, route: number) =>
      party.engine.assign(transfer, { stream: streamId, offset, length, route })
    assign(half - 1000, 2000, 1)
    await poll('what is held goes out', () => {
      const { feeds } = party.engine.stats(transfer)
      return feeds.find(({ feed }) => feed === x.feed)?.payloadBytes === 1000
    })
    assign(0, size - 500, 2)
    assign(0, half, 1)
    await settled()
    brings(half, half + 1500, 0)
    brings(half + 1500, size, 1)
    await landed(size)
    const [first, second] = [await x.records(), await y.records()]
    expect(routesOf(first, bytes)).toEqual([
      [-1, half - 1000],
      [0, half + 1000],
      [-1, size - 500],
      [0, size],
    ])
    expect(routesOf(second, bytes)).toEqual([
      [8, half - 1000],
      [-1, half + 1000],
      [8, size - 500],
      [-1, size],
    ])
  })

  it('whoever has all of a file can be assigned a route for it', async () => {
    const party = await world.party()
    const bytes = fileBytes(size)
    const { transfer } = await world.origin(party, bytes)
    const only = await child(party, transfer)
    party.engine.assign(transfer, { ...whole, route: 3 })
    party.engine.setRoute(transfer, 3, [{ feed: only.feed, next: 4 }])
    expect(routesOf(await only.records(), bytes)).toEqual([[4, size]])
  })

  it('holes have routes like other bytes, before and after they land', async () => {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const { transfer } = receiver
    const { socket, feed } = await world.rawSender(party, transfer)
    const early = await child(party, transfer)
    party.engine.setRoute(transfer, 1, [{ feed: early.feed, next: 6 }])
    const bytes = Buffer.alloc(size).fill('x', blockBytes, 2 * blockBytes)
    const hole = (offset: number, length: number, route: number) =>
      rawHeader({ kind: 2, offset: BigInt(offset), length, route })
    socket.write(rawPayload(blockBytes, bytes.subarray(blockBytes, 2 * blockBytes), 1))
    socket.write(hole(half, half, 0))
    socket.write(hole(0, size, 1))
    socket.end(rawEnd)
    expect((await party.closed(feed)).code).toBeNull()
    const late = await child(party, transfer)
    party.engine.setRoute(transfer, 1, [
      { feed: early.feed, next: 6 },
      { feed: late.feed, next: 6 },
    ])
    expect(routesOf(await early.records(), bytes)).toEqual([[6, size]])
    expect(routesOf(await late.records(), bytes)).toEqual([[6, size]])
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('feeds that have ended are no targets, and a closed one leaves its tables', async () => {
    const { party, transfer, bytes, brings, landed } = await node()
    const [gone, closed, stays] = [
      await world.rawReceiver(party, transfer),
      await world.rawReceiver(party, transfer),
      await child(party, transfer),
    ]
    const targets = [gone, closed, stays].map(({ feed }) => ({ feed, next: 0 }))
    party.engine.setRoute(transfer, 1, targets)
    gone.socket.resetAndDestroy()
    await party.closed(gone.feed)
    party.engine.close(closed.feed)
    brings(0, size, 1)
    await landed(size)
    expect(routesOf(await stays.records(), bytes)).toEqual([[0, size]])
    expect(() => party.engine.setRoute(transfer, 1, targets)).toThrow(TypeError)
  })

  it('the routes of a stream have a bound, like its pieces: the sender is too much', async () => {
    const party = await world.party()
    const pieces = limits.landedPieces - 2
    const { transfer } = await world.origin(party, Buffer.alloc(2 * pieces + 4))
    const { socket, feed } = await world.rawSender(party, transfer)
    socket.write(rawPayload(2 * pieces, Buffer.alloc(1), 2))
    for (let at = 0; at < pieces; ) {
      try {
        party.engine.assign(transfer, { stream: streamId, offset: 2 * at, length: 1, route: 1 })
        at++
      } catch (error) {
        expect((error as FrError).code).toBe('ERR_FR_INBOX_FULL')
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    // Once this is done, so are the calls before it.
    const last = await child(party, transfer)
    party.engine.setRoute(transfer, 2, [{ feed: last.feed, next: 0 }])
    await poll('the calls are done', () => {
      const { feeds } = party.engine.stats(transfer)
      return feeds.find((it) => it.feed === last.feed)?.payloadBytes === 1
    })
    expect(party.of('feedClosed')).toEqual([])
    for (const [at, route] of [1, 2, 1].entries())
      socket.write(rawPayload(2 * pieces + 1 + at, Buffer.alloc(1), route))
    expect((await party.closed(feed)).code).toBe('ERR_FR_LIMIT')
  })
})
