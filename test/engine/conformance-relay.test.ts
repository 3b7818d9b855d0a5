/** Relaying in both engines: by flag, while receiving, and the full exchange that rests on it. */
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { rawEnd, rawPayload, rawRecords } from './raw.js'
import { blockBytes, drain, fileBytes, MIB, streamId, useWorld } from './world.js'

describe.each(engines)('$kind engine: relaying', (under) => {
  const world = useWorld(under)

  it('relays while it receives, to feeds of before and after, only what was marked', async () => {
    const [a, middle, last] = [await world.party(), await world.party(), await world.party()]
    const size = 4 * MIB
    const half = size / 2
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const [m, l] = [await world.receiver(middle, size), await world.receiver(last, size)]
    const first = await world.feed(a, origin.transfer, middle, m.transfer)
    const second = await world.feed(middle, m.transfer, last, l.transfer, true)
    // The last node forwards what reaches it marked: nothing may.
    const beyond = await world.rawReceiver(last, l.transfer, true)

    a.engine.send(first.out, { stream: streamId, offset: 0, length: half, relay: true })
    // Each engine says what landed when its own turn comes: the middle may say it after the last.
    await Promise.all([middle.landed(m.transfer, size, half), last.landed(l.transfer, size, half)])
    expect(a.engine.stats(origin.transfer).feeds[0]?.payloadBytes).toBeLessThanOrEqual(half)
    expect(middle.blocks(m.transfer, size).size).toBe(half / blockBytes)

    // Unmarked bytes stay; a feed opened now gets the marked ones of before.
    a.engine.send(first.out, { stream: streamId, offset: half, length: MIB })
    await middle.landed(m.transfer, size, half + MIB)
    const late = await world.rawReceiver(middle, m.transfer, true)
    a.engine.send(first.out, { stream: streamId, offset: half + MIB, length: MIB, relay: true })
    a.engine.finish(first.out)
    expect((await middle.closed(first.in)).code).toBeNull()
    await middle.landed(m.transfer, size)
    const lateBytes = drain(late.socket)
    middle.engine.finish(late.feed)
    middle.engine.finish(second.out)
    expect((await last.closed(second.in)).code).toBeNull()
    const got = Buffer.alloc(size)
    for (const record of rawRecords(await lateBytes)) {
      expect(record.flags).toBe(0)
      got.set(record.payload, record.offset)
    }
    const relayed = Buffer.from(bytes).fill(0, half, half + MIB)
    expect(got.equals(relayed)).toBe(true)
    expect(l.content().equals(relayed)).toBe(true)
    expect(last.engine.stats(l.transfer).landedBytes).toBe(size - MIB)

    const nothing = drain(beyond.socket)
    last.engine.finish(beyond.feed)
    expect(rawRecords(await nothing).map(({ kind }) => kind)).toEqual([4])
  })

  it('relays what it holds already when a marked copy of it comes', async () => {
    const [a, middle, last] = [await world.party(), await world.party(), await world.party()]
    const size = MIB
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const [m, l] = [await world.receiver(middle, size), await world.receiver(last, size)]
    const first = await world.feed(a, origin.transfer, middle, m.transfer)
    const second = await world.feed(middle, m.transfer, last, l.transfer, true)
    const all = { stream: streamId, offset: 0, length: size }
    a.engine.send(first.out, { ...all, length: size / 2 })
    await middle.landed(m.transfer, size, size / 2)
    a.engine.send(first.out, { ...all, relay: true })
    a.engine.send(first.out, { ...all, relay: true })
    a.engine.finish(first.out)
    expect((await middle.closed(first.in)).code).toBeNull()
    await last.landed(l.transfer, size)
    middle.engine.finish(second.out)
    await last.until('the relay ends', () => last.of('feedClosed').length === 1)
    expect(l.content().equals(bytes)).toBe(true)
    expect(last.engine.stats(l.transfer).landedBytes).toBe(size)
  })

  it('relays nothing twice', async () => {
    const b = await world.party()
    const receiver = await world.receiver(b, 1000)
    const relay = await world.rawReceiver(b, receiver.transfer, true)
    const relayed = drain(relay.socket)
    const { socket, feed } = await world.rawSender(b, receiver.transfer)
    const bytes = fileBytes(1000)
    socket.write(rawPayload(0, bytes.subarray(0, 600)))
    for (const at of [0, 0, 300]) socket.write(rawPayload(at, bytes.subarray(at, at + 500), 1))
    socket.end(rawEnd)
    expect((await b.closed(feed)).code).toBeNull()
    b.engine.finish(relay.feed)
    const seen = Buffer.alloc(1000)
    let payloadBytes = 0
    for (const { offset, payload } of rawRecords(await relayed)) {
      seen.set(payload, offset)
      payloadBytes += payload.length
    }
    expect(payloadBytes).toBe(800)
    expect(seen.subarray(0, 800).equals(bytes.subarray(0, 800))).toBe(true)
  })

  it('sends a listed range as it lands', async () => {
    const [a, middle, last] = [await world.party(), await world.party(), await world.party()]
    const size = MIB + 5
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const [m, l] = [await world.receiver(middle, size), await world.receiver(last, size)]
    const first = await world.feed(a, origin.transfer, middle, m.transfer)
    const second = await world.feed(middle, m.transfer, last, l.transfer)
    middle.engine.send(second.out, { stream: streamId, offset: 0, length: size })
    middle.engine.finish(second.out)
    expect(
      middle.engine.stats(m.transfer).feeds.find((it) => it.feed === second.out)?.queuedBytes,
    ).toBe(size)
    // The tail first: what has not landed must not hold up what has.
    a.engine.send(first.out, {
      stream: streamId,
      offset: 8 * blockBytes,
      length: size - 8 * blockBytes,
    })
    await last.until('the tail arrives', () => last.blocks(l.transfer, size).size === 9)
    a.engine.send(first.out, { stream: streamId, offset: 0, length: 8 * blockBytes })
    expect((await last.closed(second.in)).code).toBeNull()
    expect(l.content().equals(bytes)).toBe(true)
  })

  it('exchanges a file among three nodes, every byte to every node once', async () => {
    const origins = await world.party()
    const nodes = [await world.party(), await world.party(), await world.party()]
    const size = 6 * MIB + 1
    const bytes = fileBytes(size)
    const origin = await world.origin(origins, bytes)
    const receivers = await Promise.all(nodes.map((node) => world.receiver(node, size)))
    const feeds = []
    for (const [i, node] of nodes.entries()) {
      const transfer = receivers[i]?.transfer as number
      feeds.push(await world.feed(origins, origin.transfer, node, transfer))
      for (const [j, mate] of nodes.entries()) {
        if (i !== j) await world.feed(node, transfer, mate, receivers[j]?.transfer as number, true)
      }
    }
    const share = 2 * MIB
    for (const [i, { out }] of feeds.entries()) {
      const length = i === 2 ? size - 2 * share : share
      origins.engine.send(out, { stream: streamId, offset: i * share, length, relay: true })
    }
    for (const [i, node] of nodes.entries()) {
      const receiver = receivers[i] as (typeof receivers)[number]
      await node.landed(receiver.transfer, size)
      expect(receiver.content().equals(bytes)).toBe(true)
      const stats = node.engine.stats(receiver.transfer)
      expect(stats.landedBytes).toBe(size)
      expect(stats.feeds.map((it) => it.duplicateBytes)).toEqual([0, 0, 0, 0, 0])
    }
  })
})
