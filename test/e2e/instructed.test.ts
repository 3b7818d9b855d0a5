/** Copies by order of a master: parts of a content from several sources fill one file. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { client, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { engines } from './engines.js'
import { orderOf, saidOf, Target } from './instructed-support.js'
import { partials, until, useWorld, type World, type WorldNode } from './push-support.js'

const name = 'a.bin'
const all = { cause: null, blames: [] }

/** Nodes that hold a file of this size. */
async function held(world: World, size: number, count: number) {
  const nodes = (await world.nodes(count)) as WorldNode[]
  const { path, content } = world.file(name, size)
  const to = nodes.map(({ address }) => address)
  const result = await push(path, { to, engine: world.engine }).result
  return { nodes, path, content, said: saidOf(name, result) }
}

describe.each(engines)('copies by order on the %s engine', (engine) => {
  const world = useWorld(engine)

  it('bring halves of a file from two sources at once, and the whole gets its name', async () => {
    const size = 9 * MIB + 70_001
    const { nodes, content, said } = await held(world, size, 2)
    const target = await Target.start(world)
    // They meet in the middle of a block.
    const half = 4 * MIB + 1_000
    const [a, b] = nodes as [WorldNode, WorldNode]
    const ended = await Promise.all([
      target.copy(orderOf(said, [0, half], a)),
      target.copy(orderOf(said, [half, size - half], b)),
    ])
    expect(ended).toEqual([
      { ...all, bytes: half },
      { ...all, bytes: size - half },
    ])
    expect(readFileSync(join(target.dataDir, name)).equals(content)).toBe(true)
    const [record] = target.service.disks.first.store.catalogue.list()
    expect(record).toMatchObject({ fileDigest: said.digest, size })
    await until(() => partials(target.dataDir).length === 0, 'nothing is left')
    const { contentId } = record as { contentId: string }
    const whole = { ...said, contentId, ranges: null }
    expect(await target.held()).toEqual([whole])
    expect(target.changes.at(-1)).toEqual({ held: whole })
    const told = target.changes.map((change) => ('held' in change ? change.held.ranges : 'gone'))
    expect(told.length).toBeGreaterThan(2)
    expect(told).not.toContain('gone')
  })

  it('keep who may have it, bring it to nobody else, and mix no other criteria in', async () => {
    const eu = { attributes: { site: 'eu' } }
    const [only, size] = ['site=eu', 2 * MIB] as const
    const slow = { ...eu, limitUpBytesPerSecond: MIB / 4 }
    const [open, closed] = [await world.node(slow), await world.node(eu)]
    const { path, content } = world.file(name, size)
    const [to] = [open, closed].map(({ address }) => [address]) as [string[]]
    const said = saidOf(name, await push(path, { to, engine }).result)
    await push(path, { to: [closed.address], engine, only }).result
    const [in_, out] = [await Target.start(world, eu), await Target.start(world)]
    const half = size / 2
    const refused = await out.copy(orderOf(said, [0, size], closed))
    expect(refused).toEqual({ bytes: 0, cause: 'ERR_FR_ONLY', blames: ['source'] })
    const first = in_.copy(orderOf(said, [0, half], open))
    await until(() => in_.changes.length > 0, 'bytes land')
    const mixed = await in_.copy(orderOf(said, [half, half], closed))
    expect(mixed).toEqual({ bytes: 0, cause: 'ERR_FR_NOT_HELD', blames: [] })
    await client.limit(open.address, { upBytesPerSecond: null })
    expect(await first).toEqual({ ...all, bytes: half })
    const other = await Target.start(world, eu)
    expect(await other.copy(orderOf(said, [0, size], closed))).toEqual({ ...all, bytes: size })
    expect(readFileSync(join(other.dataDir, name)).equals(content)).toBe(true)
    const [record] = other.service.disks.first.store.catalogue.list()
    expect(record).toMatchObject({ fileDigest: said.digest, only })
    expect(out.service.disks.first.store.catalogue.list()).toEqual([])
  })

  it('make a node a source of what it has so far, and of nothing else', async () => {
    const size = 6 * MIB
    const { nodes, content, said } = await held(world, size, 1)
    const [first, second] = [await Target.start(world), await Target.start(world)]
    const [origin] = nodes as [WorldNode]
    const half = 3 * MIB
    expect(await first.copy(orderOf(said, [0, half], origin))).toEqual({ ...all, bytes: half })
    const part = { ...said, contentId: expect.any(String), ranges: [[0, half]] }
    expect(await first.held()).toEqual([part])
    expect(await second.copy(orderOf(said, [MIB, 2 * MIB], first))).toEqual({
      ...{ ...all, bytes: 2 * MIB },
    })
    const beyond = await second.copy(orderOf(said, [2 * MIB, 2 * MIB], first))
    expect(beyond).toEqual({ bytes: MIB, cause: 'absent', blames: ['source'] })
    // The rest and the beginning come from the origin: nothing comes twice.
    const rest = await Promise.all([
      second.copy(orderOf(said, [0, size], origin)),
      first.copy(orderOf(said, [half, half], origin)),
    ])
    expect(rest).toEqual([
      { ...all, bytes: size },
      { ...all, bytes: half },
    ])
    for (const { dataDir } of [first, second])
      expect(readFileSync(join(dataDir, name)).equals(content)).toBe(true)
    const received = [first, second].map(({ service }) => {
      return service.engine.counters().receivedBytes
    })
    expect(received).toEqual([size, size])
  })

  it('tell no less than before when a content is opened again, and again', async () => {
    const size = 4 * MIB
    const { nodes, content, said } = await held(world, size, 1)
    const [origin] = nodes as [WorldNode]
    const dataDir = world.dataDir()
    for (let end = MIB; end < size; end += MIB) {
      const target = await Target.start(world, { dataDir })
      expect(await target.copy(orderOf(said, [end - MIB, MIB], origin))).toEqual({
        ...{ ...all, bytes: MIB },
      })
      expect((await target.held())[0]?.ranges).toEqual([[0, end]])
      await target.close()
    }
    const target = await Target.start(world, { dataDir })
    expect((await target.held())[0]?.ranges).toEqual([[0, 3 * MIB]])
    expect(await target.copy(orderOf(said, [0, size], origin))).toEqual({ ...all, bytes: size })
    expect(target.service.engine.counters().receivedBytes).toBe(MIB)
    expect(readFileSync(join(dataDir, name)).equals(content)).toBe(true)
  })
})
