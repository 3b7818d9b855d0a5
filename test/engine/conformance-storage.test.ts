/** Files as both engines keep them: sources, data directories, partials, publication. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Storage } from '../../src/ports.js'
import { engines } from './engines.js'
import { failsWith, storeOf } from './store.js'
import { fileBytes, MIB, poll, untilUnlocked, useWorld } from './world.js'

const isRoot = process.getuid?.() === 0

describe.each(engines)('$kind engine: sources', (under) => {
  const world = useWorld(under)

  it('opens a file and says what it is', async () => {
    const { storage } = (await world.party()).engine
    const path = join(world.root, 'source')
    writeFileSync(path, 'twelve bytes')
    chmodSync(path, 0o750)
    execFileSync('touch', ['-d', '@1500000000.123456789', path])
    const source = await storage.openSource(path)
    expect(source).toMatchObject({
      size: 12,
      mtime: { seconds: 1_500_000_000, nanos: 123_456_789 },
    })
    expect(source.mode & 0o777).toBe(0o750)
    await storage.checkSource(source.file)
    symlinkSync(path, join(world.root, 'link'))
    expect((await storage.openSource(join(world.root, 'link'))).size).toBe(12)
  })

  it('refuses what is no readable regular file', async () => {
    const { engine } = await world.party()
    const { storage } = engine
    const fifo = join(world.root, 'fifo')
    execFileSync('mkfifo', [fifo])
    const directory = storage.openSource(world.root)
    await expect(directory).rejects.toEqual(failsWith('ERR_FR_IS_DIRECTORY'))
    // Files of /proc say that they are empty, files of /sys that they are a page.
    const odd = ['/proc/self/stat', '/proc/self/mem', '/proc/kmsg', '/sys/kernel/profiling']
    const paths = [join(world.root, 'missing'), fifo, '/dev/null', '/dev/zero', ...odd]
    if (!isRoot) {
      writeFileSync(join(world.root, 'unreadable'), 'x', { mode: 0 })
      paths.push(join(world.root, 'unreadable'))
    }
    for (const path of paths) {
      await expect(storage.openSource(path), path).rejects.toEqual(failsWith('ERR_FR_SOURCE'))
    }
    await poll('nothing stays open', () => engine.counters().openFiles === 0)
  })

  it('says what it is that it refuses', async () => {
    const { storage } = (await world.party()).engine
    const fifo = join(world.root, 'fifo')
    execFileSync('mkfifo', [fifo])
    const texts: [string, RegExp][] = [
      [fifo, /fifo is a FIFO/],
      ['/dev/null', /null is a character device/],
      ['/proc/self/mem', /mem says it has 0 bytes and holds more or less/],
      [join(world.root, 'missing'), /: open \/.*\/missing: no such file or directory \(ENOENT\)$/],
    ]
    for (const [path, text] of texts)
      await expect(storage.openSource(path)).rejects.toMatchObject({
        code: 'ERR_FR_SOURCE',
        message: expect.stringMatching(text),
        path,
      })
  })

  it.each<[string, (path: string) => void]>([
    ['growing', (path) => appendFileSync(path, 'x')],
    ['shrinking', (path) => truncateSync(path, 3)],
  ])('%s is a change', async (_what, change) => {
    const { storage } = (await world.party()).engine
    const path = join(world.root, 'source')
    writeFileSync(path, 'twelve bytes')
    const { file } = await storage.openSource(path)
    change(path)
    await expect(storage.checkSource(file)).rejects.toEqual(failsWith('ERR_FR_SOURCE_CHANGED'))
  })

  it.runIf(under.kind === 'native')('knows whether somebody can write it', async () => {
    const { storage } = (await world.party()).engine
    const path = join(world.root, 'source')
    writeFileSync(path, 'twelve bytes')
    const writersOf = async (file: number) => (await storage.checkSource(file)).writers
    const alone = await storage.openSource(path)
    expect(await writersOf(alone.file)).toBe('none')
    const writer = openSync(path, 'r+')
    expect(await writersOf(alone.file)).toBe('some')
    const beside = await storage.openSource(path)
    closeSync(writer)
    // What was written before it was closed may have come between two looks.
    expect(await writersOf(beside.file)).toBe('some')
    expect(await writersOf(alone.file)).toBe('none')
  })

  const touches: Record<string, (path: string) => void> = {
    'rewriting with the old times': (path) => {
      const { atime, mtime } = statSync(path)
      writeFileSync(path, 'TWELVE BYTES')
      utimesSync(path, atime, mtime)
    },
    touching: (path) => utimesSync(path, 1, 1),
    deleting: (path) => unlinkSync(path),
    replacing: (path) => {
      writeFileSync(`${path}.new`, 'twelve bytes')
      renameSync(`${path}.new`, path)
    },
    linking: (path) => linkSync(path, `${path}.link`),
    'changing the mode': (path) => chmodSync(path, 0o600),
  }

  it.each(Object.entries(touches))(
    'notices %s, and leaves it to the content',
    async (what, change) => {
      const { storage } = (await world.party()).engine
      const path = join(world.root, 'source')
      writeFileSync(path, 'twelve bytes')
      const { file } = await storage.openSource(path)
      expect(await storage.checkSource(file)).toMatchObject({ isTouched: false, isRemoved: false })
      // ctime moves with the kernel's clock tick: a change within the tick of opening is invisible.
      await new Promise((resolve) => setTimeout(resolve, 20))
      change(path)
      const isRemoved = what === 'deleting' || what === 'replacing'
      expect(await storage.checkSource(file)).toMatchObject({ isTouched: true, isRemoved })
    },
  )
})

describe.each(engines)('$kind engine: data directories', (under) => {
  const world = useWorld(under)

  it('refuses what is no directory to write to', async () => {
    const { storage } = (await world.party()).engine
    const file = join(world.root, 'file')
    writeFileSync(file, '')
    const taken = join(world.root, 'taken')
    mkdirSync(taken)
    writeFileSync(join(taken, '.fastreplica'), '')
    const led = join(world.root, 'led')
    mkdirSync(led)
    symlinkSync(world.root, join(led, '.fastreplica'))
    const paths = [join(world.root, 'missing', 'deeper'), file, taken, led]
    if (!isRoot) {
      mkdirSync(join(world.root, 'closed'), { mode: 0o500 })
      paths.push(join(world.root, 'closed'))
    }
    for (const path of paths) {
      await expect(storage.openDataDir(path), path).rejects.toEqual(failsWith('ERR_FR_DATA_DIR'))
    }
  })

  it('makes the directory itself when only that is missing', async () => {
    const { storage } = (await world.party()).engine
    const data = join(world.root, 'missing')
    const dir = await storage.openDataDir(data)
    await storage.checkName(dir, Buffer.from('x'), true)
    expect(statSync(data).isDirectory()).toBe(true)
  })

  it('is served by one at a time, in this engine and in another', async () => {
    const [one, two] = [(await world.party()).engine, (await world.party()).engine]
    const data = join(world.root, 'data')
    mkdirSync(data)
    const locked = failsWith('ERR_FR_DATA_DIR_LOCKED')
    const dir = await one.storage.openDataDir(data)
    await expect(one.storage.openDataDir(data)).rejects.toEqual(locked)
    await expect(two.storage.openDataDir(data)).rejects.toEqual(locked)
    symlinkSync(data, join(world.root, 'alias'))
    await expect(two.storage.openDataDir(join(world.root, 'alias'))).rejects.toEqual(locked)
    one.storage.closeDataDir(dir)
    // Unlocking is fire and forget: the other engine may come a moment too early.
    await untilUnlocked(() => two.storage.openDataDir(data))
    await expect(one.storage.openDataDir(data)).rejects.toEqual(locked)
    await two.shutdown()
    await one.storage.openDataDir(data)
  })

  it('of several that open it at once one gets it', async () => {
    const parties = await Promise.all(Array.from({ length: 8 }, () => world.party()))
    const data = join(world.root, 'data')
    mkdirSync(data)
    const outcomes = await Promise.allSettled(
      parties.map(({ engine }) => engine.storage.openDataDir(data)),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toEqual(failsWith('ERR_FR_DATA_DIR_LOCKED'))
      }
    }
  })

  it('tells the free space', async () => {
    const { party, dir } = await storeOf(world)
    const free = await party.engine.storage.freeBytes(dir)
    expect(Number.isSafeInteger(free)).toBe(true)
    expect(free).toBeGreaterThan(MIB)
  })
})

describe.each(engines)('$kind engine: partials and publication', (under) => {
  const world = useWorld(under)

  it('hides partials, private and sparse', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    await storage.createPartial(store.dir, 'one', 1024 * MIB)
    await storage.createPartial(store.dir, 'none', 0)
    const hidden = join(store.data, '.fastreplica')
    const stats = statSync(join(hidden, 'partials', 'one'))
    expect(stats.size).toBe(1024 * MIB)
    expect(stats.blocks * 512).toBeLessThan(MIB)
    expect(stats.mode & 0o7777).toBe(0o600)
    expect(statSync(hidden).mode & 0o077).toBe(0)
    expect(readdirSync(store.data)).toEqual(['.fastreplica'])
    await expect(storage.createPartial(store.dir, 'one', 1)).rejects.toEqual(
      failsWith('ERR_FR_EXISTS'),
    )
  })

  it('takes only plain ids', async () => {
    const { party, dir } = await storeOf(world)
    const { storage } = party.engine
    const ids = ['', '.', '..', '.x', 'a/b', '../x', 'a\0', 'ä', 'a b', 'x'.repeat(129)]
    for (const id of ids) {
      await expect(storage.createPartial(dir, id, 1), id).rejects.toThrow(TypeError)
      await expect(storage.discard(dir, id), id).rejects.toThrow(TypeError)
    }
    await storage.createPartial(dir, `${'x'.repeat(126)}.0`, 1)
  })

  it('publishes with mode and time, without dangerous bits', async () => {
    const store = await storeOf(world)
    const bytes = fileBytes(3 * MIB + 1)
    const file = await store.create('p', bytes)
    const mtime = { seconds: 1_234_567_890, nanos: 987_654_321 }
    await store.publish(file, 'p', { name: Buffer.from('done'), mode: 0o107755, mtime })
    const path = join(store.data, 'done')
    expect(readFileSync(path).equals(bytes)).toBe(true)
    const { mode, mtimeNs } = statSync(path, { bigint: true })
    expect(Number(mode) & 0o7777).toBe(0o755)
    const error = Number(mtimeNs - (1_234_567_890n * 1_000_000_000n + 987_654_321n))
    expect(Math.abs(error)).toBeLessThanOrEqual(under.keepsNanos ? 0 : 2_000)
    expect(lstatSync(path).nlink).toBe(1)
    expect(readdirSync(join(store.data, '.fastreplica', 'partials'))).toEqual([])
    // Published files are replaced, not written to: a reader of the old one keeps it.
    const again = await store.create('q', Buffer.from('second'))
    linkSync(path, join(store.data, 'kept'))
    await store.publish(again, 'q', { name: Buffer.from('done') })
    expect(readFileSync(path, 'utf8')).toBe('second')
    expect(readFileSync(join(store.data, 'kept')).equals(bytes)).toBe(true)
  })

  it('keeps times before 1970 and far away', async () => {
    const store = await storeOf(world)
    for (const [id, seconds] of [
      ['old', -1_000_000],
      ['late', 4_000_000_000],
    ] as const) {
      const file = await store.create(id, Buffer.from(id))
      const mtime = { seconds, nanos: 500_000_000 }
      await store.publish(file, id, { name: Buffer.from(id), mtime })
      const { mtimeNs } = statSync(join(store.data, id), { bigint: true })
      const error = Number(mtimeNs - (BigInt(seconds) * 1_000_000_000n + 500_000_000n))
      expect(Math.abs(error), id).toBeLessThanOrEqual(under.keepsNanos ? 0 : 2_000)
      const source = await store.party.engine.storage.openSource(join(store.data, id))
      expect(source.mtime.seconds).toBe(seconds)
    }
  })

  it('publishes only the partial of that id', async () => {
    const store = await storeOf(world)
    const [one] = [
      await store.create('one', Buffer.from('1')),
      await store.create('two', Buffer.from('2')),
    ]
    await expect(store.publish(one, 'two', {})).rejects.toThrow()
    expect(existsSync(join(store.data, 'name'))).toBe(false)
  })

  it('discards a partial, there or not', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    await store.create('p', Buffer.from('x'))
    await storage.discard(store.dir, 'p')
    await storage.discard(store.dir, 'p')
    expect(readdirSync(join(store.data, '.fastreplica', 'partials'))).toEqual([])
    await store.create('p', Buffer.from('y'))
  })

  it('expires what nobody has touched for long, except what is in use', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const partials = join(store.data, '.fastreplica', 'partials')
    const closed = await store.create('left', Buffer.from('x'))
    await store.create('in-use', Buffer.from('x'))
    storage.closeFile(closed)
    // The time of a partial may be the source's already; what counts is when it was last changed.
    for (const id of ['left', 'in-use']) utimesSync(join(partials, id), 1, 1)
    expect(await storage.expirePartials(store.dir, 3600)).toBe(0)
    expect(readdirSync(partials).sort()).toEqual(['in-use', 'left'])
    await new Promise((resolve) => setTimeout(resolve, 20))
    await poll('the file is closed', () => store.party.engine.counters().openFiles === 1)
    expect(await storage.expirePartials(store.dir, 0)).toBe(1)
    expect(readdirSync(partials)).toEqual(['in-use'])
  })

  it('copies ranges of any size from file to file', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const bytes = fileBytes(3 * MIB)
    const from = await store.create('from', bytes)
    const to = await store.create('to', Buffer.alloc(3 * MIB))
    await storage.copyIn(from, to, { offset: 5, length: 2 * MIB + 7 })
    const expected = Buffer.alloc(3 * MIB)
    bytes.copy(expected, 5, 5, 2 * MIB + 12)
    expect(readFileSync(join(store.data, '.fastreplica/partials/to')).equals(expected)).toBe(true)
    await expect(storage.copyIn(from, to, { offset: -1, length: 1 })).rejects.toThrow(TypeError)
  })
})

describe.runIf(engines.length === 2)('a data directory between two engines', () => {
  const worlds = engines.map((under) => useWorld(under))

  const storages = async () => {
    const parties = await Promise.all(worlds.map((world) => world.party()))
    return parties.map(({ engine }) => engine.storage) as [Storage, Storage]
  }

  const newData = () => {
    const data = join((worlds[0] as (typeof worlds)[0]).root, 'data')
    mkdirSync(data)
    return data
  }

  it.each(['portable', 'native'])('is served by the %s one alone', async (kind) => {
    const [one, two] = await storages()
    const [held, refused] = kind === engines[0]?.kind ? [one, two] : [two, one]
    const data = newData()
    const dir = await held.openDataDir(data)
    const locked = failsWith('ERR_FR_DATA_DIR_LOCKED')
    await expect(refused.openDataDir(data)).rejects.toEqual(locked)
    // A refusal leaves no lock behind.
    held.closeDataDir(dir)
    held.closeDataDir(await untilUnlocked(() => held.openDataDir(data)))
    await untilUnlocked(() => refused.openDataDir(data))
    await expect(held.openDataDir(data)).rejects.toEqual(locked)
  })

  it('is never served by both, if they open it at once', async () => {
    const both = await storages()
    const data = newData()
    for (let round = 0; round < 20; round++) {
      const opened = await Promise.allSettled(both.map((each) => each.openDataDir(data)))
      const dirs = opened.map((each) => (each.status === 'fulfilled' ? each.value : null))
      expect(dirs.filter((dir) => dir !== null).length).toBeLessThanOrEqual(1)
      for (const [i, dir] of dirs.entries()) if (dir !== null) both[i]?.closeDataDir(dir)
      for (const each of both) each.closeDataDir(await untilUnlocked(() => each.openDataDir(data)))
    }
  })
})
