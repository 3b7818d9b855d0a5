/** Trees, from the files of the sender to those of the nodes. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  client,
  copy,
  get,
  type HeldFile,
  type PushOptions,
  type PushResult,
  push,
  type VerifyReport,
} from '../../src/api/index.js'
import { limits, MIB } from '../../src/base/limits.js'
import { parseTrace } from '../support/trace.js'
import { engines, usualEngines } from './engines.js'
import { until, useWorld, type WorldNode } from './push-support.js'
import { makeTree, treeLines } from './tree-files.js'

describe.each(engines)('a tree on the %s engine', (engine) => {
  const world = useWorld(engine)

  const pushed = (
    path: string,
    to: readonly { address: string }[],
    more: Partial<PushOptions> = {},
  ) => push(path, { to: to.map(({ address }) => address), engine, rejoinMs: 0, ...more }).result

  /** A tree whose locked directory can be removed in the end. */
  function made(): string {
    const path = makeTree(join(world.dir, 'site'))
    world.defer(() => chmodSync(join(path, 'locked'), 0o755))
    return path
  }

  async function nodes(count: number): Promise<readonly WorldNode[]> {
    const some = await world.nodes(count)
    for (const { dataDir } of some) {
      const locked = join(dataDir, 'site', 'locked')
      world.defer(() => existsSync(locked) && chmodSync(locked, 0o755))
    }
    return some
  }

  function expectTrees(path: string, some: readonly { readonly dataDir: string }[]): void {
    const lines = treeLines(path)
    for (const { dataDir } of some) expect(treeLines(join(dataDir, 'site'))).toEqual(lines)
  }

  const figures = ({ tree, nodes: [first] }: PushResult) => ({
    moved: tree?.movedBytes,
    changed: first?.tree?.changed,
  })

  it('arrives whole, moves nothing when pushed again, and then only what changed', async () => {
    const path = made()
    const to = await nodes(3)
    const trace = join(world.dir, 'trace.json')
    const first = await pushed(`${path}/`, to, { noClobber: true, trace })
    expect(first.nodes.map(({ status, reason }) => `${status} ${reason}`)).toEqual(
      to.map(() => 'complete null'),
    )
    expectTrees(path, to)
    expect(first.tree).toMatchObject({ entries: treeLines(path).length, failedCount: 0 })
    for (const { bytes, tree } of first.nodes)
      expect({ bytes, tree }).toEqual({
        bytes: first.bytes,
        tree: { unchanged: 0, changed: first.tree?.entries, failedCount: 0, failures: [] },
      })
    expectTrace(readFileSync(trace, 'utf8'), to)
    const refused = await pushed(path, to, { noClobber: true })
    expect(refused.nodes.map(({ code }) => code)).toEqual(to.map(() => 'ERR_FR_EXISTS'))
    expect(figures(await pushed(path, to))).toEqual({ moved: 0, changed: 0 })
    writeFileSync(join(path, 'deep', 'f7'), 'edited')
    renameSync(join(path, 'deep', 'f29'), join(path, 'deep', 'renamed'))
    rmSync(join(path, 'deep', 'f1'))
    const before = to.map(({ dataDir }) => treeLines(join(dataDir, 'site')))
    const asked = await pushed(path, to, { delete: true, dryRun: true })
    expect(to.map(({ dataDir }) => treeLines(join(dataDir, 'site')))).toEqual(before)
    const changes = new Map(asked.tree?.dry?.changes.map((one) => [one.name, one]))
    expect([...changes.values()].every(({ nodes }) => nodes === 3)).toBe(true)
    expect(
      ['deep', 'deep/f1', 'deep/f29', 'deep/f7', 'deep/renamed'].map(
        (name) => changes.get(name)?.change,
      ),
    ).toEqual([...['set', 'remove', 'remove', 'send', 'set']])
    expect(asked.tree).toMatchObject({ movedBytes: 'edited'.length, dry: { send: 1, remove: 2 } })
    const third = await pushed(path, to, { delete: true })
    expect(third.tree?.movedBytes).toBe('edited'.length)
    expectTrees(path, to)
    expect(figures(await pushed(path, to, { delete: true }))).toEqual({ moved: 0, changed: 0 })
    await askAbout(path, to[0] as WorldNode)
  })

  /** Each transfer has an origin and nodes of its own. */
  function expectTrace(text: string, to: readonly WorldNode[]): void {
    const { events, end } = parseTrace(text)
    expect(end).toMatchObject({ events: events.length, dropped: 0 })
    const named = events.filter(({ name }) => name === 'process_name')
    const pids = named.map(({ pid }) => pid)
    expect(new Set(pids).size).toBe(pids.length)
    const names = new Set(named.map(({ args }) => args?.['name']))
    for (const { address } of to) expect(names).toContain(`site (bundle): ${address}`)
    expect(pids.length).toBeGreaterThan(to.length + 1)
  }

  /** Lists, verifies, gets and removes. */
  async function askAbout(path: string, { address, dataDir }: WorldNode): Promise<void> {
    const entries = treeLines(path).length
    expect(await listed(address)).toEqual([expect.objectContaining({ name: 'site', entries })])
    expect((await listed(address))[0]).toMatchObject({ kind: 'tree', state: 'held' })
    const within = await listed(address, 'site/**')
    const names = within.map(({ name, nameBase64 }) =>
      Buffer.from(nameBase64 ?? name, nameBase64 === null ? 'utf8' : 'base64url').toString(
        'latin1',
      ),
    )
    const wanted = treeLines(path).map(
      (line) => `site${/^(?:\/.*?)?(?= -> | \d+ \d+ )/.exec(line)}`,
    )
    expect(names.sort()).toEqual(wanted.sort())
    expect(within.filter(({ state }) => state !== 'held')).toEqual([])
    expect(await verified(address, 'site')).toMatchObject({ status: 'good', entries: entries - 1 })
    await fetchAll(address, join(dataDir, 'site'))

    const [f5, f6] = ['f5', 'f6'].map((name) => join(dataDir, 'site', 'deep', name)) as [
      string,
      string,
    ]
    const before = readFileSync(f5)
    writeFileSync(f5, Buffer.alloc(before.length, '!'))
    rmSync(f6)
    const name = { name: 'site/deep/f5', code: 'ERR_FR_DIGEST' }
    const wrong = await verified(address, 'site/deep')
    expect(wrong).toMatchObject({ status: 'failed', failedCount: 2, failures: [name, {}] })
    const states = (await listed(address, 'site/deep/f?')).map(
      ({ name, state }) => `${name} ${state}`,
    )
    expect(states.filter((line) => !line.endsWith(' held'))).toEqual([
      'site/deep/f5 changed',
      'site/deep/f6 missing',
    ])
    const output = join(world.dir, 'f')
    const fetched = (of: string, to = output) =>
      get(of, { from: [address], engine, output: to, force: true }).result
    await expect(fetched('site/deep/f5')).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
    const rest = await fetched('site/deep', join(world.dir, 'rest'))
    const gone = ['site/deep/f5', 'site/deep/f6'].map((of) => {
      return { name: of, code: 'ERR_FR_NOT_HELD' }
    })
    const failures = rest.tree?.failures.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    expect({ ...rest.tree, failures }).toMatchObject({ failedCount: 2, failures: gone })
    expect(existsSync(join(world.dir, 'rest', 'f5'))).toBe(false)
    await copied(address, join(dataDir, 'site'))
    // The next push mends what is wrong, and moves nothing else.
    const moved = before.length + readFileSync(join(path, 'deep', 'f6')).length
    expect((await pushed(path, [{ address }])).tree).toMatchObject({ movedBytes: moved })
    await fetched('site/deep/f5')
    expect(readFileSync(output)).toEqual(before)
    await fetched('site/deep/er/zero')
    expect(readFileSync(output)).toHaveLength(0)

    expect(await client.remove(address, 'site/deep/f5')).toMatchObject({ entries: 1, kept: 0 })
    const some = await client.remove(address, 'site/deep/f1?', { glob: true })
    expect(some).toMatchObject({ entries: 10, kept: 0, failedCount: 0 })
    expect(await listed(address, '**/f1?')).toEqual([])
    writeFileSync(join(dataDir, 'site', 'deep', 'mine'), 'mine')
    const removed = await client.remove(address, 'site')
    expect(removed).toMatchObject({ entries: entries - 11 - 2, kept: 2, failedCount: 0 })
    expect(await listed(address)).toEqual([])
    expect(await listed(address, '**')).toEqual([])
    expect(treeLines(join(dataDir, 'site')).map((line) => line.split(' ')[0])).toEqual([
      ...['', '/deep', '/deep/mine'],
    ])
    await expect(client.remove(address, 'site')).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
  }

  /** A node that has nothing gets all that is as it was recorded. */
  async function copied(from: string, held: string): Promise<void> {
    const [other] = await nodes(1)
    const { dataDir, address } = other as WorldNode
    const wish = { from, to: [address], rejoinMs: 0 }
    const { tree, nodes: outcomes } = await copy('site', { ...wish, as: 'again' }).result
    expect(outcomes.map(({ status, reason }) => [status, reason])).toEqual([['complete', null]])
    world.defer(() => chmodSync(join(dataDir, 'again', 'locked'), 0o755))
    const left = { name: 'deep/f5', code: 'ERR_FR_SOURCE_CHANGED' }
    expect(tree).toMatchObject({ failedCount: 1, failures: [left] })
    const isThere = (line: string): boolean => !line.startsWith('/deep/f5 ')
    expect(treeLines(join(dataDir, 'again'))).toEqual(treeLines(held).filter(isThere))
    const refused = await copy('site', { ...wish, as: 'again', noClobber: true }).result
    expect(refused.nodes).toMatchObject([{ status: 'refused', code: 'ERR_FR_EXISTS' }])
    const part = copy('site/deep/f8', wish).result
    await expect(part).rejects.toMatchObject({ code: 'ERR_FR_UNSUPPORTED' })
    expect((await copy('site', { ...wish, as: 'again' }).result).tree?.movedBytes).toBe(0)
  }

  /** The tree, a directory of it, what matches in it. */
  async function fetchAll(address: string, held: string): Promise<void> {
    const from = [address]
    const to = (name: string): string => join(world.dir, name)
    const fetched = (name: string, output: string, glob = false) =>
      get(name, { from, engine, output: to(output), glob }).result
    world.defer(() => chmodSync(to('fetched/locked'), 0o755))
    const { digest, tree } = await fetched('site', 'fetched')
    expect(treeLines(to('fetched'))).toEqual(treeLines(held))
    expect(tree).toMatchObject({ entries: treeLines(held).length, isWhole: true, failedCount: 0 })
    expect(digest).toBe(null)
    await fetched('site/deep', 'deeper')
    expect(treeLines(to('deeper'))).toEqual(treeLines(join(held, 'deep')))
    const some = await fetched('site/deep/f1?', 'some', true)
    expect(some.tree).toMatchObject({ entries: 10, files: 10, failedCount: 0 })
    const names = readdirSync(join(held, 'deep')).filter((name) => /^f1.$/.test(name))
    expect(readdirSync(to('some/site/deep')).sort()).toEqual(names.sort())
    expect(readFileSync(to('some/site/deep/f19'))).toEqual(readFileSync(join(held, 'deep', 'f19')))
    await expect(fetched('none*', 'none', true)).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
    await expect(fetched('site', 'some')).rejects.toMatchObject({ code: 'ERR_FR_IS_DIRECTORY' })
    const left = readdirSync(world.dir).filter((name) => name.includes('fr-get'))
    expect(left).toEqual([])
  }

  async function listed(address: string, glob?: string): Promise<HeldFile[]> {
    const found: HeldFile[] = []
    for await (const file of client.list(address, glob === undefined ? {} : { glob }))
      found.push(file)
    return found
  }

  async function verified(address: string, name: string): Promise<VerifyReport | undefined> {
    for await (const found of client.verify(address, { names: [name] }))
      if (found.event === 'verified') return found
    return undefined
  }

  it('goes only where its rules say, and several paths into one directory', async () => {
    const path = made()
    const [node] = await world.nodes(1)
    const [file] = [world.file('alone.bin', 10)]
    const to = [node.address]
    const result = await push([path, file.path], {
      to,
      engine,
      as: 'both',
      exclude: ['f?*', 'large'],
    }).result
    expect(result.nodes[0]?.reason).toBe(null)
    const names = treeLines(join(node.dataDir, 'both')).map((line) => line.split(' ')[0])
    expect(names).toContain('/site/deep/er/zero')
    expect(names).toContain('/alone.bin')
    expect(names.filter((name) => /f\d|large/.test(name ?? ''))).toEqual([])
    chmodSync(join(node.dataDir, 'both', 'site', 'locked'), 0o755)
    // What rules leave out stays.
    rmSync(file.path)
    const both = join(node.dataDir, 'both')
    for (const own of ['theirs.x', 'theirs.y']) writeFileSync(join(both, own), '')
    await push([path], { to, engine, as: 'both', delete: true, exclude: ['*.x'] }).result
    const left = readdirSync(both)
    expect([left.includes('theirs.x'), left.includes('theirs.y')]).toEqual([true, false])
  })

  it('changes all at once, whatever is killed, and large files of it are held', async () => {
    const path = join(world.dir, 'site')
    mkdirSync(path)
    const make = (text: string): void => {
      for (const name of ['a', 'b']) writeFileSync(join(path, name), text)
      writeFileSync(join(path, 'large'), Buffer.alloc(5 * MIB, text))
    }
    const atomic = { atomic: true, delete: true, retries: 0 }
    const child = await world.childNode()
    const root = join(child.dataDir, 'site')
    const versions = join(child.dataDir, '.fastreplica', 'versions')
    make('one')
    expect((await pushed(path, [child], atomic)).nodes[0]?.reason).toBe(null)
    const seen = new Set<string>()
    const over = new AbortController()
    const reader = readOver(root, seen, over.signal)
    make('two')
    const door = await world.holding(child.address, MIB)
    const running = pushed(path, [door], atomic)
    const [key = ''] = readdirSync(versions)
    await until(() => existsSync(join(versions, key, '2')), 'the next version is built')
    child.child.kill('SIGKILL')
    await child.ended
    await door.close()
    await running
    const node = await world.node({ dataDir: child.dataDir })
    expect(readdirSync(join(versions, key)).sort()).toEqual(['1', 'name'])
    expect(readFileSync(join(root, 'a'), 'utf8')).toBe('one')
    expect((await pushed(path, [node], atomic)).nodes[0]?.reason).toBe(null)
    expect(readFileSync(join(root, 'a'), 'utf8')).toBe('two')
    writeFileSync(join(path, 'a'), 'three')
    writeFileSync(join(path, 'b'), 'three')
    for (const moved of [10, 0])
      expect((await pushed(path, [node], atomic)).tree?.movedBytes).toBe(moved)
    over.abort()
    await reader
    const whole = ['one one one', 'two two two', 'three three two']
    expect([...seen].filter((line) => !whole.includes(line))).toEqual([])
    expect(seen.has('one one one')).toBe(true)
    // Links and their ends change what the file system tells of it.
    const copy = join(world.dir, 'copy')
    await get('site/large', { from: [node.address], output: copy, engine }).result
    expect(readFileSync(copy).equals(readFileSync(join(path, 'large')))).toBe(true)
    await get('site', { from: [node.address], output: join(world.dir, 'got'), engine }).result
    expect(treeLines(join(world.dir, 'got'))).toEqual(treeLines(path))
    await expect(pushed(path, [node])).resolves.toMatchObject({
      nodes: [{ status: 'refused', code: 'ERR_FR_EXISTS' }],
    })
  })

  it('names what is in the way, brings the rest, and status 3 follows', async () => {
    const path = join(world.dir, 'site')
    mkdirSync(path)
    writeFileSync(join(path, 'a'), 'a')
    writeFileSync(join(path, 'b'), 'b')
    const [node] = await world.nodes(1)
    mkdirSync(join(node.dataDir, 'site', 'a', 'full'), { recursive: true })
    const { nodes: outcomes } = await pushed(path, [node])
    expect(outcomes[0]).toMatchObject({
      ...{ status: 'failed', code: 'ERR_FR_IS_DIRECTORY' },
      tree: { failedCount: 1, failures: [{ name: 'a', code: 'ERR_FR_IS_DIRECTORY' }] },
    })
    expect(readFileSync(join(node.dataDir, 'site', 'b'), 'utf8')).toBe('b')
  })
})

describe.each(usualEngines)('a node of a tree on the %s engine', (engine) => {
  const world = useWorld(engine)

  it('is killed in the middle, started again, and lacks only what had not come', async () => {
    const path = join(world.dir, 'site')
    mkdirSync(path)
    // One bundle, less than what a scan sends before it has ended.
    const small = Math.floor(limits.treeEagerBytes / 65_536) - 1
    for (let i = 0; i < small; i++)
      writeFileSync(join(path, `f${i}`), world.file('one', 65_536 - i).content)
    const large = limits.bundledFileBytes + 1
    writeFileSync(join(path, 'large'), world.file('one', large).content)
    const child = await world.childNode()
    const other = await world.node()
    // The other node has to wait for the bundle, and all else comes after that.
    const door = await world.holding(other.address, MIB)
    const to = (address: string) => [address, door.address]
    const options = { engine, rejoinMs: 0, retries: 0, silenceMs: 6_000 }
    const pushing = push(path, { to: to(child.address), ...options }).result
    const trees = join(child.dataDir, '.fastreplica', 'trees')
    const isRecorded = () =>
      existsSync(trees) &&
      readdirSync(trees, { recursive: true, encoding: 'utf8' }).some(
        (name) => name.endsWith('.seg') && readFileSync(join(trees, name)).includes('f99'),
      )
    await until(isRecorded, 'the small files are in their places', 60_000)
    child.kill('SIGKILL')
    await child.ended
    door.open()
    const first = await pushing
    expect(first.nodes.map(({ status }) => status)).toEqual(['failed', 'complete'])
    const again = await world.node({ dataDir: child.dataDir })
    const second = await push(path, { to: to(again.address), ...options }).result
    expect(second.nodes.map(({ status }) => status)).toEqual(['complete', 'complete'])
    for (const { dataDir } of [child, other])
      expect(treeLines(join(dataDir, 'site'))).toEqual(treeLines(path))
    expect(second.tree?.movedBytes).toBe(large)
    expect(second.bytes).toBeGreaterThan(2.5 * large)
  })
})

/** Notes what is behind the name of a tree, over and over, each time in one directory. */
async function readOver(root: string, seen: Set<string>, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const at = await realpath(root)
    const names = ['a', 'b', 'large']
    const read = names.map(async (name) => (await readFile(join(at, name))).toString('utf8', 0, 5))
    // Of a version that is gone by now nothing is said.
    const texts = await Promise.all(read).catch(() => null)
    if (texts !== null) seen.add(texts.map((text) => /^(one|two|three)/.exec(text)?.[0]).join(' '))
  }
}
