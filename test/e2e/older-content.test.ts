/** Older content that somebody writes to, or cuts off, while a node takes bytes from it. */
import { readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEngine } from '../../src/agent/engines.js'
import { KIB, limits, MIB } from '../../src/base/limits.js'
import { hiddenDir } from '../../src/base/names.js'
import { chunksOf } from '../../src/control/holdings/chunk-table.js'
import {
  chunkEntryBytes,
  type IndexKind,
  type SoughtPiece,
} from '../../src/control/messages/delta.js'
import type { StreamEntry } from '../../src/control/messages/types.js'
import { WorkerHashPool } from '../../src/engine/hashing/pool.js'
import type { DataEngine, FileHandle } from '../../src/ports.js'

import { Filler, fillFrom } from '../../src/session/receiver/filler.js'
import { Partial } from '../../src/store/partial.js'
import { steadyBytes } from '../support/steady-bytes.js'
import { engines } from './engines.js'
import { until, useWorld } from './push-support.js'

const name = new Uint8Array(Buffer.from('name'))
const entry = { mode: 0o644, mtimeSeconds: 0, mtimeNanos: 0 } as StreamEntry
const bytes = MIB
const page = limits.indexPageBytes
const pool = new WorkerHashPool()
afterAll(() => pool.close())

describe.each(engines)('older content (%s engine)', (kind) => {
  const world = useWorld(kind)
  let engine: DataEngine
  let partial: Partial
  let path: string
  let hidden: string
  const opened: FileHandle[] = []
  const before = steadyBytes(bytes, 1)
  const after = Buffer.from(before)
  after.fill(1, 3 * page, 4 * page)
  after.fill(2, 64 * page, 65 * page)

  beforeEach(async () => {
    const dataDir = world.dataDir()
    engine = (await openEngine(kind, () => {})).engine
    const dir = await engine.storage.openDataDir(dataDir)
    path = join(dataDir, 'older')
    hidden = join(dataDir, hiddenDir)
    writeFileSync(path, before)
    const spec = { transfer: '1'.repeat(32), entry, noClobber: false }
    partial = new Partial(engine.storage, dir, name, spec)
    await partial.create(bytes)
  })
  afterEach(async () => {
    for (const file of opened.splice(0)) engine.storage.closeFile(file)
    await partial.release(false, () => {})
    await until(() => engine.counters().openFiles === 0, 'no file is open')
    await engine.shutdown()
  })

  async function open(at: string): Promise<FileHandle> {
    const { file } = await engine.storage.openSource(at)
    opened.push(file)
    return file
  }

  /** From these files; `meanwhile` is done before the first bytes are copied. */
  async function filler(
    meanwhile: () => unknown = () => {},
    paths: readonly string[] = [path],
  ): Promise<Filler> {
    const older = await Promise.all(
      paths.map(async (one) => {
        const file = await open(one)
        return { file, identity: await engine.storage.identityOf(file) }
      }),
    )
    let isFirst = true
    const fill: Partial['fill'] = async (range, at, of) => {
      if (isFirst) await meanwhile()
      isFirst = false
      return engine.storage.copyIn(older[of]?.file as FileHandle, partial.file, range, at)
    }
    return new Filler({ engine, pool, storage: engine.storage }, { fill }, older)
  }

  /** As an origin that has this content tells it. */
  async function told(content: Buffer, kind: IndexKind, offset = 0): Promise<SoughtPiece> {
    const source = join(world.dir, 'new')
    writeFileSync(source, content)
    const read = engine.hashSource(await open(source))
    const range = { offset, length: content.length - offset }
    const entries = await (kind === 'pages'
      ? pool.hash(read, range, page, 'blake3-page')
      : pool.indexChunks(read, range))
    return { kind, ...range, entries, isSample: false }
  }

  const inPartial = (offset: number, length: number): Buffer =>
    readFileSync(join(hidden, 'partials', partial.id)).subarray(offset, offset + length)

  it('has the pages that are equal, and the chunks that have moved', async () => {
    const filled = await (await filler()).fill(await told(after, 'pages'))
    expect(filled).toEqual([
      [0, 3 * page],
      [4 * page, 60 * page],
      [65 * page, bytes - 65 * page],
    ])
    for (const [at, length] of filled)
      expect(inPartial(at, length).equals(after.subarray(at, at + length))).toBe(true)

    const moved = Buffer.concat([Buffer.from('a'), before]).subarray(0, bytes)
    const all = await told(moved, 'chunks')
    const chunks = await (await filler()).fill(all)
    expect(await (await filler()).fill({ ...all, isSample: true })).toEqual(chunks)
    const found = chunks.reduce((sum, [, length]) => sum + length, 0)
    expect(found).toBeGreaterThan(bytes / 2)
    for (const [at, length] of chunks)
      expect(inPartial(at, length).equals(moved.subarray(at, at + length))).toBe(true)
  })

  it('of several files has what is in any, and nothing of one that was written', async () => {
    const kept = `${path}.kept`
    writeFileSync(kept, after.subarray(0, 128 * page))
    const both = [path, kept]
    const write = (): void => utimesSync(kept, 1, 1)
    const filled = await (await filler(undefined, both)).fill(await told(after, 'pages'))
    expect(filled).toHaveLength(5)
    expect(filled.reduce((sum, [, length]) => sum + length, 0)).toBe(bytes)
    expect(inPartial(0, bytes).equals(after)).toBe(true)
    const less = await (await filler(write, both)).fill(await told(after, 'pages'))
    expect(less.reduce((sum, [, length]) => sum + length, 0)).toBe(bytes - 2 * page)

    // The last chunk of one and the first of the next are no run.
    const ofOne = (await told(before, 'chunks')).entries.slice(-chunkEntryBytes)
    const ofNext = (await told(after, 'chunks')).entries.slice(0, chunkEntryBytes)
    const entries = Uint8Array.from([...ofOne, ...ofNext])
    const [last = 0, next = 0] = [...chunksOf(entries)].map(([, length]) => length)
    const piece = { kind: 'chunks', offset: 0, length: last + next, entries } as const
    expect(await (await filler(undefined, both)).fill({ ...piece, isSample: false })).toEqual([
      [0, last],
      [last, next],
    ])
    const joined = Buffer.concat([before.subarray(bytes - last), after.subarray(0, next)])
    expect(inPartial(0, last + next).equals(joined)).toBe(true)
  })

  it('that ends within a page has less of it, and none of what is behind', async () => {
    truncateSync(path, 2 * page + 10)
    const source = before.subarray(0, 2 * page + 10)
    const filled = await (await filler()).fill(await told(Buffer.from(source), 'pages'))
    expect(filled).toEqual([[0, 2 * page + 10]])
    const behind = await told(before, 'pages', 16 * page)
    expect(await (await filler()).fill(behind)).toEqual([])
    // The third page is another one here.
    expect(await (await filler()).fill(await told(before, 'pages'))).toEqual([[0, 2 * page]])
  })

  it('that was written while it was copied has nothing', async () => {
    const write = (): void => {
      writeFileSync(path, 'edited', { flag: 'r+' })
      // The clock of the file system may not have moved on.
      utimesSync(path, 1, 1)
    }
    expect(await (await filler(write)).fill(await told(after, 'pages'))).toEqual([])
  })

  it.each(['pages', 'chunks'] as const)('that was cut off has nothing: %s', async (kind) => {
    const piece = await told(after, kind)
    const cut = await filler(() => truncateSync(path, 16 * KIB))
    const nothing = { type: 'filled', offset: 0, length: bytes, ranges: [] }
    expect(await fillFrom(cut, piece)).toEqual(nothing)
    // Not even before anything is copied.
    expect(await fillFrom(cut, piece)).toEqual(nothing)
  })
})
