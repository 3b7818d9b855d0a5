/** Trees, from the files of the sender to those of the nodes. */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type PushOptions, type PushResult, push } from '../../src/api/index.js'
import { engines } from './engines.js'
import { useWorld, type WorldNode } from './push-support.js'
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
    for (const { dataDir } of some)
      world.defer(() => chmodSync(join(dataDir, 'site', 'locked'), 0o755))
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
    const first = await pushed(`${path}/`, to)
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
  })

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
