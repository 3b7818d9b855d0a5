/**
 * Many entries of a data directory at once, in both engines: put in their places, looked at and
 * listed. Nothing outside the directory is reached, nothing half is seen, and a step that fails
 * keeps no other from its place.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bytesOfSteps, looksOf } from '../../src/engine/native/entries.js'
import type { EntryAttributes, EntryStep } from '../../src/ports.js'
import { engines } from './engines.js'
import { failsWith, type Store, storeOf } from './store.js'
import { fileBytes, useWorld } from './world.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
const attributes: EntryAttributes = {
  mode: 0o640,
  mtime: { seconds: 1_600_000_000, nanos: 500_000_000 },
}
const replacesDirectories = false
const bytesOf = (text: string) => Buffer.from(text, 'latin1')
const closers: (() => void)[] = []

function mount(directory: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory])
  closers.push(() => void spawnSync('umount', ['-l', directory]))
}

describe.each(engines)('$kind engine: entries', (under) => {
  const world = useWorld(under)
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close()
  })

  interface Bundle {
    readonly store: Store
    place(...steps: readonly EntryStep[]): Promise<(string | null)[]>
    file(name: string, offset: number, size: number): EntryStep
    path(name: string): string
    look(name: string): ReturnType<Store['party']['engine']['storage']['lookAt']>
  }

  const bytes = fileBytes(200_000)

  async function bundle(content = bytes): Promise<Bundle> {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    const file = await store.create('bundle', content)
    return {
      store,
      place: async (...steps) => {
        const outcomes = await storage.placeEntries(store.dir, steps)
        expect(outcomes).toHaveLength(steps.length)
        return outcomes.map(({ failure }) => failure?.code ?? null)
      },
      file: (name, offset, size) => ({
        ...{ name: bytesOf(name), kind: 'file', file, offset, size },
        ...{ isSparse: false, attributes, replacesDirectories },
      }),
      path: (name) => join(store.data, name),
      look: (name) => storage.lookAt(store.dir, [bytesOf(name)]),
    }
  }

  const directory = (name: string, mode = 0o755): EntryStep => ({
    ...{ name: bytesOf(name), kind: 'directory', mode },
  })
  const link = (name: string, target: string): EntryStep => ({
    ...{ name: bytesOf(name), kind: 'symlink', target: bytesOf(target), attributes },
    replacesDirectories,
  })
  const hard = (name: string, to: string): EntryStep => ({
    ...{ name: bytesOf(name), kind: 'hardlink', to: bytesOf(to), replacesDirectories },
  })
  const remove = (name: string): EntryStep => ({ name: bytesOf(name), kind: 'remove' })
  const setting = (name: string, mode: number): EntryStep => ({
    ...{ name: bytesOf(name), kind: 'attributes', attributes: { ...attributes, mode } },
  })
  const forced = (step: EntryStep): EntryStep =>
    ({ ...step, replacesDirectories: true }) as EntryStep

  it('come many at once, and those that cannot are told', async () => {
    const { store, file, path } = await bundle()
    const { storage } = store.party.engine
    const steps = [
      ...[file('t/a', 7, 60_000), file('t/none', 0, 0), file('t/a/b', 0, 1)],
      file('u/c', 100_000, 100_000),
    ] as (EntryStep & { kind: 'file' })[]
    const rows = bytesOfSteps(steps, (handle) => handle)
    const [of] = steps
    const name = bytesOf('t')
    const many: EntryStep = { kind: 'files', name, file: of?.file ?? 0, count: 4, rows }
    const outcomes = await storage.placeEntries(store.dir, [directory('t', 0o750), many])
    const files = outcomes[1]?.files
    expect([outcomes.length, [...(files?.others.keys() ?? [])]]).toEqual([2, [2]])
    expect(files?.others.get(2)?.failure).not.toBeNull()
    expect(readFileSync(path('t/a')).equals(bytes.subarray(7, 60_007))).toBe(true)
    expect(readFileSync(path('u/c')).equals(bytes.subarray(100_000))).toBe(true)
    expect([statSync(path('t/none')).size, statSync(path('t')).mode & 0o777]).toEqual([0, 0o750])
    const found = statSync(path('t/a'))
    expect([found.mode & 0o777, found.mtimeMs]).toEqual([0o640, 1.6e12 + 500])
    const names = Buffer.concat(steps.flatMap((one) => [Buffer.of(one.name.length, 0), one.name]))
    const looks = await storage.lookAtPacked(store.dir, names)
    expect(Buffer.compare(files?.looks ?? Buffer.alloc(0), looks)).toBe(0)
  })

  it('of all kinds come with bytes and attributes, and are told as they are', async () => {
    const { store, place, file, path, look } = await bundle()
    const { storage } = store.party.engine
    const steps = [
      ...[directory('t'), directory('t/empty', 0o555), file('t/a', 7, 60_000)],
      ...[file('t/none', 0, 0), link('t/l', '../../etc/passwd'), hard('t/h', 't/a')],
      ...[file('deep/er/b', 100_000, 100_000), file('t/\xff\n', 1, 2), setting('t', 0o750)],
    ]
    expect(await place(...steps)).toEqual(steps.map(() => null))
    expect(readFileSync(path('t/a')).equals(bytes.subarray(7, 60_007))).toBe(true)
    expect(readFileSync(path('t/none'))).toHaveLength(0)
    expect(readFileSync(path('deep/er/b')).equals(bytes.subarray(100_000))).toBe(true)
    expect(readlinkSync(path('t/l'))).toBe('../../etc/passwd')
    const found = statSync(path('t/a'))
    const within = statSync(path('t'))
    expect([found.mode & 0o777, within.mode & 0o777, found.nlink]).toEqual([0o640, 0o750, 2])
    for (const { mtimeMs } of [found, within, lstatSync(path('t/l'))])
      expect(mtimeMs).toBe(1.6e12 + 500)
    expect(statSync(path('t/empty')).mode & 0o700).toBe(0o700)
    const names = ['t', 't/a', 't/l', 't/gone', 't/l/passwd', '../x', 't/a/below'].map(bytesOf)
    const looks = await storage.lookAt(store.dir, names)
    expect(looks.map((look) => look?.kind ?? null)).toEqual([
      ...['directory', 'file', 'symlink', null, null, null, null],
    ])
    const packed = Buffer.concat(names.flatMap((name) => [Buffer.of(name.length, 0), name]))
    expect(looksOf(await storage.lookAtPacked(store.dir, packed))).toEqual(looks)
    expect(looks[1]).toMatchObject({
      ...{ mode: 0o640, links: 2, isMount: false, uid: found.uid, gid: found.gid },
      identity: { size: 60_000, inode: String(found.ino), mtime: attributes.mtime },
    })
    const listed = await storage.listEntries(store.dir, bytesOf('t'))
    const read = listed.map(({ name, look }) => [latin(name), look.kind])
    expect(read.sort()).toEqual([
      ...[
        ['a', 'file'],
        ['empty', 'directory'],
        ['h', 'file'],
        ['l', 'symlink'],
      ],
      ...[
        ['none', 'file'],
        ['\xff\n', 'file'],
      ],
    ])
    expect(readdirSync(path('.fastreplica/staging'))).toEqual([])
    const looked = listed.find(({ name }) => latin(name) === 'a')?.look
    expect(looked?.identity).toEqual(looks[1]?.identity)
    // A time that was read, set again, is the same time.
    for (const nanos of [0, 999_999_999, 123_456_789, 500_000_001]) {
      const at = (mtime: EntryAttributes['mtime']): EntryStep => ({
        kind: 'attributes',
        name: bytesOf('t/a'),
        attributes: { mode: 0o640, mtime },
      })
      const read = async () => (await look('t/a'))[0]?.identity.mtime
      await place(at({ seconds: 1_764_000_001, nanos }))
      const once = await read()
      expect(Math.floor((once?.nanos ?? -1) / 1000)).toBe(Math.floor(nanos / 1000))
      await place(at(once ?? attributes.mtime))
      expect(await read()).toEqual(once)
    }
  })

  it('tell in their outcome what is there, as a look right after does', async () => {
    const { store, file } = await bundle()
    const { storage } = store.party.engine
    const [outcome] = await storage.placeEntries(store.dir, [file('a', 0, 10)])
    expect(outcome?.lost).toEqual([])
    expect([outcome?.look]).toEqual(await storage.lookAt(store.dir, [bytesOf('a')]))
  })

  it('replace what was there, other kinds too', async () => {
    const { place, file, path } = await bundle()
    mkdirSync(path('d'))
    mkdirSync(path('full'))
    writeFileSync(path('full/x'), 'kept')
    writeFileSync(path('f'), 'old')
    writeFileSync(path('g'), 'old')
    symlinkSync('nowhere', path('l'))
    symlinkSync('nowhere', path('m'))
    const steps = [
      ...[file('d', 0, 3), file('full', 0, 3), directory('f'), file('g', 0, 3)],
      ...[file('l', 0, 3), directory('m'), link('g2', 'x'), link('g2', 'y')],
    ]
    const codes = [null, 'ERR_FR_IS_DIRECTORY', null, null, null, null, null, null]
    expect(await place(...steps)).toEqual(codes)
    expect(readFileSync(path('full/x'), 'utf8')).toBe('kept')
    expect(readFileSync(path('g')).equals(bytes.subarray(0, 3))).toBe(true)
    expect([lstatSync(path('d')).isFile(), lstatSync(path('l')).isFile()]).toEqual([true, true])
    expect([lstatSync(path('f')).isDirectory(), lstatSync(path('m')).isDirectory()]).toEqual([
      ...[true, true],
    ])
    expect(readlinkSync(path('g2'))).toBe('y')
    mkdirSync(path('full/shut'), { mode: 0 })
    expect(await place(forced(file('full', 0, 3)), file('full/x', 0, 3))).toEqual([
      ...[null, 'ERR_FR_NAME'],
    ])
    expect(lstatSync(path('full')).isFile()).toBe(true)
    expect(readdirSync(path('.fastreplica/staging'))).toEqual([])
  })

  it('are refused one by one, and never lead out', async () => {
    const { store, place, file, path } = await bundle()
    const outside = join(world.root, world.name())
    mkdirSync(outside)
    symlinkSync(outside, path('way'))
    writeFileSync(path('plain'), '')
    const long = 'n'.repeat(256)
    const steps = [
      ...[file('way/a', 0, 1), directory('way/d'), link('way/l', 'x'), file('../a', 0, 1)],
      ...[file('plain/a', 0, 1), file(long, 0, 1), file('.fastreplica/partials/x', 0, 1)],
      ...[hard('h', 'gone'), hard('h', 'way'), hard('h', '../x'), remove('way/x'), remove('..')],
      ...[setting('gone', 0o600), file('short', 199_999, 2), file('ok', 0, 1)],
    ]
    const name = 'ERR_FR_NAME'
    expect(await place(...steps)).toEqual([
      ...[name, name, name, name, name, name, name],
      ...['ERR_FR_NOT_HELD', null, name, name, name],
      ...['ERR_FR_NOT_HELD', 'ERR_FR_IO', null],
    ])
    expect(readdirSync(outside)).toEqual([])
    expect(readdirSync(store.data).sort()).toEqual(['.fastreplica', 'h', 'ok', 'plain', 'way'])
    expect(readlinkSync(path('h'))).toBe(outside)
    expect(readdirSync(path('.fastreplica/staging'))).toEqual([])
    await expect(
      store.party.engine.storage.listEntries(store.dir, bytesOf('plain')),
    ).rejects.toEqual(failsWith('ERR_FR_NOT_HELD'))
  })

  it('are removed, directories when they are empty', async () => {
    const { place, path } = await bundle()
    mkdirSync(path('d/e'), { recursive: true })
    writeFileSync(path('d/f'), '')
    symlinkSync('d', path('l'))
    const steps = ['d', 'd/e', 'l', 'gone', 'gone/x', 'd/f', 'd'].map(remove)
    expect(await place(...steps)).toEqual(['ERR_FR_IS_DIRECTORY', ...Array(6).fill(null)])
    expect(existsSync(path('d'))).toBe(false)
  })

  it('keep hard links as they are when they come again', async () => {
    const { place, file, path } = await bundle()
    expect(await place(file('a', 0, 9), hard('b', 'a'))).toEqual([null, null])
    const before = statSync(path('b')).ino
    expect(await place(hard('b', 'a'), hard('a', 'b'))).toEqual([null, null])
    expect([statSync(path('a')).ino, statSync(path('b')).nlink]).toEqual([before, 2])
    linkSync(path('a'), path('c'))
    expect(await place(file('a', 1, 9))).toEqual([null])
    expect(readFileSync(path('c')).equals(bytes.subarray(0, 9))).toBe(true)
    expect(readdirSync(path('.fastreplica/staging'))).toEqual([])
  })

  it('have holes where a sparse file has zeros', async () => {
    const content = Buffer.alloc(2 * 1024 * 1024)
    content[5] = 1
    content[content.length - 1] = 2
    const { place, file, path } = await bundle(content)
    const step = { ...file('s', 0, content.length), isSparse: true } as EntryStep
    expect(await place(step)).toEqual([null])
    expect(readFileSync(path('s')).equals(content)).toBe(true)
    expect(statSync(path('s')).blocks * 512).toBeLessThan(256 * 1024)
  })

  it('take a verified partial as it is, once it is closed', async () => {
    const { store, place, path } = await bundle()
    const { storage } = store.party.engine
    storage.closeFile(await store.create('copy', Buffer.from('whole')))
    const step = (size: number): EntryStep => ({
      ...{ name: bytesOf('new'), kind: 'partial', id: 'copy', size, attributes },
      replacesDirectories,
    })
    expect(await place(step(4))).toEqual(['ERR_FR_IO'])
    expect(await place(step(5))).toEqual([null])
    expect(readFileSync(path('new'), 'utf8')).toBe('whole')
    expect(statSync(path('new')).mode & 0o777).toBe(0o640)
    expect(await place(step(5))).toEqual(['ERR_FR_IO'])
  })

  it('come many at once, and what an earlier process left aside goes', async () => {
    const store = await storeOf(world)
    const { storage } = store.party.engine
    mkdirSync(join(store.data, '.fastreplica/staging/old/er'), { recursive: true })
    writeFileSync(join(store.data, '.fastreplica/staging/1'), 'left')
    const file = await store.create('bundle', bytes)
    const steps: EntryStep[] = []
    for (let n = 0; n < 100; n++) {
      if (n % 5 === 0) steps.push(directory(`t/${n / 5}`))
      steps.push({
        ...{ name: bytesOf(`t/${Math.floor(n / 5)}/${n}`), kind: 'file', file, offset: n * 7 },
        ...{ size: n * 1600, isSparse: false, attributes, replacesDirectories },
      })
    }
    const outcomes = await storage.placeEntries(store.dir, steps)
    expect(outcomes.filter(({ failure }) => failure !== null)).toEqual([])
    for (let n = 0; n < 100; n += 13) {
      const found = readFileSync(join(store.data, `t/${Math.floor(n / 5)}/${n}`))
      expect(found.equals(bytes.subarray(n * 7, n * 1607))).toBe(true)
    }
    expect(readdirSync(join(store.data, '.fastreplica/staging'))).toEqual([])
  })

  it.runIf(isRoot)('leave mounts alone, and fit no more than the disk holds', async () => {
    const { store, place, file, path } = await bundle()
    const { storage } = store.party.engine
    mkdirSync(path('d/m'), { recursive: true })
    mount(path('d/m'), 'size=64k')
    writeFileSync(path('d/m/x'), 'theirs')
    const steps = [directory('d/m'), file('d/m/x', 0, 1), remove('d/m'), forced(file('d', 0, 1))]
    expect(await place(...steps)).toEqual(Array(4).fill('ERR_FR_NAME'))
    expect(readFileSync(path('d/m/x'), 'utf8')).toBe('theirs')
    const [listed] = await storage.listEntries(store.dir, bytesOf('d'))
    expect(listed?.look).toMatchObject({ kind: 'directory', isMount: true })
    await expect(storage.listEntries(store.dir, bytesOf('d/m'))).rejects.toEqual(
      failsWith('ERR_FR_NAME'),
    )
    const small = join(world.root, world.name())
    mkdirSync(small)
    mount(small, 'size=512k')
    const dir = await storage.openDataDir(small)
    const full = ['a', 'b', 'c', 'd'].map((name) => file(name, 0, 190_000))
    const outcomes = await storage.placeEntries(dir, [...full, directory('e')])
    const codes = outcomes.map(({ failure }) => failure?.code ?? null)
    // Two fit at most, and are there. Where they are written at once each may take another's room.
    expect(new Set(codes)).toEqual(new Set(['ERR_FR_NO_SPACE', null]))
    expect(codes.filter((code) => code !== null).length).toBeGreaterThanOrEqual(2)
    const there = ['a', 'b', 'c', 'd', 'e'].filter((_name, at) => codes[at] === null)
    expect(readdirSync(small).sort()).toEqual(['.fastreplica', ...there])
    storage.closeDataDir(dir)
  })

  it('are placed nowhere once the directory is not at its path', async () => {
    const { store, file } = await bundle()
    const { storage } = store.party.engine
    const moved = `${store.data}-moved`
    execFileSync('mv', [store.data, moved])
    await expect(storage.placeEntries(store.dir, [file('a', 0, 1)])).rejects.toEqual(
      failsWith('ERR_FR_DATA_DIR_GONE'),
    )
    expect(readdirSync(moved)).toEqual(['.fastreplica'])
    rmSync(moved, { recursive: true })
  })

  it.skipIf(isRoot)('open directories to their owner that were shut', async () => {
    const { place, file, path } = await bundle()
    mkdirSync(path('d'))
    chmodSync(path('d'), 0o500)
    expect(await place(directory('d'), file('d/a', 0, 1), setting('d', 0o500))).toEqual([
      ...[null, null, null],
    ])
    expect(statSync(path('d')).mode & 0o777).toBe(0o500)
    chmodSync(path('d'), 0o700)
  })
})

function latin(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}
