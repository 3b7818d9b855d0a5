/** Copies by order of a content that is still written. */
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { get, push, pushStream } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import type { CopyOrder, HeldThere } from '../../src/control/messages/mastering.js'
import { engines } from './engines.js'
import { orderOf, Target } from './instructed-support.js'
import { until, useCache, useWorld, type World } from './push-support.js'

useCache()

const name = 'stream'
const all = { cause: null, blames: [] }

/** A stream that lands at a node as it is written. */
async function written(world: World) {
  const source = await Target.start(world)
  const stream = new PassThrough()
  const options = { to: [source.address], as: name, rejoinMs: 0, silenceMs: 6_000 }
  const transfer = pushStream(stream, { ...options, engine: world.engine })
  transfer.result.catch(() => {})
  world.defer(() => transfer.cancel())
  const { content } = world.file('whole', 3 * MIB + 12_345)
  const state = async (): Promise<HeldThere | undefined> => (await source.held())[0]
  const write = async (from: number, to: number): Promise<void> => {
    stream.write(content.subarray(from, to))
    await until(async () => (await state())?.size === to, `${to} bytes are there`)
  }
  /** What a master orders of it from what the source has told. */
  const order = async (from: Target, [offset, end]: [number, number]): Promise<CopyOrder> => {
    const { ranges: _, ...said } = (await state()) as HeldThere
    return orderOf(said, [offset, end - offset], from)
  }
  return { source, stream, transfer, content, write, order }
}

describe.each(engines)('on the %s engine', (engine) => {
  const world = useWorld(engine)

  it('it comes as far as was ordered, goes on from there, and ends without an order', async () => {
    const { source, stream, transfer, content, write, order } = await written(world)
    const [first, second] = [await Target.start(world), await Target.start(world)]
    const there = MIB + 777
    await write(0, there)
    expect(await first.copy(await order(source, [0, there]))).toEqual({ ...all, bytes: there })
    const [held] = await first.held()
    expect(held).toMatchObject({ name, isGrowing: true, digest: null, ranges: [[0, there]] })
    // From who has not all of it, either.
    expect(await second.copy(await order(first, [0, MIB]))).toEqual({ ...all, bytes: MIB })
    await write(there, 2 * MIB)
    const more = await order(source, [there, 2 * MIB])
    expect(await first.copy(more)).toEqual({ ...all, bytes: 2 * MIB - there })
    stream.end(content.subarray(2 * MIB))
    const { digest } = await transfer.result
    // What was ordered before the end was known is refused kindly, or brings all of it.
    const last = orderOf({ ...more, size: content.length }, [0, content.length], source)
    const ended = await first.copy(last)
    if (ended.cause !== null) {
      expect(ended).toMatchObject({ cause: 'ERR_FR_NOT_HELD', blames: [] })
      const whole = { ...more, digest, size: content.length, isGrowing: false }
      const rest = orderOf(whole, [0, content.length], source)
      expect(await first.copy(rest)).toEqual({ ...all, bytes: content.length })
    }
    expect(readFileSync(join(first.dataDir, name)).equals(content)).toBe(true)
    const [record] = await first.held()
    expect(record).toMatchObject({ contentId: more.contentId, digest, ranges: null })
  })

  it('who has all of it when it ends publishes it by itself', async () => {
    const { source, stream, transfer, content, write, order } = await written(world)
    const target = await Target.start(world)
    await write(0, content.length)
    const { length: bytes } = content
    expect(await target.copy(await order(source, [0, bytes]))).toEqual({ ...all, bytes })
    stream.end()
    const { digest } = await transfer.result
    await until(async () => (await target.held())[0]?.digest === digest, 'it has its name')
    expect(readFileSync(join(target.dataDir, name)).equals(content)).toBe(true)
  })

  it('who has it all and loses its source hears of the end elsewhere, with readers', async () => {
    const { source, stream, transfer, content, write, order } = await written(world)
    const [lost, early, late] = await Promise.all([1, 2, 3].map(() => Target.start(world)))
    if (lost === undefined || early === undefined || late === undefined) throw new Error()
    const { length: bytes } = content
    await write(0, bytes)
    expect(await lost.copy(await order(source, [0, bytes]))).toEqual({ ...all, bytes })
    for (const target of [early, late])
      expect(await target.copy(await order(lost, [0, bytes]))).toEqual({ ...all, bytes })
    const read: Buffer[] = []
    const output = new Writable({
      write: (part: Buffer, _, done) => {
        read.push(part)
        done()
      },
    })
    const { engine, logger } = world
    const reading = get(name, { from: [early.address], follow: true, engine, logger, output })
    reading.result.catch(() => {})
    world.defer(() => reading.cancel())
    const { ranges: _, ...said } = (await source.held())[0] as HeldThere
    await lost.close()
    stream.end()
    const { digest } = await transfer.result
    const whole = { ...said, digest, size: bytes, isGrowing: false }
    const { ended } = source.service.disks.first
    await until(() => ended.of(Buffer.from(name)) !== undefined, 'the source says how it ended')
    expect(await early.copy(orderOf(whole, [bytes - 1, 1], source))).toEqual({ ...all, bytes: 1 })
    await reading.result
    expect(Buffer.concat(read).equals(content)).toBe(true)
    // From who has it as any file: nobody there knows how it was written.
    const other = await Target.start(world)
    expect(await other.copy(orderOf(whole, [0, bytes], source))).toEqual({ ...all, bytes })
    expect(await late.copy(orderOf(whole, [0, bytes], other))).toEqual({ ...all, bytes })
    expect(late.service.engine.counters().receivedBytes).toBe(bytes)
    for (const { dataDir } of [early, late])
      expect(readFileSync(join(dataDir, name)).equals(content)).toBe(true)
  })

  it('a disk that has no room for it, or is gone, is blamed and rests for others', async () => {
    const { source, write, order } = await written(world)
    const full = await Target.start(world, { minFreeBytes: 2 ** 50 })
    const target = await Target.start(world)
    await write(0, MIB)
    const ended = await full.copy(await order(source, [0, MIB]))
    expect(ended).toEqual({ bytes: 0, cause: 'ERR_FR_NO_SPACE', blames: ['disk'] })
    expect(full.rest).toMatchObject({ code: 'ERR_FR_NO_SPACE' })
    renameSync(target.dataDir, `${target.dataDir}-away`)
    const cause = 'ERR_FR_DATA_DIR_GONE'
    expect(await target.copy(await order(source, [0, MIB]))).toMatchObject({ cause })
    expect(target.rest).toMatchObject({ code: cause, fromBytes: 0 })
  })

  it('a version that grows takes the place of the one before as a whole', async () => {
    const { source, stream, transfer, content, write, order } = await written(world)
    const target = await Target.start(world)
    const before = world.file('before', 200_000)
    await push(before.path, { to: [target.address], as: name, engine: world.engine }).result
    const path = join(target.dataDir, name)
    // Somebody reads it all the time.
    const seen = new Set<string>()
    const read = (): void => {
      const now = readFileSync(path)
      const version = now.equals(before.content) ? 'before' : 'mixed'
      seen.add(now.equals(content) ? 'after' : version)
    }
    const reading = setInterval(read, 5)
    world.defer(() => clearInterval(reading))
    await write(0, 2 * MIB)
    expect(await target.copy(await order(source, [0, 2 * MIB]))).toEqual({ ...all, bytes: 2 * MIB })
    await write(2 * MIB, content.length)
    read()
    expect([...seen]).toEqual(['before'])
    const rest = await order(source, [2 * MIB, content.length])
    expect(await target.copy(rest)).toMatchObject(all)
    stream.end()
    const { digest } = await transfer.result
    const hasIt = async () => (await target.held()).some((held) => held.digest === digest)
    await until(hasIt, 'it has its name')
    read()
    expect([...seen]).toEqual(['before', 'after'])
  })

  it('an order of the whole goes on where what is still written is open', async () => {
    const { source, stream, transfer, content, write, order } = await written(world)
    const target = await Target.start(world)
    await write(0, MIB)
    expect(await target.copy(await order(source, [0, MIB]))).toEqual({ ...all, bytes: MIB })
    const { ranges: _, ...said } = (await source.held())[0] as HeldThere
    stream.end(content.subarray(MIB))
    const { digest } = await transfer.result
    const whole = { ...said, digest, size: content.length, isGrowing: false }
    const bytes = content.length - MIB
    expect(await target.copy(orderOf(whole, [MIB, bytes], source))).toEqual({ ...all, bytes })
    expect(readFileSync(join(target.dataDir, name)).equals(content)).toBe(true)
    expect(target.service.engine.counters().receivedBytes).toBe(content.length)
  })

  it('what came of it before it was whole is not copied again', async () => {
    const { source, stream, transfer, content, write, order } = await written(world)
    const dataDir = world.dataDir()
    const before = await Target.start(world, { dataDir })
    await write(0, 2 * MIB)
    const growing = await order(source, [0, 2 * MIB])
    expect(await before.copy(growing)).toEqual({ ...all, bytes: 2 * MIB })
    await before.close()
    stream.end(content.subarray(2 * MIB))
    const { digest } = await transfer.result
    const target = await Target.start(world, { dataDir })
    const { length: bytes } = content
    const whole = { ...growing, digest, size: bytes, isGrowing: false }
    const ended = await target.copy(orderOf(whole, [0, bytes], source))
    expect(ended).toEqual({ ...all, bytes })
    expect(readFileSync(join(dataDir, name)).equals(content)).toBe(true)
    expect(target.service.engine.counters().receivedBytes).toBe(bytes - 2 * MIB)
  })
})
