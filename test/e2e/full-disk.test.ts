/** What is written beside partials when the disk is full, or a directory cannot be had. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrError } from '../../src/base/errors.js'
import { KIB } from '../../src/base/limits.js'
import type { FileIdentity, Storage } from '../../src/ports.js'
import { Landing } from '../../src/session/fetch/landing.js'
import { Journal, readJournal } from '../../src/store/journal/journal.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fr-full-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe.runIf(isRoot)('a journal on a full disk', () => {
  it('says so, and loses nothing that it had', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory])
    try {
      const blockBytes = 64 * KIB
      const header = {
        ...{ contentId: '01'.repeat(16), author: 'ab'.repeat(32), transfer: 'cd'.repeat(16) },
        ...({ algorithm: 'sha256', blockBytes, size: 4_096 * blockBytes } as const),
        name: Buffer.from('name'),
      }
      const time = { seconds: 1, nanos: 0 }
      const identity: FileIdentity = { size: header.size, mtime: time, ctime: time, inode: '1' }
      const path = join(directory, 'journal')
      const journal = await Journal.create(path, header, async () => identity)
      const put = (first: number, blocks: number) => {
        const [offset, length] = [first * blockBytes, blocks * blockBytes]
        const digests = new Uint8Array(32 * blocks)
        return journal.append({ runs: [{ offset, length, digests }] })
      }
      const blocksIn = async () => {
        const { runs = [], isSure } = (await readJournal(path, identity)) ?? {}
        return [runs.reduce((sum, { length }) => sum + length / blockBytes, 0), isSure]
      }
      await put(0, 100)
      await expect(put(100, 3_000)).rejects.toMatchObject({
        code: 'ERR_FR_NO_SPACE',
        message: expect.stringContaining('no space left on device'),
      })
      expect(await blocksIn()).toEqual([100, true])
      await put(100, 10)
      await journal.close()
      expect(await blocksIn()).toEqual([110, true])
      const full = join(directory, 'fill')
      expect(() => writeFileSync(full, Buffer.alloc(128 * KIB))).toThrow('ENOSPC')
      const other = Journal.create(join(directory, 'other'), header, async () => identity)
      await expect(other).rejects.toMatchObject({ code: 'ERR_FR_NO_SPACE' })
      expect(await blocksIn()).toEqual([110, true])
    } finally {
      execFileSync('umount', [directory])
    }
  })
})

describe('a get that cannot have its directory', () => {
  const before = process.env['TMPDIR']
  beforeEach(() => {
    process.env['TMPDIR'] = directory
  })
  afterEach(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })

  const refusing = (code: 'ERR_FR_DATA_DIR' | 'ERR_FR_NO_SPACE' | 'ERR_FR_DATA_DIR_LOCKED') =>
    ({ openDataDir: () => Promise.reject(new FrError(code)) }) as unknown as Storage

  const prepared = (storage: Storage, output: string | null) =>
    Landing.prepare({ storage, output, force: false, range: null })

  it.each([null, 'out'])('leaves nothing behind (output: %s)', async (name) => {
    const output = name && join(directory, name)
    const failed = prepared(refusing('ERR_FR_DATA_DIR'), output)
    await expect(failed).rejects.toMatchObject({ code: 'ERR_FR_IO' })
    const full = prepared(refusing('ERR_FR_NO_SPACE'), output)
    await expect(full).rejects.toMatchObject({ code: 'ERR_FR_NO_SPACE' })
    expect(readdirSync(directory)).toEqual([])
  })

  it('leaves what another get has', async () => {
    const output = join(directory, 'out')
    mkdirSync(join(directory, '.out.fr-get'))
    for (const code of ['ERR_FR_DATA_DIR', 'ERR_FR_DATA_DIR_LOCKED'] as const)
      await expect(prepared(refusing(code), output)).rejects.toThrow(FrError)
    expect(readdirSync(directory)).toEqual(['.out.fr-get'])
  })
})
