/** Which names both engines take and refuse, when asked and when publishing. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { failsWith, type Store, storeOf } from './store.js'
import { useWorld } from './world.js'

describe.each(engines)('$kind engine: names', (under) => {
  const world = useWorld(under)
  const long = 'x'.repeat(255)

  const refused: Record<string, string | Buffer> = {
    empty: '',
    absolute: '/etc/passwd',
    'a dot': '.',
    'two dots': '..',
    'leading up': '../x',
    'leading up from within': 'a/../../x',
    'with a dot inside': 'a/./x',
    'with an empty component': 'a//x',
    'ending in a slash': 'a/',
    'with NUL': 'a\0b',
    'with a component of 256 bytes': `${long}x`,
    'with a directory of 256 bytes': `${long}x/a`,
    'of over 4096 bytes': Array.from({ length: 17 }, () => long).join('/'),
    'the hidden directory': '.fastreplica',
    'in the hidden directory': '.fastreplica/partials/x',
    'through a symlink that leads out': 'out/x',
    'through a symlink that stays inside': 'in/x',
    'through a dangling symlink': 'dangling/x',
    'that is a symlink': 'link',
    'through a file': 'file/x',
  }

  function prepare({ data }: Store): void {
    mkdirSync(join(data, 'sub'))
    writeFileSync(join(data, 'file'), 'old')
    symlinkSync(world.root, join(data, 'out'))
    symlinkSync('sub', join(data, 'in'))
    symlinkSync('nowhere', join(data, 'dangling'))
    symlinkSync(join(world.root, 'victim'), join(data, 'link'))
  }

  it.each(Object.entries(refused))(
    'refuses a name %s, to check and to publish',
    async (_what, name) => {
      const store = await storeOf(world)
      prepare(store)
      const { storage } = store.party.engine
      const bytes = Buffer.from(name)
      const file = await store.create('p', Buffer.from('new'))
      for (const noClobber of [false, true]) {
        // What cannot be replaced exists all the same.
        const isThere = noClobber && name === 'link'
        const refusal = failsWith(isThere ? 'ERR_FR_EXISTS' : 'ERR_FR_NAME')
        await expect(storage.checkName(store.dir, bytes, noClobber)).rejects.toEqual(refusal)
        await expect(store.publish(file, 'p', { name: bytes, noClobber })).rejects.toEqual(refusal)
      }
      expect(readdirSync(world.root)).not.toContain('x')
      expect(readdirSync(world.root)).not.toContain('victim')
      expect(readFileSync(join(store.data, 'file'), 'utf8')).toBe('old')
    },
  )

  it('refuses directories in the way, and existing files only where asked to', async () => {
    const store = await storeOf(world)
    prepare(store)
    const { storage } = store.party.engine
    const file = await store.create('p', Buffer.from('new'))
    for (const noClobber of [false, true]) {
      const isDirectory = {
        code: 'ERR_FR_IS_DIRECTORY',
        message: expect.stringContaining(join(store.data, 'sub')),
      }
      await expect(
        storage.checkName(store.dir, Buffer.from('sub'), noClobber),
      ).rejects.toMatchObject(isDirectory)
      await expect(
        store.publish(file, 'p', { name: Buffer.from('sub'), noClobber }),
      ).rejects.toMatchObject(isDirectory)
    }
    const name = Buffer.from('file')
    const exists = failsWith('ERR_FR_EXISTS')
    await expect(storage.checkName(store.dir, name, true)).rejects.toEqual(exists)
    await expect(store.publish(file, 'p', { name, noClobber: true })).rejects.toEqual(exists)
    expect(readFileSync(join(store.data, 'file'), 'utf8')).toBe('old')
    await storage.checkName(store.dir, name, false)
    await store.publish(file, 'p', { name })
    expect(readFileSync(join(store.data, 'file'), 'utf8')).toBe('new')
  })

  it.each([
    ['with spaces and newline', Buffer.from('a b\nc\td')],
    ['not in UTF-8', Buffer.from([0xff, 0xfe, 0x80])],
    ['of 255 bytes', Buffer.from(long)],
    ['with leading dots', Buffer.from('...a')],
    ['like the hidden one', Buffer.from('.fastreplica2')],
    ['below a directory', Buffer.from('sub/x')],
    ['below directories that are missing', Buffer.from('new/newer/x')],
  ])('takes a name %s', async (_what, name) => {
    const store = await storeOf(world)
    prepare(store)
    for (const noClobber of [true, false]) {
      await store.party.engine.storage.checkName(store.dir, name, noClobber)
      const file = await store.create(`p-${noClobber}`, Buffer.from(`new ${noClobber}`))
      await store.publish(file, `p-${noClobber}`, { name, noClobber })
      const path = Buffer.concat([Buffer.from(`${store.data}/`), name])
      expect(readFileSync(path, 'utf8')).toBe(`new ${noClobber}`)
    }
  })
})
