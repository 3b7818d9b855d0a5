/**
 * What is found in files that ffmpeg makes, beside what ffprobe says of them. A film of eight
 * seconds is encoded once, and copied into each container.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  blockFiles,
  type Division,
  divisionFault,
  rangesOfTrack,
  type Track,
} from '../../../src/base/division.js'
import { limits } from '../../../src/base/limits.js'
import { divisionOf } from './support.js'

const run = promisify(execFile)
const dir = mkdtempSync(join(tmpdir(), 'fr-media-'))
const at = (name: string): string => join(dir, name)

const film = [
  ...['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=8'],
  ...['-f', 'lavfi', '-i', 'sine=frequency=440:duration=8'],
  ...['-c:v', 'mpeg2video', '-g', '25', '-b:v', '1M', '-minrate', '1M', '-maxrate', '1M'],
  ...['-bufsize', '500k', '-c:a', 'mp2', '-b:a', '64k'],
]
const copies: Record<string, string[]> = {
  'last.mp4': [],
  'first.mp4': ['-movflags', '+faststart'],
  'fragmented.mp4': ['-movflags', 'frag_keyframe+empty_moov+default_base_moof'],
  'halves.mp4': ['-movflags', 'frag_keyframe+empty_moov', '-frag_duration', '500000'],
  'film.mkv': [],
  'live.mkv': ['-f', 'matroska', '-live', '1'],
  'film.ts': [],
  'film.m2ts': [],
}
const sounds: Record<string, string[]> = {
  'sound.mp3': ['-b:a', '320k'],
  'vbr.mp3': ['-q:a', '0'],
  'sound.wav': [],
  'sound.flac': [],
}

beforeAll(async () => {
  const silent = ['-v', 'error', '-y']
  await run('ffmpeg', [...silent, ...film, '-cluster_time_limit', '900', at('source.mkv')])
  const copied = Object.entries(copies).flatMap(([name, options]) => {
    const clusters = name.endsWith('.mkv') ? ['-cluster_time_limit', '900'] : []
    return ['-c', 'copy', ...clusters, ...options, at(name)]
  })
  await run('ffmpeg', [...silent, '-i', at('source.mkv'), ...copied])
  const noise = 'anoisesrc=duration=8:sample_rate=44100:amplitude=0.4:seed=1'
  const heard = Object.entries(sounds).flatMap(([name, options]) => [...options, at(name)])
  await run('ffmpeg', [...silent, '-f', 'lavfi', '-i', noise, ...heard])
}, 60_000)

afterAll(() => rmSync(dir, { recursive: true }))

interface Probed {
  readonly bitRate: number
  /** Offsets of the packets of the film, or else of the sound, and of those that are key frames. */
  readonly all: readonly number[]
  readonly key: readonly number[]
}

async function probed(name: string): Promise<Probed> {
  const kind = name in copies ? 'v' : 'a'
  const entries = 'format=bit_rate:packet=pos,flags'
  const options = ['-v', 'error', '-select_streams', kind, '-show_entries', entries]
  const { stdout } = await run('ffprobe', [...options, '-of', 'json', at(name)])
  const { packets, format } = JSON.parse(stdout) as {
    readonly packets: readonly { readonly pos?: string; readonly flags: string }[]
    readonly format: { readonly bit_rate?: string }
  }
  const placed = packets.filter(({ pos }) => pos !== undefined)
  return {
    bitRate: Number(format.bit_rate ?? 0),
    all: placed.map(({ pos }) => Number(pos)),
    key: placed.filter(({ flags }) => flags.startsWith('K')).map(({ pos }) => Number(pos)),
  }
}

/** Whether ffprobe finds a film in a file, or in what comes through a pipe, where none can seek. */
async function isPlayable(from: Uint8Array | string): Promise<boolean> {
  const source = typeof from === 'string' ? from : '-'
  const options = ['-v', 'error', '-show_entries', 'stream=codec_type,width', '-of', 'json', source]
  const probe = spawn('ffprobe', options, { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = new Promise<number | null>((resolve) => probe.on('close', resolve))
  let text = ''
  probe.stdout.on('data', (part) => {
    text += part
  })
  probe.stdin.on('error', () => undefined).end(typeof from === 'string' ? '' : from)
  return (await ended) === 0 && /"width": 320/.test(text)
}

const load = (name: string): Uint8Array => readFileSync(at(name))

/** The offset in the file at which each block file but the first begins. */
function beginnings(track: Track, { blockBytes }: Division): number[] {
  const files = [...blockFiles(track, blockBytes)].slice(1)
  return files.map((file) => (rangesOfTrack(track, file)[0] as [number, number])[0])
}

const expected = {
  'first.mp4': 'mp4',
  'last.mp4': 'mp4',
  'fragmented.mp4': 'fragmented-mp4',
  'halves.mp4': 'fragmented-mp4',
  'film.mkv': 'matroska',
  'live.mkv': 'matroska',
  'film.ts': 'mpeg-ts',
  'film.m2ts': 'mpeg-ts',
} as const

it.each(Object.entries(expected))('%s is divided as a player needs it', async (name, format) => {
  const isLinear = name !== 'last.mp4'
  const bytes = load(name)
  const division = divisionOf(bytes)
  expect(divisionFault(division, bytes.length)).toBeNull()
  expect(division).toMatchObject({ format, isLinear })
  const names = division.tracks.map((track) => track.name)
  expect(names).toEqual(isLinear ? ['all'] : ['index', 'media'])
  const track = division.tracks.at(-1) as Track
  const { bitRate, all, key } = await probed(name)
  if (bitRate > 0) expect((track.bitRate ?? 0) / bitRate).toBeCloseTo(1, 1)
  expect(division.blockBytes / ((track.bitRate ?? 0) / 4)).toBeCloseTo(1, 2)
  // The next packet of the film behind the beginning of each block file is a key frame.
  const starts = beginnings(track, division)
  expect(starts.length).toBeGreaterThanOrEqual(3)
  const next = starts.map((start) => all.find((packet) => packet >= start))
  const found = next.filter((packet) => packet !== undefined)
  expect(found.filter((packet) => !key.includes(packet))).toEqual([])
  expect(found).not.toHaveLength(0)
})

it.each([
  ['first.mp4', 'as it is'],
  ['fragmented.mp4', 'as it is'],
  ['last.mp4', 'with its index first'],
])('half of %s can be played from the front %s', async (name, order) => {
  const bytes = load(name)
  const half = Math.ceil(bytes.length / 2)
  if (order !== 'as it is') expect(await isPlayable(bytes.slice(0, half))).toBe(false)
  // A player that can seek has the first half of what is delivered where it belongs.
  const { tracks } = divisionOf(bytes)
  const there = new Uint8Array(bytes.length)
  let left = half
  for (const [offset, length] of tracks.flatMap((track) => track.ranges)) {
    const part = bytes.slice(offset, offset + Math.min(length, left))
    there.set(part, offset)
    left -= part.length
  }
  writeFileSync(at(`half-${name}`), there)
  expect(await isPlayable(order === 'as it is' ? there.slice(0, half) : at(`half-${name}`))).toBe(
    true,
  )
})

it.each([
  ['sound.mp3', 'mp3'],
  ['vbr.mp3', 'mp3'],
  ['sound.flac', 'flac'],
] as const)('%s has block files that begin with a frame', async (name, format) => {
  const bytes = load(name)
  const division = divisionOf(bytes)
  expect(division).toMatchObject({ format, isLinear: true })
  const [track] = division.tracks as [Track]
  const { bitRate, all } = await probed(name)
  expect((track.bitRate ?? 0) / bitRate).toBeCloseTo(1, 1)
  const starts = beginnings(track, division)
  expect(starts.length).toBeGreaterThanOrEqual(2)
  expect(starts.filter((start) => !all.includes(start))).toEqual([])
})

it('cuts WAV at whole frames of sound', async () => {
  const bytes = load('sound.wav')
  const division = divisionOf(bytes)
  expect(division).toMatchObject({ format: 'wav', isLinear: true })
  const [track] = division.tracks as [Track]
  expect(track.bitRate).toBe(44_100 * 16)
  const sound = bytes.length - 8 * 44_100 * 2
  const starts = beginnings(track, division)
  expect(starts).toHaveLength(3)
  expect(starts.map((start) => (start - sound) % 2)).toEqual([0, 0, 0])
})

it('takes files that are cut off or claim to be films for what they are', () => {
  const linear = { format: 'bytes', isLinear: true }
  const film = load('last.mp4')
  // Without its index nothing of it is known; with the index in front, all that is there.
  expect(divisionOf(film.slice(0, film.length - 2_000))).toMatchObject(linear)
  const first = load('first.mp4')
  const cut = divisionOf(first.slice(0, Math.ceil(first.length / 2)))
  expect(cut).toMatchObject({ format: 'mp4', isLinear: true })
  const text = Buffer.from('This is no film. '.repeat(1_000))
  for (const head of [first, load('film.mkv'), load('film.ts'), load('sound.flac')]) {
    const claims = Buffer.concat([head.subarray(0, 64), text])
    expect(divisionOf(claims)).toMatchObject(linear)
  }
  expect(divisionOf(text)).toMatchObject({ ...linear, blockBytes: limits.blockFileBytes })
  expect(divisionOf(new Uint8Array())).toMatchObject({ ...linear, tracks: [] })
})
