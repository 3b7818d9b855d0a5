/** Feeds that bring only what they are asked for (`ask`), in both engines. */
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { rawHeader, rawPayload } from './raw.js'
import { blockBytes, fileBytes, poll, streamId, useWorld } from './world.js'

const size = 4 * blockBytes
const scratchFlag = 1
const content = fileBytes(size)
const block = (at: number): Buffer => content.subarray(at * blockBytes, (at + 1) * blockBytes)
const spoilt = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 1))

describe.each(engines)('$kind engine: asked feeds', (under) => {
  const world = useWorld(under)

  async function node() {
    const party = await world.party()
    const receiver = await world.receiver(party, size)
    const { engine } = party
    const { transfer } = receiver
    const feeds = [
      await world.rawSender(party, transfer, true),
      await world.rawSender(party, transfer, true),
    ] as const
    const ask = (which: 0 | 1, at: number, scratch = false): void =>
      engine.ask(feeds[which].feed, {
        ...{ stream: streamId, offset: at * blockBytes, length: blockBytes, scratch },
      })
    const closed = (which: 0 | 1) =>
      party.events.find((it) => it.type === 'feedClosed' && it.feed === feeds[which].feed)
    const received = (which: 0 | 1, bytes: number) =>
      poll(`${bytes} bytes came`, () =>
        engine
          .stats(transfer)
          .feeds.some(
            ({ feed, payloadBytes }) => feed === feeds[which].feed && payloadBytes === bytes,
          ),
      )
    const landedRuns = () => party.events.filter((it) => it.type === 'landed')
    const stats = () => engine.stats(transfer)
    return { party, receiver, engine, feeds, ask, closed, received, landedRuns, stats }
  }

  it('land what they are asked for', async () => {
    const { feeds, ask, stats } = await node()
    for (const at of [0, 1, 2, 3]) ask(0, at)
    feeds[0].socket.write(
      Buffer.concat([0, 1, 2, 3].map((at) => rawPayload(at * blockBytes, block(at)))),
    )
    await poll('all of it has landed', () => stats().landedBytes === size)
  })

  it.each<[string, Buffer]>([
    ['a payload', rawPayload(blockBytes, block(1))],
    ['a byte', rawPayload(2 * blockBytes + 5, Buffer.alloc(1))],
    ['a hole', rawHeader({ kind: 2, offset: BigInt(blockBytes), length: blockBytes })],
    ['a repair', rawPayload(0, block(0), 0, scratchFlag)],
  ])('end with %s that they were not asked for, and nothing of it lands', async (_, record) => {
    const { feeds, ask, closed, stats } = await node()
    ask(0, 0)
    feeds[0].socket.write(record)
    await poll('the feed ends', () => closed(0) !== undefined)
    expect(closed(0)).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    expect(stats()).toMatchObject({ landedBytes: 0, scratchBytes: 0 })
    // The other one is asked, and goes on.
    ask(1, 1)
    feeds[1].socket.write(rawPayload(blockBytes, block(1)))
    await poll('a block has landed', () => stats().landedBytes === blockBytes)
  })

  it('drop what another one has been asked for since', async () => {
    const { feeds, ask, closed, received, stats, receiver } = await node()
    ask(0, 0)
    const half = blockBytes / 2
    feeds[0].socket.write(rawPayload(0, block(0)).subarray(0, 32 + half))
    await received(0, half)
    ask(1, 0)
    // What the second one brings shows that its ask has taken effect; until
    // then the first may go on.
    feeds[1].socket.write(rawPayload(0, block(0)).subarray(0, 32 + 1))
    await received(1, 1)
    feeds[0].socket.write(spoilt(block(0)).subarray(half))
    await received(0, blockBytes)
    expect(stats()).toMatchObject({ landedBytes: half, duplicateBytes: half + 1 })
    feeds[1].socket.write(block(0).subarray(1))
    await poll('a block has landed', () => stats().landedBytes === blockBytes)
    expect(closed(0)).toBeUndefined()
    expect(receiver.content().subarray(0, blockBytes).equals(block(0))).toBe(true)
  })

  it('bring each repair once for each ask, all of it by one of them', async () => {
    const { feeds, ask, closed, received, stats, landedRuns } = await node()
    const half = blockBytes / 2
    ask(0, 0, true)
    feeds[0].socket.write(rawPayload(0, spoilt(block(0)).subarray(0, half), 0, scratchFlag))
    await poll('a half has landed', () => stats().scratchBytes === half)
    ask(1, 0, true)
    feeds[1].socket.write(rawPayload(0, block(0), 0, scratchFlag))
    await poll('the repair is there', () => landedRuns().length === 1)
    // The half of the first was forgotten, so all of the second has landed.
    expect(stats().scratchBytes).toBe(half + blockBytes)
    feeds[1].socket.write(rawPayload(0, block(0), 0, scratchFlag))
    await received(1, 2 * blockBytes)
    expect(stats().scratchBytes).toBe(half + blockBytes)
    expect([closed(0), closed(1)]).toEqual([undefined, undefined])
  })

  it('are the only ones that can be asked', async () => {
    const { party, receiver, engine } = await node()
    const { feed } = await world.rawSender(party, receiver.transfer)
    const spec = { stream: streamId, offset: 0, length: blockBytes }
    expect(() => engine.ask(feed, spec)).toThrow(TypeError)
    expect(() => engine.ask(feed + 1_000, spec)).toThrow(TypeError)
  })
})
