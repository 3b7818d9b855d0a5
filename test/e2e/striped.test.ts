/** Nodes whose files are striped over several data directories. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { client, copy, get, push } from '../../src/api/index.js'
import { canFail, FileDisk } from '../chaos/disks.mjs'
import { usualEngines } from './engines.js'
import { until, useWorld, verifiedBehind } from './push-support.js'

const MIB = 1024 * 1024
const isRoot = process.platform === 'linux' && process.getuid?.() === 0

describe.each(usualEngines)('a %s node that stripes', (engine) => {
  const world = useWorld(engine)
  const placement = 'striped' as const

  /** What a node says that has a file and cannot bring it now: whoever gets it would wait. */
  async function whyNot(name: string, from: string): Promise<string> {
    await using fetching = get(name, { from: [from], output: join(world.dir, 'none'), engine })
    for await (const { holders } of fetching)
      for (const { reason } of holders) if (reason !== null) return reason
    return 'it ended'
  }

  async function held(address: string): Promise<(string | null)[][]> {
    const files: (string | null)[][] = []
    for await (const { name, disk, state } of client.list(address)) {
      expect(disk).toMatch(/stripes$/)
      files.push([name, state])
    }
    return files
  }

  const stripesOf = (dataDir: string): string => join(dataDir, '.fastreplica/stripes')

  /** Bytes on the disk of all parts in a data directory. */
  function partBytes(dataDir: string): number {
    const parts = join(dataDir, '.fastreplica/parts')
    const names = existsSync(parts) ? readdirSync(parts) : []
    return names.reduce((sum, name) => sum + statSync(join(parts, name)).blocks * 512, 0)
  }

  /** Leaves no room on a disk, whatever the node writes to it meanwhile. */
  function fillUp(dir: string): void {
    const filler = Buffer.alloc(MIB)
    expect(() => {
      for (let i = 0; i < 64; i++) appendFileSync(join(dir, 'of somebody else'), filler)
    }).toThrow('ENOSPC')
  }

  it('has a large file in parts on all disks, and it is one for everybody', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    const { address } = await world.node({ dataDir: [one, two], placement })
    const { path, content } = world.file('large', 24 * MIB + 12_345)
    await world.pushed(path, address)
    expect([existsSync(join(one, 'large')), existsSync(join(two, 'large'))]).toEqual([false, false])
    expect(Math.min(partBytes(one), partBytes(two))).toBeGreaterThan(2 * MIB)
    expect(partBytes(one) + partBytes(two)).toBeLessThan(25 * MIB)
    expect(await held(address)).toEqual([['large', 'held']])
    expect((await world.fetched('large', address)).equals(content)).toBe(true)
    for await (const found of client.verify(address, { names: ['large'] }))
      if (found.event === 'verified') expect(found).toMatchObject({ status: 'good' })
    const other = world.dataDir()
    const to = await world.node({ dataDir: other })
    await copy('large', { from: address, to: [to.address] }).result
    expect(readFileSync(join(other, 'large')).equals(content)).toBe(true)
    const disks = await client.disks(address)
    expect(disks.map(({ path: at, held: { files } }) => [at, files])).toEqual([
      ...[one, two].map((at) => [at, 0]),
      [stripesOf(one), 1],
    ])
    // The next version takes its place, and then nothing is left of either.
    const newer = world.file('large', 20 * MIB)
    await world.pushed(newer.path, address)
    expect((await world.fetched('large', address)).equals(newer.content)).toBe(true)
    await until(() => partBytes(one) + partBytes(two) < 21 * MIB, 'the older parts are gone')
    await client.remove(address, 'large')
    await until(() => partBytes(one) + partBytes(two) === 0, 'all parts are gone')
    expect(await held(address)).toEqual([])
  })

  it('keeps in one piece what is short, or a tree', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    const { address } = await world.node({ dataDir: [one, two], placement })
    await world.pushed(world.file('short', MIB).path, address)
    const tree = join(world.dir, 'tree')
    execFileSync('mkdir', [tree])
    writeFileSync(join(tree, 'in it'), Buffer.alloc(4 * MIB, 'x'))
    await world.pushed(tree, address)
    const isAt = (name: string): boolean => [one, two].some((dir) => existsSync(join(dir, name)))
    expect([isAt('short'), isAt('tree/in it')]).toEqual([true, true])
    expect(partBytes(one) + partBytes(two)).toBe(0)
    await world.pushed(world.file('large', 4 * MIB).path, address)
    const onto = push(tree, { to: [address], as: 'large', engine, logger: world.logger })
    expect((await onto.result).nodes[0]).toMatchObject({ status: 'refused' })
  })

  it('says what is not there while a disk is missing, and has it again with the disk', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    const first = await world.node({ dataDir: [one, two], placement })
    const { path, content } = world.file('large', 16 * MIB)
    await world.pushed(path, first.address)
    await world.pushed(world.file('renewed', 8 * MIB).path, first.address)
    await first.close()
    renameSync(two, `${two}.gone`)
    execFileSync('mkdir', [two])
    const node = await world.node({ dataDir: [one, two], placement })
    const { address } = node
    const states = (await client.disks(address)).map(({ state }) => state)
    expect(states).toEqual(['ok', 'missing', 'ok'])
    expect(await whyNot('large', address)).toMatch(/^ERR_FR_DATA_DIR_GONE: .*not there now$/)
    // What comes now has its parts on what there is.
    const other = world.file('other', 8 * MIB)
    await world.pushed(other.path, address)
    expect(await held(address)).toEqual([
      ['large', 'partial'],
      ['other', 'held'],
      ['renewed', 'partial'],
    ])
    const newer = world.file('renewed', 9 * MIB)
    await world.pushed(newer.path, address)
    expect((await world.fetched('renewed', address)).equals(newer.content)).toBe(true)
    execFileSync('rmdir', [two])
    renameSync(`${two}.gone`, two)
    await until(() => node.status().problems.length === 0, 'the disk is back')
    expect((await world.fetched('large', address)).equals(content)).toBe(true)
    expect((await world.fetched('other', address)).equals(other.content)).toBe(true)
    await node.close()
    // And where nothing is striped any more.
    const whole = await world.node({ dataDir: [one, two] })
    expect((await world.fetched('large', whole.address)).equals(content)).toBe(true)
    await world.pushed(world.file('plain', 8 * MIB).path, whole.address)
    expect([one, two].some((dir) => existsSync(join(dir, 'plain')))).toBe(true)
  })

  it('goes on with what an earlier push left', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    const first = await world.node({ dataDir: [one, two], placement })
    const { path, content } = world.file('large', 32 * MIB)
    const door = await world.holding(first.address, 12 * MIB)
    const stop = new AbortController()
    const { signal } = stop
    const { result } = push(path, { to: [door.address], engine, signal, logger: world.logger })
    const failed = result.then(
      () => 'complete',
      () => 'stopped',
    )
    await verifiedBehind(door, first, 8 * MIB)
    stop.abort()
    expect(await failed).toBe('stopped')
    await first.close()
    const { address } = await world.node({ dataDir: [one, two], placement })
    const again = await push(path, { to: [address], engine, logger: world.logger }).result
    expect(again.nodes[0]).toMatchObject({ status: 'complete' })
    expect(again.originBytesSent).toBeLessThan(28 * MIB)
    expect((await world.fetched('large', address)).equals(content)).toBe(true)
  })

  it('goes on after it was killed in the middle of a file', async () => {
    const second = world.dataDir()
    const killed = await world.childNode({}, () => {}, { placement, dataDir: [second] })
    const one = killed.dataDir
    const { path, content } = world.file('large', 32 * MIB)
    await world.pushed(world.file('before', 8 * MIB).path, killed.address)
    const door = await world.holding(killed.address, 20 * MIB)
    const stop = new AbortController()
    const { signal } = stop
    const { result } = push(path, { to: [door.address], engine, signal, logger: world.logger })
    const ended = result.then(
      () => 'complete',
      () => 'stopped',
    )
    await until(() => door.isHolding(), 'the push is in the middle')
    await until(() => partBytes(one) + partBytes(second) > 18 * MIB, 'some of it is there')
    killed.kill('SIGKILL')
    await killed.ended
    stop.abort()
    expect(await ended).toBe('stopped')
    const { address } = await world.node({ dataDir: [one, second], placement })
    const listed = await held(address)
    expect(listed).toContainEqual(['before', 'held'])
    expect(listed).not.toContainEqual(['large', 'held'])
    expect((await world.fetched('before', address)).length).toBe(8 * MIB)
    await world.pushed(path, address)
    expect((await world.fetched('large', address)).equals(content)).toBe(true)
    // Parts are of these two files alone.
    const ids = (): number => {
      const names = [one, second].flatMap((dir) => readdirSync(join(dir, '.fastreplica/parts')))
      return new Set(names.map((name) => name.split('.')[0])).size
    }
    await until(() => ids() === 2, 'other parts are gone')
    await client.remove(address, 'before')
    await client.remove(address, 'large')
    await until(() => partBytes(one) + partBytes(second) === 0, 'all parts are gone')
  })

  it.runIf(canFail())('goes on beside a disk that becomes read-only', async () => {
    const one = world.dataDir()
    const disk = new FileDisk(join(world.dir, 'read-only'), '128M')
    world.defer(() => disk.unmount())
    const dataDir = [one, disk.directory]
    const { address } = await world.node({ dataDir, placement, minFreeBytes: 0 })
    const before = world.file('before', 16 * MIB)
    await world.pushed(before.path, address)
    expect(partBytes(disk.directory)).toBeGreaterThan(2 * MIB)
    const { path, content } = world.file('large', 48 * MIB)
    const door = await world.holding(address, 16 * MIB)
    const { result } = push(path, { to: [door.address], engine, logger: world.logger })
    await until(() => door.isHolding(), 'the push is in the middle')
    await until(() => partBytes(disk.directory) > 10 * MIB, 'some is there')
    disk.becomeReadOnly()
    door.open()
    const { nodes, originBytesSent } = await result
    expect(nodes[0]).toMatchObject({ status: 'complete' })
    expect(originBytesSent).toBeLessThan(80 * MIB)
    expect((await world.fetched('large', address)).equals(content)).toBe(true)
    // What it has is served on, and what comes goes elsewhere.
    expect((await world.fetched('before', address)).equals(before.content)).toBe(true)
    const used = partBytes(disk.directory)
    const after = world.file('after', 8 * MIB)
    await world.pushed(after.path, address)
    expect((await world.fetched('after', address)).equals(after.content)).toBe(true)
    expect(partBytes(disk.directory)).toBe(used)
  })

  it.runIf(canFail())('goes on without a disk that dies, and says so', async () => {
    const one = world.dataDir()
    const disk = new FileDisk(join(world.dir, 'dying'), '96M')
    world.defer(() => disk.unmount())
    const dataDir = [one, disk.directory]
    const { address } = await world.node({ dataDir, placement, minFreeBytes: 0 })
    const { path, content } = world.file('large', 48 * MIB)
    const door = await world.holding(address, 16 * MIB)
    const { result } = push(path, { to: [door.address], engine, logger: world.logger })
    await until(() => door.isHolding(), 'the push is in the middle')
    await until(() => partBytes(one) > 4 * MIB, 'some is there')
    disk.die()
    door.open()
    const { nodes, originBytesSent } = await result
    expect(nodes[0]).toMatchObject({ status: 'complete' })
    expect(originBytesSent).toBeLessThan(80 * MIB)
    expect((await world.fetched('large', address)).equals(content)).toBe(true)
  })

  it.runIf(isRoot)('goes on without a disk that fills up', async () => {
    const [one, two] = [world.dataDir(), world.dataDir()]
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', two])
    world.defer(() => execFileSync('umount', [two]))
    const { address } = await world.node({ dataDir: [one, two], placement, minFreeBytes: 0 })
    const { path, content } = world.file('large', 48 * MIB)
    const door = await world.holding(address, 12 * MIB)
    const { result } = push(path, { to: [door.address], engine, logger: world.logger })
    await until(() => door.isHolding(), 'the push is in the middle')
    await until(() => partBytes(two) > MIB, 'some is on the disk')
    fillUp(two)
    door.open()
    const { nodes, originBytesSent } = await result
    expect(nodes[0]).toMatchObject({ status: 'complete' })
    expect(originBytesSent).toBeLessThan(80 * MIB)
    expect((await world.fetched('large', address)).equals(content)).toBe(true)
  })

  it.runIf(isRoot)('sets room aside for striped files and for others alike', async () => {
    const dataDir = [world.dataDir(), world.dataDir()]
    for (const dir of dataDir) {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dir])
      world.defer(() => execFileSync('umount', [dir]))
    }
    const { address } = await world.node({ dataDir, placement, minFreeBytes: 0 })
    const tree = join(world.dir, 'tree')
    execFileSync('mkdir', [tree])
    const [{ path: striped }] = [world.file('large', 96 * MIB), world.file('tree/in it', 48 * MIB)]
    for (const [first, second] of [
      [striped, tree],
      [tree, striped],
    ] as const) {
      const door = await world.holding(address, 8 * MIB)
      const { result } = push(first, { to: [door.address], engine, logger: world.logger })
      await until(() => door.isHolding(), 'the push is in the middle')
      // Either fits, beside what is there so far.
      const other = push(second, { to: [address], engine, retries: 0, logger: world.logger })
      const reason = (await other.result).nodes[0]?.reason
      expect(reason).toMatch(/^ERR_FR_NO_SPACE: .* free in .*, .* set aside$/)
      door.open()
      expect((await result).nodes[0]).toMatchObject({ status: 'complete' })
      await client.remove(address, first === tree ? 'tree' : 'large')
      await until(() => dataDir.every((dir) => partBytes(dir) === 0), 'all parts are gone')
    }
  })
})
