/** The file of a trace: whole at any moment, bounded, and never somebody else's. */
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TraceEvent } from '../../src/control/trace.js'
import { limits } from '../../src/limits.js'
import { TraceFile } from '../../src/runtime/trace-file.js'

interface Document {
  readonly traceEvents: readonly TraceEvent[]
  readonly otherData: { readonly events: number; readonly dropped: number }
}

let directory: string
let path: string
let source: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fr-trace-'))
  path = join(directory, 'out.json')
  source = join(directory, 'source')
  writeFileSync(source, 'the source')
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true, force: true })
})

const create = (at = path) =>
  TraceFile.create(at, source, (text) => {
    throw new Error(text)
  })
const read = () => JSON.parse(readFileSync(path, 'utf8')) as Document
const event = (ts: number): TraceEvent => ({ name: 'x', ph: 'i', s: 't', pid: 1, tid: 1, ts })

describe('the file of a trace', () => {
  it('is whole from the beginning, and holds what was written in its order', async () => {
    const trace = await create()
    expect(read()).toMatchObject({ traceEvents: [], otherData: { events: 0, dropped: 0 } })
    for (let ts = 0; ts < 3_000; ts++) trace.write(event(ts), false)
    await trace.close()
    await trace.close()
    expect(read().traceEvents.map(({ ts }) => ts)).toEqual(
      Array.from({ length: 3_000 }, (_, i) => i),
    )
    expect(read().otherData).toMatchObject({ events: 3_000, dropped: 0 })
  })

  it('is whole whenever somebody looks', async () => {
    const trace = await create()
    let seen = 0
    const look = async () => {
      await nextTurn()
      const { traceEvents } = read()
      expect(traceEvents.length).toBeGreaterThanOrEqual(seen)
      seen = traceEvents.length
    }
    for (let ts = 0; ts < 40_000; ts++) {
      trace.write(event(ts), false)
      if (ts % 500 === 0) await look()
    }
    while (seen <= 10_000) await look()
    await trace.close()
    expect(read().traceEvents).toHaveLength(40_000)
  })

  it('is bounded: what is over is counted, and the rare has room to the last', async () => {
    const trace = await create()
    const most = limits.traceEvents - limits.traceEventsRare
    for (let ts = 0; ts < most + 10; ts++) {
      trace.write(event(ts), false)
      while (ts % 5_000 === 0 && trace.isBehind) await nextTurn()
    }
    trace.write({ ...event(1e9), name: 'rare' }, true)
    await trace.close()
    expect(read().otherData).toMatchObject({ events: most + 1, dropped: 10 })
    expect(read().traceEvents.at(-1)).toMatchObject({ name: 'rare' })
  })

  it('holds no more than its queue for a disk that cannot follow', async () => {
    const trace = await create()
    for (let ts = 0; ts < 150_000; ts++) trace.write(event(ts), false)
    await trace.close()
    const { traceEvents, otherData } = read()
    expect(otherData.dropped).toBeGreaterThan(0)
    expect(traceEvents.length + otherData.dropped).toBe(150_000)
    expect(JSON.stringify(traceEvents).length).toBeLessThan(limits.traceQueueBytes * 1.5)
  })

  it('stays whole when its disk is full, whatever comes meanwhile', async () => {
    const failures: string[] = []
    const trace = await TraceFile.create(path, source, (text) => void failures.push(text))
    const other = await open(source)
    const handles = Object.getPrototypeOf(other) as FileHandle
    await other.close()
    const write = handles.write as (...args: unknown[]) => Promise<unknown>
    vi.spyOn(handles, 'write')
      .mockImplementationOnce(() => Promise.reject(new Error('full')))
      .mockImplementationOnce(async function (this: FileHandle, ...args: unknown[]) {
        const written = await write.apply(this, args)
        for (let ts = 0; ts < 10; ts++) trace.write(event(ts), false)
        return written
      } as typeof handles.write)
    trace.write(event(0), false)
    await trace.close()
    expect(failures).toEqual([expect.stringMatching(/full$/)])
    expect(read().traceEvents).toEqual([])
  })

  it('replaces an older trace, however long', async () => {
    const first = await create()
    for (let ts = 0; ts < 1_000; ts++) first.write(event(ts), false)
    await first.close()
    const second = await create()
    second.write(event(7), true)
    await second.close()
    expect(read().traceEvents).toEqual([event(7)])
  })

  it.each([
    ['the source', (at: string) => rmSync(at, { force: true }), 'it is the source'],
    ['a name of the source', (at: string) => linkSync(source, at), 'it is the source'],
    ['a link to the source', (at: string) => symlinkSync(source, at), 'it is the source'],
    ['a directory', (at: string) => mkdirSync(at), 'EISDIR'],
    ['another file', (at: string) => writeFileSync(at, '{"traceEvents"'), 'exists and is no trace'],
  ])('refuses %s', async (what, make, text) => {
    make(path)
    const at = what === 'the source' ? source : path
    await expect(create(at)).rejects.toMatchObject({
      code: 'ERR_FR_TRACE',
      message: expect.stringContaining(text),
      path: at,
    })
    expect(readFileSync(source, 'utf8')).toBe('the source')
    if (what === 'another file') expect(readFileSync(path, 'utf8')).toBe('{"traceEvents"')
  })

  it.each(['/dev/null', '/proc/nothing', 'missing/out.json'])('refuses %s', async (at) => {
    const place = at.startsWith('/') ? at : join(directory, at)
    await expect(create(place)).rejects.toMatchObject({ code: 'ERR_FR_TRACE', path: place })
  })
})
