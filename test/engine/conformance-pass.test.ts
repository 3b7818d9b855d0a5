/** Streams without a file in both engines: what comes goes on in lock-step, kept nowhere. */
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { TransferHandle } from '../../src/ports.js'
import { engines } from './engines.js'
import { rawEnd, rawHeader, rawPayload, rawRecords } from './raw.js'
import {
  blockBytes,
  drain,
  fileBytes,
  KIB,
  MIB,
  type Party,
  poll,
  streamId,
  useWorld,
} from './world.js'

describe.each(engines)('$kind engine: passing on', (under) => {
  const world = useWorld(under)

  function gateway(party: Party, size: number): TransferHandle {
    const transfer = party.engine.openTransfer()
    party.engine.addStream(transfer, { stream: streamId, size, blockBytes, complete: false })
    return transfer
  }

  const receivers = (party: Party, transfer: TransferHandle, count: number) =>
    Promise.all(Array.from({ length: count }, () => world.rawReceiver(party, transfer)))

  it('gives every feed of the route all bytes, and lands none', async () => {
    const size = 3 * MIB + 77
    const bytes = fileBytes(size)
    const [a, middle] = [await world.party(), await world.party()]
    const [b, c] = [await world.party(), await world.party()]
    const origin = await world.origin(a, bytes)
    const transfer = gateway(middle, size)
    const ends = [await world.receiver(b, size), await world.receiver(c, size)] as const
    const feed = await world.feed(a, origin.transfer, middle, transfer)
    const first = await world.feed(middle, transfer, b, ends[0].transfer)
    const second = await world.feed(middle, transfer, c, ends[1].transfer)
    const to = [first, second].map(({ out }) => ({ feed: out, next: 0 }))
    middle.engine.setRoute(transfer, 5, to)
    a.engine.send(feed.out, { stream: streamId, offset: 0, length: size, route: 5 })
    a.engine.finish(feed.out)
    expect((await middle.closed(feed.in)).code).toBeNull()
    for (const { out } of [first, second]) middle.engine.finish(out)
    expect((await b.closed(first.in)).code).toBeNull()
    expect((await c.closed(second.in)).code).toBeNull()
    for (const end of ends) expect(end.content().equals(bytes)).toBe(true)
    const stats = middle.engine.stats(transfer)
    expect(stats).toMatchObject({ landedBytes: 0, receivedBytes: size, sentBytes: 2 * size })
    expect(middle.of('landed')).toEqual([])
    const { payloadBytesInJavaScript } = middle.engine.counters()
    if (under.kind === 'native') expect(payloadBytesInJavaScript).toBe(0)
  })

  it('waits for the table of a route, and drops what is for nobody', async () => {
    const bytes = fileBytes(400 * KIB)
    const party = await world.party()
    const transfer = gateway(party, bytes.length)
    const { socket, feed } = await world.rawSender(party, transfer)
    const [one] = await receivers(party, transfer, 1)
    const out = one as (typeof one & object) & { socket: Socket }
    const part = (at: number, length: number, route: number): Buffer =>
      rawPayload(at, bytes.subarray(at, at + length), route)
    socket.write(part(0, 1000, 1))
    socket.write(rawHeader({ kind: 2, route: 1, offset: 1000n, length: 5000 }))
    socket.write(part(6000, 100, 0))
    socket.write(part(7000, 200, 2))
    socket.end(rawEnd)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(party.engine.stats(transfer).sentBytes).toBe(0)
    party.engine.setRoute(transfer, 1, [{ feed: out.feed, next: 9 }])
    await poll('the first', () => party.engine.stats(transfer).sentBytes === 1000)
    expect(party.of('feedClosed')).toEqual([])
    party.engine.setRoute(transfer, 2, [])
    expect((await party.closed(feed)).code).toBeNull()
    expect(party.engine.stats(transfer).duplicateBytes).toBe(300)
    const got = drain(out.socket)
    party.engine.finish(out.feed)
    const records = rawRecords(await got).filter(({ kind }) => kind !== 4)
    expect(records.every(({ route }) => route === 9)).toBe(true)
    const holes = records.filter(({ kind }) => kind === 2)
    expect(holes.map(({ offset, length }) => [offset, length])).toEqual([[1000, 5000]])
    const payload = Buffer.concat(records.map((record) => record.payload))
    expect(payload.equals(bytes.subarray(0, 1000))).toBe(true)
  })

  it('lets the slowest hold back the others and the sender, and goes on without it', async () => {
    const size = 24 * MIB
    const bytes = fileBytes(MIB)
    const party = await world.party()
    const transfer = gateway(party, size)
    const { socket } = await world.rawSender(party, transfer)
    const outs = await receivers(party, transfer, 3)
    const targets = outs.map((one) => ({ feed: one.feed, next: 0 }))
    party.engine.setRoute(transfer, 1, targets)
    const quick = outs.slice(0, 2).map((one) => drain(one.socket))
    for (let at = 0; at < size; at += MIB) socket.write(rawPayload(at, bytes, 1))
    let before = -1
    await poll('a standstill', () => {
      const { receivedBytes } = party.engine.stats(transfer)
      const stands = receivedBytes > 0 && receivedBytes === before
      before = receivedBytes
      return stands
    })
    expect(before).toBeLessThan(size)
    // The one that reads nothing goes, in the middle of a record.
    ;(outs[2] as (typeof outs)[0]).socket.destroy()
    await poll('the rest', () => party.engine.stats(transfer).receivedBytes === size)
    for (const { feed } of outs.slice(0, 2)) party.engine.finish(feed)
    for (const got of await Promise.all(quick)) {
      const records = rawRecords(got).filter(({ kind }) => kind === 1)
      expect(records.reduce((sum, { length }) => sum + length, 0)).toBe(size)
    }
    expect((await party.closed((outs[2] as (typeof outs)[0]).feed)).code).toBe('ERR_FR_NODE_LOST')
  })

  it('passes on what came of a record that breaks off, then the rest from another', async () => {
    const bytes = fileBytes(MIB)
    const party = await world.party()
    const transfer = gateway(party, bytes.length)
    const [out] = await receivers(party, transfer, 1)
    const { socket: to, feed } = out as { socket: Socket; feed: number }
    party.engine.setRoute(transfer, 1, [{ feed, next: 0 }])
    const got = drain(to)
    const half = bytes.length / 2
    const broken = await world.rawSender(party, transfer)
    broken.socket.write(rawPayload(0, bytes, 1).subarray(0, 32 + half))
    await poll('the half', () => party.engine.stats(transfer).sentBytes === half)
    broken.socket.destroy()
    expect((await party.closed(broken.feed)).code).toBe('ERR_FR_NODE_LOST')
    const next = await world.rawSender(party, transfer)
    next.socket.end(Buffer.concat([rawPayload(half, bytes.subarray(half), 1), rawEnd]))
    expect((await party.closed(next.feed)).code).toBeNull()
    party.engine.finish(feed)
    const payload = rawRecords(await got).flatMap((record) =>
      record.kind === 1 ? [record.payload] : [],
    )
    expect(Buffer.concat(payload).equals(bytes)).toBe(true)
  })

  it('relays digests as any node does, also to feeds that come late', async () => {
    const party = await world.party()
    const transfer = gateway(party, MIB)
    const spec = { stream: streamId, offset: 0, length: blockBytes, payload: Buffer.alloc(40, 3) }
    party.engine.relayDigests(transfer, { ...spec, route: 1 })
    const [late] = await receivers(party, transfer, 1)
    const { socket, feed } = late as { socket: Socket; feed: number }
    party.engine.setRoute(transfer, 1, [{ feed, next: 0 }])
    const got = drain(socket)
    party.engine.finish(feed)
    const kinds = rawRecords(await got).map(({ kind }) => kind)
    expect(kinds).toEqual([3, 4])
  })

  it('has nothing to send, hold, assign or ask for', async () => {
    const party = await world.party()
    const { engine } = party
    const transfer = gateway(party, MIB)
    const [out] = await receivers(party, transfer, 1)
    const asked = await world.rawSender(party, transfer, true)
    const range = { stream: streamId, offset: 0, length: blockBytes }
    expect(() => engine.send(out?.feed ?? 0, range)).toThrow(TypeError)
    expect(() => engine.hold(transfer, range)).toThrow(TypeError)
    expect(() => engine.assign(transfer, { ...range, route: 1 })).toThrow(TypeError)
    expect(() => engine.ask(asked.feed, range)).toThrow(TypeError)
    const none = { stream: 9, size: MIB, blockBytes, complete: true }
    expect(() => engine.addStream(transfer, none)).toThrow(TypeError)
    // There is no scratch file either.
    const { socket, feed } = await world.rawSender(party, transfer)
    socket.write(rawPayload(0, Buffer.alloc(8), 0, 1))
    expect((await party.closed(feed)).code).toBe('ERR_FR_PROTOCOL')
  })
})
