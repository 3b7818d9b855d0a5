/**
 * Films of ffmpeg in segments, beside what ffprobe says of each segment alone. A film of forty
 * seconds is encoded once, with frames that depend on later ones, and copied into each container.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contentLimits } from '../../../src/base/content-limits.js'
import type { RangePair } from '../../../src/base/ranges.js'
import { Segmenting } from '../../../src/media/segmenting.js'
import { type Segment, Segments } from '../../../src/media/segments.js'

const run = promisify(execFile)
const dir = mkdtempSync(join(tmpdir(), 'fr-segments-'))
const at = (name: string): string => join(dir, name)
const load = (name: string): Uint8Array => readFileSync(at(name))

const film = [
  ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10:duration=40'],
  ...['-f', 'lavfi', '-i', 'sine=frequency=440:duration=40'],
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '10', '-b:v', '200k'],
  ...['-c:a', 'aac', '-b:a', '32k'],
]
const fragments = ['-movflags', 'frag_keyframe+empty_moov+default_base_moof']
const copies: Record<string, string[]> = {
  'film.ts': [],
  // The times of a stream begin again after 2^33 / 90,000 seconds.
  'wraps.ts': ['-muxdelay', '0', '-output_ts_offset', '95430'],
  'sound.ts': ['-vn'],
  'film.mp4': fragments,
  'sidx.mp4': ['-movflags', 'frag_keyframe+empty_moov+default_base_moof+global_sidx'],
  'halves.mp4': [
    '-movflags',
    'frag_keyframe+empty_moov+default_base_moof',
    '-frag_duration',
    '500000',
  ],
  'placed.mp4': ['-movflags', 'frag_keyframe+empty_moov'],
  'whole.mp4': ['-movflags', '+faststart'],
  'film.m2ts': [],
}

beforeAll(async () => {
  const silent = ['-v', 'error', '-y']
  await run('ffmpeg', [...silent, ...film, at('source.mkv')])
  const copied = Object.entries(copies).flatMap(([name, options]) => {
    return ['-c', 'copy', ...options, at(name)]
  })
  await run('ffmpeg', [...silent, '-i', at('source.mkv'), ...copied])
}, 60_000)
afterAll(() => rmSync(dir, { recursive: true }))

interface Read {
  readonly segmenting: Segmenting
  readonly readBytes: number
}

/** All of it, or as it comes in these parts. */
function segmented(bytes: Uint8Array, sizes: readonly number[] = []): Read {
  const segmenting = new Segmenting()
  let readBytes = 0
  for (const [i, size] of [...sizes, bytes.length].entries()) {
    for (let isRead = false; !isRead; ) {
      const reader = segmenting.advance(size, i === sizes.length)
      let step = reader.next()
      while (!step.done) {
        const [offset, length]: RangePair = step.value
        expect(offset + length).toBeLessThanOrEqual(size)
        readBytes += length
        step = reader.next(bytes.slice(offset, offset + length))
      }
      isRead = step.value
    }
  }
  return { segmenting, readBytes }
}

/** The flags of the first packet of each kind in a segment, behind what the map says. */
async function firstFlags(bytes: Uint8Array, { map }: Segmenting, segment: Segment) {
  const { offset, length } = segment
  const part = [map ?? [0, 0], [offset, length] as const].map(([from, count]) =>
    bytes.subarray(from, from + count),
  )
  const select = ['-select_streams', 'v', '-show_entries', 'packet=flags', '-of', 'csv=p=0']
  const probe = spawn('ffprobe', ['-v', 'error', ...select, '-'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  probe.stdout.on('data', (chunk) => {
    text += chunk
  })
  probe.stdin.on('error', () => undefined).end(Buffer.concat(part))
  await new Promise((resolve) => probe.on('close', resolve))
  const flags = text.split('\n').filter((line) => /^[K_]/.test(line))
  return { first: flags[0]?.slice(0, 1), frames: flags.length }
}

const { segmentSeconds, segmentSecondsMax } = contentLimits

it.each(['film.ts', 'film.mp4', 'sidx.mp4', 'halves.mp4', 'wraps.ts', 'sound.ts'])(
  '%s is in segments that go on one after the other',
  async (name) => {
    const bytes = load(name)
    const { segmenting } = segmented(bytes)
    const { list } = segmenting.segments
    expect(segmenting.isWhole).toBe(true)
    expect(segmenting.fault).toBeNull()
    let next = segmenting.map === null ? 0 : segmenting.map[1]
    for (const { offset, length, seconds, isDiscontinuous } of list) {
      expect(offset).toBe(next)
      expect(isDiscontinuous).toBe(false)
      expect(seconds).toBeLessThan(segmentSecondsMax + 0.5)
      next = offset + length
    }
    const least = Math.min(...list.slice(0, -1).map(({ seconds }) => seconds))
    expect(least).toBeGreaterThan(segmentSeconds - 0.01)
    const seconds = list.reduce((sum, segment) => sum + segment.seconds, 0)
    expect(Math.abs(seconds - 40)).toBeLessThan(0.3)
    // What tells players of all segments comes last in such a file, and is of none.
    if (name.endsWith('.ts')) expect(next).toBe(bytes.length)
    if (name === 'sound.ts') return
    const probed = await Promise.all(list.map((one) => firstFlags(bytes, segmenting, one)))
    expect(new Set(probed.map(({ first }) => first))).toEqual(new Set(['K']))
    expect(probed.reduce((sum, { frames }) => sum + frames, 0)).toBe(400)
  },
)

it.each(['film.ts', 'film.mp4', 'wraps.ts'])('%s has the same segments as it grows', (name) => {
  const bytes = load(name)
  const whole = segmented(bytes).segmenting.segments.list
  const sizes = Array.from({ length: 60 }, (_, i) => Math.floor((bytes.length * i) / 60))
  const { segmenting } = segmented(bytes, sizes)
  expect(segmenting.segments.list).toEqual(whole)
})

it('skips a part of a stream, and tables come first in its segments', () => {
  const bytes = Buffer.from(load('film.ts'))
  const { segmenting, readBytes } = segmented(bytes)
  expect(readBytes).toBeLessThan(bytes.length * 0.8)
  for (const { offset } of segmenting.segments.list)
    expect([0, 188].map((at) => bytes.readUint16BE(offset + at + 1))).toContain(0x4000)
})

it('films that are put together go on elsewhere', () => {
  const one = load('film.ts')
  const { segmenting } = segmented(Buffer.concat([one, one]))
  const { list } = segmenting.segments
  const breaks = list.filter(({ isDiscontinuous }) => isDiscontinuous)
  expect(breaks.map(({ offset }) => offset)).toEqual([one.length])
  const seconds = list.reduce((sum, segment) => sum + segment.seconds, 0)
  expect(Math.abs(seconds - 80)).toBeLessThan(0.6)
})

it('says what has no segments', () => {
  expect(segmented(load('whole.mp4')).segmenting.fault).toMatch(/not in fragments/)
  expect(segmented(load('placed.mp4')).segmenting.fault).toMatch(/no good elsewhere/)
  expect(segmented(load('film.m2ts')).segmenting.fault).toMatch(/neither/)
  expect(segmented(load('source.mkv')).segmenting.fault).toMatch(/neither/)
  expect(segmented(new Uint8Array()).segmenting.fault).toMatch(/neither/)
  const [start] = segmented(load('film.mp4')).segmenting.segments.list
  const head = load('film.mp4').subarray(0, start?.offset)
  expect(segmented(head).segmenting.fault).toMatch(/without frames/)
})

describe('segments of points', () => {
  const points = (seconds: readonly number[], isSync: (at: number) => boolean): Segments => {
    const segments = new Segments()
    for (const [i, time] of seconds.entries())
      segments.note({ offset: i * 10, seconds: time, isSync: isSync(i) })
    segments.finish(seconds.length * 10, null)
    return segments
  }
  const lasting = ({ list }: Segments): number[] => list.map(({ seconds }) => seconds)
  const every = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

  it('end where decoding can begin, and anywhere before they are too long', () => {
    expect(lasting(points(every(20), (i) => i % 3 === 0))).toEqual([6, 6, 6, 2])
    expect(lasting(points(every(25), (i) => i === 3))).toEqual([3, 10, 10, 2])
    expect(lasting(points(every(25), () => false))).toEqual([10, 10, 5])
    // Frames that last longer than a segment may: the playlist says so.
    const slow = points([0, 20, 40], () => true)
    expect(lasting(slow)).toEqual([20, 20, 20])
    expect(slow.targetSeconds).toBe(20)
  })

  it('begin anew where times jump, and pass over what is out of order', () => {
    const segments = points([0, 1, 0.5, 2, 100, 101, 3], () => true)
    const found = segments.list.map(({ offset, isDiscontinuous }) => [offset, isDiscontinuous])
    expect(found).toEqual([
      [0, false],
      [40, true],
      [60, true],
    ])
    expect(lasting(segments)).toEqual([3, 2, 1])
  })

  it('are kept up to a bound', () => {
    const count = 2 * contentLimits.segments
    const segments = points(
      every(count).map((i) => (i % 2) * 100),
      () => true,
    )
    expect(segments.list).toHaveLength(contentLimits.segments)
    expect(segments.dropped).toBe(contentLimits.segments)
    expect(segments.droppedDiscontinuities).toBe(contentLimits.segments - 1)
  })
})
