/**
 * A process that is killed at any of its calls that change the disk: what had resolved is there
 * afterwards, and nothing is there by half.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import { headLine, textOfLine } from '../../src/store/catalogue/index-file.js'
import { readJournal } from '../../src/store/journal/journal.js'
import { identity, lineOf, listedAfter, recordOf, runsOf } from './crash/steps.mjs'

const directory = mkdtempSync(join(tmpdir(), 'fr-crash-'))
afterAll(() => rmSync(directory, { recursive: true }))

const preload = join(import.meta.dirname, 'crash/stop-at.mjs')

/** Lines of a child that is killed at its call number `stopAt`; whether it came to its end. */
function child(name: string, stopAt: number, ...values: string[]) {
  const args = ['--import', preload, join(import.meta.dirname, `crash/${name}`), ...values]
  const env = { ...process.env, STOP_AT: String(stopAt) }
  return new Promise<{ lines: string[]; isWhole: boolean }>((resolve, reject) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      if (error !== null && error.signal !== 'SIGKILL') return reject(new Error(stderr))
      resolve({ lines: stdout.split('\n'), isWhole: error === null })
    })
  })
}

function lastOf(lines: readonly string[], word: string): number {
  const found = lines.filter((line) => line.startsWith(word)).at(-1)
  return Number(found?.split(' ')[1] ?? 0)
}

/** Kills a child at its first call, at the next, and so on, until one comes to its end. */
async function atEveryCall(kill: (stopAt: number) => Promise<boolean>): Promise<number> {
  for (let first = 1; ; first += 2) {
    const whole = await Promise.all([kill(first), kill(first + 1)])
    if (whole.includes(true)) return first
  }
}

async function checkCatalogue(template: string, groups: number, stopAt: number): Promise<boolean> {
  const path = `${template}.${stopAt}`
  cpSync(template, path, { recursive: true })
  const { lines, isWhole } = await child('catalogue-child.mjs', stopAt, path, String(groups))
  const [done, begun] = [lastOf(lines, 'done'), lastOf(lines, 'begun')]
  const allowed = new Set<string>()
  for (let count = done; count <= begun; count++) allowed.add((await listedAfter(count)).join())
  const catalogue = await Catalogue.open(path)
  const records = catalogue.list()
  expect([...allowed]).toContain(records.map(lineOf).join())
  expect(catalogue.totals.damaged).toBe(0)
  for (const record of records) expect(await catalogue.runs(record)).toEqual(runsOf(record))
  const long = records.filter(({ publishedAtMs }) => publishedAtMs > 1)
  expect(readdirSync(join(path, 'digests'))).toHaveLength(long.length)
  // What was there by half is no hindrance.
  const next = recordOf('next', 1)
  await catalogue.put(next, runsOf(next))
  await catalogue.close()
  const again = await Catalogue.open(path)
  expect(again.list()).toEqual([...records, next])
  await again.close()
  expect(readdirSync(path).sort()).toEqual(['catalogue', 'digests'])
  rmSync(path, { recursive: true })
  return isWhole
}

describe('a catalogue', () => {
  it('has what had resolved when its process was killed', async () => {
    const template = join(directory, 'empty')
    mkdirSync(template)
    const calls = await atEveryCall((stopAt) => checkCatalogue(template, 8, stopAt))
    expect(calls).toBeGreaterThan(40)
  })

  it('also while it writes its index anew', async () => {
    const template = join(directory, 'long')
    mkdirSync(join(template, 'digests'), { recursive: true })
    const dead = Array.from({ length: limits.catalogueDeadLines - 1 }, (_, n) =>
      textOfLine({ n, remove: 'x' }),
    )
    writeFileSync(join(template, 'catalogue'), [headLine(), ...dead].join(''))
    const calls = await atEveryCall((stopAt) => checkCatalogue(template, 2, stopAt))
    expect(calls).toBeGreaterThan(10)
  })
})

describe('a journal', () => {
  it('has what had resolved when its process was killed', async () => {
    const blockBytes = 65_536
    const header = {
      contentId: '01'.repeat(16),
      author: 'ab'.repeat(32),
      algorithm: 'xxh64',
      blockBytes,
      size: 9 * blockBytes,
      name: 'x',
      transfer: 'cd'.repeat(16),
    } as const
    const calls = await atEveryCall(async (stopAt) => {
      const path = join(directory, `journal${stopAt}`)
      const { lines, isWhole } = await child(
        'journal-child.mjs',
        stopAt,
        path,
        JSON.stringify(header),
      )
      const done = lastOf(lines, 'done')
      const read = await readJournal(path, identity)
      const blocks = read?.runs ?? []
      expect(blocks.length).toBeGreaterThanOrEqual(done)
      expect(blocks.length).toBeLessThanOrEqual(done + 1)
      for (const [at, { offset, digests }] of blocks.entries()) {
        expect(offset).toBe(at * blockBytes)
        expect([...digests]).toEqual(Array(8).fill(at + 1))
      }
      expect(read?.isSure ?? true).toBe(true)
      return isWhole
    })
    expect(calls).toBeGreaterThan(15)
  })
})
