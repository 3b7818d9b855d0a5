/** Feeds of several connections on both engines: what goes where, and how they end. */
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import type { FeedHandle, TransferHandle } from '../../src/ports.js'
import { engines } from './engines.js'
import { rawEnd, rawPayload, rawRecords } from './raw.js'
import { drain, fileBytes, gone, MIB, type Party, poll, seed, streamId, useWorld } from './world.js'

const refusal = (code: string) => expect.objectContaining({ code })

describe.each(engines)('$kind engine: a feed of several connections', (under) => {
  const world = useWorld(under)

  /** One more flow of this feed; the other end is the test's. */
  async function widen(
    party: Party,
    transfer: TransferHandle,
    direction: 'in' | 'out',
    beside: FeedHandle,
  ): Promise<Socket> {
    const [socket, other] = await world.pair()
    socket.on('error', () => {})
    const feed = party.engine.adopt(other, { transfer, direction, seed, beside })
    expect(feed).toBe(beside)
    return socket
  }

  const statsOf = (party: Party, transfer: TransferHandle, feed: FeedHandle) =>
    party.engine.stats(transfer).feeds.find((stats) => stats.feed === feed)

  it('carries a file, which is passed on as it comes, and ends once', async () => {
    const [a, middle, last] = [await world.party(), await world.party(), await world.party()]
    const size = 6 * MIB + 3
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const [m, l] = [await world.receiver(middle, size), await world.receiver(last, size)]
    const first = await world.feed(a, origin.transfer, middle, m.transfer)
    const second = await world.feed(middle, m.transfer, last, l.transfer, true)
    for (const [from, transfer, to, into, feed] of [
      [a, origin.transfer, middle, m.transfer, first],
      [middle, m.transfer, last, l.transfer, second],
    ] as const)
      for (let i = 0; i < 3; i++) {
        const [x, y] = await world.pair()
        to.engine.adopt(y, { transfer: into, direction: 'in', seed, beside: feed.in })
        from.engine.adopt(x, { transfer, direction: 'out', seed, beside: feed.out })
      }
    await poll('all are there', () => a.engine.counters().openFeeds === 4)
    a.engine.send(first.out, { stream: streamId, offset: 0, length: size, route: 1 })
    a.engine.finish(first.out)
    await Promise.all([middle.landed(m.transfer, size), last.landed(l.transfer, size)])
    middle.engine.finish(second.out)
    for (const [party, feed] of [
      [a, first.out],
      [middle, first.in],
      [middle, second.out],
      [last, second.in],
    ] as const)
      expect((await party.closed(feed)).code).toBeNull()
    expect(l.content().equals(bytes)).toBe(true)
    expect(a.of('feedClosed')).toHaveLength(1)
    expect(middle.of('feedClosed')).toHaveLength(2)
    for (const [party, transfer] of [
      [middle, m.transfer],
      [last, l.transfer],
    ] as const) {
      const { landedBytes, receivedBytes, duplicateBytes } = party.engine.stats(transfer)
      expect([landedBytes, receivedBytes, duplicateBytes]).toEqual([size, size, 0])
    }
  })

  it('sends on those that have room what one that is stuck does not take', async () => {
    const a = await world.party()
    const size = 24 * MIB
    const { transfer } = await world.origin(a, fileBytes(size))
    const { socket: stuck, feed } = await world.rawReceiver(a, transfer)
    const others = await Promise.all([0, 1].map(() => widen(a, transfer, 'out', feed)))
    a.engine.send(feed, { stream: streamId, offset: 0, length: size })
    a.engine.finish(feed)
    const drained = await Promise.all(others.map(drain))
    expect(stuck.bytesRead).toBe(0)
    const payloads = [...drained, await drain(stuck)].map((flow) => rawRecords(flow))
    for (const records of payloads) expect(records.at(-1)?.kind).toBe(4)
    const sent = payloads.flat().filter(({ kind }) => kind === 1)
    const inOrder = sent.toSorted((x, y) => x.offset - y.offset)
    let at = 0
    for (const { offset, length } of inOrder) {
      expect(offset).toBe(at)
      at += length
    }
    expect(at).toBe(size)
    for (const socket of [stuck, ...others]) socket.end()
    expect((await a.closed(feed)).code).toBeNull()
  })

  it('counts, and reports what waits, as one', async () => {
    const a = await world.party()
    const size = 4 * MIB
    const { transfer } = await world.origin(a, fileBytes(size))
    const { socket, feed } = await world.rawReceiver(a, transfer)
    const other = await widen(a, transfer, 'out', feed)
    a.engine.send(feed, { stream: streamId, offset: 0, length: size })
    const stats = statsOf(a, transfer, feed)
    expect(stats?.flows).toBe(2)
    expect((stats?.payloadBytes ?? 0) + (stats?.queuedBytes ?? 0)).toBe(size)
    for (const one of [socket, other]) one.resume()
    await poll('all is sent', () => statsOf(a, transfer, feed)?.payloadBytes === size)
    expect(a.engine.stats(transfer).sentBytes).toBe(size)
    expect(statsOf(a, transfer, feed)?.queuedBytes).toBe(0)
  })

  it.each([0, 1])('is over when one breaks, and says so once: %i', async (which) => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 2 * MIB
    const origin = await world.origin(a, fileBytes(size))
    const receiver = await world.receiver(b, size)
    const out = await world.rawReceiver(a, origin.transfer)
    const sockets = [out.socket, await widen(a, origin.transfer, 'out', out.feed)]
    for (const socket of sockets) socket.resume()
    a.engine.send(out.feed, { stream: streamId, offset: 0, length: size })
    sockets[which]?.resetAndDestroy()
    expect((await a.closed(out.feed)).code).toBe('ERR_FR_NODE_LOST')

    const sender = await world.rawSender(b, receiver.transfer)
    const senders = [sender.socket, await widen(b, receiver.transfer, 'in', sender.feed)]
    for (const socket of senders) socket.resume()
    senders[1 - which]?.write(rawPayload(0, fileBytes(10)))
    await poll('it came', () => b.engine.stats(receiver.transfer).receivedBytes === 10)
    // In the middle of a record.
    senders[which]?.end(rawPayload(MIB, fileBytes(100)).subarray(0, 50))
    expect((await b.closed(sender.feed)).code).toBe('ERR_FR_NODE_LOST')
    await Promise.all([...sockets, ...senders].map(gone))
    for (const party of [a, b]) {
      expect(party.of('feedClosed')).toHaveLength(1)
      expect(party.engine.counters().openFeeds).toBe(0)
    }
  })

  it('lands what any of them brings, and ends cleanly with the last', async () => {
    const b = await world.party()
    const size = 4 * 1024
    const bytes = fileBytes(size)
    const { transfer } = await world.receiver(b, size)
    const { socket, feed } = await world.rawSender(b, transfer, true)
    const others = await Promise.all([0, 1].map(() => widen(b, transfer, 'in', feed)))
    for (const other of others) other.resume()
    b.engine.ask(feed, { stream: streamId, offset: 0, length: size })
    socket.end(rawEnd)
    await poll('the first has ended', () => statsOf(b, transfer, feed)?.records === 1)
    others[0]?.end(Buffer.concat([rawPayload(0, bytes.subarray(0, 1000)), rawEnd]))
    await poll('the first part', () => b.engine.stats(transfer).landedBytes === 1000)
    expect(b.of('feedClosed')).toEqual([])
    others[1]?.end(Buffer.concat([rawPayload(1000, bytes.subarray(1000)), rawEnd]))
    expect((await b.closed(feed)).code).toBeNull()
    expect(b.engine.stats(transfer).landedBytes).toBe(size)
    expect(b.blocks(transfer, size).size).toBe(1)
  })

  it('is over when one brings what nobody asked for, or goes on behind its end', async () => {
    const b = await world.party()
    const { transfer } = await world.receiver(b, MIB)
    for (const wrong of [rawPayload(5, fileBytes(5)), Buffer.concat([rawEnd, rawEnd])]) {
      const { socket, feed } = await world.rawSender(b, transfer, true)
      const other = await widen(b, transfer, 'in', feed)
      other.resume()
      b.engine.ask(feed, { stream: streamId, offset: 0, length: 5 })
      other.write(wrong)
      expect((await b.closed(feed)).code).toBe('ERR_FR_PROTOCOL')
      await Promise.all([socket, other].map(gone))
    }
  })

  it('keeps to a limit with all of them together', async () => {
    const from = await world.party()
    const rate = 4 * MIB
    const size = 2 * MIB
    const { transfer } = await world.origin(from, fileBytes(size))
    const { socket, feed } = await world.rawReceiver(from, transfer)
    const before = await widen(from, transfer, 'out', feed)
    from.engine.limitFeeds([feed], rate)
    const flows = [socket, before, await widen(from, transfer, 'out', feed)]
    for (const flow of flows) flow.resume()
    const startMs = performance.now()
    from.engine.send(feed, { stream: streamId, offset: 0, length: size })
    const read = (): number => flows.reduce((sum, flow) => sum + flow.bytesRead, 0)
    await poll('enough has moved', () => {
      const moved = read()
      const seconds = (performance.now() - startMs) / 1000
      expect(moved).toBeLessThanOrEqual(1.03 * rate * seconds + 0.025 * rate)
      return moved >= size / 4
    })
  })

  it('has so many, of one transfer and direction, while it is there', async () => {
    const a = await world.party()
    const { transfer } = await world.origin(a, fileBytes(10))
    const { transfer: another } = await world.origin(a, fileBytes(10))
    const { feed } = await world.rawReceiver(a, transfer)
    await expect(widen(a, transfer, 'in', feed)).rejects.toThrow(TypeError)
    await expect(widen(a, another, 'out', feed)).rejects.toThrow(TypeError)
    await expect(widen(a, transfer, 'out', 12_345)).rejects.toThrow(TypeError)
    const [socket] = await world.pair()
    socket.destroy()
    expect(() =>
      a.engine.adopt(socket, { transfer, direction: 'out', seed, beside: feed }),
    ).toThrow(refusal('ERR_FR_NODE_LOST'))
    const most = Array.from({ length: limits.flowsPerFeed - 1 })
    const flows = await Promise.all(most.map(() => widen(a, transfer, 'out', feed)))
    await expect(widen(a, transfer, 'out', feed)).rejects.toThrow(refusal('ERR_FR_LIMIT'))
    a.engine.close(feed)
    for (const flow of flows) flow.resume()
    await Promise.all(flows.map(gone))
    await expect(widen(a, transfer, 'out', feed)).rejects.toThrow(TypeError)
    expect(a.of('feedClosed')).toEqual([])
  })
})
