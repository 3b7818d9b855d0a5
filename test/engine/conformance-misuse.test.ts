/** What both engines refuse as misuse: TypeErrors, at once, and no event. */
import { describe, expect, it } from 'vitest'
import type { FeedHandle, StreamSpec } from '../../src/ports.js'
import { engines } from './engines.js'
import { blockBytes, fileBytes, poll, seed, streamId, useWorld } from './world.js'

const size = 4 * blockBytes
const whole = { stream: streamId, offset: 0, length: size }

describe.each(engines)('$kind engine: misuse', (under) => {
  const world = useWorld(under)

  it('never uses a handle twice', async () => {
    const party = await world.party()
    const seen = new Set<string>()
    for (let round = 0; round < 3; round += 1) {
      const receiver = await world.receiver(party, size)
      const { socket, feed } = await world.rawSender(party, receiver.transfer)
      const { transfer, file, scratch } = receiver
      for (const handle of [transfer, file, scratch, feed]) {
        expect(Number.isSafeInteger(handle) && handle > 0).toBe(true)
      }
      for (const handle of [`t${transfer}`, `f${file}`, `f${scratch}`, `c${feed}`]) {
        expect(seen.has(handle)).toBe(false)
        seen.add(handle)
      }
      party.engine.closeTransfer(transfer)
      party.engine.storage.closeFile(file)
      party.engine.storage.closeFile(scratch)
      socket.destroy()
    }
  })

  it('throws TypeError for handles that are unknown or closed', async () => {
    const party = await world.party()
    const { engine } = party
    const receiver = await world.receiver(party, size)
    const [a] = await world.pair()
    const spec = { stream: 1, file: receiver.file, size, blockBytes, complete: false }
    const digests = { ...whole, payload: Buffer.alloc(8) }
    for (const bad of [0, -1, 1.5, Number.NaN, 999_999]) {
      expect(() => engine.addStream(bad, spec)).toThrow(TypeError)
      expect(() => engine.addStream(receiver.transfer, { ...spec, file: bad })).toThrow(TypeError)
      expect(() => engine.addStream(receiver.transfer, { ...spec, scratch: bad })).toThrow(
        TypeError,
      )
      expect(() => engine.adopt(a, { transfer: bad, direction: 'in', seed })).toThrow(TypeError)
      expect(() => engine.send(bad, whole)).toThrow(TypeError)
      expect(() => engine.sendDigests(bad, digests)).toThrow(TypeError)
      expect(() => engine.relayDigests(bad, { ...digests, route: 1 })).toThrow(TypeError)
      expect(() => engine.finish(bad)).toThrow(TypeError)
      expect(() => engine.closeTransfer(bad)).toThrow(TypeError)
      expect(() => engine.stats(bad)).toThrow(TypeError)
      expect(() => engine.hashSource(bad)).toThrow(TypeError)
      expect(() => engine.hashNow(bad, whole, blockBytes, 'xxh64')).toThrow(TypeError)
      expect(() => engine.storage.closeFile(bad)).toThrow(TypeError)
      expect(() => engine.storage.closeDataDir(bad)).toThrow(TypeError)
      await expect(engine.storage.checkSource(bad)).rejects.toThrow(TypeError)
      await expect(engine.storage.freeBytes(bad)).rejects.toThrow(TypeError)
      await expect(engine.storage.copyIn(bad, receiver.file, whole)).rejects.toThrow(TypeError)
      expect(() => engine.close(bad)).not.toThrow()
    }
    engine.closeTransfer(receiver.transfer)
    expect(() => engine.stats(receiver.transfer)).toThrow(TypeError)
    expect(() => engine.closeTransfer(receiver.transfer)).toThrow(TypeError)
    engine.storage.closeFile(receiver.file)
    expect(() => engine.storage.closeFile(receiver.file)).toThrow(TypeError)
    engine.storage.closeDataDir(receiver.dir)
    expect(() => engine.storage.closeDataDir(receiver.dir)).toThrow(TypeError)
    expect(party.events).toEqual([])
  })

  it('throws TypeError for values out of range', async () => {
    const party = await world.party()
    const { engine } = party
    const { transfer } = await world.origin(party, fileBytes(size))
    const { feed } = await world.rawReceiver(party, transfer)
    for (const [offset, length] of [
      [0, 0],
      [0, size + 1],
      [size, 1],
      [-1, 2],
      [0.5, 1],
      [0, 1.5],
      [Number.NaN, 1],
      [0, Number.POSITIVE_INFINITY],
      [Number.MAX_SAFE_INTEGER, 1],
      [0, -1],
    ] as const) {
      const range = { stream: streamId, offset, length }
      expect(() => engine.send(feed, range), `${offset} ${length}`).toThrow(TypeError)
      const digests = { ...range, payload: Buffer.alloc(8) }
      expect(() => engine.sendDigests(feed, digests), `${offset} ${length}`).toThrow(TypeError)
      const relay = () => engine.relayDigests(transfer, { ...digests, route: 1 })
      expect(relay, `${offset} ${length}`).toThrow(TypeError)
    }
    expect(() => engine.send(feed, { ...whole, stream: 8 })).toThrow(TypeError)
    expect(() => engine.send(feed, { ...whole, route: 1, scratch: true })).toThrow(TypeError)
    for (const route of [-1, 0.5, 65_536, Number.NaN]) {
      expect(() => engine.send(feed, { ...whole, route }), `${route}`).toThrow(TypeError)
      const digests = { ...whole, route, payload: Buffer.alloc(8) }
      expect(() => engine.sendDigests(feed, digests), `${route}`).toThrow(TypeError)
    }
    for (const bytes of [0, 256 * 1024 + 1]) {
      const digests = { ...whole, payload: Buffer.alloc(bytes) }
      expect(() => engine.sendDigests(feed, digests)).toThrow(TypeError)
      expect(() => engine.relayDigests(transfer, { ...digests, route: 1 })).toThrow(TypeError)
    }
    expect(engine.stats(transfer).feeds).toMatchObject([{ queuedBytes: 0, payloadBytes: 0 }])
  })

  it('throws TypeError for streams that make no sense', async () => {
    const party = await world.party()
    const { engine } = party
    const { file } = await world.origin(party, fileBytes(size))
    const transfer = engine.openTransfer()
    const good: StreamSpec = { stream: 1, file, size, blockBytes, complete: true }
    for (const bad of [
      { stream: -1 },
      { stream: 2 ** 32 },
      { stream: 0.5 },
      { size: -1 },
      { size: 2 ** 53 },
      { blockBytes: 0 },
      { blockBytes: 1.5 },
    ]) {
      expect(() => engine.addStream(transfer, { ...good, ...bad }), JSON.stringify(bad)).toThrow(
        TypeError,
      )
    }
    engine.addStream(transfer, good)
    expect(() => engine.addStream(transfer, good)).toThrow(TypeError)
    engine.addStream(transfer, { ...good, stream: 2 ** 32 - 1 })
  })

  it('throws TypeError for feeds used against their direction, or after finish', async () => {
    const party = await world.party()
    const { engine } = party
    const receiver = await world.receiver(party, size)
    const incoming = await world.rawSender(party, receiver.transfer)
    const outgoing = await world.rawReceiver(party, receiver.transfer)
    const digests = { ...whole, payload: Buffer.alloc(8) }
    expect(() => engine.send(incoming.feed, whole)).toThrow(TypeError)
    expect(() => engine.sendDigests(incoming.feed, digests)).toThrow(TypeError)
    expect(() => engine.finish(incoming.feed)).toThrow(TypeError)
    engine.send(outgoing.feed, whole)
    engine.finish(outgoing.feed)
    expect(() => engine.finish(outgoing.feed)).toThrow(TypeError)
    expect(() => engine.send(outgoing.feed, whole)).toThrow(TypeError)
    expect(() => engine.sendDigests(outgoing.feed, digests)).toThrow(TypeError)
    const [a] = await world.pair()
    const { transfer } = receiver
    for (const bad of [
      { transfer, direction: 'up', seed },
      { transfer, direction: 'in', seed: -1n },
      { transfer, direction: 'in', seed: 1n << 64n },
      { transfer, direction: 'in', seed: 5 },
    ]) {
      expect(() => engine.adopt(a, bad as never)).toThrow(TypeError)
    }
    expect(a.destroyed).toBe(false)
  })

  it('throws TypeError for routes that make no sense', async () => {
    const party = await world.party()
    const { engine } = party
    const receiver = await world.receiver(party, size)
    const { transfer } = receiver
    const { feed: incoming } = await world.rawSender(party, transfer)
    const { feed } = await world.rawReceiver(party, transfer)
    const strange = await world.origin(party, fileBytes(1))
    const good = { feed, next: 0 }
    for (const route of [-1, 0, 0.5, 65_536]) {
      expect(() => engine.setRoute(transfer, route, [good]), `${route}`).toThrow(TypeError)
      expect(() => engine.assign(transfer, { ...whole, route }), `${route}`).toThrow(TypeError)
      const relay = () =>
        engine.relayDigests(transfer, { ...whole, route, payload: Buffer.alloc(8) })
      expect(relay, `${route}`).toThrow(TypeError)
    }
    for (const targets of [
      [{ feed: incoming, next: 0 }],
      [{ feed: 12_345, next: 0 }],
      [{ feed, next: -1 }],
      [{ feed, next: 65_536 }],
      [good, good],
    ]) {
      expect(() => engine.setRoute(transfer, 1, targets), JSON.stringify(targets)).toThrow(
        TypeError,
      )
    }
    expect(() => engine.setRoute(strange.transfer, 1, [good])).toThrow(TypeError)
    expect(() => engine.setRoute(99_999, 1, [])).toThrow(TypeError)
    for (const bad of [{ offset: size }, { length: 0 }, { length: size + 1 }, { stream: 8 }])
      expect(() => engine.assign(transfer, { ...whole, route: 1, ...bad })).toThrow(TypeError)
    engine.setRoute(transfer, 1, [])
    engine.setRoute(transfer, 65_535, [{ feed, next: 65_535, first: true }])
  })

  it('refuses a socket that holds bytes already', async () => {
    const party = await world.party()
    const { transfer } = await world.origin(party, fileBytes(size))
    const [a, b] = await world.pair()
    a.write('early')
    b.once('readable', () => {})
    await poll('bytes are buffered', () => b.readableLength > 0)
    expect(() => party.engine.adopt(b, { transfer, direction: 'in', seed })).toThrow(TypeError)
  })

  it('takes calls on a broken feed until its last event has been delivered', async () => {
    const outcomes: string[] = []
    let feed: FeedHandle | undefined
    const attempt = (call: () => void) => {
      try {
        call()
        outcomes.push('taken')
      } catch (error) {
        outcomes.push((error as Error).name)
      }
    }
    const party = await world.party((engine, batch) => {
      if (!batch.some((event) => event.type === 'feedClosed')) return
      attempt(() => engine.send(feed as FeedHandle, whole))
      attempt(() => engine.finish(feed as FeedHandle))
    })
    const { transfer } = await world.origin(party, fileBytes(size))
    const receiver = await world.rawReceiver(party, transfer)
    feed = receiver.feed
    receiver.socket.resetAndDestroy()
    await party.closed(feed)
    expect(outcomes).toEqual(['taken', 'taken'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(() => party.engine.send(receiver.feed, whole)).toThrow(TypeError)
    expect(() => party.engine.close(receiver.feed)).not.toThrow()
    expect(party.events).toHaveLength(1)
  })
})
