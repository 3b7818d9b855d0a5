/**
 * Versions of trees, and a process that is killed between any two steps of what changes them: each
 * version that is listed afterwards is one that was pushed, byte by byte, with its records.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Storage } from '../../src/ports.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import { KeptTrees } from '../../src/store/trees/kept-trees.js'
import type { Trees } from '../../src/store/trees/trees.js'
import { VersionDir } from '../../src/store/versions/version-dir.js'
import { recordOf, runsOf } from '../unit/store/records.js'
import { engines } from './engines.js'
import { failures, TreeNode, treeName } from './tree-node.js'
import { options, stateOf } from './tree-source.js'
import { useWorld, type World } from './world.js'

/** Steps that are left before the process is killed; below 0: it was. */
const life = {
  steps: Number.POSITIVE_INFINITY,
  step(): void {
    this.steps--
    if (this.steps < 0) throw new Error('killed')
  },
}

const { rename, link, unlink, rmdir, rm, mkdir, readdir } = fs
const removed = { unlink: counted(unlink), rmdir: counted(rmdir) }
Object.assign(fs, {
  ...{ ...removed, rename: counted(rename), link: counted(link), mkdir: counted(mkdir) },
  /** Entry by entry, what is marked last, so that it is killed among them, too. */
  rm: async function remove(path: string | Buffer, how: object): Promise<void> {
    const found = await readdir(path, { withFileTypes: true }).catch(() => [])
    for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inside = join(String(path), entry.name)
      await (entry.isDirectory() ? remove(inside, how) : removed.unlink(inside))
    }
    await (found.length > 0 ? removed.rmdir(path) : rm(path, how))
  },
})
syncBuiltinESMExports()

function counted<T extends unknown[], R>(call: (...given: T) => Promise<R>) {
  return async (...given: T): Promise<R> => {
    life.step()
    return call(...given)
  }
}

/** Each of these calls is a step. */
function stepped<T extends object>(target: T, calls: readonly (keyof T)[]): T {
  return new Proxy(target, {
    get: (of, key) => {
      const value = Reflect.get(of, key)
      if (typeof value !== 'function') return value
      if (!calls.includes(key as keyof T)) return value.bind(of)
      return async (...given: unknown[]) => {
        life.step()
        return Reflect.apply(value, of, given)
      }
    },
  })
}

const atomic = { ...options, isAtomic: true }
const keep = 2
const time = 1_600_000_000
const big = Buffer.from(`${treeName}/big`)

class Killable {
  readonly #node: TreeNode
  readonly #hidden: string
  readonly #dir: VersionDir
  readonly #storage: Storage
  /** What is in a version, by its digest. */
  readonly #states = new Map<string, Record<string, string>>()
  /** Contents of files that came by themselves. */
  readonly #recorded = new Set<string>()
  #pushes = 0

  private constructor(node: TreeNode) {
    this.#node = node
    this.#hidden = join(node.store.data, '.fastreplica')
    this.#dir = new VersionDir(node.store.data, treeName)
    this.#storage = stepped(node.store.party.engine.storage, ['placeEntries'])
  }

  /** With as many versions as are kept, and the present one. */
  static async on(world: World): Promise<Killable> {
    const node = await TreeNode.on(world)
    const killable = new Killable(node)
    onTestFinished(async () => {
      await node.trees.close()
      await node.catalogue?.close()
    })
    mkdirSync(join(killable.#node.source, 'd'))
    await killable.#restart()
    await killable.fill()
    return killable
  }

  /** With so many versions at least, whose digests it resolves to. */
  async fill(least = keep + 1): Promise<string[]> {
    let versions = await this.check()
    for (; versions.length < least; versions = await this.check()) {
      await this.push()
      await this.#restart()
    }
    return versions
  }

  async #restart(): Promise<void> {
    const node = this.#node
    await node.trees.close()
    await node.catalogue?.close()
    life.steps = Number.POSITIVE_INFINITY
    node.catalogue = stepped(await Catalogue.open(this.#hidden), ['put', 'remove'])
    node.trees = node.treesOn(this.#storage, keep)
    await node.trees.start()
  }

  /** In a process that is killed after so many steps, and started again; false: it was. */
  async isDone(steps: number, work: (trees: Trees) => Promise<unknown>): Promise<boolean> {
    const { trees } = this.#node
    life.steps = steps
    const failure = await work(trees).then(() => null, String)
    // What goes on behind it.
    await trees.close()
    const isDone = life.steps >= 0
    await this.#restart()
    if (isDone) expect(failure).toBeNull()
    return isDone
  }

  /** A version of other content, with the record of a file that came by itself. */
  async push(): Promise<void> {
    const { source, root, store, catalogue } = this.#node
    const text = `version ${++this.#pushes}`
    for (const name of ['big', 'd/x']) writeFileSync(join(source, name), `${name} ${text}`)
    for (const name of ['big', 'd/x', 'd', '']) utimesSync(join(source, name), time, time)
    expect(failures((await this.#node.push(atomic)).said)).toEqual([])
    const { storage } = store.party.engine
    const file = await storage.openHeld(store.dir, big)
    const identity = await storage.identityOf(file).finally(() => storage.closeFile(file))
    const record = { ...recordOf(big, this.#pushes), size: identity.size, identity }
    await catalogue?.put(record, runsOf(record))
    this.#recorded.add(readFileSync(join(root, 'big'), 'utf8'))
  }

  async remove(trees: Trees): Promise<void> {
    const how = { goes: () => true, isRemoving: () => {}, signal: new AbortController().signal }
    await this.#node.catalogue?.remove(big)
    await trees.remove(treeName, how)
  }

  /** Nothing but versions that were pushed, with all that belongs to them. */
  async check(): Promise<string[]> {
    const { root, store, catalogue } = this.#node
    const versions = await new KeptTrees(store.data).of(treeName)
    let records = 0
    for (const [at, { number, fileDigest, isWhole }] of versions.entries()) {
      const path = join(store.data, this.#dir.nameOf(number).toString())
      if (at === 0) expect(realpathSync(root)).toBe(realpathSync(path))
      const state = this.#states.get(fileDigest) ?? stateOf(path)
      this.#states.set(fileDigest, state)
      expect([isWhole, stateOf(path)]).toEqual([true, state])
      if (!this.#recorded.has(readFileSync(join(path, 'big'), 'utf8'))) continue
      records++
      const record = catalogue?.get(at === 0 ? big : Buffer.from(`${this.#dir.nameOf(number)}/big`))
      const { ino } = statSync(join(path, 'big'), { bigint: true })
      expect(record?.identity.inode).toBe(String(ino))
    }
    const numbers = versions.map(({ number }) => number).sort()
    expect((await this.#dir.versions()).map(({ number }) => number).sort()).toEqual(numbers)
    expect(this.records).toHaveLength(versions.length)
    expect(catalogue?.totals.streams).toBe(records)
    return versions.map(({ fileDigest }) => fileDigest)
  }

  /** Names of records of versions. */
  get records(): string[] {
    const path = join(this.#hidden, 'trees')
    return readdirSync(this.#hidden).includes('trees') ? readdirSync(path) : []
  }
}

// What it does between its steps is above the engines.
describe.each(engines.slice(-1))('$kind engine: a node that is killed', (under) => {
  const world = useWorld(under)

  it.each(['-1', '-2'])('as it goes back to version %s has one or the other', async (version) => {
    const node = await Killable.on(world)
    const back = -Number(version)
    let steps = 0
    for (let isDone = false; !isDone; steps++) {
      const before = await node.check()
      isDone = await node.isDone(steps, (of) => of.versions.rollBack(treeName, version))
      const now = await node.check()
      const after = [before[back], ...before.toSpliced(back, 1)]
      expect(isDone ? [after] : [before, after]).toContainEqual(now)
    }
    expect(steps).toBeGreaterThan(4)
  })

  it('as it removes a version has all the others', async () => {
    const node = await Killable.on(world)
    let steps = 0
    for (let isDone = false; !isDone; steps++) {
      const before = await node.fill()
      isDone = await node.isDone(steps, (of) => of.versions.remove(treeName, '-1'))
      const after = before.toSpliced(1, 1)
      expect(isDone ? [after] : [before, after]).toContainEqual(await node.check())
    }
    expect(steps).toBeGreaterThan(4)
  })

  it('as a push comes has it or has not', async () => {
    const node = await Killable.on(world)
    let steps = 0
    for (let isDone = false; !isDone; steps++) {
      const before = await node.check()
      isDone = await node.isDone(steps, () => node.push())
      const now = await node.check()
      const isNew = now[0] !== before[0]
      expect(isNew || !isDone).toBe(true)
      expect(now.slice(isNew ? 1 : 0)).toEqual(before.slice(0, isNew ? keep : keep + 1))
    }
    expect(steps).toBeGreaterThan(15)
  })

  it('as the tree is removed leaves nothing once it is removed again', async () => {
    const node = await Killable.on(world)
    let steps = 0
    for (let isDone = false; !isDone; steps += 3) {
      await node.fill(2)
      isDone = await node.isDone(steps, (trees) => node.remove(trees))
      if (!isDone) await node.isDone(1_000, (trees) => node.remove(trees).catch(() => {}))
      expect(await node.check()).toEqual([])
    }
    expect(steps).toBeGreaterThan(4)
  })
})
