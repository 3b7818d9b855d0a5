/** Copies by order whose sources, disks or targets fail, and versions that replace each other. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { fetchStatus, push } from '../../src/api/index.js'
import { KIB, MIB } from '../../src/base/limits.js'
import type { RangePair } from '../../src/base/ranges.js'
import type { CopyOrder, HeldThere } from '../../src/control/messages/mastering.js'
import { engines, usualEngines } from './engines.js'
import { authored } from './get-support.js'
import { keyText } from './hostile.js'
import { HostileHolder } from './hostile-holder.js'
import { orderOf, saidOf, Target } from './instructed-support.js'
import { journalled } from './journals.js'
import { until, useWorld, type World } from './push-support.js'

const name = 'a.bin'
const size = 6 * MIB
const half = size / 2
/** So that what is in the middle still is when a busy machine comes to look. */
const slow = 256 * KIB
const all = { cause: null, blames: [] }

async function origin(world: World) {
  const node = await world.node()
  const { path, content } = world.file(name, size)
  const result = await push(path, { to: [node.address], engine: world.engine }).result
  return { node, path, content, said: saidOf(name, result) }
}

const bytesOf = (ranges: readonly RangePair[]): number =>
  ranges.reduce((sum, [, length]) => sum + length, 0)

/** A target in a process of its own, killed once it has told of so much, and written it down. */
async function killedAt(bytes: number, dataDir: string, world: World, orders: CopyOrder[]) {
  const program = join(import.meta.dirname, 'instructed-node.mjs')
  const args = [program, world.engine, dataDir, JSON.stringify(orders)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  world.defer(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  for await (const line of createInterface(child.stdout)) {
    const { held } = JSON.parse(line) as { held?: HeldThere }
    if (held !== undefined && bytesOf(held.ranges ?? []) >= bytes) break
  }
  const isWritten = async () => (await journalled(dataDir)).verified >= bytes
  await until(isWritten, 'the journal tells of it')
  child.kill('SIGKILL')
  await exited
}

describe.each(engines)('on the %s engine', (engine) => {
  const world = useWorld(engine)

  it('what a target that was killed has verified is not copied again', async () => {
    const { node, content, said } = await origin(world)
    const dataDir = world.dataDir()
    // The other half takes most of a minute, however long this test is kept from looking.
    await killedAt(half, dataDir, world, [
      orderOf(said, [0, half], node),
      orderOf(said, [half, half], node, 64 * KIB),
    ])
    const target = await Target.start(world, { dataDir })
    const [held] = await target.held()
    const before = bytesOf(held?.ranges ?? [])
    expect(before).toBeGreaterThanOrEqual(half)
    expect(before).toBeLessThan(size)
    expect(await target.copy(orderOf(said, [0, size], node))).toEqual({ ...all, bytes: size })
    expect(readFileSync(join(dataDir, name)).equals(content)).toBe(true)
    expect(target.service.engine.counters().receivedBytes).toBe(size - before)
  })

  it('a source that sends wrong bytes is blamed, and an honest one brings the rest', async () => {
    const { path, content } = world.file(name, size)
    const made = await authored(path, content, 'blake3')
    const flipped = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 1))
    const liar = new HostileHolder(made, { bytes: flipped })
    world.defer(() => liar.close())
    const node = await world.node({ key: keyText })
    const { digest } = await push(path, { to: [node.address], engine, key: keyText }).result
    const said = saidOf(name, { digest: made.fileDigest, bytes: size })
    expect(made.fileDigest).toBe(digest)
    const target = await Target.start(world, { key: keyText })
    const lying = { nodeId: liar.nodeId, address: await liar.listening() }
    const ended = await target.copy(orderOf(said, [0, half], lying))
    expect(ended).toEqual({ bytes: 0, cause: 'ERR_FR_BAD_BLOCK', blames: ['source'] })
    expect(await target.held()).toEqual([])
    expect(await target.copy(orderOf(said, [0, size], node))).toEqual({ ...all, bytes: size })
    expect(readFileSync(join(target.dataDir, name)).equals(content)).toBe(true)
  })
})

describe.each(usualEngines)('on the %s engine', (engine) => {
  const world = useWorld(engine)

  it('a source that is lost in the middle costs what had not come', async () => {
    const { node, path, content, said } = await origin(world)
    const dying = await world.childNode()
    await push(path, { to: [dying.address], engine }).result
    const { nodeId } = await fetchStatus(dying.address)
    const target = await Target.start(world)
    const source = { nodeId, address: dying.address }
    const copying = target.copy(orderOf(said, [0, size], source, slow))
    await until(() => target.changes.length > 0, 'something has come')
    dying.kill('SIGKILL')
    const { bytes, cause, blames } = await copying
    expect(blames).toEqual(['source', 'links'])
    expect(cause).toMatch(/^ERR_FR_/)
    expect(bytes).toBeLessThan(size)
    const end = await target.copy(orderOf(said, [0, size], node))
    expect(end).toEqual({ ...all, bytes: size })
    expect(readFileSync(join(target.dataDir, name)).equals(content)).toBe(true)
  })

  it('a disk without room is blamed, and nothing else', async () => {
    const { node, said } = await origin(world)
    const target = await Target.start(world, { minFreeBytes: 2 ** 50 })
    const ended = await target.copy(orderOf(said, [0, size], node))
    expect(ended).toEqual({ bytes: 0, cause: 'ERR_FR_NO_SPACE', blames: ['disk'] })
    expect(target.rest).toMatchObject({ code: 'ERR_FR_NO_SPACE' })
    expect(await target.held()).toEqual([])
    const beyond = await target.copy(orderOf(said, [half, size], node))
    expect(beyond).toEqual({ bytes: 0, cause: 'ERR_FR_RANGE', blames: [] })
  })

  it('a disk that is gone rests for others', async () => {
    const { node, said } = await origin(world)
    const target = await Target.start(world)
    const order = orderOf(said, [0, size], node, slow)
    const copying = target.copy(order)
    await until(() => target.changes.length > 0, 'something has come')
    renameSync(target.dataDir, `${target.dataDir}-away`)
    target.copies.setRate(order.copy, Number.POSITIVE_INFINITY)
    const cause = 'ERR_FR_DATA_DIR_GONE'
    expect(await copying).toMatchObject({ cause, blames: ['disk'] })
    expect(target.rest).toMatchObject({ code: cause, fromBytes: 0 })
  })

  it('a copy goes at its rate, another one counts at once, and a stop tells nothing', async () => {
    const { node, said } = await origin(world)
    const target = await Target.start(world)
    const order = orderOf(said, [0, half], node, slow)
    const copying = target.copy(order)
    const stopped = orderOf(said, [half, half], node, slow)
    void target.copy(stopped)
    await until(() => target.changes.length > 0, 'something has come')
    const rates = [...target.copies.running].map(({ bytesPerSecond }) => bytesPerSecond)
    expect(rates).toEqual([slow, slow])
    target.copies.stop(stopped.copy)
    expect([...target.copies.running]).toEqual([order])
    target.copies.setRate(order.copy, Number.POSITIVE_INFINITY)
    expect(await copying).toEqual({ ...all, bytes: half })
    expect([...target.ended.keys()]).toEqual([order.copy])
  })

  it('a version that comes in parts leaves the one before until it is whole', async () => {
    const { node, path, content, said } = await origin(world)
    const [first, second] = [await Target.start(world), await Target.start(world)]
    await first.copy(orderOf(said, [0, size], node))
    const newer = Buffer.from(content).reverse()
    writeFileSync(path, newer)
    const next = saidOf(name, await push(path, { to: [node.address], engine }).result)
    expect(await first.copy(orderOf(next, [0, half], node))).toEqual({ ...all, bytes: half })
    expect(readFileSync(join(first.dataDir, name)).equals(content)).toBe(true)
    const told = (await first.held()).map(({ digest, ranges }) => [digest, ranges])
    expect(told).toEqual([
      [said.digest, null],
      [next.digest, [[0, half]]],
    ])
    // Either version can be had there.
    expect(await second.copy(orderOf(next, [0, half], first))).toEqual({ ...all, bytes: half })
    expect(await second.copy(orderOf(said, [0, size], first))).toEqual({ ...all, bytes: size })
    expect(await first.copy(orderOf(next, [half, half], node))).toEqual({ ...all, bytes: half })
    expect(readFileSync(join(first.dataDir, name)).equals(newer)).toBe(true)
    expect(readFileSync(join(second.dataDir, name)).equals(content)).toBe(true)
    const gone = first.changes.filter((change) => 'gone' in change)
    expect(gone).toHaveLength(1)
  })
})
