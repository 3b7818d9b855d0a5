/**
 * Trees that change all at once, on both engines: whatever breaks off a push, and whenever, what is
 * behind the name is one of the versions as they were pushed, entry by entry.
 */
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Storage } from '../../src/ports.js'
import type { Listing } from '../../src/protocol/listing.js'
import { HeldTrees } from '../../src/store/trees/held-trees.js'
import { KeptTrees } from '../../src/store/trees/kept-trees.js'
import type { Trees } from '../../src/store/trees/trees.js'
import { TreeUses } from '../../src/store/trees/uses.js'
import { engines } from './engines.js'
import { failsWith } from './store.js'
import { failures, sumOf, TreeNode, treeName } from './tree-node.js'
import { edit, options, pack, pathsIn, randomOf, scan, stateOf } from './tree-source.js'
import { useWorld } from './world.js'

const atomic = { ...options, isAtomic: true }
const keeping = { ...atomic, deletes: false }
type State = Record<string, string>

/** What is behind the name of the tree; null: nothing. */
const seen = ({ root }: TreeNode): State | null =>
  existsSync(root) ? stateOf(realpathSync(root)) : null

const time = 1_600_000_000

/** Times that both engines keep. */
function settle(root: string): void {
  for (const path of ['', ...pathsIn(root)]) utimesSync(join(root, path), time, time)
}

/** Numbers of the versions that are there. */
function versionsOf({ store }: TreeNode): number[] {
  const all = join(store.data, '.fastreplica/versions')
  const [key = ''] = existsSync(all) ? readdirSync(all) : []
  const names = existsSync(join(all, key)) ? readdirSync(join(all, key)) : []
  return names
    .filter((name) => name !== 'name')
    .map(Number)
    .sort()
}

/** What its record says of the tree. */
function isWhole({ store }: TreeNode): boolean {
  const all = join(store.data, '.fastreplica/trees')
  return readdirSync(all).some((key) => existsSync(join(all, key, 'whole')))
}

/** Whatever `see` does is done before and after each call that changes something. */
function watched(storage: Storage, see: (isAfter: boolean) => void): Storage {
  return new Proxy(storage, {
    get: (target, key) => {
      const value = Reflect.get(target, key)
      if (key !== 'placeEntries') return typeof value === 'function' ? value.bind(target) : value
      return async (...given: Parameters<Storage['placeEntries']>) => {
        see(false)
        const outcomes = await target.placeEntries(...given)
        see(true)
        return outcomes
      }
    },
  })
}

/** What is in the source now, as pushes of two bundles, of which the second one closes. */
async function twoBundles(node: TreeNode) {
  const { first, closing, bytes } = await scan(node.source, node.store.party.engine)
  const entries = new Set([...first, ...closing].map(({ name }) => Buffer.from(name).toString()))
  const listingOf = (tree: string): Listing => ({
    ...{ tree, options: atomic, bundle: 0, final: null, isClosing: false, entries: first },
  })
  const firstOf = (tree: string, isSent = () => true) => pack(listingOf(tree), bytes, isSent)
  const lastOf = (tree: string) => {
    const end = { bundle: 1, final: { bundles: 2, entries: entries.size }, isClosing: true }
    return pack({ ...listingOf(tree), ...end, entries: closing }, bytes, () => false)
  }
  return { firstOf, lastOf }
}

describe.each(engines)('$kind engine: a tree that changes all at once', (under) => {
  const world = useWorld(under)

  /** As after a restart; what was to be removed is removed. */
  async function restart(node: TreeNode, storage: Storage): Promise<Trees> {
    await node.trees.close()
    node.trees = node.treesOn(storage)
    await node.trees.start()
    return node.trees
  }

  it.each([1])('is one version or the next, and shares files (seed %i)', async (seed) => {
    const node = await TreeNode.on(world)
    const random = randomOf(seed)
    const { storage } = node.store.party.engine
    let [before, after]: (State | null)[] = [null, null]
    node.trees = node.treesOn(
      watched(storage, () => {
        const now = JSON.stringify(seen(node))
        expect([JSON.stringify(before), JSON.stringify(after)]).toContain(now)
      }),
    )
    for (let round = 1; round <= 3; round++) {
      for (let count = 0; count < 20; count++) edit(node.source, random)
      const old = round === 1 ? null : realpathSync(node.root)
      after = stateOf(node.source)
      expect(failures((await node.push(atomic)).said)).toEqual([])
      node.expectEqual()
      expect(isWhole(node)).toBe(true)
      // Links share what files have: none of the version before has changed.
      if (old !== null) expect(stateOf(old)).toEqual(before)
      before = after
      const again = await node.push(atomic)
      expect([again.sentFiles, failures(again.said), sumOf(again.said, 'done')]).toEqual([0, [], 0])
      node.expectEqual()
      // Links may be told, because those that came along have another change time.
      const dry = await node.push({ ...atomic, isDry: true })
      expect([dry.sentFiles, failures(dry.said)]).toEqual([0, []])
      node.expectEqual()
      const last = join(realpathSync(node.root), '..', `${2 * round - 1}`)
      for (const path of pathsIn(last)) {
        const [one, other] = [lstatSync(join(last, path)), lstatSync(join(node.root, path))]
        if (!one.isDirectory()) expect(one.ino).toBe(other.ino)
      }
    }
    await node.trees.close()
    expect(versionsOf(node)).toEqual([5, 6])
  })

  it.each([6])('is what it was after a push that was killed (seed %i)', async (seed) => {
    const node = await TreeNode.on(world)
    const random = randomOf(seed)
    const { storage } = node.store.party.engine
    let before: State | null = null
    for (let round = 0; round < 6; round++) {
      for (let count = 0; count < 15; count++) edit(node.source, random)
      const after = stateOf(node.source)
      let [calls, isAfter] = [random(14), random(2) === 0]
      await restart(
        node,
        watched(storage, (isDone) => {
          if (isDone === isAfter && calls-- <= 0) throw new Error('killed')
        }),
      )
      await node.push(atomic).catch((error: unknown) => expect(String(error)).toMatch(/killed/))
      const now = seen(node)
      if (JSON.stringify(now) !== JSON.stringify(after)) expect(now).toEqual(before)
      await restart(node, storage)
      // What nobody has seen is gone.
      const present = now === null ? 0 : Number(realpathSync(node.root).split('/').at(-1))
      expect(Math.max(0, ...versionsOf(node))).toBe(present)
      expect(versionsOf(node).length).toBeLessThanOrEqual(2)
      expect(seen(node)).toEqual(now)
      expect(failures((await node.push(atomic)).said)).toEqual([])
      node.expectEqual()
      before = after
    }
  })

  it('goes back to a version and forth, whenever it is killed', async () => {
    const node = await TreeNode.on(world)
    const { storage } = node.store.party.engine
    const states: State[] = []
    for (const text of ['one', 'two']) {
      for (const name of ['a', text]) writeFileSync(join(node.source, name), `${name} ${text}`)
      writeFileSync(join(node.source, 'same'), 'the same')
      settle(node.source)
      expect(failures((await node.push(atomic)).said)).toEqual([])
      states.push(stateOf(node.source))
    }
    await restart(node, storage)
    const kept = new KeptTrees(node.store.data)
    const listed = await kept.of(treeName)
    const [two, one] = listed.map(({ fileDigest }) => fileDigest) as [string, string]
    expect(listed.map(({ isWhole, kept: of }) => [isWhole, of === null])).toEqual([
      [true, true],
      [true, false],
    ])
    expect(await kept.names(true)).toEqual([treeName])
    // What both have counts once, and for the newer one.
    expect(listed.map(({ size, ownBytes }) => [size, ownBytes])).toEqual([
      [5 + 7 + 7 + 8, 5 + 7 + 7 + 8],
      [5 + 7 + 8, 5],
    ])
    const digits = (digest: string): string => digest.slice('tree:'.length, 20)
    const now = async (): Promise<(string | undefined)[]> =>
      (await kept.of(treeName)).map(({ fileDigest }) => fileDigest)
    const rollBack = (version: string) => node.trees.versions.rollBack(treeName, version)
    expect((await rollBack(digits(one))).before.fileDigest).toBe(two)
    expect([seen(node), await now()]).toEqual([states[0], [one, two]])
    expect((await rollBack('-1')).now.fileDigest).toBe(two)
    expect([seen(node), await now()]).toEqual([states[1], [two, one]])
    await expect(rollBack('-2')).rejects.toEqual(failsWith('ERR_FR_NOT_HELD'))
    for (const isAfter of [false, true]) {
      await restart(
        node,
        watched(storage, (isDone) => {
          if (isDone === isAfter) throw new Error('killed')
        }),
      )
      await expect(rollBack('-1')).rejects.toThrow('killed')
      await restart(node, storage)
      expect(seen(node)).toEqual(states[isAfter ? 0 : 1])
      expect(await now()).toEqual(isAfter ? [one, two] : [two, one])
    }
    // The next push goes on from what is there, and keeps it.
    const again = await node.push(atomic)
    expect(failures(again.said)).toEqual([])
    node.expectEqual()
    await restart(node, storage)
    expect(await now()).toEqual([two, one])
    // Who writes to a file of the present version writes to the one that shares it.
    writeFileSync(join(node.root, 'same'), 'another')
    await expect(rollBack('-1')).rejects.toEqual(failsWith('ERR_FR_DIGEST'))
    // Somebody sets the clock, years ahead and back.
    let [wallMs, awakeMs] = [Date.now() + 60_000, 5]
    node.clocks = { wallMs: () => wallMs, nowMs: () => awakeMs }
    await restart(node, storage)
    const ageMs = async (): Promise<number> => {
      const [version] = await node.trees.versions.evictable()
      return version?.ageMs ?? 0
    }
    const atFirst = await ageMs()
    expect(atFirst).toBeGreaterThanOrEqual(60_000)
    for (wallMs of [9_000_000_000_000, 1_000]) expect(await ageMs()).toBe(atFirst)
    awakeMs += 7
    expect(await ageMs()).toBe(atFirst + 7)
    // Whoever reads it has asked as TREE@VERSION.
    const { dir, data: dataDir } = node.store
    const held = new HeldTrees({ storage, dir, dataDir, uses: node.uses })
    const meant = await held.meant(Buffer.from(`${treeName}@-1/one`))
    expect(Buffer.from(meant?.row?.name ?? []).toString()).toBe('one')
    const [oldest] = await node.trees.versions.evictable()
    expect([oldest?.isUsed, await oldest?.drop(), await now()]).toEqual([true, false, [two, one]])
    writeFileSync(join(node.source, 'three'), 'three')
    settle(node.source)
    for (const name of ['four', 'five']) {
      writeFileSync(join(node.source, name), name)
      expect(failures((await node.push(atomic)).said)).toEqual([])
    }
    await node.trees.close()
    expect((await now()).slice(1)).toContain(one)
    // In another process nobody reads it.
    node.uses = new TreeUses()
    await restart(node, storage)
    expect(await now()).toHaveLength(2)
    const [last] = await node.trees.versions.evictable()
    expect([last?.isUsed, await last?.drop()]).toEqual([false, true])
    expect([(await now()).length, await kept.names(true)]).toEqual([1, []])
  })

  it('brings along what it does not delete', async () => {
    const node = await TreeNode.on(world)
    mkdirSync(join(node.source, 'd'))
    for (const name of ['a', 'd/b']) writeFileSync(join(node.source, name), name)
    settle(node.source)
    await node.push(keeping)
    mkdirSync(join(node.root, 'theirs/deep'), { recursive: true })
    writeFileSync(join(node.root, 'theirs/deep/x'), 'x')
    writeFileSync(join(node.root, 'd/y'), 'y')
    symlinkSync('nowhere', join(node.root, 'theirs/l'))
    chmodSync(join(node.root, 'theirs'), 0o555)
    const theirs = stateOf(realpathSync(join(node.root, 'theirs')))
    const { ino } = statSync(join(node.root, 'theirs/deep/x'))
    rmSync(join(node.source, 'a'))
    writeFileSync(join(node.source, 'c'), 'c')
    settle(node.source)
    expect(failures((await node.push(keeping)).said)).toEqual([])
    expect(stateOf(join(node.root, 'theirs'))).toEqual(theirs)
    expect(statSync(join(node.root, 'theirs/deep/x')).ino).toBe(ino)
    expect(readdirSync(node.root).sort()).toEqual(['a', 'c', 'd', 'theirs'])
    expect(readdirSync(join(node.root, 'd')).sort()).toEqual(['b', 'y'])
    expect(statSync(join(node.root, 'd')).mtimeMs).toBe(1000 * time)
    // What rules leave out stays, and so do the directories around it.
    const rules = { include: [], exclude: ['x', 'y'] }
    expect(failures((await node.push(atomic, rules)).said)).toEqual([])
    expect(pathsIn(node.root).sort()).toEqual([
      ...['c', 'd', 'd/b', 'd/y', 'theirs', 'theirs/deep', 'theirs/deep/x'],
    ])
    await node.push(atomic)
    node.expectEqual()
  })

  it('stays as it was where something is not there in the end', async () => {
    const node = await TreeNode.on(world)
    const { storage } = node.store.party.engine
    for (const name of ['a', 'b']) writeFileSync(join(node.source, name), name)
    settle(node.source)
    await node.push(atomic)
    const before = seen(node)
    writeFileSync(join(node.source, 'b'), 'changed')
    settle(node.source)
    const { firstOf, lastOf } = await twoBundles(node)
    const [one, two, three] = ['11', '22', '33'].map((hex) => hex.repeat(16)) as [
      string,
      ...string[],
    ]
    // The bytes of b never come.
    expect((await node.apply(firstOf(one, () => false))).lacks).toHaveLength(1)
    const lacking = await node.apply(lastOf(one))
    expect(lacking.failed).toMatchObject([{ code: 'ERR_FR_SOURCE_CHANGED' }])
    await expect(node.apply(lastOf(one))).rejects.toEqual(failsWith('ERR_FR_BUSY'))
    // The process that knew of the first bundle is gone.
    await node.apply(firstOf(two as string))
    await restart(node, storage)
    const restarted = await node.apply(lastOf(two as string))
    expect(restarted.failed).toMatchObject([{ code: 'ERR_FR_NODE_CLOSED' }])
    expect([seen(node), versionsOf(node)]).toEqual([before, [1]])
    // Another push has begun meanwhile.
    await node.apply(firstOf(three as string))
    expect(failures((await node.push(atomic)).said)).toEqual([])
    await expect(node.apply(lastOf(three as string))).rejects.toEqual(failsWith('ERR_FR_BUSY'))
    node.expectEqual()
    // The answer to the last bundle was lost, and it comes again.
    const four = randomBytes(16).toString('hex')
    await node.apply(firstOf(four))
    for (let twice = 0; twice < 2; twice++)
      expect((await node.apply(lastOf(four))).failed).toEqual([])
    node.expectEqual()
  })

  it('is built while the push before it ends, and no more once the tree is removed', async () => {
    const node = await TreeNode.on(world)
    const { storage } = node.store.party.engine
    for (const name of ['a', 'b']) writeFileSync(join(node.source, name), name)
    settle(node.source)
    const [one, two, three] = ['11', '22', '33'].map((hex) => hex.repeat(16)) as [
      ...[string, string, string],
    ]
    const before = await twoBundles(node)
    await node.apply(before.firstOf(one))
    writeFileSync(join(node.source, 'b'), 'changed')
    settle(node.source)
    const { firstOf, lastOf } = await twoBundles(node)
    const [last, first] = [await node.bring(before.lastOf(one)), await node.bring(firstOf(two))]
    await Promise.all([last(), first()])
    expect((await node.apply(lastOf(two))).failed).toEqual([])
    node.expectEqual()
    await restart(node, storage)
    expect(versionsOf(node)).toEqual([1, 2])
    await node.apply(firstOf(three))
    const how = { goes: () => true, isRemoving: () => {}, signal: new AbortController().signal }
    await node.trees.remove(treeName, how)
    await expect(node.apply(lastOf(three))).rejects.toEqual(failsWith('ERR_FR_BUSY'))
    expect([seen(node), versionsOf(node)]).toEqual([null, []])
    expect(readdirSync(join(node.store.data, '.fastreplica/trees'))).toEqual([])
  })

  it('takes the place of nothing else, and nothing else takes its place', async () => {
    const node = await TreeNode.on(world)
    const { storage } = node.store.party.engine
    writeFileSync(join(node.source, 'a'), 'a')
    settle(node.source)
    mkdirSync(node.root)
    writeFileSync(join(node.root, 'mine'), '')
    await expect(node.push(atomic)).rejects.toEqual(failsWith('ERR_FR_IS_DIRECTORY'))
    await expect(node.trees.check(treeName, true)).rejects.toEqual(failsWith('ERR_FR_IS_DIRECTORY'))
    expect(readdirSync(node.root)).toEqual(['mine'])
    rmSync(node.root, { recursive: true })
    symlinkSync(world.root, node.root)
    expect(failures((await node.push(atomic)).said)).toEqual([])
    node.expectEqual()
    await expect(node.push(options)).rejects.toEqual(failsWith('ERR_FR_EXISTS'))
    for (const isAtomic of [false, true])
      await expect(node.trees.check(Buffer.from('t/in'), isAtomic)).rejects.toEqual(
        failsWith('ERR_FR_NAME'),
      )
    node.expectEqual()
    // Others may enter; what is there besides is for the node alone.
    const hidden = join(node.store.data, '.fastreplica')
    expect(statSync(hidden).mode & 0o777).toBe(0o711)
    expect(statSync(join(hidden, 'partials')).mode & 0o077).toBe(0)
    // A link that somebody has moved is none, and what it led to goes when the node starts.
    renameSync(node.root, `${node.root}-moved`)
    await restart(node, storage)
    expect(versionsOf(node)).toEqual([])
    unlinkSync(`${node.root}-moved`)
    await node.push(atomic)
    node.expectEqual()
    expect(readFileSync(join(node.root, 'a'), 'utf8')).toBe('a')
  })
})
