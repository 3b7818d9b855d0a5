/** The catalogue across restarts, whatever happened to its files meanwhile. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { Catalogue } from '../../../src/store/catalogue/catalogue.js'
import type { HeldStream } from '../../../src/store/catalogue/record.js'
import { checksum } from '../../../src/store/files/durable.js'
import fc from '../../support/property.js'
import { isLong, recordOf, runsOf, titleOf } from './records.js'

const directory = mkdtempSync(join(tmpdir(), 'fr-catalogue-'))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
let hidden: string
beforeEach(() => {
  hidden = join(directory, String(count++))
  mkdirSync(hidden)
})

const index = () => join(hidden, 'catalogue')
const digests = () => join(hidden, 'digests')
const put = (catalogue: Catalogue, record: HeldStream) => catalogue.put(record, runsOf(record))

async function opened<T>(use: (catalogue: Catalogue) => Promise<T> | T): Promise<T> {
  const catalogue = await Catalogue.open(hidden)
  try {
    return await use(catalogue)
  } finally {
    await catalogue.close()
  }
}

const listed = () => opened((catalogue) => catalogue.list())

const runsAre = (records: readonly HeldStream[]) =>
  opened(async (catalogue) => {
    for (const record of records) expect(await catalogue.runs(record)).toEqual(runsOf(record))
    return true
  })

describe('the catalogue', () => {
  it('keeps for whom a file is, and knows what may become part of what', async () => {
    const [open, narrow] = [recordOf('a'), { ...recordOf('b'), only: 'site=eu' }]
    const kept = { ...recordOf('c'), only: 'gpu', keptAtMs: 5 }
    const records = [open, narrow, kept]
    await opened(async (catalogue) => {
      for (const record of records) await put(catalogue, record)
    })
    await opened((catalogue) => {
      for (const record of records) expect(catalogue.get(record.name)).toEqual(record)
      const found = ({ name, fileDigest, size }: HeldStream, only?: string) =>
        catalogue.ofContent(name, fileDigest, size, only)
      expect([found(open), found(open, 'gpu')]).toEqual([open, open])
      expect(found(narrow, 'site=eu')).toEqual(narrow)
      expect([found(narrow), found(narrow, 'site=us')]).toEqual([undefined, undefined])
    })
  })

  it('has after a restart what it had before, in the order of names as bytes', async () => {
    const names = ['b', 'a/ü', 'a', Buffer.from([0xff, 0x0a, 0x22]), 'a\n{"put"']
    const records = names.map((name) => recordOf(name))
    await opened(async (catalogue) => {
      for (const record of records) await put(catalogue, record)
    })
    await opened(async (catalogue) => {
      expect(catalogue.list().map(titleOf)).toEqual(records.map(titleOf).sort())
      for (const record of records) {
        expect(catalogue.get(record.name)).toEqual(record)
        expect(catalogue.withDigest(record.fileDigest, record.size)).toEqual(record)
        expect(await catalogue.runs(record)).toEqual(runsOf(record))
      }
      const bytes = records.reduce((sum, { size }) => sum + size, 0)
      expect(catalogue.totals).toEqual({ streams: 5, bytes, damaged: 0 })
    })
  })

  it('replaces the record of a name, refreshes it, and forgets one that is removed', async () => {
    const [first, second] = [recordOf('x', 1), recordOf('x', 2)]
    const later = { ...second, verifiedAtMs: second.verifiedAtMs + 9 }
    await opened(async (catalogue) => {
      await put(catalogue, first)
      await put(catalogue, second)
      await put(catalogue, recordOf('y'))
      await expect(catalogue.refresh(first)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
      await catalogue.refresh(later)
      const small = recordOf('small')
      const asked = [put(catalogue, small), catalogue.refresh({ ...small, verifiedAtMs: 3 })]
      await Promise.all([...asked, catalogue.refresh({ ...small, verifiedAtMs: 4 })])
      await catalogue.refresh({ ...small, verifiedAtMs: 5 })
      expect(catalogue.get(small.name)?.verifiedAtMs).toBe(5)
      expect(await catalogue.runs(small)).toEqual(runsOf(small))
      const gone = catalogue.remove(small.name)
      await expect(catalogue.refresh(small)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
      await gone
      await catalogue.remove(Buffer.from('y'))
      await catalogue.remove(Buffer.from('never there'))
      expect(catalogue.withDigest(first.fileDigest, first.size)).toBeUndefined()
      expect(catalogue.withDigest(second.fileDigest, 1)).toBeUndefined()
      await expect(catalogue.runs(first)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
    })
    expect(await listed()).toEqual([later])
    await opened(async (catalogue) => expect(await catalogue.runs(later)).toEqual(runsOf(later)))
    expect(readdirSync(digests())).toHaveLength(1)
  })

  it('finds another file of the same content when one of them goes', async () => {
    const one = recordOf('one')
    const two = { ...recordOf('two'), fileDigest: one.fileDigest }
    await opened(async (catalogue) => {
      await Promise.all([put(catalogue, one), put(catalogue, two)])
      await catalogue.remove(one.name)
      expect(catalogue.withDigest(one.fileDigest, one.size)).toEqual(two)
    })
  })

  it('takes what is asked at once in that order, and nothing after it is closed', async () => {
    const catalogue = await Catalogue.open(hidden)
    const asked = [1, 2, 3].map((version) => put(catalogue, recordOf('x', version)))
    asked.push(catalogue.remove(Buffer.from('x')), put(catalogue, recordOf('x', 1)))
    const closed = catalogue.close()
    await expect(put(catalogue, recordOf('z'))).rejects.toMatchObject({ code: 'ERR_FR_CLOSED' })
    await Promise.all([...asked, closed, catalogue.close()])
    expect(await listed()).toEqual([recordOf('x', 1)])
    await opened(async (again) => {
      expect(await again.runs(recordOf('x', 1))).toEqual(runsOf(recordOf('x', 1)))
    })
  })

  it('is readable by its owner alone, and never follows a link', async () => {
    await opened((catalogue) => put(catalogue, recordOf('x')))
    const [name] = readdirSync(digests()) as [string]
    for (const path of [index(), join(digests(), name)])
      expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(digests()).mode & 0o777).toBe(0o700)
    rmSync(index())
    writeFileSync(join(directory, 'elsewhere'), 'precious')
    symlinkSync(join(directory, 'elsewhere'), index())
    await expect(Catalogue.open(hidden)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
    expect(readFileSync(join(directory, 'elsewhere'), 'utf8')).toBe('precious')
  })

  it('stays short however often a record is replaced', async () => {
    await opened(async (catalogue) => {
      const asked: Promise<void>[] = []
      for (let version = 0; version < 1.2 * limits.catalogueDeadLines; version++)
        asked.push(put(catalogue, recordOf(['a0', 'a1', 'x2'][version % 3] ?? '', version % 7)))
      await Promise.all(asked)
      await put(catalogue, recordOf('last'))
    })
    const lines = readFileSync(index(), 'utf8').split('\n').length
    expect(lines).toBeLessThan(limits.catalogueDeadLines)
    const records = await listed()
    expect(records.map(titleOf)).toEqual(['a0', 'a1', 'last', 'x2'])
    expect(await runsAre(records)).toBe(true)
    expect(readdirSync(digests())).toHaveLength(records.filter(isLong).length)
  }, 60_000)

  it('refuses the index of a newer version and says the way out', async () => {
    const head = 'fastreplica catalogue 2'
    const text = `${head} ${checksum(head)}\nwhatever that version writes\n`
    writeFileSync(index(), text)
    const refused = expect(Catalogue.open(hidden)).rejects
    await refused.toMatchObject({
      code: 'ERR_FR_CATALOGUE',
      message: expect.stringMatching(/newer version .* --adopt/),
    })
    expect(readFileSync(index(), 'utf8')).toBe(text)
  })

  it('keeps the earlier record when a new one cannot be written', async () => {
    const [first, second] = [recordOf('x', 1), recordOf('x', 2)]
    await opened(async (catalogue) => {
      await put(catalogue, first)
      rmSync(digests(), { recursive: true })
      await expect(put(catalogue, second)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
      expect(catalogue.get(first.name)).toEqual(first)
      mkdirSync(digests())
      await put(catalogue, second)
    })
    expect(await listed()).toEqual([second])
  })

  it('says so, too, when they are in a line that was damaged since', async () => {
    const record = recordOf('small')
    await opened(async (catalogue) => {
      await put(catalogue, record)
      const text = readFileSync(index(), 'latin1')
      writeFileSync(index(), text.replace(/.(?="\]\]\})/, '_'))
      await expect(catalogue.runs(record)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
    })
    expect(await listed()).toEqual([])
  })

  it('says that digests are damaged rather than give wrong ones', async () => {
    const record = recordOf('x')
    await opened(async (catalogue) => {
      await put(catalogue, record)
      const path = join(digests(), readdirSync(digests())[0] as string)
      const whole = readFileSync(path)
      let damaged = 0
      // Each byte of the head, and every fifth behind it.
      for (let at = 0; at < whole.length; at += at < 64 ? 1 : 5) {
        damaged += 2
        const bytes = Buffer.from(whole)
        bytes[at] = (bytes[at] as number) ^ 1
        writeFileSync(path, bytes)
        await expect(catalogue.runs(record)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
        writeFileSync(path, whole.subarray(0, at))
        await expect(catalogue.runs(record)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
      }
      expect(catalogue.totals.damaged).toBe(damaged)
    })
  })
})

/** Some puts and removals; all records that were ever put. */
const history = fc.array(
  fc.record({ name: fc.constantFrom('a', 'b', 'c'), version: fc.nat(3), isPut: fc.boolean() }),
  { minLength: 1, maxLength: 8 },
)

async function played(steps: readonly { name: string; version: number; isPut: boolean }[]) {
  rmSync(index(), { force: true })
  return opened(async (catalogue) => {
    const put = new Set<string>()
    await Promise.all(
      steps.map(({ name, version, isPut }) => {
        if (!isPut) return catalogue.remove(Buffer.from(name))
        const record = recordOf(name, version)
        put.add(JSON.stringify(record))
        return catalogue.put(record, runsOf(record))
      }),
    )
    return { put, last: catalogue.list() }
  })
}

describe('a damaged index', () => {
  it('cut off anywhere: what was put, up to there, and it goes on', async () => {
    const cut = fc.asyncProperty(history, fc.nat(), async (steps, where) => {
      const { put, last } = await played(steps)
      const { size } = statSync(index())
      truncateSync(index(), where % (size + 1))
      const found = await listed()
      for (const record of found) expect(put).toContain(JSON.stringify(record))
      const isWhole = where % (size + 1) === size
      if (isWhole) expect(await runsAre(found)).toBe(true)
      if (isWhole) expect(found).toEqual(last)
      await opened((catalogue) => catalogue.put(recordOf('new'), runsOf(recordOf('new'))))
      expect(await listed()).toEqual([...found, recordOf('new')])
    })
    await fc.assert(cut, { numRuns: 60 })
  })

  it('with any byte changed: only what was put, and it is whole again', async () => {
    const flipped = fc.asyncProperty(
      history,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (steps, where, change) => {
        const { put } = await played(steps)
        const bytes = readFileSync(index())
        const at = where % bytes.length
        bytes[at] = (bytes[at] as number) ^ change
        writeFileSync(index(), bytes)
        const found = await opened((catalogue) => {
          const isLast = at === bytes.length - 1
          expect(catalogue.totals.damaged).toBeGreaterThan(isLast ? -1 : 0)
          return catalogue.list()
        })
        for (const record of found) expect(put).toContain(JSON.stringify(record))
        await opened((catalogue) => expect(catalogue.totals.damaged).toBe(0))
        expect(await listed()).toEqual(found)
      },
    )
    await fc.assert(flipped, { numRuns: 60 })
  })

  it('with its lines in any order says the same', async () => {
    const shuffled = fc.asyncProperty(history, fc.gen(), async (steps, pick) => {
      const { last } = await played(steps)
      const [head, ...lines] = readFileSync(index(), 'utf8').trimEnd().split('\n') as [string]
      const order = pick(fc.shuffledSubarray, lines, { minLength: lines.length })
      writeFileSync(index(), `${[head, ...order].join('\n')}\n`)
      expect(await listed()).toEqual(last)
      expect(await runsAre(last)).toBe(true)
    })
    await fc.assert(shuffled, { numRuns: 30 })
  })

  it('of endless noise is passed over within bounds', async () => {
    writeFileSync(index(), Buffer.alloc(5_000_000, 'x'))
    await opened((catalogue) => put(catalogue, recordOf('x')))
    expect(await listed()).toEqual([recordOf('x')])
    writeFileSync(index(), Buffer.alloc(5_000_000, 'xxxxxxxx\n'))
    await opened((catalogue) => put(catalogue, recordOf('y')))
    expect(await listed()).toEqual([recordOf('y')])
  })

  it('that cannot be opened is said, and stays', async () => {
    mkdirSync(index())
    await expect(Catalogue.open(hidden)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
    chmodSync(index(), 0o700)
    expect(statSync(index()).isDirectory()).toBe(true)
  })
})

describe('a catalogue that another process writes', () => {
  const followed = async (reader: Catalogue, writer: Catalogue): Promise<void> => {
    await reader.follow()
    expect(reader.list()).toEqual(writer.list())
    expect(reader.totals).toEqual(writer.totals)
    for (const record of reader.list()) expect(await reader.runs(record)).toEqual(runsOf(record))
  }

  it('is followed, whatever was done there since', async () => {
    const following = fc.asyncProperty(history, fc.array(fc.nat(4)), async (steps, looks) => {
      rmSync(hidden, { recursive: true })
      mkdirSync(hidden)
      await opened(async (writer) => {
        const reader = await Catalogue.openReadOnly(hidden)
        try {
          for (const [at, { name, version, isPut }] of steps.entries()) {
            const record = recordOf(name, version)
            if (isPut) await put(writer, record)
            else await writer.remove(record.name)
            if (looks.includes(at % 5)) await followed(reader, writer)
          }
          await followed(reader, writer)
        } finally {
          await reader.close()
        }
      })
    })
    await fc.assert(following, { numRuns: 30 })
  })

  it('is followed where a new index takes its place, is cut off, or is not whole', async () => {
    await opened((writer) => put(writer, recordOf('a')))
    const reader = await Catalogue.openReadOnly(hidden)
    try {
      writeFileSync(`${index()}.new`, readFileSync(index()))
      renameSync(`${index()}.new`, index())
      await opened(async (writer) => {
        await put(writer, recordOf('b', 1))
        await followed(reader, writer)
        const before = readFileSync(index())
        await put(writer, recordOf('c'))
        await followed(reader, writer)
        // A write that failed is taken back, and the next one is shorter or longer.
        writeFileSync(index(), before)
        await reader.follow()
        expect(reader.list().map(titleOf)).toEqual(['a', 'b'])
        writeFileSync(index(), Buffer.concat([before, Buffer.from('half a line')]))
        await reader.follow()
        expect(reader.list().map(titleOf)).toEqual(['a', 'b'])
        writeFileSync(index(), Buffer.concat([before, Buffer.from('a line of noise\n')]))
        await reader.follow()
        expect(reader.list().map(titleOf)).toEqual(['a', 'b'])
      })
      rmSync(index())
      await expect(reader.follow()).rejects.toMatchObject({ code: 'ENOENT' })
      expect(reader.list().map(titleOf)).toEqual(['a', 'b'])
    } finally {
      await reader.close()
    }
    await expect(reader.follow()).rejects.toThrow()
  })
})
