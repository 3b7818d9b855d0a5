/** What both engines do with bytes on feeds: landing, repairs, digests, fairness. */
import { randomBytes } from 'node:crypto'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { rawPayload, rawRecords } from './raw.js'
import { blockBytes, drain, fileBytes, KIB, MIB, poll, roots, streamId, useWorld } from './world.js'

describe.each(engines)('$kind engine: feeds', (under) => {
  const world = useWorld(under)

  it.each(
    roots.flatMap((root) =>
      [0, 1, 64 * KIB, 64 * KIB + 1, 5 * MIB + 3].map((size) => ({ root, size })),
    ),
  )('carries $size bytes into a file under $root', async ({ root, size }) => {
    await world.close()
    world.open(root)
    const [a, b] = [await world.party(), await world.party()]
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const receiver = await world.receiver(b, size)
    const feed = await world.feed(a, origin.transfer, b, receiver.transfer)
    if (size > 0) a.engine.send(feed.out, { stream: streamId, offset: 0, length: size })
    a.engine.finish(feed.out)
    expect(await b.closed(feed.in)).toMatchObject({ code: null, errno: 0 })
    expect(await a.closed(feed.out)).toMatchObject({ code: null, errno: 0 })
    await b.landed(receiver.transfer, size)
    expect(receiver.content().equals(bytes)).toBe(true)
    const nothing = { holeBytes: 0, scratchBytes: 0, duplicateBytes: 0, feeds: [] }
    expect(b.engine.stats(receiver.transfer)).toEqual({
      ...nothing,
      landedBytes: size,
      receivedBytes: size,
      sentBytes: 0,
    })
    expect(a.engine.stats(origin.transfer)).toEqual({
      ...nothing,
      landedBytes: 0,
      receivedBytes: 0,
      sentBytes: size,
    })
    for (const { engine } of [a, b]) {
      const { payloadBytesInJavaScript, bytesToJavaScript } = engine.counters()
      expect(payloadBytesInJavaScript).toBe(under.kind === 'portable' ? size : 0)
      // What crossed the border is a few events, however long the file is.
      if (under.kind === 'native') expect(bytesToJavaScript).toBeLessThan(16 * 1024)
      else expect(bytesToJavaScript).toBeGreaterThanOrEqual(size)
    }
    const name = Buffer.from('final')
    const mtime = { seconds: 1_700_000_000, nanos: 0 }
    const spec = { file: receiver.file, id: 'main', name, mode: 0o644, mtime, noClobber: false }
    await b.engine.storage.publish(receiver.dir, spec)
    expect(readFileSync(join(receiver.data, 'final')).equals(bytes)).toBe(true)
  })

  it('counts what feeds have done and have still to do', async () => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 3 * MIB + 17
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const receiver = await world.receiver(b, size)
    const feed = await world.feed(a, origin.transfer, b, receiver.transfer)
    a.engine.send(feed.out, { stream: streamId, offset: 0, length: size })
    await b.landed(receiver.transfer, size)
    const [out] = await poll('all accepted', () => {
      const { feeds } = a.engine.stats(origin.transfer)
      return feeds[0]?.payloadBytes === size && feeds
    })
    expect(out).toMatchObject({
      feed: feed.out,
      direction: 'out',
      queuedBytes: 0,
      duplicateBytes: 0,
    })
    expect(out?.records).toBeGreaterThanOrEqual(4)
    const { landedBytes, feeds } = b.engine.stats(receiver.transfer)
    expect(landedBytes).toBe(size)
    expect(feeds).toEqual([
      expect.objectContaining({ feed: feed.in, direction: 'in', payloadBytes: size }),
    ])
    expect(b.engine.counters()).toMatchObject({ openFeeds: 1, openFiles: 2 })
  })

  it('drains and counts what has landed before', async () => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 2 * MIB + 9
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const receiver = await world.receiver(b, size)
    const feed = await world.feed(a, origin.transfer, b, receiver.transfer)
    for (const length of [size, size]) {
      a.engine.send(feed.out, { stream: streamId, offset: 0, length })
    }
    await poll('the second copy arrives', () => {
      return b.engine.stats(receiver.transfer).feeds[0]?.payloadBytes === 2 * size
    })
    await poll('it is counted', () => {
      return b.engine.stats(receiver.transfer).feeds[0]?.duplicateBytes === size
    })
    a.engine.finish(feed.out)
    expect((await b.closed(feed.in)).code).toBeNull()
    await b.landed(receiver.transfer, size)
    // What was counted outlives the feed.
    expect(b.engine.stats(receiver.transfer)).toMatchObject({
      landedBytes: size,
      receivedBytes: 2 * size,
      duplicateBytes: size,
      feeds: [],
    })
    expect(a.engine.stats(origin.transfer).sentBytes).toBe(2 * size)
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('keeps the first copy of a byte, whatever a later one says', async () => {
    const b = await world.party()
    const size = 2 * blockBytes
    const receiver = await world.receiver(b, size)
    const [one, two] = [
      await world.rawSender(b, receiver.transfer),
      await world.rawSender(b, receiver.transfer),
    ]
    one.socket.write(rawPayload(100, Buffer.alloc(1000, 'a')))
    await poll('the first copy', () => b.engine.stats(receiver.transfer).landedBytes === 1000)
    // Overlaps the first copy on both sides.
    two.socket.write(rawPayload(0, Buffer.alloc(1200, 'b')))
    await poll('the second copy', () => b.engine.stats(receiver.transfer).landedBytes === 1200)
    const expected = Buffer.alloc(size)
    expected.fill('b', 0, 1200).fill('a', 100, 1100)
    expect(receiver.content().equals(expected)).toBe(true)
    const feeds = b.engine.stats(receiver.transfer).feeds
    expect(feeds.find(({ feed }) => feed === two.feed)?.duplicateBytes).toBe(1000)
    expect(b.of('landed')).toEqual([])
  })

  it('lands overlapping ranges of two feeds, each byte once', async () => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 8 * MIB
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const receiver = await world.receiver(b, size)
    const one = await world.feed(a, origin.transfer, b, receiver.transfer)
    const two = await world.feed(a, origin.transfer, b, receiver.transfer)
    a.engine.send(one.out, { stream: streamId, offset: 0, length: 6 * MIB })
    a.engine.send(two.out, { stream: streamId, offset: 2 * MIB, length: 6 * MIB })
    const stats = await poll('12 MiB arrive', () => {
      const now = b.engine.stats(receiver.transfer)
      const counted = now.landedBytes + now.feeds.reduce((sum, it) => sum + it.duplicateBytes, 0)
      return counted === 12 * MIB && now
    })
    expect(stats.landedBytes).toBe(size)
    await b.landed(receiver.transfer, size)
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('lands repairs in scratch, again and again, and copies them in on demand', async () => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 3 * blockBytes + 11
    const bytes = fileBytes(size)
    const bad = Buffer.from(bytes).fill(0, blockBytes, 2 * blockBytes)
    const [liar, honest] = [await world.origin(a, bad), await world.origin(a, bytes)]
    const receiver = await world.receiver(b, size)
    const [one, two] = [
      await world.feed(a, liar.transfer, b, receiver.transfer),
      await world.feed(a, honest.transfer, b, receiver.transfer),
    ]
    a.engine.send(one.out, { stream: streamId, offset: 0, length: size })
    await b.landed(receiver.transfer, size)
    const block = { stream: streamId, offset: blockBytes, length: blockBytes, scratch: true }
    const repaired = (times: number) =>
      b.until('a repair', () => b.of('landed').filter((it) => it.scratch).length === times)
    a.engine.send(one.out, block)
    await repaired(1)
    expect(receiver.scratchContent().equals(Buffer.alloc(size))).toBe(true)
    a.engine.send(two.out, block)
    await repaired(2)
    expect(b.of('landed').filter((it) => it.scratch)).toMatchObject([
      { offset: blockBytes, length: blockBytes },
      { offset: blockBytes, length: blockBytes },
    ])
    expect(receiver.content().equals(bad)).toBe(true)
    // The tail of a file is a block too, shorter than the others.
    a.engine.send(two.out, { stream: streamId, offset: 3 * blockBytes, length: 11, scratch: true })
    await repaired(3)
    await b.engine.storage.copyIn(receiver.scratch, receiver.file, {
      offset: blockBytes,
      length: blockBytes,
    })
    expect(receiver.content().equals(bytes)).toBe(true)
    const { landedBytes, scratchBytes, receivedBytes, duplicateBytes } = b.engine.stats(
      receiver.transfer,
    )
    // Repairs are counted apart from the file, and are no repeats.
    expect([landedBytes, scratchBytes]).toEqual([size, 2 * blockBytes + 11])
    expect([receivedBytes, duplicateBytes]).toEqual([size + 2 * blockBytes + 11, 0])
  })

  it.each(
    roots.flatMap((root) =>
      (['xxh64', 'blake3', 'sha256'] as const).map((kind) => ({ root, kind })),
    ),
  )('tells right $kind digests of what lands under $root, if any', async ({ root, kind }) => {
    await world.close()
    world.open(root)
    const [a, b] = [await world.party(), await world.party()]
    const size = 9 * MIB + 11
    const origin = await world.origin(a, fileBytes(size))
    const plain = await world.receiver(b, size)
    const sparse = await world.receiver(b, size, world.root, { hashes: kind, sparse: true })
    const hashed = await world.receiver(b, size, world.root, { hashes: kind })
    for (const { transfer } of [plain, sparse, hashed]) {
      const feed = await world.feed(a, origin.transfer, b, transfer)
      a.engine.send(feed.out, { stream: streamId, offset: 0, length: size })
      const scratch = { offset: blockBytes, length: blockBytes, scratch: true }
      a.engine.send(feed.out, { stream: streamId, ...scratch })
      await b.landed(transfer, size)
      await b.until('a repair', () => b.blocks(transfer, size, true).size === 1)
    }
    const told = b.of('landed').filter(({ digests }) => digests !== undefined)
    for (const { transfer, scratch, offset, length, digests } of told) {
      expect(transfer).toBe(hashed.transfer)
      const file = scratch ? hashed.scratch : hashed.file
      const pieces = []
      for (let at = offset; at < offset + length; at += MIB) {
        const range = { offset: at, length: Math.min(MIB, offset + length - at) }
        pieces.push(b.engine.hashNow(file, range, blockBytes, kind))
      }
      expect(Buffer.from(digests ?? []).equals(Buffer.concat(pieces))).toBe(true)
    }
    // The native engine does it wherever the system tells that no disk is waited for.
    if (under.kind === 'native' && root === '/dev/shm')
      expect(told).toHaveLength(
        b.of('landed').filter((it) => it.transfer === hashed.transfer).length,
      )
    if (under.kind === 'portable') expect(told).toEqual([])
  })

  it('a stream that turns out to have holes is not hashed where it lands', async () => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 2 * MIB
    const path = join(world.root, 'holes')
    writeFileSync(path, fileBytes(blockBytes))
    truncateSync(path, size)
    const { file } = await a.engine.storage.openSource(path)
    const from = a.engine.openTransfer()
    const geometry = { stream: streamId, file, size, blockBytes }
    a.engine.addStream(from, { ...geometry, complete: true })
    const receiver = await world.receiver(b, size, world.root, { hashes: 'blake3' })
    const feed = await world.feed(a, from, b, receiver.transfer)
    a.engine.send(feed.out, { stream: streamId, offset: blockBytes, length: size - blockBytes })
    await b.until('the hole', () => b.blocks(receiver.transfer, size).size === 31)
    a.engine.send(feed.out, { stream: streamId, offset: 0, length: blockBytes })
    await b.landed(receiver.transfer, size)
    const { holeBytes } = b.engine.stats(receiver.transfer)
    expect(holeBytes).toBe(under.kind === 'native' ? size - blockBytes : 0)
    expect(b.of('landed').filter(({ digests }) => digests !== undefined)).toEqual([])
  })

  it('delivers digests in both directions and forwards none by itself', async () => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 4 * blockBytes
    const [one, two] = [await world.receiver(a, size), await world.receiver(b, size)]
    const there = await world.feed(a, one.transfer, b, two.transfer)
    const back = await world.feed(b, two.transfer, a, one.transfer, true)
    const range = { stream: streamId, offset: blockBytes, length: 3 * blockBytes }
    const payload = randomBytes(256 * KIB)
    const sent = Buffer.from(payload)
    a.engine.sendDigests(there.out, { ...range, route: 1, payload: sent })
    // The engine has its copy: the caller may reuse the buffer at once.
    sent.fill(0)
    const [event] = await b.until('digests', () => b.of('digests').length === 1 && b.of('digests'))
    expect(event).toMatchObject({ ...range, transfer: two.transfer, feed: there.in, route: 1 })
    expect(payload.equals(event?.payload as Uint8Array)).toBe(true)
    b.engine.sendDigests(back.out, {
      ...range,
      offset: 0,
      length: 1,
      payload: payload.subarray(0, 1),
    })
    b.engine.finish(back.out)
    expect((await a.closed(back.in)).code).toBeNull()
    expect(a.of('digests')).toMatchObject([{ feed: back.in, offset: 0, length: 1, route: 0 }])
    expect(a.of('digests')[0]?.payload).toHaveLength(1)
  })

  it('mixes digests and payload on one feed', async () => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 4 * MIB
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const receiver = await world.receiver(b, size)
    const feed = await world.feed(a, origin.transfer, b, receiver.transfer)
    for (let offset = 0; offset < size; offset += 256 * KIB) {
      const range = { stream: streamId, offset, length: 256 * KIB }
      a.engine.send(feed.out, range)
      a.engine.sendDigests(feed.out, { ...range, payload: Buffer.from(`digest ${offset}`) })
    }
    a.engine.finish(feed.out)
    expect((await b.closed(feed.in)).code).toBeNull()
    expect(receiver.content().equals(bytes)).toBe(true)
    const texts = b
      .of('digests')
      .map(({ offset, payload }) => [offset, Buffer.from(payload).toString()])
    expect(texts).toEqual(
      Array.from({ length: 16 }, (_, i) => [i * 256 * KIB, `digest ${i * 256 * KIB}`]),
    )
  })

  it('does not let a receiver that reads nothing hold up the others', async () => {
    const [a, b] = [await world.party(), await world.party()]
    const size = 32 * MIB
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const receiver = await world.receiver(b, size)
    const stuck = await world.rawReceiver(a, origin.transfer)
    const feed = await world.feed(a, origin.transfer, b, receiver.transfer)
    for (const out of [stuck.feed, feed.out]) {
      a.engine.send(out, { stream: streamId, offset: 0, length: size })
      a.engine.finish(out)
    }
    expect((await b.closed(feed.in)).code).toBeNull()
    expect(receiver.content().equals(bytes)).toBe(true)
    const waiting = a.engine.stats(origin.transfer).feeds.find((it) => it.feed === stuck.feed)
    expect(waiting?.queuedBytes).toBeGreaterThan(0)
    expect((waiting?.queuedBytes ?? 0) + (waiting?.payloadBytes ?? 0)).toBe(size)
    // Once it reads it gets everything.
    const got = Buffer.alloc(size)
    for (const { kind, payload, offset } of rawRecords(await drain(stuck.socket))) {
      if (kind === 1) got.set(payload, offset)
    }
    expect(got.equals(bytes)).toBe(true)
    expect((await a.closed(stuck.feed)).code).toBeNull()
  })
})
