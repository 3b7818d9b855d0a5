/** One group in both engines: route 1 to every mate, while receiving, and the exchange. */
import { describe, expect, it } from 'vitest'
import type { FrError } from '../../src/base/errors.js'
import { limits } from '../../src/base/limits.js'
import { engines } from './engines.js'
import { rawEnd, rawPayload, rawRecords, rawStream } from './raw.js'
import { blockBytes, drain, fileBytes, MIB, poll, streamId, useWorld } from './world.js'

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

    a.engine.send(first.out, { stream: streamId, offset: 0, length: half, route: 1 })
    // Each engine says what landed when its own turn comes: the middle may say it after the last.
    await Promise.all([middle.landed(m.transfer, size, half), last.landed(l.transfer, size, half)])
    expect(a.engine.stats(origin.transfer).feeds[0]?.payloadBytes).toBeLessThanOrEqual(half)
    expect(middle.blocks(m.transfer, size).size).toBe(half / blockBytes)

    // Unmarked bytes stay; a feed opened now gets the marked ones of before.
    a.engine.send(first.out, { stream: streamId, offset: half, length: MIB })
    await middle.landed(m.transfer, size, half + MIB)
    const late = await world.rawReceiver(middle, m.transfer, true)
    a.engine.send(first.out, { stream: streamId, offset: half + MIB, length: MIB, route: 1 })
    a.engine.finish(first.out)
    expect((await middle.closed(first.in)).code).toBeNull()
    await middle.landed(m.transfer, size)
    const lateBytes = drain(late.socket)
    middle.engine.finish(late.feed)
    middle.engine.finish(second.out)
    expect((await last.closed(second.in)).code).toBeNull()
    const got = Buffer.alloc(size)
    for (const record of rawRecords(await lateBytes)) {
      expect([record.flags, record.route]).toEqual([0, 0])
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
    a.engine.send(first.out, { ...all, route: 1 })
    a.engine.send(first.out, { ...all, route: 1 })
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

  it('takes calls on a feed whose history of relayed pieces is longer than any list', async () => {
    const b = await world.party()
    const pieces = limits.listedRanges + 4_000
    const size = 2 * pieces
    const bytes = fileBytes(size)
    // The file is whole: marked copies are drained, and become history as if they had landed.
    const { transfer } = await world.origin(b, bytes)
    const { socket, feed } = await world.rawSender(b, transfer)
    const records = Array.from({ length: pieces }, (_, i) =>
      rawPayload(2 * i, bytes.subarray(2 * i, 2 * i + 1), 1),
    )
    socket.end(Buffer.concat([...records, rawEnd]))
    expect((await b.closed(feed)).code).toBeNull()
    const late = await world.rawReceiver(b, transfer, true)
    await poll('the history is listed', () => {
      const stats = b.engine.stats(transfer).feeds.find((it) => it.feed === late.feed)
      return stats !== undefined && stats.queuedBytes + stats.payloadBytes === pieces
    })
    b.engine.send(late.feed, { stream: streamId, offset: 1, length: 1 })
    const payload = Buffer.from('digests')
    b.engine.sendDigests(late.feed, { stream: streamId, offset: 0, length: size, payload })
    const kinds = { history: 0, listed: 0, digests: 0 }
    for await (const { kind, offset, payload: sent } of rawStream(late.socket)) {
      if (kind === 3) kinds.digests++
      else if (offset === 1) kinds.listed++
      else kinds.history++
      if (kind === 1) expect(sent[0]).toBe(bytes[offset])
      if (kinds.listed + kinds.digests === 2) break
    }
    expect(kinds).toMatchObject({ listed: 1, digests: 1 })
    expect(kinds.history).toBeGreaterThan(0)
  })

  it('takes so many ranges of its caller and no more, landed or not', async () => {
    const b = await world.party()
    // More than the buffers of a connection take, too.
    const size = 16 * limits.listedRanges
    const holds = await world.origin(b, Buffer.alloc(size))
    const lacks = await world.receiver(b, size)
    for (const { transfer } of [holds, lacks]) {
      const { feed } = await world.rawReceiver(b, transfer)
      let listed = 0
      const list = () => {
        for (let i = 0; i < 8_000; i++, listed++)
          b.engine.send(feed, { stream: streamId, offset: 4 * listed, length: 2 })
      }
      const code = await poll('the list is full', () => {
        try {
          list()
        } catch (error) {
          return (error as FrError).code
        }
        return undefined
      })
      expect(code).toBe('ERR_FR_INBOX_FULL')
      expect(listed).toBeGreaterThanOrEqual(limits.listedRanges)
      // Digests have a bound of their own, once the lane has taken what waits for it.
      const digests = { stream: streamId, offset: 0, length: 1, payload: Buffer.alloc(1) }
      await poll('digests are taken', () => {
        try {
          b.engine.sendDigests(feed, digests)
          return true
        } catch (error) {
          expect((error as FrError).code).toBe('ERR_FR_INBOX_FULL')
          return undefined
        }
      })
    }
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
      origins.engine.send(out, { stream: streamId, offset: i * share, length, route: 1 })
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
