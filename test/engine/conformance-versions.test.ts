/**
 * The one kind of symlink that both engines go through: from the name of a tree to a version of it,
 * by exactly the relative path of that version. Everything else that looks like one, and whatever
 * stands in its way, is refused, and nothing outside the data directory is reached.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { EntryStep } from '../../src/ports.js'
import { engines } from './engines.js'
import { failsWith, type Store, storeOf } from './store.js'
import { useWorld } from './world.js'

const key = 'ab'.repeat(16)
const version = `.fastreplica/versions/${key}/7`
const attributes = { mode: 0o640, mtime: { seconds: 1_600_000_000, nanos: 0 } }
const bytesOf = (text: string) => Buffer.from(text)

describe.each(engines)('$kind engine: a version of a tree', (under) => {
  const world = useWorld(under)

  /** A store with a version, and a directory that nothing may enter. */
  async function versioned(): Promise<Store & { path(name: string): string }> {
    const store = await storeOf(world)
    const path = (name: string) => join(store.data, name)
    mkdirSync(path(`${version}/d`), { recursive: true })
    writeFileSync(path(`${version}/a`), 'one')
    writeFileSync(path(`${version}/d/b`), 'two')
    mkdirSync(join(world.root, 'outside'))
    writeFileSync(join(world.root, 'outside/a'), 'secret')
    return Object.assign(store, { path })
  }

  const directory = (name: string): EntryStep => ({
    ...{ name: bytesOf(name), kind: 'directory', mode: 0o755 },
  })
  const hard = (name: string, to: string): EntryStep => ({
    ...{ name: bytesOf(name), kind: 'hardlink', to: bytesOf(to), replacesDirectories: false },
  })
  const symlink = (name: string, target: string): EntryStep => ({
    ...{ name: bytesOf(name), kind: 'symlink', target: bytesOf(target), attributes },
    replacesDirectories: false,
  })
  const removal = (name: string, isWhole: boolean): EntryStep => ({
    ...{ name: bytesOf(name), kind: 'remove', isWhole },
  })

  /** What each call that takes a name beneath a tree says: the code of its error, or null. */
  async function codes(store: Store, tree: string): Promise<(string | null)[]> {
    const { storage } = store.party.engine
    const code = (work: Promise<unknown>) =>
      work.then(
        () => null,
        (error: { code: string }) => error.code,
      )
    const file = await store.create('p', Buffer.from('new'))
    const placed = storage.placeEntries(store.dir, [
      directory(`${tree}/made`),
      hard(`${tree}/hard`, `${tree}/a`),
    ])
    const listed = await code(storage.listEntries(store.dir, bytesOf(tree)))
    const found = [
      await code(storage.checkName(store.dir, bytesOf(`${tree}/a`), false)),
      await code(storage.openHeld(store.dir, bytesOf(`${tree}/a`))),
      await code(store.publish(file, 'p', { name: bytesOf(`${tree}/new`) })),
      ...(await placed).map(({ failure }) => failure?.code ?? null),
      listed,
      (await storage.lookAt(store.dir, [bytesOf(`${tree}/a`)]))[0] === null ? 'nothing' : null,
      await code(storage.remove(store.dir, bytesOf(`${tree}/d/b`))),
    ]
    storage.closeFile(file)
    await storage.discard(store.dir, 'p')
    return found
  }

  it.each(['t', 'x/y/t'])('is what the name %s stands for', async (tree) => {
    const store = await versioned()
    const { path, dir } = store
    const { storage } = store.party.engine
    mkdirSync(join(path(tree), '..'), { recursive: true })
    symlinkSync(`${'../'.repeat(tree.split('/').length - 1)}${version}`, path(tree))
    expect(await codes(store, tree)).toEqual(Array.from({ length: 8 }, () => null))
    expect(readFileSync(path(`${version}/new`), 'utf8')).toBe('new')
    expect(statSync(path(`${version}/a`)).nlink).toBe(2)
    // The file that was removed was the last in its directory.
    expect(existsSync(path(`${version}/d`))).toBe(false)
    const names = (await storage.listEntries(dir, bytesOf(tree))).map(({ name }) => `${name}`)
    expect(names.sort()).toEqual(['a', 'hard', 'made', 'new'])
    // The link itself is a link.
    const [look] = await storage.lookAt(dir, [bytesOf(tree)])
    expect(look?.kind).toBe('symlink')
    await expect(storage.checkName(dir, bytesOf(tree), false)).rejects.toEqual(
      failsWith('ERR_FR_NAME'),
    )
  })

  it('that is empty in the end stays', async () => {
    const store = await versioned()
    const { storage } = store.party.engine
    symlinkSync(version, store.path('t'))
    rmSync(store.path(`${version}/a`))
    await storage.remove(store.dir, bytesOf('t/d/b'))
    expect(readdirSync(store.path('t'))).toEqual([])
  })

  it.each([
    ['absolute', (data: string) => join(data, version)],
    ['out of the directory', () => '../outside'],
    ['out and back', (data: string) => `../${data.split('/').at(-1)}/${version}`],
    ['with a dot', () => `./${version}`],
    ['through another directory', () => `.fastreplica/../${version}`],
    ['with a slash at the end', () => `${version}/`],
    ['into a version', () => `${version}/d`],
    ['above a version', () => `.fastreplica/versions/${key}`],
    ['with two dots at the end', () => `${version}/..`],
    ['with a number that begins with 0', () => `.fastreplica/versions/${key}/07`],
    ['with a number that is too long', () => `.fastreplica/versions/${key}/1234567890`],
    ['with another key', () => `.fastreplica/versions/${key.toUpperCase()}/7`],
    ['to partials', () => '.fastreplica/partials'],
    ['to a directory', () => 'plain'],
    ['as from deeper', () => `../${version}`],
  ])('is not behind a link %s', async (_what, targetOf) => {
    const store = await versioned()
    const { path } = store
    mkdirSync(path('plain/d'), { recursive: true })
    for (const name of ['a', 'd/b']) writeFileSync(path(`plain/${name}`), '')
    symlinkSync(targetOf(store.data), path('t'))
    const all = await codes(store, 't')
    expect(all.filter((code) => code === null)).toEqual([])
    expect(readdirSync(path(version)).sort()).toEqual(['a', 'd'])
    expect(readdirSync(path('plain')).sort()).toEqual(['a', 'd'])
    expect(readdirSync(join(world.root, 'outside'))).toEqual(['a'])
  })

  it.each(['7', key, 'versions'])('is not one where %s is a link itself', async (what) => {
    const store = await versioned()
    const { path } = store
    symlinkSync(version, path('t'))
    const link = path(version.slice(0, version.indexOf(what) + what.length))
    const real = join(world.root, 'outside/real')
    renameSync(link, real)
    symlinkSync(real, link)
    const before = readdirSync(join(world.root, 'outside'), { recursive: true }).sort()
    expect((await codes(store, 't')).filter((code) => code === null)).toEqual([])
    expect(readdirSync(join(world.root, 'outside'), { recursive: true }).sort()).toEqual(before)
  })

  it('leads to no other by a link within it', async () => {
    const store = await versioned()
    const { path } = store
    symlinkSync(version, path('t'))
    mkdirSync(path(`.fastreplica/versions/${key}/8/d`), { recursive: true })
    for (const name of ['a', 'd/b'])
      writeFileSync(path(`.fastreplica/versions/${key}/8/${name}`), '')
    symlinkSync(`../8`, path(`${version}/up`))
    symlinkSync(`../.fastreplica/versions/${key}/8`, path(`${version}/deep`))
    symlinkSync(`../../../../.fastreplica/versions/${key}/8`, path(`${version}/right`))
    for (const inner of ['up', 'deep', 'right'])
      expect((await codes(store, `t/${inner}`)).filter((code) => code === null)).toEqual([])
  })

  it('has names of its own for whoever builds it, and for nobody else', async () => {
    const store = await versioned()
    const { path, dir } = store
    const { storage } = store.party.engine
    const name = `${version}/a`
    const file = await store.create('p', Buffer.from('new'))
    const refusal = failsWith('ERR_FR_NAME')
    for (const own of [name, version]) {
      await expect(storage.checkName(dir, bytesOf(own), false)).rejects.toEqual(refusal)
      await expect(storage.remove(dir, bytesOf(own))).rejects.toEqual(refusal)
      await expect(store.publish(file, 'p', { name: bytesOf(own) })).rejects.toEqual(refusal)
    }
    storage.closeFile(file)
    storage.closeFile(await storage.openHeld(dir, bytesOf(name)))
    const notHeld = failsWith('ERR_FR_NOT_HELD')
    await expect(storage.openHeld(dir, bytesOf(version))).rejects.toEqual(notHeld)
    const next = `.fastreplica/versions/${key}/8`
    const link = symlink('t', next)
    const steps = [directory(next), hard(`${next}/.fastreplica`, name), link]
    for (const bad of ['/../x', '/./x', '//x', '/', '/../../../partials/p', `/${'y'.repeat(256)}`])
      steps.push(directory(`${version}${bad}`))
    for (const bad of ['partials/x', 'versions', `versions/${key}`, `versions/${key}/0`, 'x'])
      steps.push(directory(`.fastreplica/${bad}`))
    const outcomes = await storage.placeEntries(dir, steps)
    const said = outcomes.map(({ failure }) => failure?.code ?? null)
    expect(said).toEqual([null, null, null, ...Array.from({ length: 11 }, () => 'ERR_FR_NAME')])
    expect(readFileSync(path('t/.fastreplica'), 'utf8')).toBe('one')
    expect((await storage.listEntries(dir, bytesOf(version))).length).toBe(2)
    // The bits of directories that shut their owner out are no hindrance.
    chmodSync(path(`${version}/d`), 0o500)
    const [gone] = await storage.placeEntries(dir, [removal(version, true)])
    expect([gone?.failure, existsSync(path(version))]).toEqual([null, false])
    expect(readFileSync(path('t/.fastreplica'), 'utf8')).toBe('one')
    const again = await storage.placeEntries(dir, [removal(version, true), removal('t', false)])
    expect(again.map(({ failure }) => failure)).toEqual([null, null])
    expect(readdirSync(path(next))).toEqual(['.fastreplica'])
  })
})
