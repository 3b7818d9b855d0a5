/** The directory of one node: what it keeps, and what it tells. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { NodeDirectory } from '../../../../src/agent/directory/node-directory.js'
import { limits } from '../../../../src/base/limits.js'
import { hiddenDir } from '../../../../src/base/names.js'
import { Resolver } from '../../../../src/net/resolver.js'
import { signAnnouncement } from '../../../../src/protocol/announcement.js'
import { announcementOf } from '../../control/directory/announcements.js'
import { dialler, keyA } from '../../net/handshake-support.js'
import { seededSigner } from '../../protocol/support.js'

const dirs: string[] = []
afterEach(async () => {
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true })
})

async function open(keptIn: string) {
  const lines: string[] = []
  const directory = new NodeDirectory({
    ...{ nodeId: 'ab'.repeat(16), attributes: { region: 'eu' }, keptIn },
    log: ({ event, fields }) => void lines.push([event, fields?.['code'] ?? []].flat().join(' ')),
    dialler: () => ({ keys: [keyA], self: dialler, connectMs: 1_000, resolver: new Resolver() }),
    require: () => {},
  })
  directory.start('127.0.0.1:7400')
  const told: string[] = []
  directory.onAnnouncement(({ kind, name }) => void told.push(`${kind} ${name}`))
  return { directory, told, lines }
}

function recordOf(name: string, kind: 'publish' | 'unpublish' = 'publish'): Uint8Array {
  const { announcement } = announcementOf({ name, kind, size: 0 })
  const { id: _, author: _author, ...draft } = announcement
  const issuedAtMs = Date.now() + (kind === 'publish' ? 0 : 1)
  return signAnnouncement(seededSigner(1), { ...draft, issuedAtMs })
}

it('keeps what was announced, tells it once, and again after a restart', async () => {
  const keptIn = await mkdtemp(join(tmpdir(), 'fr-directory-'))
  dirs.push(keptIn)
  const first = await open(keptIn)
  await Promise.all(['a', 'b'].map((name) => first.directory.announce(recordOf(name))))
  const b = recordOf('b', 'unpublish')
  await first.directory.announce(b)
  await first.directory.announce(b)
  expect(first.told).toEqual(['publish a', 'publish b', 'unpublish b'])
  expect([...first.directory.known].map(({ name }) => name)).toEqual(['a'])
  await first.directory.close()
  const kept = join(keptIn, hiddenDir, 'announcements')
  const names = await readdir(kept)
  expect(names.length).toBe(2)
  await writeFile(join(kept, 'ff'.repeat(16)), recordOf('c').fill(0, 70, 80))
  const second = await open(keptIn)
  await second.directory.announce(recordOf('d'))
  expect(second.told.toSorted()).toEqual(['publish a', 'publish d', 'unpublish b'])
  expect(second.lines).toEqual(['announcement-damaged'])
  await second.directory.close()
})

it('takes nothing that its author has not signed', async () => {
  const { directory, told } = await open(join(tmpdir(), 'fr-no-such-directory'))
  const record = recordOf('a').fill(1, 3, 4)
  const fault = { code: 'ERR_FR_PROTOCOL' }
  await expect(directory.announce(record)).rejects.toMatchObject(fault)
  expect(told).toEqual([])
  await directory.close()
  await rm(join(tmpdir(), 'fr-no-such-directory'), { recursive: true })
})

it('says by its code that no bit is left for an attribute', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'fr-directory-'))
  dirs.push(dir)
  const { directory, lines } = await open(dir)
  expect(directory.status).toMatchObject({ unknown: [], code: null })
  const names = Array.from({ length: limits.dictionaryBits + 1 }, (_, at) => [`k${at}`, ''])
  directory.setAttributes(Object.fromEntries(names))
  expect(directory.status).toMatchObject({
    ...{ bits: limits.dictionaryBits, code: 'ERR_FR_DICTIONARY_FULL' },
  })
  expect(directory.status.unknown.length).toBeGreaterThan(0)
  expect(lines).toContain('dictionary-full ERR_FR_DICTIONARY_FULL')
  directory.setAttributes({ k1: '' })
  expect(directory.status).toMatchObject({ unknown: [], code: null })
  await directory.close()
})
