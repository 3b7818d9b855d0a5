/**
 * Trees at a node, on both engines: random trees and edits come as bundles and are compared with
 * their source entry by entry; pushes that end in the middle leave nothing half, and the next one
 * makes up for them.
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Applied } from '../../src/control/messages/applied.js'
import type { Storage } from '../../src/ports.js'
import type { TreeEntry } from '../../src/protocol/listing.js'
import { engines } from './engines.js'
import { failsWith } from './store.js'
import { failures, sumOf, TreeNode } from './tree-node.js'
import { edit, options, pack, pathsIn, randomOf, scan, stateOf } from './tree-source.js'
import { useWorld } from './world.js'

describe.each(engines)('$kind engine: a tree', (under) => {
  const world = useWorld(under)

  it.each([1])('follows its source through random edits (seed %i)', async (seed) => {
    const node = await TreeNode.on(world)
    const random = randomOf(seed)
    for (let round = 0; round < 4; round++) {
      for (let count = 0; count < 25; count++) edit(node.source, random)
      const { said } = await node.push()
      expect(failures(said)).toEqual([])
      node.expectEqual()
      const again = await node.push()
      expect([again.sentFiles, sumOf(again.said, 'done')]).toEqual([0, 0])
      node.expectEqual()
    }
  })

  it.each([4])('is never half after a push that broke off (seed %i)', async (seed) => {
    const node = await TreeNode.on(world)
    const random = randomOf(seed)
    const { storage } = node.store.party.engine
    const contents = new Set<string>()
    for (let round = 0; round < 4; round++) {
      for (let count = 0; count < 20; count++) edit(node.source, random)
      const { bytes } = await scan(node.source, node.store.party.engine)
      for (const content of bytes.values()) contents.add(content.toString('latin1'))
      // The storage fails at some call, before it or after it has done its work.
      let [calls, isAfter] = [random(8), random(2) === 0]
      const broken = new Proxy(storage, {
        get: (target, key) => {
          const value = Reflect.get(target, key)
          if (key !== 'placeEntries')
            return typeof value === 'function' ? value.bind(target) : value
          return async (...given: Parameters<Storage['placeEntries']>) => {
            if (calls-- > 0) return target.placeEntries(...given)
            if (isAfter) await target.placeEntries(...given)
            throw new Error('killed')
          }
        },
      })
      node.trees = node.treesOn(broken)
      await node.push().catch((error: unknown) => expect(String(error)).toMatch(/killed/))
      for (const path of existsSync(node.root) ? pathsIn(node.root) : []) {
        const full = join(node.root, path)
        if (!lstatSync(full).isFile()) continue
        expect(contents.has(readFileSync(full).toString('latin1'))).toBe(true)
      }
      node.trees = node.treesOn(storage)
      await node.trees.start()
      expect(failures((await node.push()).said)).toEqual([])
      node.expectEqual()
    }
  })

  it('moves nothing for a rename, and asks again for a file that was changed here', async () => {
    const node = await TreeNode.on(world)
    writeFileSync(join(node.source, 'a'), 'one')
    writeFileSync(join(node.source, 'b'), 'two')
    expect((await node.push()).sentFiles).toBe(2)
    writeFileSync(join(node.source, 'c'), 'one')
    const renamed = await node.push()
    expect([renamed.sentFiles, failures(renamed.said)]).toEqual([0, []])
    node.expectEqual()
    writeFileSync(join(node.root, 'b'), 'xxx')
    // Its record leads nowhere now, and what is there is not what it says.
    writeFileSync(join(node.source, 'd'), 'two')
    expect((await node.push()).sentFiles).toBe(2)
    node.expectEqual()
  })

  it('keeps what was not listed unless it is whole and told to delete', async () => {
    const node = await TreeNode.on(world)
    writeFileSync(join(node.source, 'a'), 'one')
    await node.push()
    mkdirSync(join(node.root, 'theirs/x'), { recursive: true })
    writeFileSync(join(node.root, 'theirs/x/y'), '')
    await node.push({ ...options, deletes: false })
    expect(existsSync(join(node.root, 'theirs/x/y'))).toBe(true)
    const { first, closing, bytes } = await scan(node.source, node.store.party.engine)
    const head = { tree: 'ab'.repeat(16), options }
    const listing = { ...head, bundle: 0, final: null, isClosing: false, entries: first }
    await node.apply(pack(listing, bytes, () => false))
    node.trees = node.treesOn(node.store.party.engine.storage)
    const final = { bundles: 2, entries: 2 }
    const last = { ...head, bundle: 1, final, isClosing: true, entries: closing }
    const { failed } = await node.apply(pack(last, bytes, () => false))
    expect(failed).toEqual([expect.objectContaining({ code: 'ERR_FR_NODE_CLOSED' })])
    expect(existsSync(join(node.root, 'theirs/x/y'))).toBe(true)
    await node.push()
    node.expectEqual()
  })

  it('deletes nothing that rules leave out, nor a directory that has it', async () => {
    const node = await TreeNode.on(world)
    writeFileSync(join(node.source, 'a'), 'one')
    await node.push()
    const theirs = ['logs/x', 'old/b', 'old/in/c.o', 'old/in/d', 'gone/e', 'f.o', 'g']
    for (const name of theirs) {
      mkdirSync(join(node.root, name, '..'), { recursive: true })
      writeFileSync(join(node.root, name), '')
    }
    mkdirSync(join(node.root, 'empty'))
    chmodSync(join(node.root, 'old/in'), 0o555)
    const rules = { include: [], exclude: ['*.o', 'logs/'] }
    expect(failures((await node.push(options, rules)).said)).toEqual([])
    const kept = ['a', 'f.o', 'logs', 'logs/x', 'old', 'old/in', 'old/in/c.o']
    expect(pathsIn(node.root).sort()).toEqual(kept)
    expect(lstatSync(join(node.root, 'old/in')).mode & 0o777).toBe(0o555)
    chmodSync(join(node.root, 'old/in'), 0o755)
    mkdirSync(join(node.root, 'empty'))
    writeFileSync(join(node.root, 'old/in/h'), '')
    // Of what is not included nothing is touched; a directory goes with what is.
    await node.push(options, { include: ['h', 'a'], exclude: [] })
    expect(pathsIn(node.root).sort()).toEqual(['a', 'empty', ...kept.slice(1)])
    await node.push(options, { include: ['*.o', 'a'], exclude: [] })
    expect(pathsIn(node.root).sort()).toEqual(['a', 'empty', 'logs', 'logs/x'])
    await node.push()
    node.expectEqual()
  })

  it('says in a dry run what would change, and changes nothing', async () => {
    const node = await TreeNode.on(world)
    for (const name of ['a', 'b', 'gone/x']) {
      mkdirSync(join(node.source, name, '..'), { recursive: true })
      writeFileSync(join(node.source, name), name)
    }
    await node.push()
    renameSync(join(node.source, 'a'), join(node.source, 'a2'))
    chmodSync(join(node.source, 'b'), 0o600)
    rmSync(join(node.source, 'gone'), { recursive: true })
    mkdirSync(join(node.source, 'new/in'), { recursive: true })
    writeFileSync(join(node.source, 'new/in/c'), 'see')
    symlinkSync('b', join(node.source, 'l'))
    const before = stateOf(node.root)
    const dry = { ...options, isDry: true }
    const { first, closing, bytes } = await scan(node.source, node.store.party.engine)
    const head = { tree: 'cd'.repeat(16), options: dry }
    const listing = { ...head, bundle: 0, final: null, isClosing: false, entries: first }
    const one = await node.apply(pack(listing, bytes, () => false))
    const final = { bundles: 2, entries: first.length + 1 }
    const last = { ...head, bundle: 1, final, isClosing: true, entries: closing }
    const two = await node.apply(pack(last, bytes, () => false))
    expect(stateOf(node.root)).toEqual(before)
    const named = (ranges: Applied['lacks'], entries: readonly TreeEntry[]) =>
      ranges
        .flatMap(([from, count]) => entries.slice(from, from + count))
        .map(({ name }) => Buffer.from(name).toString())
    expect(named(one.lacks, first)).toEqual(['new/in/c'])
    expect(named(one.dry?.sets ?? [], first)).toEqual(['a2', 'b', 'new', 'new/in'])
    expect(named(two.dry?.sets ?? [], closing)).toEqual(['', 'l'])
    expect(two.dry).toMatchObject({ removedCount: 3 })
    expect(two.dry?.removes.toSorted()).toEqual(['a', 'gone', 'gone/x'])
    expect(failures([one, two])).toEqual([])
    await node.push()
    node.expectEqual()
  })

  it('has only one of two names that the file system takes for the same', async () => {
    const node = await TreeNode.on(world)
    // What a file system looks like that ignores the case.
    mkdirSync(join(node.store.data, '.fastreplica/PARTIALS'))
    for (const name of ['a', 'A', 'b/c', 'B/c', '\u00e9', 'e\u0301']) {
      mkdirSync(join(node.source, name, '..'), { recursive: true })
      writeFileSync(join(node.source, name), name)
    }
    const { said } = await node.push({ ...options, deletes: false })
    const codes = failures(said).map(({ code, text }) => `${code} ${text.slice(0, 12)}`)
    expect(new Set(codes).size).toBeGreaterThan(0)
    const there = readdirSync(node.root).map((name) => name.normalize().toLowerCase())
    expect(there.toSorted()).toEqual(['a', 'b', '\u00e9'])
  })

  it('says which entries failed, and has the others', async () => {
    const node = await TreeNode.on(world)
    mkdirSync(node.root)
    mkdirSync(join(node.root, 'full/x'), { recursive: true })
    for (const name of ['a', 'full', 'z']) writeFileSync(join(node.source, name), name)
    const { said } = await node.push({ ...options, deletes: false })
    expect(failures(said)).toEqual([expect.objectContaining({ code: 'ERR_FR_IS_DIRECTORY' })])
    expect(readFileSync(join(node.root, 'z'), 'utf8')).toBe('z')
    expect(failures((await node.push()).said)).toEqual([])
    node.expectEqual()
  })

  it('is refused where the listing contradicts itself', async () => {
    const node = await TreeNode.on(world)
    const entry: TreeEntry = {
      ...{ kind: 'file', name: Buffer.from('a'), size: 5, dataBytes: 5, isAlone: false },
      ...{ attributes: { mode: 0o644, mtimeSeconds: 0, mtimeNanos: 0 }, digest: Buffer.alloc(8) },
      at: null,
    }
    const head = { tree: 'ab'.repeat(16), bundle: 0, final: null, isClosing: false, options }
    const bytes = pack(
      { ...head, entries: [entry] },
      new Map([['a', Buffer.from('abcd')]]),
      () => true,
    )
    await expect(node.apply(bytes)).rejects.toEqual(failsWith('ERR_FR_PROTOCOL'))
    expect(existsSync(node.root)).toBe(false)
  })
})
