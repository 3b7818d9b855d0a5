/** Films of a node for players: playlists that ffprobe reads, of what is held and still comes. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { generateKey, push, pushStream } from '../../src/api/index.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { sha256Of } from '../../src/doors/tokens.js'
import { until, World, type WorldNode } from './push-support.js'

const run = promisify(execFile)
const world = new World('native')
const key = generateKey()
let node: WorldNode
let door: Door
let origin: string
const at = (name: string): string => join(world.dir, name)

const film = [
  ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10:duration=20'],
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '10', '-b:v', '200k'],
]
const frames = 200
const fragments = ['-movflags', 'frag_keyframe+empty_moov+default_base_moof']

beforeAll(async () => {
  const silent = ['-v', 'error', '-y']
  await run('ffmpeg', [...silent, ...film, at('source.mkv')])
  const copied = [['film.ts'], [...fragments, 'film.mp4'], ['whole.mp4']].flatMap((options) => {
    return ['-c', 'copy', ...options.slice(0, -1), at(options.at(-1) as string)]
  })
  await run('ffmpeg', [...silent, '-i', at('source.mkv'), ...copied])
  node = await world.node({ key, attributes: { site: 'here' } })
  door = await openDoor({ node }, { listen: '127.0.0.1:0', key })
  origin = `http://${door.address}`
  const to = [node.address]
  for (const name of ['film.ts', 'film.mp4', 'whole.mp4'])
    await push(at(name), { to, key, as: `films/ä "1"/${name}` }).result
  const only = 'site = here'
  await push(at('film.ts'), { to, key, as: 'only.ts', only }).result
}, 60_000)
afterAll(async () => {
  await door.close()
  await world.dispose()
})

const held = (name: string): string => `/files/${encodeURI('films/ä "1"/')}${name}`

/** What ffprobe finds behind a URL. */
async function probed(url: string) {
  const entries = 'format=duration,format_name:stream=nb_read_packets,codec_name'
  const options = ['-v', 'error', '-count_packets', '-show_entries', entries, '-of', 'json']
  const { stdout } = await run('ffprobe', [...options, url])
  const { format, streams } = JSON.parse(stdout)
  return {
    format: format.format_name as string,
    seconds: Math.round(Number(format.duration)),
    packets: streams.map((stream: { nb_read_packets: string }) => Number(stream.nb_read_packets)),
  }
}

it.each(['film.ts', 'film.mp4'])('%s is played by its playlist', async (name) => {
  const url = `${origin}${held(name)}.m3u8`
  expect(await probed(url)).toEqual({ format: 'hls', seconds: 20, packets: [frames] })
  const answer = await fetch(url)
  expect(answer.headers.get('content-type')).toBe('application/vnd.apple.mpegurl')
  expect(answer.headers.get('cache-control')).toBe('no-cache')
  const text = await answer.text()
  const map = name === 'film.mp4' ? '#EXT-X-MAP:URI="./film.mp4",BYTERANGE="\\d+@0"\n' : ''
  const head =
    '^#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n' +
    `#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n${map}`
  const segment = `#EXTINF:4.000000,\n#EXT-X-BYTERANGE:\\d+@\\d+\n./${name}\n`
  expect(text).toMatch(new RegExp(`${head}(${segment}){5}#EXT-X-ENDLIST\n$`))
  const ranges = [...text.matchAll(/BYTERANGE:(\d+)@(\d+)/g)].map(([, length, offset]) => {
    return [Number(offset), Number(length)] as const
  })
  const last = ranges.at(-1) as readonly [number, number]
  if (name === 'film.ts') expect(last[0] + last[1]).toBe(readFileSync(at(name)).length)
  const asked = await fetch(url, { method: 'HEAD' })
  expect([asked.status, asked.headers.get('content-length')]).toEqual([
    200,
    String(Buffer.byteLength(text)),
  ])
})

it('other films are played by ranges, and have no playlist', async () => {
  expect(await probed(`${origin}${held('whole.mp4')}`)).toMatchObject({ packets: [frames] })
  const answer = await fetch(`${origin}${held('whole.mp4')}.m3u8`)
  expect(answer.status).toBe(404)
  expect(await answer.json()).toMatchObject({
    code: 'ERR_FR_NOT_HELD',
    detail: expect.stringMatching(/MP4 file/),
  })
  expect((await fetch(`${origin}/files/none.ts.m3u8`)).status).toBe(404)
  expect((await fetch(`${origin}/files/.m3u8`)).status).toBe(404)
})

it('a playlist is for those who may have the film', async () => {
  const refused = await fetch(`${origin}/files/only.ts.m3u8`)
  expect(refused.status).toBe(403)
  expect(await refused.json()).toMatchObject({ code: 'ERR_FR_ONLY' })
  const tokens = at('tokens')
  const lines = [
    `${sha256Of('here')} here get only.ts, attr site=here`,
    `${sha256Of('list')} list get *.m3u8`,
  ]
  writeFileSync(tokens, `${lines.join('\n')}\n`, { mode: 0o600 })
  const own = await openDoor({ node }, { listen: '127.0.0.1:0', key, tokens })
  const ask = (token: string) =>
    fetch(`http://${own.address}/files/only.ts.m3u8`, {
      headers: { authorization: `Bearer ${token}` },
    })
  try {
    // The name of a playlist gives no right to the film.
    expect((await ask('list')).status).toBe(403)
    expect((await ask('here')).status).toBe(403)
    writeFileSync(tokens, `${sha256Of('here')} here get only.ts*, attr site=here\n`)
    await own.reload()
    const allowed = await ask('here')
    expect([allowed.status, allowed.headers.get('cache-control')]).toEqual([
      200,
      'private, no-cache',
    ])
    expect(await allowed.text()).toContain('#EXT-X-ENDLIST')
  } finally {
    await own.close()
  }
})

it.each(['film.ts', 'film.mp4'])('%s is played while it is still written', async (name) => {
  const bytes = readFileSync(at(name))
  const stream = new PassThrough()
  const as = `live-${name}`
  const options = { to: [node.address], as, key, rejoinMs: 0, silenceMs: 6_000 }
  const pushing = pushStream(stream, options)
  pushing.result.catch(() => {})
  stream.write(bytes.subarray(0, Math.floor(bytes.length * 0.7)))
  const url = `${origin}/files/${as}.m3u8`
  const playlist = async (): Promise<string> => {
    const answer = await fetch(url)
    return answer.status === 200 ? answer.text() : ''
  }
  const segments = (text: string): string[] => text.match(/BYTERANGE:.*/g) ?? []
  await until(async () => segments(await playlist()).length === 3, 'three segments are there')
  const live = await playlist()
  expect(live).not.toMatch(/ENDLIST|PLAYLIST-TYPE|EXT-X-START/)
  // It reads what is there of what still grows.
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-live_start_index', '0', '-show_entries', 'stream=codec_name'],
    ...['-of', 'csv=p=0', url],
  ])
  expect(stdout).toMatch(/h264/)
  stream.end(bytes.subarray(Math.floor(bytes.length * 0.7)))
  await pushing.result
  await until(async () => /ENDLIST/.test(await playlist()), 'it has ended')
  const whole = await playlist()
  expect(segments(whole).slice(0, 3)).toEqual(segments(live))
  expect(segments(whole)).toHaveLength(5)
  expect(await probed(url)).toEqual({ format: 'hls', seconds: 20, packets: [frames] })
})
