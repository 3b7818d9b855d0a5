/**
 * What others do to a data directory while it is open, as both engines see it: the path that the
 * user named is the truth, not what was opened once.
 */
import { execFileSync, spawnSync } from 'node:child_process'
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
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { failsWith, storeOf } from './store.js'
import { fileBytes, MIB, useWorld } from './world.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
const closers: (() => void)[] = []
function undo(): void {
  for (const close of closers.splice(0).reverse()) close()
}

function mount(directory: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory])
  closers.push(() => void spawnSync('umount', ['-l', directory]))
}

describe.each(engines)('$kind engine: a data directory at its path', (under) => {
  const world = useWorld(under)
  // Before the world is removed.
  afterEach(undo)
  const gone = failsWith('ERR_FR_DATA_DIR_GONE')

  it('is not published into once it was moved, nor taken for the one made anew', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const moved = `${store.data}-moved`
    expect(await storage.refreshDataDir(store.dir)).toBe(false)
    const file = await store.create('p', Buffer.from('x'))
    renameSync(store.data, moved)
    await expect(storage.refreshDataDir(store.dir)).rejects.toEqual(gone)
    await expect(store.publish(file, 'p', {})).rejects.toThrow()
    // It comes back: nothing was lost.
    renameSync(moved, store.data)
    expect(await storage.refreshDataDir(store.dir)).toBe(false)
    renameSync(store.data, moved)
    mkdirSync(store.data)
    await expect(store.publish(file, 'p', {})).rejects.toThrow()
    expect(await storage.refreshDataDir(store.dir)).toBe(true)
    expect(await storage.refreshDataDir(store.dir)).toBe(false)
    const again = await store.create('q', Buffer.from('y'))
    await store.publish(again, 'q', {})
    expect(readFileSync(join(store.data, 'name'), 'utf8')).toBe('y')
    expect(existsSync(join(moved, 'name'))).toBe(false)
    const other = (await world.party()).engine.storage
    const locked = failsWith('ERR_FR_DATA_DIR_LOCKED')
    await expect(other.openDataDir(store.data)).rejects.toEqual(locked)
  })

  it.each(['.fastreplica', '.fastreplica/partials'])('makes %s again', async (removed) => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    rmSync(join(store.data, removed), { recursive: true })
    expect(await storage.refreshDataDir(store.dir)).toBe(true)
    expect(await storage.refreshDataDir(store.dir)).toBe(false)
    const file = await store.create('p', Buffer.from('x'))
    await store.publish(file, 'p', {})
    expect(readFileSync(join(store.data, 'name'), 'utf8')).toBe('x')
  })

  it('is locked anew when its locks were removed', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const hidden = join(store.data, '.fastreplica')
    for (const name of readdirSync(hidden)) {
      if (name.startsWith('lock')) rmSync(join(hidden, name))
    }
    expect(await storage.refreshDataDir(store.dir)).toBe(true)
    const other = (await world.party()).engine.storage
    const locked = failsWith('ERR_FR_DATA_DIR_LOCKED')
    await expect(other.openDataDir(store.data)).rejects.toEqual(locked)
  })

  it('is not a file, nor the directory of another node', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    renameSync(store.data, `${store.data}-moved`)
    writeFileSync(store.data, '')
    await expect(storage.refreshDataDir(store.dir)).rejects.toEqual(gone)
    rmSync(store.data)
    const theirs = await storeOf(world)
    symlinkSync(theirs.data, store.data)
    const locked = failsWith('ERR_FR_DATA_DIR_LOCKED')
    await expect(storage.refreshDataDir(store.dir)).rejects.toEqual(locked)
  })

  it.runIf(isRoot)('is not the directory below a disk that was unmounted', async () => {
    const { storage } = (await world.party()).engine
    const data = join(world.root, 'disk')
    mkdirSync(data)
    mount(data, 'size=4m')
    const dir = await storage.openDataDir(data)
    execFileSync('umount', ['-l', data])
    await expect(storage.refreshDataDir(dir)).rejects.toEqual(gone)
    expect(readdirSync(data)).toEqual([])
    mount(data, 'size=4m')
    expect(await storage.refreshDataDir(dir)).toBe(true)
    mount(data, 'size=4m,ro')
    await expect(storage.refreshDataDir(dir)).rejects.toMatchObject({
      code: 'ERR_FR_DATA_DIR',
      message: expect.stringMatching(/read-only file system \(EROFS\)/),
    })
  })

  it('takes no partial whose size somebody changed', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const file = await store.create('p', fileBytes(MIB))
    const partial = join(store.data, '.fastreplica/partials/p')
    const whole = await storage.flush(file)
    expect(whole).toMatchObject({ size: MIB, wasTouched: false })
    expect(whole.allocatedBytes).toBeGreaterThanOrEqual(MIB)
    truncateSync(partial, 10)
    await expect(store.publish(file, 'p', {})).rejects.toMatchObject({
      code: 'ERR_FR_IO',
      path: expect.any(String),
    })
    // Cut and as long as before: holes are where data was.
    truncateSync(partial, MIB)
    expect((await storage.flush(file)).allocatedBytes).toBeLessThan(MIB)
    expect(existsSync(join(store.data, 'name'))).toBe(false)
  })
})

describe.each(engines)('$kind engine: what can be known before the bytes', (under) => {
  const world = useWorld(under)
  // Before the world is removed.
  afterEach(undo)

  const refused = async (prepare: (data: string) => string, why: RegExp) => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const name = Buffer.from(prepare(store.data))
    const file = await store.create('p', Buffer.from('new'))
    const refusal = { code: 'ERR_FR_NAME', message: expect.stringMatching(why) }
    await expect(storage.checkName(store.dir, name, false)).rejects.toMatchObject(refusal)
    await expect(store.publish(file, 'p', { name })).rejects.toMatchObject({ code: 'ERR_FR_NAME' })
  }

  const chattr = (flag: string, path: string): void => {
    execFileSync('chattr', [`+${flag}`, path])
    closers.push(() => execFileSync('chattr', [`-${flag}`, path]))
  }

  it('a component that is too long, also below a directory that is missing', async () => {
    const long = 'x'.repeat(256)
    await refused(() => `new/${long}`, /a component is longer than 255 bytes/)
    await refused(() => '', /it is empty/)
    await refused(() => 'a//b', /an empty component/)
    await refused(() => '/a', /it is absolute/)
    await refused((data) => {
      symlinkSync('.', join(data, 'link'))
      return 'link/x'
    }, /a symlink is in its way|what should be a directory is none/)
  })

  it.runIf(isRoot)('a file that is immutable', async () => {
    await refused((data) => {
      writeFileSync(join(data, 'kept'), 'old')
      chattr('i', join(data, 'kept'))
      return 'kept'
    }, /the file there is marked as unchangeable \(operation not permitted \(EPERM\)\)/)
  })

  it.runIf(isRoot)('a directory in which nothing can be made', async () => {
    await refused((data) => {
      mkdirSync(join(data, 'closed'))
      chattr('i', join(data, 'closed'))
      return 'closed/new/x'
    }, /the directory for it cannot be written to/)
  })

  it('probing a partial leaves it as it was', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const file = await store.create('p', Buffer.from('new'))
    const partial = join(store.data, '.fastreplica/partials/p')
    chmodSync(partial, 0o600)
    for (const noClobber of [false, true]) {
      const lost = await storage.probe(store.dir, {
        file,
        id: 'p',
        name: Buffer.from('x'),
        mode: 0o755,
        mtime: { seconds: 1, nanos: 0 },
        noClobber,
      })
      expect(lost).toEqual([])
    }
    expect(statSync(partial).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(store.data, '.fastreplica/partials'))).toEqual(['p'])
    expect(await store.publish(file, 'p', {})).toEqual([])
  })

  it('lists what nobody holds open', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const bytes = fileBytes(MIB)
    const file = await store.create('p', bytes)
    const left = join(store.data, '.fastreplica/partials/left')
    writeFileSync(left, fileBytes(2 * MIB), { flush: true })
    await storage.flush(file)
    const listed = await storage.listPartials(store.dir)
    expect(listed).toEqual([{ id: 'left', allocatedBytes: expect.any(Number) }])
    expect(listed[0]?.allocatedBytes).toBeGreaterThanOrEqual(2 * MIB)
    await storage.trim(file)
    expect(readFileSync(join(store.data, '.fastreplica/partials/p')).equals(bytes)).toBe(true)
  })
})
