/** The file of a trace: readable at any moment, bounded, and never somebody else's. */
import {
  appendFileSync,
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
import { limits } from '../../../src/base/limits.js'
import type { TraceEvent } from '../../../src/control/view/trace.js'
import { TraceFile } from '../../../src/session/coordinator/trace-file.js'
import { parseTrace } from '../../support/trace.js'

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
const text = () => readFileSync(path, 'utf8')
const read = () => parseTrace(text())
const event = (ts: number): TraceEvent => ({ name: 'x', ph: 'i', s: 't', pid: 1, tid: 1, ts })

describe('the file of a trace', () => {
  it('is a trace from the beginning, and one JSON document at the end', async () => {
    const trace = await create()
    expect(read()).toEqual({ events: [], end: undefined })
    for (let ts = 0; ts < 3_000; ts++) trace.write(event(ts), false)
    await Promise.all([trace.close(), trace.close()])
    await trace.close()
    expect(JSON.parse(text())).toHaveLength(1 + 3_000 + 1)
    expect(read().events.map(({ ts }) => ts)).toEqual(Array.from({ length: 3_000 }, (_, i) => i))
    expect(read().end).toMatchObject({ events: 3_000, dropped: 0 })
  })

  it('can be cut at any line end', async () => {
    const trace = await create()
    for (let ts = 0; ts < 50; ts++) trace.write(event(ts), false)
    await trace.close()
    const lines = text().split('\n')
    expect(lines.slice(-2)).toEqual([']', ''])
    for (let count = 1; count <= lines.length - 2; count++) {
      const prefix = lines.slice(0, count).join('\n')
      expect(JSON.parse(`${prefix}\n]`)).toHaveLength(count - 1)
    }
  })

  it('only grows, whenever somebody looks', async () => {
    const trace = await create()
    let seen = text()
    const look = async () => {
      await nextTurn()
      const now = text()
      expect(now.startsWith(seen)).toBe(true)
      parseTrace(now)
      seen = now
    }
    try {
      for (let ts = 0; ts < 10_000; ts++) {
        trace.write(event(ts), false)
        if (ts % 500 === 0) await look()
        while (trace.isBehind) await look()
      }
      while (read().events.length <= 2_500) await look()
    } finally {
      await trace.close()
    }
    expect(read().events).toHaveLength(10_000)
    expect(text().startsWith(seen)).toBe(true)
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
    expect(read().end).toMatchObject({ events: most + 1, dropped: 10 })
    expect(read().events.at(-1)).toMatchObject({ name: 'rare' })
  })

  it('holds no more than its queue for a disk that cannot follow', async () => {
    const trace = await create()
    for (let ts = 0; ts < 150_000; ts++) trace.write(event(ts), false)
    await trace.close()
    const { events, end } = read()
    const { dropped } = end ?? { dropped: 0 }
    expect(dropped).toBeGreaterThan(0)
    expect(events.length + dropped).toBe(150_000)
    expect(JSON.stringify(events).length).toBeLessThan(limits.traceQueueBytes * 1.5)
  })

  it('keeps the lines it has when its disk is full, whatever comes meanwhile', async () => {
    const failures: string[] = []
    const trace = await TraceFile.create(path, source, (text) => void failures.push(text))
    const other = await open(source)
    const handles = Object.getPrototypeOf(other) as FileHandle
    await other.close()
    const append = handles.appendFile
    vi.spyOn(handles, 'appendFile').mockImplementationOnce(async function (
      this: FileHandle,
      bytes,
    ) {
      await append.call(this, (bytes as Buffer).subarray(0, -3))
      for (let ts = 0; ts < 10; ts++) trace.write(event(ts), false)
      throw new Error('full')
    })
    trace.write(event(0), false)
    await trace.close()
    expect(failures).toEqual([expect.stringMatching(/full$/)])
    expect(text()).toMatch(/\n$/)
    expect(read()).toEqual({ events: [], end: undefined })
  })

  it('replaces an older trace, however long', async () => {
    const first = await create()
    for (let ts = 0; ts < 1_000; ts++) first.write(event(ts), false)
    await first.close()
    const second = await create()
    second.write(event(7), true)
    await second.close()
    expect(read().events).toEqual([event(7)])
  })

  it('replaces the trace of a push that was killed', async () => {
    const trace = await create()
    const before = text()
    await trace.close()
    writeFileSync(path, before)
    appendFileSync(path, ',{"name":"x","p')
    await (await create()).close()
    expect(read()).toMatchObject({ events: [], end: { events: 0 } })
  })

  it.each([
    ['the source', (at: string) => rmSync(at, { force: true }), 'it is the source'],
    ['a name of the source', (at: string) => linkSync(source, at), 'it is the source'],
    ['a link to the source', (at: string) => symlinkSync(source, at), 'it is the source'],
    ['a directory', (at: string) => mkdirSync(at), 'EISDIR'],
    ['another file', (at: string) => writeFileSync(at, '[\n{"name":'), 'exists and is no trace'],
  ])('refuses %s', async (what, make, text) => {
    make(path)
    const at = what === 'the source' ? source : path
    await expect(create(at)).rejects.toMatchObject({
      code: 'ERR_FR_TRACE',
      message: expect.stringContaining(text),
      path: at,
    })
    expect(readFileSync(source, 'utf8')).toBe('the source')
    if (what === 'another file') expect(readFileSync(path, 'utf8')).toBe('[\n{"name":')
  })

  it.each(['/dev/null', '/proc/nothing', 'missing/out.json'])('refuses %s', async (at) => {
    const place = at.startsWith('/') ? at : join(directory, at)
    await expect(create(place)).rejects.toMatchObject({ code: 'ERR_FR_TRACE', path: place })
  })
})
