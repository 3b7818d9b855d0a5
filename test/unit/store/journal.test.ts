/** Journals of partials, read after a restart of the node or of the machine. */
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import type { HeldRun } from '../../../src/control/holdings/have.js'
import type { FileIdentity, FileTime } from '../../../src/ports.js'
import type { DigestRun } from '../../../src/store/catalogue/record.js'
import {
  Journal,
  type JournalHeader,
  type Look,
  readJournal,
} from '../../../src/store/journal/journal.js'
import fc from '../../support/property.js'

const directory = mkdtempSync(join(tmpdir(), 'fr-journal-'))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
let path: string
beforeEach(() => {
  path = join(directory, String(count++))
})

const blockBytes = 65_536
const blocks = 12
const header: JournalHeader = {
  only: 'site=eu',
  contentId: '0123456789abcdef'.repeat(2),
  author: 'ab'.repeat(32),
  algorithm: 'xxh64',
  blockBytes,
  size: blocks * blockBytes - 7,
  name: Uint8Array.from([0x61, 0xff, 0x0a, 0x22]),
  transfer: 'cd'.repeat(16),
}

/** The only digest of a block that is ever written down. */
function digestOf(block: number): Uint8Array {
  return new Uint8Array(8).fill(block + 1)
}

function runOf(block: number, length = 1): HeldRun {
  const offset = block * blockBytes
  const digests = new Uint8Array(8 * length)
  for (let i = 0; i < length; i++) digests.set(digestOf(block + i), 8 * i)
  return { offset, length: Math.min(length * blockBytes, header.size - offset), digests }
}

/** The partial as it is told; whoever writes to it moves `times`: milliseconds from `startMs`. */
let times = 0
let startMs = 0
const identity = (change: Partial<FileIdentity> = {}): FileIdentity => ({
  size: header.size,
  mtime: timeAt(times),
  ctime: timeAt(times),
  inode: '17',
  ...change,
})
function timeAt(ms: number): FileTime {
  const at = startMs + ms
  return { seconds: Math.floor(at / 1000), nanos: (at % 1000) * 1_000_000 }
}
const look: Look = async () => identity()
beforeEach(() => {
  times = 0
  startMs = Date.now()
})
/** After every batch of a test, by more than any is believed. */
const laterMs = 3_600_000

const earlier = Promise.resolve(Buffer.alloc(16, 7))

/** Blocks a journal tells of; each has its digest, and is told of once. */
async function blocksIn(): Promise<number[]> {
  const read = await readJournal(path, identity())
  const found: number[] = []
  for (const { offset, length, digests } of read?.runs ?? []) {
    for (let at = 0; at * blockBytes < length; at++) {
      const block = offset / blockBytes + at
      expect([...digests.subarray(at * 8, at * 8 + 8)]).toEqual([...digestOf(block)])
      found.push(block)
    }
    expect(digests).toHaveLength(8 * Math.ceil(length / blockBytes))
  }
  expect(new Set(found).size).toBe(found.length)
  return found
}

async function write(batches: readonly (readonly HeldRun[])[]): Promise<void> {
  const journal = await Journal.create(path, header, look)
  for (const runs of batches) await journal.append({ runs })
  await journal.close()
}

describe('a journal', () => {
  it('tells what was appended, each block once, in order', async () => {
    await write([[runOf(9, 3)], [runOf(0), runOf(4, 2)], [runOf(5, 2)]])
    const read = await readJournal(path, identity())
    expect(read?.header).toEqual(header)
    expect(read?.isSure).toBe(true)
    expect(await blocksIn()).toEqual([0, 4, 5, 6, 9, 10, 11])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('goes on after a restart, and begins anew where it is made anew', async () => {
    await write([[runOf(1)]])
    const resumed = await Journal.resume(path, look)
    await Promise.all([
      resumed.append({ runs: [runOf(2)] }),
      resumed.append({ runs: [runOf(3)] }),
      resumed.close(),
    ])
    expect(await blocksIn()).toEqual([1, 2, 3])
    await expect(resumed.append({ runs: [runOf(4)] })).rejects.toMatchObject({
      code: 'ERR_FR_CLOSED',
    })
    await write([[runOf(7)]])
    expect(await blocksIn()).toEqual([7])
  })

  it('says which blocks an earlier kernel wrote, until they are appended again', async () => {
    const before = await Journal.create(path, header, look, earlier)
    await before.append({ runs: [runOf(0, 4)] })
    await before.close()
    const runs = async () =>
      (await readJournal(path, identity()))?.runs.map(({ offset, isSure }) => [offset, isSure])
    expect((await readJournal(path, identity(), earlier))?.isSure).toBe(true)
    expect(await runs()).toEqual([[0, false]])
    const after = await Journal.resume(path, look)
    await after.append({ runs: [runOf(1, 2)] })
    expect(await runs()).toEqual([
      [0, false],
      [blockBytes, true],
      [3 * blockBytes, false],
    ])
    expect((await readJournal(path, identity()))?.isSure).toBe(false)
    await after.append({ runs: [runOf(3), runOf(0)] })
    await after.close()
    expect((await readJournal(path, identity()))?.isSure).toBe(true)
    expect(await blocksIn()).toEqual([0, 1, 2, 3])
  })

  it('is sure of nothing once somebody else has changed the partial', async () => {
    const before = await Journal.create(path, header, look)
    await before.append({ runs: [runOf(0)] })
    // What this process writes is no other's change: the last batch counts.
    times = 2
    await before.append({ runs: [runOf(1)] })
    await before.leave()
    await before.close()
    const sure = async () => (await readJournal(path, identity()))?.runs.map((run) => run.isSure)
    expect(await sure()).toEqual([true, true])
    times = 3
    expect(await sure()).toEqual([false, false])
    expect((await readJournal(path, { ...identity(), inode: '18' }))?.isSure).toBe(false)
    const after = await Journal.resume(path, look)
    // As if nobody had been there; and what was there before is not believed with what comes now.
    await after.leave()
    expect(await sure()).toEqual([false, false])
    times = 4
    await after.append({ runs: [runOf(1)] })
    await after.close()
    expect(await sure()).toEqual([false, true])
    const last = await Journal.resume(path, look)
    times = laterMs
    await last.append({ runs: [runOf(0)] })
    await last.close()
    expect(await sure()).toEqual([true, true])
    expect((await readJournal(path, null))?.runs.map((run) => run.isSure)).toEqual([false, false])
  })

  it('believes what it told of when it was left once more, as the file is then', async () => {
    const journal = await Journal.create(path, header, look)
    await journal.append({ runs: [runOf(0)] })
    times = laterMs
    await journal.leave()
    await journal.close()
    expect((await readJournal(path, identity()))?.isSure).toBe(true)
    for (times of [0, laterMs + 1])
      expect((await readJournal(path, identity()))?.isSure).toBe(false)
  })

  it('believes that a writer that was killed wrote on, right after its last batch', async () => {
    const journal = await Journal.create(path, header, look)
    // The time of a batch is that of the journal, once it is written to.
    utimesSync(path, 1, 1)
    await journal.append({ runs: [runOf(0)] })
    await journal.close()
    const afterMs = Date.now() - startMs
    const isSure = async (change: Partial<FileIdentity> = {}, boot?: Promise<Uint8Array>) =>
      (await readJournal(path, identity(change), boot))?.isSure
    times = 1_900
    expect(await isSure()).toBe(true)
    expect(await isSure({ size: header.size + 1 })).toBe(true)
    const others = [{ size: header.size - 1 }, { inode: '18' }]
    for (const change of others) expect(await isSure(change)).toBe(false)
    expect(await isSure({}, earlier)).toBe(false)
    for (const late of [-1, afterMs + 2_001]) {
      expect(await isSure({ mtime: timeAt(late) })).toBe(false)
      expect(await isSure({ ctime: timeAt(late) })).toBe(false)
    }
    // What it wrote down is believed together with what comes now.
    const resumed = await Journal.resume(path, look)
    times = laterMs
    await resumed.append({ runs: [runOf(1)] })
    await resumed.close()
    expect(await isSure()).toBe(true)
    expect(await blocksIn()).toEqual([0, 1])
  })

  it('believes no later batch that is torn: its writer may have had doubts', async () => {
    await write([[runOf(0)]])
    times = laterMs
    const whole = statSync(path).size
    const other = await Journal.resume(path, look)
    await other.append({ runs: [runOf(1)] })
    await other.close()
    truncateSync(path, whole + 10)
    const at = (startMs + laterMs) / 1000
    utimesSync(path, at, at)
    expect((await readJournal(path, identity()))?.isSure).toBe(false)
  })

  it('keeps what the author signed, and what is known of the whole file', async () => {
    const signed = [0, 4].map((block): DigestRun => {
      const { offset, length, digests } = runOf(block, 4)
      return { offset, length, payload: Uint8Array.from([...Array(65).fill(block), ...digests]) }
    })
    const journal = await Journal.create(path, header, look)
    await journal.append({ signed: signed.slice(0, 1), runs: [runOf(1)] })
    await journal.append({ whole: { fileDigest: 'xxh64-blocks/65536:0' } })
    await journal.close()
    const after = await Journal.resume(path, look)
    await after.append({ signed: signed.slice(1), whole: { fileDigest: 'xxh64-blocks/65536:1' } })
    await after.close()
    const read = await readJournal(path, identity())
    expect(read).toMatchObject({ signed, whole: { fileDigest: 'xxh64-blocks/65536:1' } })
    expect(await blocksIn()).toEqual([1])
  })

  it('believes no block where the system has no boot id', async () => {
    const nothing = Promise.resolve(Buffer.alloc(16))
    const journal = await Journal.create(path, header, look, nothing)
    await journal.append({ runs: [runOf(0)] })
    await journal.close()
    expect((await readJournal(path, identity(), nothing))?.isSure).toBe(false)
  })

  it('is not there, no journal, or a link: null, and nothing to go on with', async () => {
    const precious = join(directory, 'precious')
    await write([[runOf(0)]])
    const whole = readFileSync(path)
    writeFileSync(precious, whole)
    const makers = [() => {}, () => writeFileSync(path, 'text'), () => symlinkSync(precious, path)]
    for (const make of makers) {
      rmSync(path, { force: true })
      make()
      expect(await readJournal(path, identity())).toBeNull()
      await expect(Journal.resume(path, look)).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
    }
    await write([[runOf(1)]])
    expect(readFileSync(precious)).toEqual(whole)
    expect(await blocksIn()).toEqual([1])
  })

  it('takes whole blocks only, and so much as its file can need', async () => {
    const journal = await Journal.create(path, header, look)
    const part = { ...runOf(0), length: 5 }
    expect(() => journal.append({ runs: [part] })).toThrow(TypeError)
    expect(() => journal.append({ runs: [{ ...runOf(0, 2), length: blockBytes }] })).toThrow(
      TypeError,
    )
    const asked = Array.from({ length: 2_000 }, (_, at) =>
      journal.append({ runs: [runOf(at % blocks)] }),
    )
    const outcomes = await Promise.allSettled(asked)
    const refused = outcomes.find(({ status }) => status === 'rejected')
    expect(refused).toMatchObject({ reason: { code: 'ERR_FR_LIMIT' } })
    await journal.close()
    const most = limits.catalogueLineBytes + blocks * limits.journalBytesPerBlock
    expect(statSync(path).size).toBeLessThanOrEqual(most)
    expect(await blocksIn()).toHaveLength(blocks)
  })

  it('splits a run that is larger than a batch', async () => {
    const many = 200_000
    const big = { ...header, size: many * blockBytes }
    const journal = await Journal.create(path, big, look)
    const digests = new Uint8Array(8 * many).map((_, at) => at % 251)
    await journal.append({ runs: [{ offset: 0, length: big.size, digests }] })
    await journal.close()
    const read = await readJournal(path, identity())
    const parts = read?.runs.map((run) => run.digests) ?? []
    expect(parts.length).toBeGreaterThan(1)
    expect(Buffer.concat(parts).equals(digests)).toBe(true)
  })
})

describe('a damaged journal', () => {
  const batches = fc.array(
    fc.array(
      fc
        .nat(blocks - 1)
        .chain((block) =>
          fc.integer({ min: 1, max: blocks - block }).map((length) => runOf(block, length)),
        ),
      { minLength: 1, maxLength: 3 },
    ),
    { minLength: 1, maxLength: 5 },
  )

  const written = (all: readonly (readonly HeldRun[])[]) =>
    new Set(
      all.flat().flatMap(({ offset, length }) => {
        const first = offset / blockBytes
        return Array.from({ length: Math.ceil(length / blockBytes) }, (_, at) => first + at)
      }),
    )

  it('cut off anywhere tells of nothing else, and goes on', async () => {
    const cut = fc.asyncProperty(batches, fc.nat(), async (all, where) => {
      await write(all)
      const { size } = statSync(path)
      truncateSync(path, where % (size + 1))
      const found = await blocksIn()
      for (const block of found) expect(written(all)).toContain(block)
      const journal = await Journal.resume(path, look).catch(() =>
        Journal.create(path, header, look),
      )
      await journal.append({ runs: [runOf(11)] })
      await journal.close()
      expect(new Set(await blocksIn())).toEqual(new Set([...found, 11]))
    })
    await fc.assert(cut, { numRuns: 150 })
  })

  it('with any byte changed, and noise behind it, tells of nothing else', async () => {
    const flipped = fc.asyncProperty(
      batches,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.uint8Array({ maxLength: 64 }),
      async (all, where, change, noise) => {
        await write(all)
        const bytes = readFileSync(path)
        const at = where % bytes.length
        bytes[at] = (bytes[at] as number) ^ change
        writeFileSync(path, bytes)
        appendFileSync(path, noise)
        const read = await readJournal(path, identity())
        if (read !== null) expect(read.header).toEqual(header)
        for (const block of await blocksIn()) expect(written(all)).toContain(block)
      },
    )
    await fc.assert(flipped, { numRuns: 200 })
  })
})
