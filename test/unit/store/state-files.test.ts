/** What a master keeps on its disk: cut off at any byte, changed at any byte, on a full disk. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseCriteria } from '../../../src/base/criteria.js'
import { limits } from '../../../src/base/limits.js'
import { type KeptEntry, keptOf } from '../../../src/control/messages/kept.js'
import { StateFiles } from '../../../src/store/master/state-files.js'
import fc from '../../support/property.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0

let directory: string
beforeEach(() => {
  // In memory where there is such a place: it is written and synced hundreds of times.
  const above = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  directory = mkdtempSync(join(above, 'fr-state-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const said = (name: string, size = 5) => ({
  ...{ name, contentId: 'ab'.repeat(16), digest: `blake3:${'cd'.repeat(32)}`, size },
  isGrowing: false,
})
const heard = (name: string, size?: number): KeptEntry => ({
  type: 'heard',
  said: said(name, size),
})
const drained = (node: string, isDrained = true): KeptEntry => ({
  ...{ type: 'drained', node, isDrained },
})
const sets: KeptEntry = {
  type: 'sets',
  sets: [
    {
      ...{ name: 's', priority: 3, where: parseCriteria('site=a && !b'), nodes: ['n'] },
      ...{ never: null, from: parseCriteria('site=c'), files: [{ name: 'f', digest: null }] },
    },
  ],
}
const faults: KeptEntry = {
  type: 'faults',
  faults: [
    {
      ...{ kind: 'link', name: 'a-b', thousandths: 2_500, times: 1, retryMs: null },
      causes: [{ cause: 'silent', count: 3 }],
    },
  ],
}
const batches = [[heard('a'), drained('n')], [sets], [faults], [drained('n', false), heard('b')]]

async function loaded(at = directory) {
  const files = new StateFiles(at)
  const found = await files.load()
  await files.close()
  return found
}

async function written(at: string, all: readonly (readonly KeptEntry[])[]) {
  const files = new StateFiles(at)
  await files.load()
  const ends: number[] = [0]
  const path = join(at, 'state', 'journal-0')
  for (const batch of all) {
    await files.append(batch)
    ends.push(statSync(path).size)
  }
  return { files, path, ends }
}

describe('what a master keeps', () => {
  it('is there again, in its order, and folds to what holds', async () => {
    const { files } = await written(directory, batches)
    await files.close()
    const { entries, notes } = await loaded()
    expect(entries).toEqual(batches.flat())
    expect(notes).toEqual([])
    const kept = keptOf(entries)
    expect([...kept.drained]).toEqual([])
    expect(kept.heard.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(kept.sets).toEqual(sets.type === 'sets' && sets.sets)
  })

  it('loses of a journal that is cut at any byte only that line, and goes on', async () => {
    const few = [[drained('n')], [drained('m'), drained('n', false)], [faults]]
    const { files, path, ends } = await written(directory, few)
    await files.close()
    const whole = readFileSync(path)
    for (let cut = 0; cut <= whole.length; cut++) {
      writeFileSync(path, whole.subarray(0, cut))
      const again = new StateFiles(directory)
      const { entries, notes } = await again.load()
      const lines = ends.findLastIndex((end) => end <= cut)
      expect(entries, `cut at ${cut}`).toEqual(few.slice(0, lines).flat())
      expect(notes.length).toBe(ends.includes(cut) ? 0 : 1)
      // Each cut lies on its own; what is appended behind one in a line is enough.
      if (cut % 16 === 5) {
        await again.append([heard('later')])
        await again.close()
        const { entries: after } = await loaded()
        expect(after).toEqual([...few.slice(0, lines).flat(), heard('later')])
      } else await again.close()
    }
  })

  it('is never something else than what was written, whatever byte was changed', async () => {
    const { files, path, ends } = await written(directory, batches)
    await files.close()
    const whole = readFileSync(path)
    const lastStart = ends.at(-2) as number
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const spoilt = Buffer.from(whole)
          spoilt[at] = (spoilt[at] as number) ^ change
          writeFileSync(path, spoilt)
          // Without the end between them the last two lines are one, which was cut off.
          if (at === lastStart - 1) return
          // An end in the midst of the last line makes it two, of which the first is no last one.
          const isTwo = spoilt[at] === 0x0a
          if (at >= lastStart && !isTwo)
            expect((await loaded()).entries).toEqual(batches.slice(0, 3).flat())
          else await expect(loaded()).rejects.toMatchObject({ code: 'ERR_FR_STATE', path })
        },
      ),
      { numRuns: 60 },
    )
  })

  it('is in one snapshot and a short journal after it, and in the pair before', async () => {
    const { files } = await written(directory, batches)
    await files.snapshot([sets, heard('a')])
    await files.append([heard('c')])
    await files.snapshot([sets, heard('a'), heard('c')])
    await files.append([drained('x')])
    await files.close()
    const state = join(directory, 'state')
    const names = ['journal-1', 'journal-2', 'snapshot-1', 'snapshot-2']
    expect(readdirSync(state).sort()).toEqual(names)
    const all = [sets, heard('a'), heard('c'), drained('x')]
    expect((await loaded()).entries).toEqual(all)
    const newest = join(state, 'snapshot-2')
    const whole = readFileSync(newest)
    for (let cut = 0; cut < whole.length; cut += 7) {
      truncateSync(newest, cut)
      const { entries, notes } = await loaded()
      expect(entries).toEqual(all)
      expect(notes[0]).toContain('snapshot-2 is damaged')
      writeFileSync(newest, whole)
    }
    writeFileSync(newest, '')
    writeFileSync(join(state, 'snapshot-1'), '')
    await expect(loaded()).rejects.toMatchObject({ code: 'ERR_FR_STATE', path: newest })
  })

  it('is read as it was where a snapshot was not finished', async () => {
    const { files } = await written(directory, batches)
    await files.close()
    writeFileSync(join(directory, 'state', `snapshot-1.${'0'.repeat(16)}`), 'half')
    expect((await loaded()).entries).toEqual(batches.flat())
    expect(readdirSync(join(directory, 'state'))).toEqual(['journal-0'])
  })

  it('asks for a snapshot once its journal is large', async () => {
    const { files } = await written(directory, [])
    const many = Array.from({ length: 20_000 }, (_, i) => heard(`models/${i}`))
    expect(files.isLarge).toBe(false)
    await files.append(many)
    await files.append(many)
    await files.append(many)
    expect(files.isLarge).toBe(true)
    await files.snapshot(many)
    expect(files.isLarge).toBe(false)
    await files.close()
    expect((await loaded()).entries.length).toBe(many.length)
    expect(limits.stateEntryBytes).toBeGreaterThan(3 * limits.stateJournalBytes)
  })

  it('says that the directory above it is not there', async () => {
    await expect(loaded(join(directory, 'none'))).rejects.toMatchObject({ code: 'ERR_FR_DATA_DIR' })
  })

  it.runIf(isRoot)('names a full disk, and is whole again once there is room', async () => {
    const disk = join(directory, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
    try {
      const { files } = await written(disk, [[heard('a')]])
      const fill = join(disk, 'fill')
      expect(() => writeFileSync(fill, Buffer.alloc(2 ** 17))).toThrow('ENOSPC')
      const long = Array.from({ length: 64 }, (_, i) => heard(`${i}`.repeat(200)))
      const full = { code: 'ERR_FR_NO_SPACE' }
      await expect(files.append(long)).rejects.toMatchObject(full)
      await expect(files.append([heard('b')])).rejects.toMatchObject(full)
      await expect(files.snapshot(long)).rejects.toMatchObject(full)
      await expect(files.append([heard('b')])).rejects.toMatchObject(full)
      expect((await loaded(disk)).entries).toEqual([heard('a')])
      rmSync(fill)
      await files.snapshot([heard('a'), heard('b')])
      await files.append([heard('c')])
      await files.close()
      expect((await loaded(disk)).entries).toEqual([heard('a'), heard('b'), heard('c')])
    } finally {
      execFileSync('umount', [disk])
    }
  })
})
