/**
 * `npm run viewers [-- --viewers 200 --seconds 20 --rate 2M]`: players of one film at one node,
 * each at its own place in the playlist, in processes of their own.
 *
 * A viewer reads the playlist, then segment after segment as a player does: it loads two, plays
 * one in the time it lasts, and loads the next meanwhile. A stall is a moment at which the next
 * segment is not there. Prints in JSON the stalls, how long a segment took to come, and what the
 * node uses; fails where a viewer stalls, or gets a byte that is not of the film.
 */
import { execFileSync, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Workspace } from '../../bench/workspace.mjs'
import { push } from '../../dist/api/index.js'

const processes = 2
const bufferedSegments = 2

if (process.send !== undefined) process.once('message', (order) => void play(order))
else await main()

async function body(url, agent, range) {
  const headers = range === undefined ? {} : { range: `bytes=${range[0]}-${range[1]}` }
  const answer = await new Promise((resolve, reject) => {
    get(url, { agent, headers }, resolve).on('error', reject)
  })
  const parts = []
  for await (const part of answer) parts.push(part)
  if (answer.statusCode !== (range === undefined ? 200 : 206))
    throw new Error(`status ${answer.statusCode}`)
  return Buffer.concat(parts)
}

function segmentsIn(text) {
  return [...text.matchAll(/#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n/g)].map(
    ([, seconds, length, offset]) => ({
      ms: Number(seconds) * 1_000,
      range: [Number(offset), Number(offset) + Number(length) - 1],
    }),
  )
}

/** Viewers of this process: tells its parent what they saw. */
async function play({ url, path, viewers, first, seconds: text }) {
  const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex')
  const seconds = Number(text)
  const film = readFileSync(path)
  const seen = { stalls: 0, stalledMs: 0, wrong: 0, segments: 0, longestMs: 0, bytes: 0 }
  const digests = new Map()
  await Promise.all(
    Array.from({ length: viewers }, async (_, at) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const segments = segmentsIn(String(await body(`${url}.m3u8`, agent)))
      if (segments.length === 0) throw new Error('the playlist has no segments')
      await sleep(Math.random() * 2_000)
      const endMs = performance.now() + seconds * 1_000
      // When all that was loaded has been played; null: it does not play yet.
      let playedMs = null
      let loadedMs = 0
      for (let next = (first + at) % segments.length; performance.now() < endMs; next++) {
        const { ms, range } = segments[next % segments.length]
        const fromMs = performance.now()
        const bytes = await body(url, agent, range)
        const nowMs = performance.now()
        const [key] = range
        if (!digests.has(key)) digests.set(key, digestOf(film.subarray(range[0], range[1] + 1)))
        if (digestOf(bytes) !== digests.get(key)) seen.wrong++
        seen.segments++
        seen.bytes += bytes.length
        seen.longestMs = Math.max(seen.longestMs, nowMs - fromMs)
        if (playedMs !== null && nowMs > playedMs) {
          seen.stalls++
          seen.stalledMs += nowMs - playedMs
        }
        loadedMs += ms
        if (playedMs !== null) playedMs = Math.max(playedMs, nowMs) + ms
        else if (loadedMs >= bufferedSegments * ms) playedMs = nowMs + loadedMs
        if (playedMs === null) continue
        const aheadMs = playedMs - performance.now()
        await sleep(Math.max(0, aheadMs - bufferedSegments * ms))
      }
      agent.destroy()
    }),
  )
  process.send(seen, () => process.exit(0))
}

async function main() {
  const { values } = parseArgs({
    options: {
      viewers: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '20' },
      rate: { type: 'string', default: '2M' },
    },
  })
  const viewers = Number(values.viewers)
  const world = new Workspace(0, 'disk', { name: 'fr-viewers' })
  const children = []
  try {
    const path = world.path('film.ts')
    const video = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-b:v', values.rate]
    const steady = ['-minrate', values.rate, '-maxrate', values.rate, '-bufsize', values.rate]
    const filler = ['-x264-params', 'nal-hrd=cbr:filler=1']
    const source = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=60']
    execFileSync('ffmpeg', ['-v', 'error', ...source, ...video, ...steady, ...filler, path])
    const node = await world.startNode({ name: 'node', args: ['--http', '127.0.0.1:0'] })
    await push(path, { to: [node.address], as: 'film.ts' }).result
    const url = `http://${node.lines[0].http}/files/film.ts`
    const startedMs = performance.now()
    const all = await Promise.all(
      Array.from({ length: processes }, (_, at) => {
        const share = Math.floor((viewers + at) / processes)
        const order = { url, path, viewers: share, first: at * share, seconds: values.seconds }
        const child = fork(fileURLToPath(import.meta.url))
        children.push(child)
        child.send(order)
        return new Promise((resolve, reject) => {
          child.once('message', resolve)
          child.once('exit', (code) => reject(new Error(`viewers ended with ${code}`)))
        })
      }),
    )
    const sum = (field) => all.reduce((total, seen) => total + seen[field], 0)
    const seconds = (performance.now() - startedMs) / 1_000
    const result = {
      ...{ viewers, seconds, stalls: sum('stalls'), stalledMs: sum('stalledMs') },
      ...{ wrong: sum('wrong'), segments: sum('segments') },
      longestSegmentMs: Math.max(...all.map(({ longestMs }) => longestMs)),
      mbitPerSecond: (sum('bytes') * 8) / seconds / 1e6,
      nodeBytes: residentBytes(node.child.pid),
    }
    console.log(JSON.stringify(result, null, 2))
    const isRight = result.stalls === 0 && result.wrong === 0 && result.segments >= viewers
    process.exitCode = isRight ? 0 : 1
  } finally {
    for (const child of children) child.kill()
    world.close()
  }
}

function residentBytes(pid) {
  const [, kib = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1024
}
