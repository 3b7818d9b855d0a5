/**
 * Limits on both engines, over real sockets. Nothing here depends on how fast the machine is: a
 * count is compared with the most that the time that has passed allows, and a share with another
 * share. How near a limit is reached is measured by `npm run bench -- limits`.
 */

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { FeedHandle, RateLimits, TransferHandle } from '../../src/ports.js'
import { type EngineUnderTest, engines } from './engines.js'
import { rawPayload } from './raw.js'
import { KIB, MIB, type Party, poll, seed, streamId, useWorld, type World } from './world.js'

const burstSeconds = 0.025

/** Looks at a count again and again until it is enough; it must never be beyond the rate. */
async function watched(
  rate: number,
  enough: number,
  begin: () => void,
  count: () => number,
  onItsWay = 0,
): Promise<void> {
  const before = count()
  const startMs = performance.now()
  begin()
  await poll('enough has moved', () => {
    const moved = count() - before
    // Later than the count: what the time allows is at least what it was then.
    const seconds = (performance.now() - startMs) / 1000
    expect(moved).toBeLessThanOrEqual(1.03 * rate * seconds + burstSeconds * rate + onItsWay)
    return moved >= enough
  })
}

function suite(under: EngineUnderTest): void {
  const world: World = useWorld(under)

  async function sending(
    from: Party,
    bytes: number,
  ): Promise<{ transfer: TransferHandle; feed: FeedHandle; socket: Socket; send: () => void }> {
    const { transfer } = await world.origin(from, randomBytes(bytes))
    const { socket, feed } = await world.rawReceiver(from, transfer)
    socket.resume()
    const send = (): void => from.engine.send(feed, { stream: streamId, offset: 0, length: bytes })
    return { transfer, feed, socket, send }
  }

  const sent = (party: Party, transfer: TransferHandle): number =>
    party.engine.stats(transfer).sentBytes

  it('sends no more than its limit, headers and digests included', async () => {
    const from = await world.party()
    const rate = 4 * MIB
    from.engine.limit({ upBytesPerSecond: rate })
    const { feed, socket, send } = await sending(from, 2 * MIB)
    const payload = Buffer.alloc(4 * KIB)
    const begin = (): void => {
      for (let i = 0; i < 50; i++)
        from.engine.sendDigests(feed, { stream: streamId, offset: 0, length: KIB, payload })
      send()
    }
    await watched(rate, 1.2 * MIB, begin, () => socket.bytesRead)
  })

  it('shares the limit of the engine between its transfers, whichever they are', async () => {
    const from = await world.party()
    const rate = 8 * MIB
    const all = [await sending(from, MIB), await sending(from, MIB), await sending(from, MIB)]
    from.engine.limit({ upBytesPerSecond: rate })
    const begin = (): void => {
      for (const { send } of all) send()
    }
    await watched(rate, 2 * MIB, begin, () => from.engine.counters().sentBytes)
    for (const { transfer } of all) expect(sent(from, transfer)).toBeGreaterThan(MIB / 3)
  })

  it('shares by weight', async () => {
    const from = await world.party()
    from.engine.limit({ upBytesPerSecond: 4 * MIB })
    const light = await sending(from, 4 * MIB)
    const heavy = await sending(from, 4 * MIB)
    from.engine.limitTransfer(light.transfer, { priority: 10 })
    from.engine.limitTransfer(heavy.transfer, { priority: 30 })
    light.send()
    heavy.send()
    await poll('the heavy one has had much', () => sent(from, heavy.transfer) > 1.5 * MIB)
    const share = sent(from, light.transfer) / sent(from, heavy.transfer)
    expect(share).toBeGreaterThan(0.2)
    expect(share).toBeLessThan(0.5)
  })

  it('gives what one transfer does not use to the others', async () => {
    const from = await world.party()
    from.engine.limit({ upBytesPerSecond: 4 * MIB })
    const stuck = await sending(from, 8 * MIB)
    stuck.socket.pause()
    const other = await sending(from, 2 * MIB)
    from.engine.limitTransfer(stuck.transfer, { priority: 100 })
    from.engine.limitTransfer(other.transfer, { priority: 1 })
    stuck.send()
    other.send()
    // A hundredth of the limit would take 50 s for it, longer than anything is waited for here.
    await poll('the other one is through', () => sent(from, other.transfer) === 2 * MIB)
  })

  it('keeps a transfer to a limit of its own', async () => {
    const from = await world.party()
    const { transfer, socket, send } = await sending(from, MIB)
    const free = await sending(from, 8 * MIB)
    const rate = 2 * MIB
    from.engine.limitTransfer(transfer, { upBytesPerSecond: rate })
    free.send()
    await watched(rate, 600 * KIB, send, () => socket.bytesRead)
    await poll('nothing limits the other', () => sent(from, free.transfer) === 8 * MIB)
  })

  it('serves all feeds of a transfer in turn', async () => {
    const from = await world.party()
    from.engine.limit({ upBytesPerSecond: 4 * MIB })
    const size = 8 * MIB
    const { transfer } = await world.origin(from, randomBytes(size))
    const feeds: Awaited<ReturnType<typeof world.rawReceiver>>[] = []
    for (let i = 0; i < 4; i++) feeds.push(await world.rawReceiver(from, transfer))
    for (const { socket, feed } of feeds) {
      socket.resume()
      from.engine.send(feed, { stream: streamId, offset: 0, length: size })
    }
    // One after the other, three would be whole before the last had anything.
    const counts = (): number[] => feeds.map(({ socket }) => socket.bytesRead)
    await poll('all have something', () => Math.min(...counts()) > 65_536)
    expect(Math.max(...counts())).toBeLessThan(size)
  })

  const receiving = async (
    rates: RateLimits,
    own: RateLimits = {},
  ): Promise<{ rate: number; to: Party; transfer: TransferHandle; begin: () => void }> => {
    const from = await world.party()
    const to = await world.party()
    const size = 2 * MIB
    const { transfer: source } = await world.origin(from, randomBytes(size))
    const { transfer } = await world.receiver(to, size)
    to.engine.limit(rates)
    to.engine.limitTransfer(transfer, own)
    const feeds = [
      await world.feed(from, source, to, transfer),
      await world.feed(from, source, to, transfer),
    ]
    const begin = (): void => {
      for (const [i, { out }] of feeds.entries())
        from.engine.send(out, { stream: streamId, offset: i * MIB, length: MIB })
    }
    const rate = own.downBytesPerSecond ?? rates.downBytesPerSecond ?? 0
    return { rate, to, transfer, begin }
  }

  for (const [name, rates, own] of [
    ['of the engine', { downBytesPerSecond: 4 * MIB }, {}],
    ['of the transfer', {}, { downBytesPerSecond: 4 * MIB }],
  ] as const)
    it(`reads no more than the limit ${name}, and all lands in the end`, async () => {
      const { rate, to, transfer, begin } = await receiving(rates, own)
      const received = (): number => to.engine.stats(transfer).receivedBytes
      await watched(rate, 1.5 * MIB, begin, received)
      to.engine.limit({})
      to.engine.limitTransfer(transfer, {})
      await to.landed(transfer, 2 * MIB)
      expect(to.engine.counters().receivedBytes).toBe(2 * MIB)
    })

  it('changes while bytes flow', async () => {
    const from = await world.party()
    const { transfer, socket, send } = await sending(from, 24 * MIB)
    from.engine.limit({ upBytesPerSecond: 64 * KIB })
    send()
    await poll('it has begun', () => sent(from, transfer) > 0)
    // At the first limit this would take six minutes.
    from.engine.limit({ upBytesPerSecond: 16 * MIB })
    await poll('more flows', () => sent(from, transfer) > 2 * MIB)
    const rate = 4 * MIB
    const lower = (): void => from.engine.limit({ upBytesPerSecond: rate })
    // Records may be on their way to the socket already.
    await watched(rate, MIB, lower, () => sent(from, transfer), 512 * KIB)
    from.engine.limit({})
    await poll('all of it', () => sent(from, transfer) === 24 * MIB && socket.bytesRead > 24 * MIB)
  })

  it('ends at once whatever waits for a limit', async () => {
    const { to, transfer, begin } = await receiving({ downBytesPerSecond: 64 * KIB })
    begin()
    await poll('some came', () => to.engine.stats(transfer).receivedBytes > 0)
    to.engine.closeTransfer(transfer)
    expect(to.engine.counters().openFeeds).toBeLessThanOrEqual(2)
    await poll('feeds are gone', () => to.engine.counters().openFeeds === 0)
    await to.engine.shutdown()
  })

  // Only there a connection ends by itself when nothing is acknowledged.
  it.runIf(under.kind === 'native')('keeps a sender for longer than silence lasts', async () => {
    const [from, to] = [await world.party(), await world.party()]
    const size = 16 * MIB
    const { transfer: source } = await world.origin(from, randomBytes(size), 1_000)
    const { transfer } = await world.receiver(to, size)
    const { out } = await world.feed(from, source, to, transfer)
    for (let i = 0; i < 400; i++)
      from.engine.send(out, { stream: streamId, offset: 0, length: size })
    await poll('bytes flow', () => to.engine.stats(transfer).receivedBytes > size)
    to.engine.limit({ downBytesPerSecond: 64 * KIB })
    await sleep(2_500)
    expect(from.engine.counters().openFeeds).toBe(1)
    to.engine.limit({})
  })

  it('keeps some feeds to what they may send together, whatever else is sent', async () => {
    const from = await world.party()
    const size = 4 * MIB
    const { transfer } = await world.origin(from, randomBytes(size))
    const sockets: Socket[] = []
    const feeds: FeedHandle[] = []
    for (let i = 0; i < 3; i++) {
      const { socket, feed } = await world.rawReceiver(from, transfer)
      socket.resume()
      sockets.push(socket)
      feeds.push(feed)
    }
    const [one, two, free] = sockets as [Socket, Socket, Socket]
    const linked = feeds.slice(0, 2)
    const rate = 4 * MIB
    from.engine.limitFeeds(linked, rate / 2)
    from.engine.limitFeeds(linked, rate)
    const begin = (): void => {
      for (const feed of feeds)
        from.engine.send(feed, { stream: streamId, offset: 0, length: size })
    }
    await watched(rate, 1.5 * MIB, begin, () => one.bytesRead + two.bytesRead)
    expect(Math.min(one.bytesRead, two.bytesRead)).toBeGreaterThan(MIB / 3)
    await poll('nothing limits the third', () => free.bytesRead > size)
    from.engine.limitFeeds(linked, undefined)
    await poll('nothing limits any', () => Math.min(one.bytesRead, two.bytesRead) > size)
  })

  it('takes nothing for holes but their headers', async () => {
    const [from, to] = [await world.party(), await world.party()]
    const size = 16 * MIB
    const { transfer: source } = await world.origin(from, size)
    const { transfer } = await world.receiver(to, size)
    const { out } = await world.feed(from, source, to, transfer)
    // As payload this would take longer than anything is waited for here.
    from.engine.limit({ upBytesPerSecond: 256 * KIB })
    to.engine.limit({ downBytesPerSecond: 256 * KIB })
    from.engine.send(out, { stream: streamId, offset: 0, length: size })
    await to.landed(transfer, size)
    expect(to.engine.stats(transfer).holeBytes).toBe(size)
  })

  // The native engine takes nothing off a socket before it may.
  it.runIf(under.kind === 'portable')('takes nothing for what came before a limit', async () => {
    const to = await world.party()
    const size = 256 * KIB
    const { transfer } = await world.receiver(to, size)
    const [, socket] = await world.pair()
    to.engine.adopt(socket, { transfer, direction: 'in', seed })
    socket.emit('data', rawPayload(0, randomBytes(size)))
    to.engine.limit({ downBytesPerSecond: 1 })
    await to.landed(transfer, size)
  })

  it('notices that a sender is gone while it may not read', async () => {
    const to = await world.party()
    const { transfer } = await world.receiver(to, MIB)
    to.engine.limit({ downBytesPerSecond: 64 * KIB })
    const { socket, feed } = await world.rawSender(to, transfer)
    socket.resetAndDestroy()
    expect((await to.closed(feed)).code).toBe('ERR_FR_NODE_LOST')
  })

  it('refuses rates and weights that are none', async () => {
    const { engine } = await world.party()
    const transfer = engine.openTransfer()
    for (const bad of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2e15]) {
      expect(() => engine.limit({ upBytesPerSecond: bad })).toThrow(TypeError)
      expect(() => engine.limitFeeds([], bad)).toThrow(TypeError)
      expect(() => engine.limitTransfer(transfer, { downBytesPerSecond: bad })).toThrow(TypeError)
    }
    for (const weight of [0, -1, 1.5, 101, Number.NaN])
      expect(() => engine.limitTransfer(transfer, { priority: weight })).toThrow(TypeError)
  })
}

for (const under of engines) describe(`limits: ${under.kind}`, () => suite(under))
