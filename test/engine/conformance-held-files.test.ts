/**
 * Files that are there before a transfer, in both engines: partials that were left behind and are
 * gone on with, and published files that are read, identified and removed.
 */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Storage } from '../../src/ports.js'
import { engines } from './engines.js'
import { rawPayload } from './raw.js'
import { failsWith, type Store, storeOf } from './store.js'
import { blockBytes, fileBytes, poll, streamId, useWorld } from './world.js'

const notHeld = failsWith('ERR_FR_NOT_HELD')

describe.each(engines)('$kind engine: partials that were left', (under) => {
  const world = useWorld(under)

  const pathOf = ({ data }: Store, id: string) => join(data, '.fastreplica', 'partials', id)

  it('are opened as they are, written on, and published', async () => {
    const store = await storeOf(world)
    const { engine } = store.party
    const { storage } = engine
    const bytes = fileBytes(3 * blockBytes)
    const made = await store.create('p', Buffer.concat([bytes.subarray(0, blockBytes)]))
    storage.closeFile(made)
    appendFileSync(pathOf(store, 'p'), Buffer.alloc(2 * blockBytes))
    const file = await storage.openPartial(store.dir, 'p')
    expect(file).not.toBe(made)
    expect((await storage.identityOf(file)).size).toBe(bytes.length)
    const transfer = engine.openTransfer()
    const size = bytes.length
    engine.addStream(transfer, { stream: streamId, file, size, blockBytes, complete: false })
    engine.hold(transfer, { stream: streamId, offset: 0, length: blockBytes })
    const sender = await world.rawSender(store.party, transfer)
    sender.socket.write(rawPayload(blockBytes, bytes.subarray(blockBytes)))
    await poll('all is there', () => engine.stats(transfer).landedBytes === size)
    engine.closeTransfer(transfer)
    await store.publish(file, 'p', { name: Buffer.from('whole') })
    expect(readFileSync(join(store.data, 'whole')).equals(bytes)).toBe(true)
    storage.closeFile(file)
    await poll('no file is open', () => engine.counters().openFiles === 0)
  })

  it('are in use while they are open, and leftovers before and after', async () => {
    const store = await storeOf(world)
    const { engine } = store.party
    const { storage } = engine
    storage.closeFile(await store.create('p', Buffer.from('bytes')))
    await poll('it is closed', () => engine.counters().openFiles === 0)
    const ids = async () => (await storage.listPartials(store.dir)).map(({ id }) => id)
    expect(await ids()).toEqual(['p'])
    const file = await storage.openPartial(store.dir, 'p')
    expect(await ids()).toEqual([])
    expect(await storage.expirePartials(store.dir, 0)).toBe(0)
    await expect(storage.openPartial(store.dir, 'p')).rejects.toThrow(TypeError)
    storage.closeFile(file)
    await poll('it is closed again', () => engine.counters().openFiles === 0)
    expect(await ids()).toEqual(['p'])
    const again = await storage.openPartial(store.dir, 'p')
    storage.closeFile(again)
    await poll('and again', () => engine.counters().openFiles === 0)
    expect(await storage.expirePartials(store.dir, 0)).toBe(1)
    await expect(storage.openPartial(store.dir, 'p')).rejects.toEqual(notHeld)
  })

  it('are opened while somebody reads them', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    storage.closeFile(await store.create('p', Buffer.from('bytes')))
    const read = await storage.openSource(pathOf(store, 'p'))
    const file = await storage.openPartial(store.dir, 'p')
    storage.closeFile(read.file)
    await expect(storage.openPartial(store.dir, 'p')).rejects.toThrow(TypeError)
    storage.closeFile(file)
  })

  it('go to one of those that open them at once', async () => {
    const store = await storeOf(world)
    const { engine } = store.party
    engine.storage.closeFile(await store.create('p', Buffer.from('bytes')))
    const tries = Array.from({ length: 5 }, () => engine.storage.openPartial(store.dir, 'p'))
    const ends = await Promise.allSettled(tries)
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const end of ends)
      if (end.status === 'rejected') expect(end.reason).toBeInstanceOf(TypeError)
  })

  it('of an engine that is gone are opened by the next', async () => {
    const first = await storeOf(world)
    await first.create('p', Buffer.from('bytes'))
    await first.party.engine.shutdown()
    const { storage } = (await world.party()).engine
    const dir = await storage.openDataDir(first.data)
    const file = await storage.openPartial(dir, 'p')
    expect((await storage.identityOf(file)).size).toBe(5)
  })

  it('are regular files with one name', async () => {
    const store = await storeOf(world)
    const { engine } = store.party
    const { storage } = engine
    writeFileSync(join(store.data, 'published'), 'published')
    linkSync(join(store.data, 'published'), pathOf(store, 'second-name'))
    symlinkSync(join(store.data, 'published'), pathOf(store, 'link'))
    symlinkSync('nowhere', pathOf(store, 'dangling'))
    mkdirSync(pathOf(store, 'directory'))
    execFileSync('mkfifo', [pathOf(store, 'fifo')])
    for (const id of ['missing', 'second-name', 'link', 'dangling', 'directory', 'fifo'])
      await expect(storage.openPartial(store.dir, id), id).rejects.toEqual(notHeld)
    expect(readFileSync(join(store.data, 'published'), 'utf8')).toBe('published')
    for (const id of ['', '.', '..', '.p', 'a/b', '../published', 'a\0b', 'x'.repeat(129), 'ä'])
      await expect(storage.openPartial(store.dir, id), id).rejects.toThrow(TypeError)
    await poll('nothing stays open', () => engine.counters().openFiles === 0)
  })
})

describe.each(engines)('$kind engine: published files', (under) => {
  const world = useWorld(under)

  const asks: readonly [
    string,
    (storage: Storage, dir: number, name: Buffer) => Promise<unknown>,
  ][] = [
    ['opens', (storage, dir, name) => storage.openHeld(dir, name)],
    ['removes', (storage, dir, name) => storage.remove(dir, name)],
  ]

  /** What is no file of ours, beside one that is. */
  function prepare({ data }: Store): void {
    mkdirSync(join(data, 'sub'))
    writeFileSync(join(data, 'file'), 'old')
    writeFileSync(join(data, 'sub', 'x'), 'inside')
    writeFileSync(join(world.root, 'x'), 'outside')
    symlinkSync(world.root, join(data, 'out'))
    symlinkSync('sub', join(data, 'in'))
    symlinkSync('file', join(data, 'link'))
    symlinkSync(join(world.root, 'x'), join(data, 'leads-out'))
    symlinkSync('nowhere', join(data, 'dangling'))
    execFileSync('mkfifo', [join(data, 'fifo')])
  }

  const refused: Record<string, string> = {
    empty: '',
    absolute: '/etc/passwd',
    'two dots': '..',
    'leading up': '../x',
    'leading up from within': 'sub/../../x',
    'with an empty component': 'sub//x',
    'ending in a slash': 'sub/',
    'with NUL': 'file\0',
    'of a component of 256 bytes': 'x'.repeat(256),
    'the hidden directory': '.fastreplica',
    'in the hidden directory': '.fastreplica/partials/p',
    'through a symlink that leads out': 'out/x',
    'through a symlink that stays inside': 'in/x',
    'through a dangling symlink': 'dangling/x',
    'through a file': 'file/x',
    'through a pipe': 'fifo/x',
  }

  it.each(asks)('%s nothing under a bad name, or where no file is', async (_what, ask) => {
    const store = await storeOf(world)
    prepare(store)
    const { engine } = store.party
    engine.storage.closeFile(await store.create('p', Buffer.from('bytes')))
    const socket = createServer().listen(join(store.data, 'socket'))
    await new Promise((resolve) => socket.once('listening', resolve))
    const everything = () => execFileSync('find', [world.root], { encoding: 'utf8' })
    const before = everything()
    for (const [what, name] of Object.entries(refused)) {
      const asked = ask(engine.storage, store.dir, Buffer.from(name))
      await expect(asked, what).rejects.toEqual(failsWith('ERR_FR_NAME'))
    }
    const none = ['sub', 'link', 'leads-out', 'dangling', 'fifo', 'socket', 'no', 'no/no', 'sub/no']
    for (const name of none) {
      const asked = ask(engine.storage, store.dir, Buffer.from(name))
      await expect(asked, name).rejects.toEqual(notHeld)
    }
    expect(everything()).toBe(before)
    await poll('nothing stays open', () => engine.counters().openFiles === 0)
    socket.close()
  })

  it.each([
    ['plain', Buffer.from('name')],
    ['below directories', Buffer.from('a/b/c/name')],
    ['not in UTF-8', Buffer.from([0xff, 0xfe, 0x2f, 0x80])],
    ['like the hidden one', Buffer.from('.fastreplica2')],
  ])('are read, and removed with what they leave empty: %s', async (_what, name) => {
    const store = await storeOf(world)
    const { engine } = store.party
    const { storage } = engine
    const bytes = fileBytes(1000)
    const partial = await store.create('p', bytes)
    await store.publish(partial, 'p', { name })
    storage.closeFile(partial)
    const file = await storage.openHeld(store.dir, name)
    await storage.remove(store.dir, name)
    expect(readdirSync(store.data)).toEqual(['.fastreplica'])
    await expect(storage.openHeld(store.dir, name)).rejects.toEqual(notHeld)
    await expect(storage.remove(store.dir, name)).rejects.toEqual(notHeld)
    // What is open stays readable.
    const range = { offset: 0, length: bytes.length }
    const digest = engine.hashNow(file, range, blockBytes, 'xxh64')
    const expected = Buffer.alloc(8)
    expected.writeBigUInt64BE(engine.xxh64(bytes))
    expect(Buffer.from(digest).equals(expected)).toBe(true)
    storage.closeFile(file)
    await poll('no file is open', () => engine.counters().openFiles === 0)
    // DATA is served on.
    await storage.checkName(store.dir, name, true)
  })

  it('leave directories that hold something', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    mkdirSync(join(store.data, 'a/b/c'), { recursive: true })
    writeFileSync(join(store.data, 'a/b/c/one'), '')
    writeFileSync(join(store.data, 'a/other'), '')
    mkdirSync(join(store.data, 'a/empty'))
    await storage.remove(store.dir, Buffer.from('a/b/c/one'))
    expect(readdirSync(join(store.data, 'a')).sort()).toEqual(['empty', 'other'])
    await storage.remove(store.dir, Buffer.from('a/other'))
    expect(readdirSync(join(store.data, 'a'))).toEqual(['empty'])
  })

  it('can be published beside others that are removed, in one directory', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    for (let round = 0; round < 20; round += 1) {
      mkdirSync(join(store.data, 'a/b'), { recursive: true })
      writeFileSync(join(store.data, 'a/b/old'), '')
      const file = await store.create(`p${round}`, Buffer.from('new'))
      await Promise.all([
        store.publish(file, `p${round}`, { name: Buffer.from('a/b/new') }),
        storage.remove(store.dir, Buffer.from('a/b/old')),
      ])
      storage.closeFile(file)
      expect(readdirSync(join(store.data, 'a/b'))).toEqual(['new'])
      await storage.remove(store.dir, Buffer.from('a/b/new'))
      expect(existsSync(join(store.data, 'a'))).toBe(false)
    }
  })

  it('and sources have an identity, which changes with them', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const path = join(store.data, 'file')
    writeFileSync(path, 'twelve bytes')
    execFileSync('touch', ['-d', '@1500000000.123456789', path])
    const { file: source } = await storage.openSource(path)
    const held = await storage.openHeld(store.dir, Buffer.from('file'))
    const partial = await store.create('p', Buffer.from('bytes'))
    const [found, other] = [statSync(path, { bigint: true }), await storage.identityOf(partial)]
    const identity = await storage.identityOf(held)
    expect(identity).toEqual({
      size: 12,
      mtime: { seconds: 1_500_000_000, nanos: 123_456_789 },
      ctime: {
        seconds: Number(found.ctimeNs / 1_000_000_000n),
        nanos: Number(found.ctimeNs % 1_000_000_000n),
      },
      inode: String(found.ino),
    })
    expect(await storage.identityOf(source)).toEqual(identity)
    expect(other.inode).not.toBe(identity.inode)
    appendFileSync(path, '!')
    expect(await storage.identityOf(held)).toMatchObject({ size: 13, inode: identity.inode })
    for (const file of [source, held, partial]) storage.closeFile(file)
    await expect(storage.identityOf(held)).rejects.toThrow(TypeError)
  })
})
