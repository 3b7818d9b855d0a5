/** Nodes that store what they hold in one directory. */
import { hash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { client, copy, push, pushStream, startNode } from '../../src/api/index.js'
import { usualEngines } from './engines.js'
import { until, useCache, useWorld, type World } from './push-support.js'

useCache()
const MIB = 1024 * 1024

const listOf = (path: string): string[] => (existsSync(path) ? readdirSync(path) : [])

/** Where the first node of this name has its files. */
function placeOf(shared: string, name: string): string {
  return join(shared, '.fastreplica', 'nodes', `${hash('sha256', name, 'hex').slice(0, 16)}-0`)
}

const contentsOf = (shared: string): string[] =>
  listOf(join(shared, '.fastreplica', 'contents')).filter((name) => !name.includes('.'))

const leasesOf = (shared: string): string[] =>
  listOf(join(shared, '.fastreplica', 'leases')).filter((name) => !name.startsWith('.'))

const inodeOf = (path: string): number => statSync(path).ino

async function held(address: string): Promise<string[]> {
  const found: string[] = []
  for await (const { name, state } of client.list(address)) found.push(`${name} ${state}`)
  return found
}

async function verified(address: string): Promise<string[]> {
  const found: string[] = []
  for await (const line of client.verify(address))
    if (line.event === 'verified') found.push(`${line.name} ${line.status}`)
  return found
}

describe.each(usualEngines)('%s nodes of one directory', (engine) => {
  const world = useWorld(engine)
  const usual = { engine, rejoinMs: 0, retries: 0 } as const

  async function sharing(names: readonly string[]) {
    const shared = world.dataDir()
    const dataDir = `shared:${shared}`
    const nodes = []
    for (const name of names) nodes.push(await world.node({ dataDir, name }))
    return { shared, dataDir, nodes, addresses: nodes.map(({ address }) => address) }
  }

  /** A node that has brought a part of a file, in a process of its own, and one that waits. */
  async function heldUp() {
    const shared = world.dataDir()
    const dataDir = `shared:${shared}`
    const first = await world.childNode({}, undefined, { dataDir, name: 'first' })
    const second = await world.node({ dataDir, name: 'second' })
    const door = await world.holding(first.address, 2 * MIB)
    const { path, content } = world.file('large', 12 * MIB)
    const transfer = push(path, { ...usual, to: [door.address], silenceMs: 6_000 })
    transfer.result.catch(() => {})
    await until(door.isHolding, 'the first node has a part')
    expect(leasesOf(shared)).toHaveLength(1)
    const added = transfer.add(second.address)
    added.catch(() => {})
    await until(() => second.status().transfers.length === 1, 'the second has heard of it')
    return { shared, first, second, door, content, transfer }
  }

  it('have one copy of what both are sent, and each serves it', async () => {
    const { shared, nodes, addresses } = await sharing(['a', 'b'])
    const { path, content } = world.file('both', 3 * MIB + 17)
    const options = { ...usual, to: addresses, as: 'dir/both' }
    const { nodes: outcomes, originBytesSent } = await push(path, options).result
    expect(outcomes.map(({ status }) => status)).toEqual(['complete', 'complete'])
    expect(originBytesSent).toBeLessThan(1.5 * content.length)
    const [one = '', two = ''] = ['a', 'b'].map((name) => join(placeOf(shared, name), 'dir/both'))
    expect(inodeOf(one)).toBe(inodeOf(two))
    const shown = join(shared, 'dir', 'both')
    expect([inodeOf(shown), statSync(shown).nlink]).toEqual([inodeOf(one), 4])
    expect(contentsOf(shared)).toHaveLength(1)
    await until(() => leasesOf(shared).length === 0, 'nobody holds it')
    for (const address of addresses) {
      expect(await held(address)).toEqual(['dir/both held'])
      expect(await verified(address)).toEqual(['dir/both good'])
      expect((await world.fetched('dir/both', address)).equals(content)).toBe(true)
    }
    await client.remove(addresses[0] as string, 'dir/both')
    expect(await held(addresses[0] as string)).toEqual([])
    expect((await world.fetched('dir/both', addresses[1] as string)).equals(content)).toBe(true)
    expect(inodeOf(shown)).toBe(inodeOf(two))
    await client.remove(addresses[1] as string, 'dir/both')
    await until(() => contentsOf(shared).length === 0, 'nobody has it any more')
    expect(existsSync(join(shared, 'dir'))).toBe(false)
    for (const node of nodes) expect(node.status().held).toMatchObject({ files: 0 })
  })

  it('link what another one has, after a restart, too, and replace it for themselves', async () => {
    const { shared, dataDir, nodes, addresses } = await sharing(['a', 'b'])
    const [a = ''] = addresses
    const { path, content } = world.file('one', MIB)
    await push(path, { ...usual, to: [a] }).result
    await nodes[1]?.close()
    const again = await world.node({ dataDir, name: 'b' })
    const { nodes: outcomes } = await copy('one', { from: a, to: [again.address] }).result
    expect(outcomes[0]).toMatchObject({ status: 'complete' })
    const [one = '', two = ''] = ['a', 'b'].map((name) => join(placeOf(shared, name), 'one'))
    expect([inodeOf(one), contentsOf(shared).length]).toEqual([inodeOf(two), 1])
    writeFileSync(path, 'another one')
    await push(path, { ...usual, to: [again.address] }).result
    expect(readFileSync(two, 'utf8')).toBe('another one')
    expect(readFileSync(join(shared, 'one'), 'utf8')).toBe('another one')
    expect((await world.fetched('one', a)).equals(content)).toBe(true)
    expect(await verified(a)).toEqual(['one good'])
    await client.remove(again.address, 'one')
    expect(inodeOf(join(shared, 'one'))).toBe(inodeOf(one))
    writeFileSync(join(shared, 'new'), 'of somebody else')
    renameSync(join(shared, 'new'), join(shared, 'one'))
    await client.remove(a, 'one')
    expect(readFileSync(join(shared, 'one'), 'utf8')).toBe('of somebody else')
    mkdirSync(join(shared, 'large'))
    const { path: large } = world.file('large', 1_000)
    const { warnings } = (await push(large, { ...usual, to: [a] }).result).nodes[0] ?? {}
    expect(warnings).toEqual([expect.stringContaining('not to be seen in the shared directory')])
  })

  it('wait for one that brings it', async () => {
    const { shared, second, door, content, transfer } = await heldUp()
    const [one = '', two = ''] = ['first', 'second'].map((name) => placeOf(shared, name))
    expect(listOf(join(two, '.fastreplica', 'partials'))).toEqual([])
    door.open()
    const { nodes, originBytesSent } = await transfer.result
    expect(nodes.map(({ status }) => status)).toEqual(['complete', 'complete'])
    expect(originBytesSent).toBeLessThan(1.5 * content.length)
    expect(inodeOf(join(one, 'large'))).toBe(inodeOf(join(two, 'large')))
    expect((await world.fetched('large', second.address)).equals(content)).toBe(true)
  })

  it('bring it where the one that did is killed', async () => {
    const { shared, first, second, content, transfer } = await heldUp()
    first.kill('SIGKILL')
    const { nodes } = await transfer.result
    expect(nodes.map(({ status }) => status)).toEqual(['failed', 'complete'])
    expect((await world.fetched('large', second.address)).equals(content)).toBe(true)
    expect(contentsOf(shared)).toHaveLength(1)
    await until(() => leasesOf(shared).length === 0, 'nobody holds it')
  })

  it('bring it where somebody has changed what was there, and say so', async () => {
    const { shared, addresses } = await sharing(['a', 'b'])
    const [a = '', b = ''] = addresses
    const { path, content } = world.file('one', MIB)
    await push(path, { ...usual, to: [a] }).result
    writeFileSync(join(placeOf(shared, 'a'), 'one'), Buffer.alloc(MIB))
    await push(path, { ...usual, to: [b] }).result
    expect((await world.fetched('one', b)).equals(content)).toBe(true)
    expect(await held(a)).toEqual(['one changed'])
  })

  it('take compressed files as they are, and refuse by name what they cannot share', async () => {
    const { addresses: to } = await sharing(['a'])
    const { path } = world.file('zeros', 0)
    writeFileSync(path, Buffer.alloc(MIB))
    const { nodes } = await push(path, { ...usual, to, compress: 'zstd' }).result
    expect(nodes[0]).toMatchObject({ status: 'complete' })
    const tree = join(world.dir, 'tree')
    mkdirSync(tree)
    writeFileSync(join(tree, 'file'), 'x')
    const stream = new PassThrough()
    const refused = [
      push(tree, { ...usual, to }),
      push(path, { ...usual, to, keep: 2 }),
      pushStream(stream.end('x'), { ...usual, to, as: 'stream' }),
    ]
    for (const transfer of refused) {
      const { nodes: outcomes } = await transfer.result
      expect(outcomes[0]).toMatchObject({ status: 'refused', code: 'ERR_FR_UNSUPPORTED' })
    }
  })
})

describe('a node of a shared directory', () => {
  const world: World = useWorld('native')
  const start = (more: object) =>
    startNode({ listen: '127.0.0.1:0', dataDir: `shared:${world.dataDir()}`, ...more })

  it.each([
    [{ placement: 'striped' }, 'placement striped'],
    [{ keep: 1 }, 'keep'],
    [{ adopt: true }, 'adopt'],
    [{ readOnly: true }, 'readOnly'],
    [{ dataDir: ['shared:a', 'b'] }, 'beside other data directories'],
  ] as const)('is refused by name with %o', async (more, text) => {
    const refused = { code: 'ERR_FR_UNSUPPORTED', message: expect.stringContaining(text) }
    await expect(start(more)).rejects.toMatchObject(refused)
  })

  it('is refused where the directory is of one node alone', async () => {
    const node = await world.node()
    const dataDir = `shared:${node.dataDir}`
    await expect(start({ dataDir })).rejects.toMatchObject({ code: 'ERR_FR_DATA_DIR' })
    await expect(start({ dataDir: 'shared:' })).rejects.toThrow('names no directory')
  })
})
