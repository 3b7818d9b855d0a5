/** Nodes with several data directories: where files go, and what becomes of them without one. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { client, get, push } from '../../src/api/index.js'
import { canFail, FileDisk } from '../chaos/disks.mjs'
import { usualEngines } from './engines.js'
import { until, useWorld } from './push-support.js'

const MIB = 1024 * 1024
const isRoot = process.platform === 'linux' && process.getuid?.() === 0

describe.each(usualEngines)('a %s node with two disks', (engine) => {
  const world = useWorld(engine)

  async function held(address: string): Promise<(string | null)[][]> {
    const files: (string | null)[][] = []
    for await (const { name, disk } of client.list(address)) files.push([name, disk])
    return files
  }

  const isAt = (dataDir: string, name: string, content: Buffer): boolean =>
    existsSync(join(dataDir, name)) && readFileSync(join(dataDir, name)).equals(content)

  it('has each file whole on one of them, and finds it there', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    const { address } = await world.node({ dataDir: [one, two] })
    const [a, b] = [world.file('a', MIB), world.file('b', MIB)]
    await world.pushed(a.path, address)
    await world.pushed(b.path, address)
    expect([isAt(one, 'a', a.content), isAt(two, 'b', b.content)]).toEqual([true, true])
    expect([existsSync(join(two, 'a')), existsSync(join(one, 'b'))]).toEqual([false, false])
    expect(await held(address)).toEqual([
      ['a', one],
      ['b', two],
    ])
    expect((await world.fetched('b', address)).equals(b.content)).toBe(true)
    // A name stays where it is.
    const newer = world.file('b', 3 * MIB)
    await world.pushed(newer.path, address)
    expect([isAt(two, 'b', newer.content), existsSync(join(one, 'b'))]).toEqual([true, false])
    const disks = await client.disks(address)
    expect(disks.map(({ path, state, held: { files } }) => [path, state, files])).toEqual([
      [one, 'ok', 1],
      [two, 'ok', 1],
    ])
    await client.remove(address, 'b')
    expect(existsSync(join(two, 'b'))).toBe(false)
  })

  it('has a tree on one of them, and what comes into it', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    const { address } = await world.node({ dataDir: [one, two] })
    await world.pushed(world.file('a', MIB).path, address)
    const tree = join(world.dir, 'tree')
    mkdirSync(join(tree, 'in'), { recursive: true })
    writeFileSync(join(tree, 'in/x'), 'x')
    writeFileSync(join(tree, 'y'), Buffer.alloc(2 * MIB, 'y'))
    await world.pushed(tree, address)
    const { path } = world.file('z', 10)
    await push(path, { to: [address], as: 'tree/in/z', engine, logger: world.logger }).result
    const names = ['tree/in/x', 'tree/y', 'tree/in/z']
    expect(names.map((name) => existsSync(join(two, name)))).toEqual([true, true, true])
    expect(existsSync(join(one, 'tree'))).toBe(false)
    const verified = client.verify(address, { names: ['tree'] })
    for await (const found of verified)
      if (found.event === 'verified') expect(found).toMatchObject({ status: 'good' })
  })

  it('brings to the other what was landing on one that goes', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    const node = await world.node({ dataDir: [one, two] })
    await world.pushed(world.file('a', MIB).path, node.address)
    const { path, content } = world.file('b', 16 * MIB)
    const door = await world.holding(node.address, 4 * MIB)
    const { result } = push(path, { to: [door.address], engine, logger: world.logger })
    await until(() => door.isHolding(), 'the push is in the middle')
    expect(readdirSync(join(two, '.fastreplica/partials'))).not.toEqual([])
    renameSync(two, `${two}.gone`)
    await until(() => node.status().problems.length > 0, 'the disk is missed')
    door.open()
    expect((await result).nodes[0]).toMatchObject({ status: 'complete' })
    expect(isAt(one, 'b', content)).toBe(true)
  })

  it.runIf(isRoot)('brings a name elsewhere whose disk has no room for it', async () => {
    const [one, two] = ['32m', '64m'].map((size) => {
      const dataDir = world.dataDir()
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dataDir])
      world.defer(() => execFileSync('umount', [dataDir]))
      return dataDir
    }) as [string, string]
    const { address } = await world.node({ dataDir: [one, two] })
    const older = world.file('a', 8 * MIB)
    await world.pushed(older.path, address)
    expect(isAt(two, 'a', older.content)).toBe(true)
    writeFileSync(join(two, 'of somebody else'), Buffer.alloc(50 * MIB))
    const { path, content } = world.file('a', 16 * MIB)
    const once = { to: [address], engine, retries: 0, logger: world.logger }
    const full = (await push(path, once).result).nodes[0]
    expect(full).toMatchObject({ code: 'ERR_FR_NO_SPACE', reason: expect.stringContaining(two) })
    const [, refusing] = await client.disks(address)
    const problems = [expect.stringContaining('ERR_FR_NO_SPACE')]
    expect(refusing).toMatchObject({ path: two, state: 'ok', problems })
    await world.pushed(path, address)
    expect([isAt(one, 'a', content), isAt(two, 'a', older.content)]).toEqual([true, true])
    expect((await world.fetched('a', address)).equals(content)).toBe(true)
  })

  it.runIf(canFail())('lands on the others while one hangs', async () => {
    const one = world.dataDir()
    const disk = new FileDisk(join(world.dir, 'hanging'), '96M')
    world.defer(() => disk.unmount())
    const two = disk.directory
    const { address } = await world.node({ dataDir: [one, two], minFreeBytes: 0 })
    // Names stay where they are.
    writeFileSync(join(one, 'lands'), 'before')
    writeFileSync(join(two, 'waits'), 'before')
    const hanging = world.file('waits', 24 * MIB)
    const door = await world.holding(address, 4 * MIB)
    const late = push(hanging.path, { to: [door.address], engine, logger: world.logger }).result
    await until(() => door.isHolding(), 'the push is in the middle')
    disk.hang()
    try {
      door.open()
      // As many as meet every lane.
      for (let round = 0; round < 2 * availableParallelism(); round += 1) {
        const { path, content } = world.file('lands', 2 * MIB + round)
        await world.pushed(path, address)
        expect(isAt(one, 'lands', content)).toBe(true)
      }
    } finally {
      disk.thaw()
    }
    expect((await late).nodes[0]).toMatchObject({ status: 'complete' })
    expect((await world.fetched('waits', address)).equals(hanging.content)).toBe(true)
  })

  it('goes on without one that is gone, and with it when it is back', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    const node = await world.node({ dataDir: [one, two] })
    const { address } = node
    await world.pushed(world.file('a', MIB).path, address)
    await world.pushed(world.file('b', MIB).path, address)
    renameSync(two, `${two}.gone`)
    const problems = (): readonly string[] => node.status().problems
    await until(() => problems().some((text) => text.startsWith(two)), 'the disk is missed')
    expect((await client.disks(address)).map(({ state }) => state)).toEqual(['ok', 'away'])
    expect(await held(address)).toEqual([['a', one]])
    const newer = world.file('b', 2 * MIB)
    await world.pushed(newer.path, address)
    expect(isAt(one, 'b', newer.content)).toBe(true)
    renameSync(`${two}.gone`, two)
    await until(() => problems().length === 0, 'the disk is back')
    expect(await held(address)).toEqual([
      ['a', one],
      ['b', one],
      ['b', two],
    ])
    expect((await world.fetched('b', address)).equals(newer.content)).toBe(true)
    const all = join(world.dir, 'all')
    await get('*', { from: [address], output: all, glob: true, engine }).result
    expect(readFileSync(join(all, 'b')).equals(newer.content)).toBe(true)
    await client.remove(address, 'b')
    expect(await held(address)).toEqual([['a', one]])
  })
})
