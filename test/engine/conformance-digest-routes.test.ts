/**
 * Digest records on routes in both engines: a record goes to the feeds that its route's table
 * names, once the host has found it right, whenever the table and its feeds come.
 */
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { engines } from './engines.js'
import { type RawRecord, rawHeader, rawPayload, rawRecords } from './raw.js'
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

const blocks = 8
const size = blocks * blockBytes
const isRight = (payload: Uint8Array): boolean => payload[0] !== 0xff

/** A record of the digests of one block; the payload names block and variant. */
const digests = (block: number, variant = 0) => ({
  stream: streamId,
  offset: block * blockBytes,
  length: blockBytes,
  payload: Buffer.from([variant, block, 0x77]),
})

function rawDigests(block: number, route: number, variant = 0): Buffer {
  const { offset, length, payload } = digests(block, variant)
  const header = { kind: 3, route, extra: payload.length, offset: BigInt(offset), length }
  return Buffer.concat([rawHeader(header), payload])
}

describe.each(engines)('$kind engine: digests on routes', (under) => {
  const world = useWorld(under)

  /** A node that verifies what comes, and has what is right and has a route passed on. */
  const node = (): Promise<Party> =>
    world.party((engine, events) => {
      for (const event of events)
        if (event.type === 'digests' && event.route !== 0 && isRight(event.payload))
          engine.relayDigests(event.transfer, event)
    })

  /** A child driven by the test: all that its feed brings until it is finished. */
  async function child(party: Party, transfer: number) {
    const { socket, feed } = await world.rawReceiver(party, transfer)
    const bytes = drain(socket)
    const finish = () => party.engine.finish(feed)
    /** Once it is finished. */
    const all = async (): Promise<RawRecord[]> =>
      rawRecords(await bytes).filter(({ kind }) => kind !== 4)
    const records = (): Promise<RawRecord[]> => {
      finish()
      return all()
    }
    return { feed, finish, all, records }
  }

  const seen = (records: readonly RawRecord[]) =>
    records.map(({ kind, flags, route, offset, length, payload }) => {
      expect([kind, flags, length, payload[2]]).toEqual([3, 0, blockBytes, 0x77])
      expect(payload[1]).toBe(offset / blockBytes)
      return [route, offset / blockBytes, payload[0]]
    })

  /** A node by itself, and a feed that the test fills. */
  async function alone() {
    const party = await node()
    const { transfer } = await world.receiver(party, size)
    const { socket } = await world.rawSender(party, transfer)
    const came = (count: number) =>
      party.until(`${count} records came`, () => party.of('digests').length === count)
    const relay = (block: number, route = 1, variant = 0) =>
      party.engine.relayDigests(transfer, { ...digests(block, variant), route })
    return { party, transfer, socket, came, relay }
  }

  it('a chain: each hop passes the record on as it came, under the next number', async () => {
    const parties = [await world.party(), await node(), await node(), await node()]
    const origin = await world.origin(parties[0] as Party, fileBytes(size))
    const receivers: Receiver[] = []
    for (const party of parties.slice(1)) receivers.push(await world.receiver(party, size))
    const transfers = [origin.transfer, ...receivers.map(({ transfer }) => transfer)]
    const feeds = []
    for (const [i, from] of parties.slice(0, -1).entries()) {
      const to = parties[i + 1] as Party
      const [transfer, next] = [transfers[i] as number, transfers[i + 1] as number]
      feeds.push(await world.feed(from, transfer, to, next))
    }
    for (const [i, next] of [
      [1, 5],
      [2, 0],
    ] as const)
      parties[i]?.engine.setRoute(transfers[i] as number, i === 1 ? 1 : 5, [
        { feed: feeds[i]?.out as number, next },
      ])
    for (const block of [3, 0])
      parties[0]?.engine.sendDigests(feeds[0]?.out as number, { ...digests(block), route: 1 })
    const last = parties[3] as Party
    await last.until('both records arrive', () => last.of('digests').length === 2)
    for (const [i, route] of [
      [1, 1],
      [2, 5],
      [3, 0],
    ] as const) {
      const events = parties[i]?.of('digests') ?? []
      const came = events.map((event) => ({ ...event, payload: Buffer.from(event.payload) }))
      expect(came).toMatchObject([3, 0].map((block) => ({ ...digests(block), route })))
    }
  })

  it('a tree: each child gets its routes, each under its own number', async () => {
    const { party, transfer, socket, came } = await alone()
    const [left, right] = [await child(party, transfer), await child(party, transfer)]
    party.engine.setRoute(transfer, 1, [
      { feed: left.feed, next: 20 },
      { feed: right.feed, next: 21 },
    ])
    party.engine.setRoute(transfer, 2, [{ feed: right.feed, next: 0 }])
    // Of one run some bytes may go one way and some another: its digests go both.
    for (const [block, route] of [
      [0, 1],
      [1, 2],
      [0, 2],
      [2, 0],
    ] as const)
      socket.write(rawDigests(block, route))
    await came(4)
    expect(seen(await left.records())).toEqual([[20, 0, 0]])
    const both = seen(await right.records())
    expect(both).toHaveLength(3)
    expect(both).toEqual(
      expect.arrayContaining([
        [21, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
      ]),
    )
  })

  it('late tables and feeds get what came before, ahead of the payload', async () => {
    const { party, transfer, socket, came } = await alone()
    const bytes = fileBytes(size)
    socket.write(rawPayload(0, bytes, 1))
    for (const block of [5, 1]) socket.write(rawDigests(block, 1))
    await came(2)
    await party.landed(transfer, size)
    for (const next of [0, 4]) {
      const late = await child(party, transfer)
      party.engine.setRoute(transfer, 1, [{ feed: late.feed, next }])
      const records = await late.records()
      expect(seen(records.slice(0, 2))).toEqual([
        [next, 5, 0],
        [next, 1, 0],
      ])
      const payload = records.slice(2).map((record) => record.payload)
      expect(Buffer.concat(payload).equals(bytes)).toBe(true)
    }
  })

  it('a feed that leaves a table gets no more, one that comes back what it missed', async () => {
    const { party, transfer, relay } = await alone()
    const [x, y] = [await child(party, transfer), await child(party, transfer)]
    const set = (...targets: { feed: number; next: number }[]) =>
      party.engine.setRoute(transfer, 1, targets)
    const sent = (feed: number, count: number) =>
      poll(`${count} records are sent`, () => {
        const { feeds } = party.engine.stats(transfer)
        return feeds.find((it) => it.feed === feed)?.records === count
      })
    set({ feed: x.feed, next: 0 })
    relay(0)
    await sent(x.feed, 1)
    set({ feed: y.feed, next: 3 })
    relay(1)
    await sent(y.feed, 2)
    set({ feed: y.feed, next: 4 }, { feed: x.feed, next: 5 })
    relay(2)
    await Promise.all([sent(x.feed, 3), sent(y.feed, 3)])
    y.finish()
    relay(3)
    await sent(x.feed, 4)
    expect(seen(await x.records())).toEqual([
      [0, 0, 0],
      [5, 1, 0],
      [5, 2, 0],
      [5, 3, 0],
    ])
    expect(seen(await y.all())).toEqual([
      [3, 0, 0],
      [3, 1, 0],
      [4, 2, 0],
    ])
  })

  it('a record that comes again is passed on once, the first one of a place stays', async () => {
    const { party, transfer, socket, came } = await alone()
    const other = await world.rawSender(party, transfer)
    const only = await child(party, transfer)
    party.engine.setRoute(transfer, 1, [{ feed: only.feed, next: 0 }])
    for (const from of [socket, other.socket, socket]) from.write(rawDigests(4, 1))
    await came(3)
    socket.write(rawDigests(4, 1, 9))
    socket.write(rawDigests(5, 1))
    await came(5)
    expect(seen(await only.records())).toEqual([
      [0, 4, 0],
      [0, 5, 0],
    ])
  })

  it('a wrong record is passed on to nobody, and stands in the way of no right one', async () => {
    const { party, transfer, socket, came } = await alone()
    const hostile = await world.rawSender(party, transfer)
    const early = await child(party, transfer)
    party.engine.setRoute(transfer, 1, [{ feed: early.feed, next: 0 }])
    for (let i = 0; i < 1000; i++) hostile.socket.write(rawDigests(i % blocks, 1, 0xff))
    await came(1000)
    for (let block = 0; block < blocks; block++) socket.write(rawDigests(block, 1))
    await came(1000 + blocks)
    const late = await child(party, transfer)
    party.engine.setRoute(transfer, 1, [
      { feed: early.feed, next: 0 },
      { feed: late.feed, next: 0 },
    ])
    const all = Array.from({ length: blocks }, (_, block) => [0, block, 0])
    expect(seen(await early.records())).toEqual(all)
    expect(seen(await late.records())).toEqual(all)
  })

  it('keeps so many bytes of digests for each block, and passes on no others', async () => {
    const { party, transfer } = await alone()
    const most = blocks * limits.relayedDigestBytesPerBlock
    const relay = (length: number, bytes: number) =>
      party.engine.relayDigests(transfer, {
        ...{ stream: streamId, offset: 0, length, route: 1 },
        payload: Buffer.alloc(bytes, length),
      })
    relay(1, most + 1)
    relay(2, most - 10)
    relay(3, 11)
    relay(4, 10)
    relay(5, 1)
    // What is kept is kept once, whatever the routes.
    party.engine.relayDigests(transfer, {
      ...{ stream: streamId, offset: 0, length: 4, route: 2 },
      payload: Buffer.alloc(10, 4),
    })
    const late = await child(party, transfer)
    for (const route of [1, 2])
      party.engine.setRoute(transfer, route, [{ feed: late.feed, next: route }])
    const records = await late.records()
    expect(records.map(({ route, length, payload }) => [route, length, payload.length])).toEqual([
      [1, 2, most - 10],
      [1, 4, 10],
      [2, 4, 10],
    ])
  })

  it('feeds that take nothing share one copy of all records, and get them in the end', async () => {
    const party = await world.party()
    const wide = 65_536 * blockBytes
    const { transfer } = await world.receiver(party, wide)
    const count = Math.floor(
      (65_536 * limits.relayedDigestBytesPerBlock) / limits.recordDigestBytes,
    )
    const feeds = []
    for (let i = 0; i < 48; i++) feeds.push(await world.rawReceiver(party, transfer))
    const targets = feeds.map(({ feed }) => ({ feed, next: 0 }))
    const before = process.memoryUsage().rss
    for (let i = 0; i < count; i++) {
      party.engine.relayDigests(transfer, {
        ...{ stream: streamId, offset: i * blockBytes, length: blockBytes, route: 1 },
        payload: Buffer.alloc(limits.recordDigestBytes, i),
      })
      if (i === 0) party.engine.setRoute(transfer, 1, targets)
    }
    const [first, ...stuck] = feeds as [(typeof feeds)[number], ...typeof feeds]
    const got = drain(first.socket)
    party.engine.finish(first.feed)
    const records = rawRecords(await got).filter(({ kind }) => kind === 3)
    expect(records.map(({ payload }) => payload[0])).toEqual(
      Array.from({ length: count }, (_, i) => i),
    )
    // A copy for each feed would be ten times as much.
    const copies = stuck.length * count * limits.recordDigestBytes
    expect(process.memoryUsage().rss - before).toBeLessThan(copies / 3)
  })
})
