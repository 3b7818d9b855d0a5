/** What a node says of the files that it holds, and how it removes them. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { client, fetchStatus, type HeldFile, type ListOptions } from '../../src/api/index.js'
import { limits } from '../../src/base/limits.js'
import { hiddenDir } from '../../src/base/names.js'
import { checksum } from '../../src/store/files/durable.js'
import { Journal } from '../../src/store/journal/journal.js'
import { recordOf } from '../unit/store/records.js'
import { usualEngines } from './engines.js'
import { pathOf, plant, plantIndex, plantRecords, recordOfFile } from './held-support.js'
import { until, useWorld } from './push-support.js'

async function all(address: string, options: ListOptions = {}): Promise<HeldFile[]> {
  const files: HeldFile[] = []
  for await (const file of client.list(address, options)) files.push(file)
  return files
}

const states = (files: readonly HeldFile[]): Record<string, string> =>
  Object.fromEntries(files.map(({ name, state }) => [name, state]))

describe.each(usualEngines)('a %s node', (engine) => {
  const world = useWorld(engine)

  it('lists what it holds, by name', async () => {
    const dataDir = world.dataDir()
    const files = { 'b.bin': 'content', 'a/deep/er.bin': '', 'a.bin': 'x' }
    const [record] = await plant(dataDir, files)
    const node = await world.node({ dataDir })
    const found = await all(node.address)
    expect(found.map(({ name }) => name)).toEqual(['a.bin', 'a/deep/er.bin', 'b.bin'])
    expect(found[2]).toEqual({
      event: 'held',
      node: node.address,
      name: 'b.bin',
      nameBase64: null,
      kind: 'file',
      state: 'held',
      bytes: 7,
      heldBytes: 7,
      entries: null,
      digest: record?.fileDigest,
      version: expect.stringMatching(/^20231114T221320Z-[0-9a-f]{8}$/),
      ageSeconds: expect.any(Number),
      verifiedSecondsAgo: expect.any(Number),
      disk: null,
    })
    expect((await fetchStatus(node.address)).held).toEqual({ files: 3, bytes: 8, damaged: 0 })
    await until(() => node.status().counters['openFiles'] === 0, 'no file is open')
  })

  it('lists the names that match', async () => {
    const dataDir = world.dataDir()
    await plant(dataDir, { 'a.bin': '', 'm/a.bin': '', 'm/n/b.bin': '', 'm/n/c.txt': '' })
    const { address } = await world.node({ dataDir })
    const names = async (glob: string | Uint8Array): Promise<string[]> =>
      (await all(address, { glob })).map(({ name }) => name)
    expect(await names('*.bin')).toEqual(['a.bin'])
    expect(await names('**/*.bin')).toEqual(['a.bin', 'm/a.bin', 'm/n/b.bin'])
    expect(await names('m/?/*')).toEqual(['m/n/b.bin', 'm/n/c.txt'])
    expect(await names('m/n/c.txt')).toEqual(['m/n/c.txt'])
    expect(await names('[')).toEqual([])
    expect(await names(Uint8Array.of(0xff, 0x2a))).toEqual([])
  })

  it('says which files somebody else has changed or removed', async () => {
    const dataDir = world.dataDir()
    const names = ['edited', 'moved', 'gone', 'dir/below', 'folder', 'link', 'same']
    await plant(dataDir, Object.fromEntries(names.map((name) => [name, 'content'])))
    const { address } = await world.node({ dataDir })
    const at = (name: string): string => join(dataDir, name)
    expect(new Set(Object.values(states(await all(address))))).toEqual(new Set(['held']))
    writeFileSync(at('edited'), 'CONTENT')
    writeFileSync(at('other'), 'content')
    renameSync(at('other'), at('moved'))
    rmSync(at('gone'))
    rmSync(at('dir'), { recursive: true })
    writeFileSync(at('dir'), '')
    rmSync(at('folder'))
    mkdirSync(at('folder'))
    rmSync(at('link'))
    symlinkSync('same', at('link'))
    const found = await all(address)
    expect(states(found)).toEqual({
      edited: 'changed',
      moved: 'changed',
      gone: 'missing',
      'dir/below': 'missing',
      folder: 'missing',
      link: 'missing',
      same: 'held',
    })
    for (const { state, bytes, heldBytes } of found)
      expect(heldBytes).toBe(state === 'held' ? bytes : 0)
  })

  it('removes a file with its record and the directories that are empty then', async () => {
    const dataDir = world.dataDir()
    await plant(dataDir, { 'm/n/a.bin': 'a', 'm/b.bin': 'b', 'c.bin': 'c', gone: '' })
    writeFileSync(join(dataDir, 'stranger'), 'not of this node')
    const { address } = await world.node({ dataDir })
    await client.remove(address, 'm/n/a.bin')
    expect(readdirSync(join(dataDir, 'm'))).toEqual(['b.bin'])
    const notHeld = { code: 'ERR_FR_NOT_HELD', node: address }
    for (const name of ['m/n/a.bin', 'm', 'stranger', 'nothing', 'c.bin/d'])
      await expect(client.remove(address, name)).rejects.toMatchObject(notHeld)
    expect(existsSync(join(dataDir, 'stranger'))).toBe(true)
    // What is not there any more is forgotten.
    rmSync(join(dataDir, 'gone'))
    await client.remove(address, 'gone')
    expect(Object.keys(states(await all(address)))).toEqual(['c.bin', 'm/b.bin'])
    expect((await fetchStatus(address)).held).toMatchObject({ files: 2 })
    const names = world.log.filter(({ event }) => event === 'removed')
    expect(names.map(({ fields }) => fields['name'])).toEqual(['m/n/a.bin', 'gone'])
  })

  it('lists and removes a name that is not UTF-8', async () => {
    const dataDir = world.dataDir()
    const name = Uint8Array.of(0x61, 0xff, 0x0a)
    writeFileSync(pathOf(dataDir, name), 'content')
    await plantRecords(dataDir, [recordOfFile(dataDir, name)])
    const { address } = await world.node({ dataDir })
    const [file] = await all(address)
    expect(file).toMatchObject({ name: 'a\ufffd\n', nameBase64: 'Yf8K', state: 'held' })
    await client.remove(address, Buffer.from(file?.nameBase64 ?? '', 'base64url'))
    expect(existsSync(pathOf(dataDir, name))).toBe(false)
    expect(await all(address)).toEqual([])
  })

  it('shows what an unfinished transfer left, and removes it', async () => {
    const dataDir = world.dataDir()
    await plant(dataDir, { whole: 'content' })
    const id = `${'ab'.repeat(16)}.${'cd'.repeat(8)}.left.bin`
    const hidden = join(dataDir, hiddenDir)
    for (const folder of ['partials', 'journals'])
      mkdirSync(join(hidden, folder), { recursive: true })
    writeFileSync(join(hidden, 'partials', id), Buffer.alloc(200_000))
    const header = {
      ...recordOf('left.bin'),
      contentId: 'ee'.repeat(16),
      size: 200_000,
      transfer: 'ab'.repeat(16),
    }
    const { identity } = recordOf('left.bin')
    const path = join(hidden, 'journals', id)
    const journal = await Journal.create(path, header, async () => identity)
    await journal.append({
      runs: [{ offset: 65_536, length: 65_536, digests: new Uint8Array(32) }],
    })
    await journal.close()
    const { address } = await world.node({ dataDir })
    const [whole, left] = await all(address)
    expect(whole).toMatchObject({ name: 'whole', state: 'held' })
    expect(left).toMatchObject({
      name: 'left.bin',
      state: 'partial',
      bytes: 200_000,
      heldBytes: 65_536,
      digest: null,
      version: null,
      ageSeconds: null,
    })
    expect((await all(address, { glob: 'l*' })).map(({ state }) => state)).toEqual(['partial'])
  })
})

describe('a node with many files', () => {
  const world = useWorld('portable')
  const many = 10_000

  it('lists them in pages', async () => {
    const dataDir = world.dataDir()
    const nameOf = (index: number): string => `f${String(index).padStart(5, '0')}`
    const names = Array.from({ length: many }, (_, index) => nameOf(index))
    plantIndex(
      dataDir,
      names.map((name) => recordOf(name)),
    )
    const { address } = await world.node({ dataDir })
    const found = await all(address)
    expect(found.map(({ name }) => name)).toEqual(names)
    expect(new Set(found.map(({ state }) => state))).toEqual(new Set(['missing']))
    expect(await all(address, { glob: nameOf(many - 1) })).toHaveLength(1)
    await client.remove(address, nameOf(0))
    expect((await fetchStatus(address)).held.files).toBe(many - 1)
  })

  it('sends no more than is asked for', async () => {
    const dataDir = world.dataDir()
    plantIndex(
      dataDir,
      Array.from({ length: many }, (_, index) => recordOf(`f${index}`)),
    )
    const { address } = await world.node({ dataDir })
    for await (const { name } of client.list(address)) {
      expect(name).toBe('f0')
      break
    }
    const signal = AbortSignal.abort(new Error('changed my mind'))
    await expect(all(address, { signal })).rejects.toThrow('changed my mind')
  })

  it('lists the longest names', async () => {
    const dataDir = world.dataDir()
    // Each takes 24 KiB of a page.
    const records = Array.from({ length: 60 }, (_, index) => {
      const name = new Uint8Array(limits.nameBytes).fill(1)
      for (let at = 255; at < name.length; at += 256) name[at] = 0x2f
      name[name.length - 1] = 0x41 + index
      return recordOf(name)
    })
    plantIndex(dataDir, records)
    const { address } = await world.node({ dataDir })
    const found = await all(address)
    expect(found.map(({ name }) => name)).toEqual(
      records.map(({ name }) => Buffer.from(name).toString()),
    )
    // The worst pattern for these names.
    const glob = '**/*\x01*\x01*\x01*A'
    expect(await all(address, { glob })).toHaveLength(1)
  })
})

describe('a catalogue of a newer version', () => {
  const world = useWorld('portable')

  it('is not served', async () => {
    const dataDir = world.dataDir()
    await plant(dataDir, { a: '' })
    const text = 'fastreplica catalogue 9'
    writeFileSync(join(dataDir, hiddenDir, 'catalogue'), `${text} ${checksum(text)}\n`)
    await expect(world.node({ dataDir })).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
  })
})
