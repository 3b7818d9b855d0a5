/** Answers of a node with several disks, made of what each of them says; how they are opened. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDataDirs, openMissing } from '../../../src/agent/data-dirs.js'
import { DiskAnswers } from '../../../src/agent/disk-answers.js'
import type { Disks } from '../../../src/agent/disks.js'
import { FrError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { hiddenDir } from '../../../src/base/names.js'
import type { SetEntry } from '../../../src/control/messages/types.js'
import type { Storage } from '../../../src/ports.js'

const bytesOf = (name: string) => new Uint8Array(Buffer.from(name))
const { signal } = new AbortController()

/** A disk of these names, which lists one of them a page. */
function diskOf(number: number, names: string[]) {
  const removed: string[] = []
  const remove = async (name: Uint8Array) => {
    const text = Buffer.from(name).toString()
    if (!names.includes(text)) throw new FrError('ERR_FR_NOT_HELD')
    removed.push(text)
    return { type: 'removed', entries: 2, kept: 1, failedCount: 0, text: '' }
  }
  return {
    ...{ number, dataDir: `/disk${number}`, removed },
    held: {
      list: async ({ after }: { after: string }) => {
        const at = after === '' ? 0 : Number(after.slice(1))
        const next = at + 1 < names.length ? `h${at + 1}` : null
        const entries = names.slice(at, at + 1).map((name) => ({ name }))
        return { type: 'listed', nowMs: 0, entries, next }
      },
      remove,
      verify: async (name: Uint8Array) => {
        const isHeld = names.includes(Buffer.from(name).toString())
        return { type: 'verified', code: isHeld ? null : 'ERR_FR_NOT_HELD', text: `${number}` }
      },
    },
    versions: {
      lacks: async (entries: readonly SetEntry[]) => ({
        entries: entries.flatMap(({ name }, index) =>
          names.includes(name) ? [] : [{ index, has: number === 1 ? 'other' : null }],
        ),
      }),
    },
  }
}

function answersOf(...disks: ReturnType<typeof diskOf>[]) {
  const node = { isSeveral: disks.length > 1, likely: () => disks }
  return new DiskAnswers(node as unknown as Disks)
}

describe('a node with several disks', () => {
  async function listed(answers: DiskAnswers, from = '') {
    const found: string[] = []
    let after: string | null = from
    for (let pages = 0; after !== null && pages < 20; pages++) {
      const page = await answers.list({ glob: null, after, limit: 1 })
      found.push(...page.entries.map(({ name }) => `${page.disk} ${name}`))
      after = page.next
    }
    return found
  }

  it('lists one disk after the other, and says which', async () => {
    const [a, b, c] = [diskOf(0, ['x', 'y']), diskOf(1, []), diskOf(2, ['z'])]
    const all = ['/disk0 x', '/disk0 y', '/disk2 z']
    expect(await listed(answersOf(a, b, c))).toEqual(all)
    // One that does not answer any more is passed over, from wherever the list was.
    expect(await listed(answersOf(a, c), '1:h7')).toEqual(['/disk2 z'])
    expect(await listed(answersOf(a), '0:h1')).toEqual(['undefined y'])
  })

  it.each(['h', '3:', 'x:h', '123:h', ':'])('goes on at no place %j', async (after) => {
    const answers = answersOf(diskOf(0, ['x']), diskOf(1, ['y']))
    await expect(answers.list({ glob: null, after, limit: 1 })).rejects.toMatchObject({
      code: 'ERR_FR_PROTOCOL',
    })
  })

  it('removes a name from all that have it', async () => {
    const [a, b, c] = [diskOf(0, ['x']), diskOf(1, []), diskOf(2, ['x'])]
    const how = { signal, isRemoving: () => {} }
    const answers = answersOf(a, b, c)
    expect(await answers.remove(bytesOf('x'), false, how)).toMatchObject({ entries: 4, kept: 2 })
    expect([a, b, c].map(({ removed }) => removed.length)).toEqual([1, 0, 1])
    await expect(answers.remove(bytesOf('y'), false, how)).rejects.toMatchObject({
      code: 'ERR_FR_NOT_HELD',
    })
  })

  it('verifies where a name is, and lacks what no disk has', async () => {
    const answers = answersOf(diskOf(0, ['x']), diskOf(1, ['y']))
    const verify = (name: string) => answers.verify(bytesOf(name), () => {}, signal)
    expect(await verify('y')).toMatchObject({ code: null, text: '1' })
    expect(await verify('z')).toMatchObject({ code: 'ERR_FR_NOT_HELD', text: '0' })
    const set = ['x', 'y', 'z'].map((name) => ({ name })) as SetEntry[]
    expect((await answers.lacks(set)).entries).toEqual([{ index: 2, has: 'other' }])
  })
})

describe('data directories', () => {
  let root = ''
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fr-disks-'))
    for (const name of ['a', 'b', 'c']) mkdirSync(join(root, name))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  /** A storage that makes what an engine makes, and opens nothing of these names. */
  function storageWithout(fails: Record<string, FrError> = {}) {
    const open: string[] = []
    const storage = {
      openDataDir: async (path: string) => {
        const failure = fails[path.slice(root.length + 1)]
        if (failure !== undefined) throw failure
        mkdirSync(join(path, hiddenDir), { recursive: true })
        return open.push(path) - 1
      },
      closeDataDir: (dir: number) => {
        open[dir] = ''
      },
    } as unknown as Storage
    return { storage, open }
  }
  const paths = () => ['a', 'b', 'c'].map((name) => join(root, name))

  it('may be missing, but for the first', async () => {
    const gone = new FrError('ERR_FR_DATA_DIR', 'no such directory')
    const { storage } = storageWithout({ b: gone })
    const { dirs, missing } = await openDataDirs(storage, paths(), false)
    expect(dirs.map(({ number }) => number)).toEqual([0, 2])
    const one = { dataDir: join(root, 'b'), number: 1, wasUsed: false }
    expect(missing).toEqual([{ ...one, failure: gone }])
    const first = openDataDirs(storageWithout({ a: gone }).storage, paths(), false)
    await expect(first).rejects.toBe(gone)
  })

  it('are closed again where another node has one', async () => {
    const { storage, open } = storageWithout({ c: new FrError('ERR_FR_DATA_DIR_LOCKED') })
    await expect(openDataDirs(storage, paths(), false)).rejects.toMatchObject({
      code: 'ERR_FR_DATA_DIR_LOCKED',
    })
    expect(open).toEqual(['', ''])
  })

  it('are not mounted where they were used and are empty, and nothing is made there', async () => {
    const { storage } = storageWithout()
    expect((await openDataDirs(storage, paths(), false)).missing).toEqual([])
    const hidden = join(root, 'b', hiddenDir)
    rmSync(hidden, { recursive: true })
    const { missing } = await openDataDirs(storage, paths(), false)
    expect(missing).toMatchObject([{ number: 1, failure: { code: 'ERR_FR_DATA_DIR_GONE' } }])
    const [one] = missing
    if (one === undefined) throw new Error('nothing is missing')
    await expect(openMissing(storage, one, false)).rejects.toMatchObject({
      code: 'ERR_FR_DATA_DIR_GONE',
    })
    // The disk is back, or somebody wants it empty.
    mkdirSync(hidden)
    expect(await openMissing(storage, one, false)).toMatchObject({ number: 1 })
  })

  it('have room in the cursor of a list', () => {
    const prefix = `${limits.disksPerNode - 1}:`
    expect(prefix.length + Math.ceil((4 * limits.nameBytes) / 3) + 1).toBeLessThanOrEqual(
      limits.listCursorChars,
    )
  })
})
