/**
 * Sealed connections on both engines: what comes, that nothing of it can be read on the way, and
 * what becomes of a feed whose bytes were touched. The other end is the portable code, whose bytes
 * a test of its own compares with what node:crypto makes.
 */
import { createCipheriv } from 'node:crypto'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Opening, Sealing } from '../../src/engine/portable/seal.js'
import type { FeedHandle, TransferHandle } from '../../src/ports.js'
import { engines } from './engines.js'
import { rawEnd, rawPayload, rawRecords } from './raw.js'
import {
  blockBytes,
  drain,
  fileBytes,
  KIB,
  MIB,
  type Party,
  seed,
  streamId,
  useWorld,
} from './world.js'

const secretOf = (first: number): Uint8Array =>
  Uint8Array.from({ length: 36 }, (_, i) => (first + i) & 0xff)
const secret = secretOf(1)

/** The bytes of sealed records; throws where they are not whole and right. */
function opened(sealed: Buffer, by = secret): Buffer {
  const parts: Buffer[] = []
  const opening = new Opening(by)
  if (!opening.came(sealed, (part) => parts.push(part))) throw new Error('does not open')
  return Buffer.concat(parts)
}

describe.each(engines)('$kind engine: sealed feeds', (under) => {
  const world = useWorld(under)

  async function feed(
    from: Party,
    out: TransferHandle,
    to: Party,
    into: TransferHandle,
    seal: Uint8Array,
  ) {
    const [a, b] = await world.pair()
    return {
      in: to.engine.adopt(b, { transfer: into, direction: 'in', seed, seal }),
      out: from.engine.adopt(a, { transfer: out, direction: 'out', seed, seal }),
    }
  }

  async function rawSender(to: Party, transfer: TransferHandle) {
    const [socket, other] = await world.pair()
    socket.on('error', () => {})
    socket.resume()
    return {
      socket,
      feed: to.engine.adopt(other, { transfer, direction: 'in', seed, seal: secret }),
    }
  }

  async function rawReceiver(
    from: Party,
    transfer: TransferHandle,
    seal: Uint8Array | undefined,
  ): Promise<{ socket: Socket; feed: FeedHandle }> {
    const [socket, other] = await world.pair()
    socket.on('error', () => {})
    const more = seal === undefined ? {} : { seal }
    return { socket, feed: from.engine.adopt(other, { transfer, direction: 'out', seed, ...more }) }
  }

  it('carry a file that is passed on as it comes, each under a secret of its own', async () => {
    const [a, middle, last] = [await world.party(), await world.party(), await world.party()]
    const size = 6 * MIB + 3
    const bytes = fileBytes(size)
    const origin = await world.origin(a, bytes)
    const [m, l] = [await world.receiver(middle, size), await world.receiver(last, size)]
    const first = await feed(a, origin.transfer, middle, m.transfer, secret)
    const second = await feed(middle, m.transfer, last, l.transfer, secretOf(99))
    middle.engine.setRoute(m.transfer, 1, [{ feed: second.out, next: 0 }])
    a.engine.send(first.out, { stream: streamId, offset: 0, length: size, route: 1 })
    a.engine.finish(first.out)
    await Promise.all([middle.landed(m.transfer, size), last.landed(l.transfer, size)])
    middle.engine.finish(second.out)
    for (const [party, one] of [
      [a, first.out],
      [middle, first.in],
      [middle, second.out],
      [last, second.in],
    ] as const)
      expect((await party.closed(one)).code).toBeNull()
    expect(m.content().equals(bytes)).toBe(true)
    expect(l.content().equals(bytes)).toBe(true)
    const { landedBytes, receivedBytes, duplicateBytes } = last.engine.stats(l.transfer)
    expect([landedBytes, receivedBytes, duplicateBytes]).toEqual([size, size, 0])
  })

  it.each([1, 32 * KIB - 32, 32 * KIB - 31, 700_001])(
    'send %i bytes in records that open, and nothing that can be read',
    async (size) => {
      const party = await world.party()
      const bytes = fileBytes(size)
      const { transfer } = await world.origin(party, bytes)
      const { socket, feed: out } = await rawReceiver(party, transfer, secret)
      party.engine.send(out, { stream: streamId, offset: 0, length: size })
      party.engine.finish(out)
      const wire = await drain(socket)
      const records = rawRecords(opened(wire))
      const parts = records.filter(({ kind }) => kind === 1)
      expect(Buffer.concat(parts.map(({ payload }) => payload)).equals(bytes)).toBe(true)
      expect(records.at(-1)?.kind).toBe(4)
      for (let at = 0; size >= 16 && at + 16 <= size; at += 997)
        expect(wire.includes(bytes.subarray(at, at + 16))).toBe(false)
      expect(() => opened(wire, secretOf(2))).toThrow()
    },
  )

  it('take what comes in pieces of any size', async () => {
    const party = await world.party()
    const size = 3 * blockBytes
    const bytes = fileBytes(size)
    const to = await world.receiver(party, size)
    const { socket, feed: into } = await rawSender(party, to.transfer)
    const sealing = new Sealing(secret)
    const wire = Buffer.concat([
      ...sealing.seal([rawPayload(0, bytes.subarray(0, 5000))]),
      ...sealing.seal([rawPayload(5000, bytes.subarray(5000)), rawEnd]),
    ])
    for (let at = 0, step = 1; at < wire.length; at += step, step = (step * 7) % 40_009) {
      socket.write(wire.subarray(at, at + step))
      if (step % 3 === 0) await new Promise(setImmediate)
    }
    socket.end()
    expect((await party.closed(into)).code).toBeNull()
    expect(to.content().equals(bytes)).toBe(true)
  })

  it.each<[string, (records: Buffer[], others: Buffer[]) => Buffer[], string]>([
    ['a bit changed', ([a, b, c]) => [a, flipped(b, 200), c] as Buffer[], 'ERR_FR_SPOILT'],
    ['a tag changed', ([a, b, c]) => [a, flipped(b, -1), c] as Buffer[], 'ERR_FR_SPOILT'],
    ['a length changed', ([a, b, c]) => [a, flipped(b, 3), c] as Buffer[], 'ERR_FR_SPOILT'],
    ['one left out', ([a, , c]) => [a, c] as Buffer[], 'ERR_FR_SPOILT'],
    ['one repeated', ([a, b, c]) => [a, a, b, c] as Buffer[], 'ERR_FR_SPOILT'],
    ['two swapped', ([a, b, c]) => [a, c, b] as Buffer[], 'ERR_FR_SPOILT'],
    [
      'one of another session in its place',
      ([a, , c], [, other]) => [a, other, c] as Buffer[],
      'ERR_FR_SPOILT',
    ],
    ['another session behind', ([a], others) => [a, ...others] as Buffer[], 'ERR_FR_SPOILT'],
    [
      'plain bytes behind',
      ([a]) => [a, rawPayload(9000, Buffer.alloc(9000))] as Buffer[],
      'ERR_FR_SPOILT',
    ],
    ['the end cut off', ([a, b]) => [a, b?.subarray(0, -1)] as Buffer[], 'ERR_FR_NODE_LOST'],
    ['the last left out', ([a, b]) => [a, b] as Buffer[], 'ERR_FR_NODE_LOST'],
  ])('end by name with %s, and take nothing of it', async (_, touch, code) => {
    const party = await world.party()
    const bytes = fileBytes(30_000)
    const to = await world.receiver(party, bytes.length)
    const { socket, feed: into } = await rawSender(party, to.transfer)
    const [records, others] = [secret, secretOf(2)].map((by) => sealedBy(by, bytes))
    socket.end(Buffer.concat(touch(records as Buffer[], others as Buffer[])))
    expect((await party.closed(into)).code).toBe(code)
    const { landedBytes } = party.engine.stats(to.transfer)
    expect(landedBytes).toBeGreaterThanOrEqual(10_000)
    const landed = to.content().subarray(0, landedBytes)
    expect(landed.equals(bytes.subarray(0, landedBytes))).toBe(true)
  })

  it('refuse a record of nothing, which a peer could send for ever', async () => {
    const party = await world.party()
    const bytes = fileBytes(30_000)
    const to = await world.receiver(party, bytes.length)
    const { socket, feed: into } = await rawSender(party, to.transfer)
    const sealing = new Sealing(secret)
    const first = sealing.seal([rawPayload(0, bytes.subarray(0, 10_000))])
    const empty = sealedNothing(1)
    socket.end(Buffer.concat([...first, empty, empty]))
    expect((await party.closed(into)).code).toBe('ERR_FR_SPOILT')
    expect(party.engine.stats(to.transfer).landedBytes).toBe(10_000)
  })

  it('do not hold up others while one comes in the shortest records', async () => {
    const party = await world.party()
    const size = 40_000
    const [a, b] = [fileBytes(size), fileBytes(size)]
    const [short, other] = [await world.receiver(party, size), await world.receiver(party, size)]
    const slow = await rawSender(party, short.transfer)
    const quick = await rawSender(party, other.transfer)
    const sealing = new Sealing(secret)
    const wire = Buffer.concat([rawPayload(0, a), rawEnd])
    const records = Buffer.concat(
      [...wire.keys()].flatMap((at) => sealing.seal([wire.subarray(at, at + 1)])),
    )
    slow.socket.end(records)
    quick.socket.end(Buffer.concat(new Sealing(secret).seal([rawPayload(0, b), rawEnd])))
    expect((await party.closed(quick.feed)).code).toBeNull()
    expect((await party.closed(slow.feed)).code).toBeNull()
    expect(short.content().equals(a)).toBe(true)
    expect(other.content().equals(b)).toBe(true)
  })

  it('refuse records that no peer has sealed', async () => {
    const party = await world.party()
    const bytes = fileBytes(100)
    const to = await world.receiver(party, bytes.length)
    const { socket, feed: into } = await rawSender(party, to.transfer)
    socket.end(rawPayload(0, bytes))
    expect((await party.closed(into)).code).toBe('ERR_FR_SPOILT')
    expect(party.engine.stats(to.transfer).landedBytes).toBe(0)
  })

  it('pass on what is stored nowhere, sealed and not', async () => {
    const size = 2 * MIB + 77
    const bytes = fileBytes(size)
    const [a, middle] = [await world.party(), await world.party()]
    const origin = await world.origin(a, bytes)
    const transfer = middle.engine.openTransfer()
    middle.engine.addStream(transfer, { stream: streamId, size, blockBytes, complete: false })
    const from = await feed(a, origin.transfer, middle, transfer, secret)
    const ends = [
      await rawReceiver(middle, transfer, secretOf(50)),
      await rawReceiver(middle, transfer, undefined),
    ] as const
    const wires = ends.map(({ socket }) => drain(socket))
    middle.engine.setRoute(
      transfer,
      5,
      ends.map(({ feed: one }) => ({ feed: one, next: 0 })),
    )
    a.engine.send(from.out, { stream: streamId, offset: 0, length: size, route: 5 })
    a.engine.finish(from.out)
    expect((await middle.closed(from.in)).code).toBeNull()
    for (const { feed: one } of ends) middle.engine.finish(one)
    const [sealed, plain] = (await Promise.all(wires)) as [Buffer, Buffer]
    for (const all of [opened(sealed, secretOf(50)), plain]) {
      const parts = rawRecords(all).filter(({ kind }) => kind === 1)
      expect(Buffer.concat(parts.map(({ payload }) => payload)).equals(bytes)).toBe(true)
    }
  })

  it('are refused without a secret of the right size', async () => {
    const party = await world.party()
    const { transfer } = await world.origin(party, fileBytes(1))
    const [socket] = await world.pair()
    for (const seal of [new Uint8Array(35), new Uint8Array(37), 'secret' as never])
      expect(() => party.engine.adopt(socket, { transfer, direction: 'out', seed, seal })).toThrow(
        new TypeError('seal must be 36 bytes'),
      )
  })
})

/** 30,000 bytes of a file and its end, in three records of one session. */
function sealedBy(by: Uint8Array, bytes: Buffer): Buffer[] {
  const sealing = new Sealing(by)
  return [0, 10_000, 20_000].map((at) => {
    const end = at === 20_000 ? [rawEnd] : []
    return Buffer.concat(sealing.seal([rawPayload(at, bytes.subarray(at, at + 10_000)), ...end]))
  })
}

/** A record without bytes that is right in all else, as the one of this number. */
function sealedNothing(number: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.set(secret.subarray(32))
  nonce.writeBigUInt64BE(BigInt(number), 4)
  const cipher = createCipheriv('aes-256-gcm', secret.subarray(0, 32), nonce)
  const head = Buffer.alloc(4)
  cipher.setAAD(head)
  cipher.final()
  return Buffer.concat([head, cipher.getAuthTag()])
}

function flipped(record: Buffer | undefined, at: number): Buffer {
  const changed = Buffer.from(record ?? [])
  const place = at < 0 ? changed.length + at : at
  changed[place] = (changed[place] as number) ^ 1
  return changed
}
