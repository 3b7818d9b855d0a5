/** The portable engine holds at most about a mebibyte per feed, whichever side is slow. */
import { pbkdf2 } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createPortableEngine } from '../../src/engine/portable/engine.js'
import { rawPayload } from './raw.js'
import { fileBytes, MIB, poll, seed, streamId, useWorld } from './world.js'

const boundBytes = MIB

/** Keeps every thread of the pool busy for a while, as a slow disk would. */
function blockPool(): Promise<unknown> {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)
  const busy = (resolve: () => void) => pbkdf2('x', 'y', 200_000, 32, 'sha512', resolve)
  return Promise.all(Array.from({ length: threads }, () => new Promise<void>(busy)))
}

describe('portable engine: memory', () => {
  const world = useWorld({ kind: 'portable', keepsNanos: false, create: createPortableEngine })

  it('stops reading the socket while the disk is slow, and loses nothing', async () => {
    const party = await world.party()
    const size = 16 * MIB
    const receiver = await world.receiver(party, size)
    const [socket, other] = await world.pair()
    party.engine.adopt(other, { transfer: receiver.transfer, direction: 'in', seed })
    const bytes = fileBytes(size)
    const unblocked = blockPool()
    for (let at = 0; at < size; at += MIB)
      socket.write(rawPayload(at, bytes.subarray(at, at + MIB)))
    let most = 0
    let isSlow = true
    void unblocked.then(() => {
      isSlow = false
    })
    await poll('everything lands', () => {
      const { landedBytes } = party.engine.stats(receiver.transfer)
      most = Math.max(most, other.bytesRead - landedBytes)
      return landedBytes === size && !isSlow
    })
    // The disk was slow for long enough to tell: the inbox filled to its mark, and no further.
    expect(most).toBeGreaterThanOrEqual(boundBytes / 2)
    expect(most).toBeLessThanOrEqual(boundBytes)
    await party.landed(receiver.transfer, size)
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('reads no further ahead than its buffers while the receiver does not read', async () => {
    const party = await world.party()
    const size = 32 * MIB
    const origin = await world.origin(party, fileBytes(size))
    const [, other] = await world.pair()
    const spec = { transfer: origin.transfer, direction: 'out', seed } as const
    const feed = party.engine.adopt(other, spec)
    party.engine.send(feed, { stream: streamId, offset: 0, length: size })
    let last = -1
    let same = 0
    await poll('the socket is full', () => {
      const now = other.bytesWritten
      same = now === last ? same + 1 : 0
      last = now
      expect(other.writableLength).toBeLessThanOrEqual(boundBytes)
      return same > 20 && other.writableLength > 0
    })
    const [stats] = party.engine.stats(origin.transfer).feeds
    expect(party.engine.counters().payloadBytesInJavaScript).toBeLessThanOrEqual(
      (stats?.payloadBytes ?? 0) + boundBytes,
    )
  })
})
