/**
 * Chromium plays a film at a node that still pulls it: the way to that node lets so many bytes
 * through, and no more until the test says so, so what the player sees came with those.
 */
import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { statSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { publish } from '../../src/api/index.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { tlsFirstByte } from '../../src/net/tls.js'
import { launch } from './page-support.js'
import { proxy, type Through } from './proxy.js'
import { until, World, type WorldNode } from './push-support.js'

const run = promisify(execFile)
const world = new World('native')
const where = 'region=eu'
const eu = { attributes: { region: 'eu' } }
let browser: Browser
let page: Page
let size: number

/** Towards whoever dials, data connections together carry as many bytes as they may. */
class Gate {
  through = 0
  #most = 0
  readonly #held = new Map<Socket, { readonly to: Socket; left: Buffer }>()

  /** Of a proxy: `from` dials, `to` is the node. */
  readonly join = (from: Socket, to: Socket): void => {
    from.once('data', (chunk: Buffer) => {
      if (chunk[0] === tlsFirstByte) to.pipe(from)
      else {
        to.on('data', (bytes: Buffer) => this.#pass(to, from, bytes))
        to.on('end', () => from.end())
      }
    })
    from.pipe(to)
  }

  let(most: number): void {
    this.#most = Math.max(this.#most, most)
    for (const [to, { to: from, left }] of [...this.#held]) {
      this.#held.delete(to)
      to.resume()
      this.#pass(to, from, left)
    }
  }

  #pass(to: Socket, from: Socket, bytes: Buffer): void {
    const passes = Math.min(bytes.length, this.#most - this.through)
    this.through += passes
    if (passes > 0 && !from.write(bytes.subarray(0, passes))) {
      to.pause()
      from.once('drain', () => {
        if (!this.#held.has(to)) to.resume()
      })
    }
    if (passes === bytes.length) return
    to.pause()
    this.#held.set(to, { to: from, left: bytes.subarray(passes) })
    to.once('close', () => this.#held.delete(to))
  }
}

const film = [
  ...['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=60'],
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-pix_fmt', 'yuv420p'],
  ...['-x264-params', 'nal-hrd=cbr:filler=1', '-b:v', '16M', '-minrate', '16M'],
  ...['-maxrate', '16M', '-bufsize', '4M', '-movflags', '+faststart'],
]

beforeAll(async () => {
  const path = join(world.dir, 'film.mp4')
  const [started] = await Promise.all([
    launch(),
    run('ffmpeg', ['-v', 'error', '-y', ...film, path]),
  ])
  browser = started
  page = await browser.newPage()
  size = statSync(path).size
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await world.dispose()
})

it('shows the first frame with five parts of a hundred of the film here, and seeks', {
  timeout: 120_000,
}, async () => {
  const gate = new Gate()
  let through: Through | undefined
  let first: WorldNode | undefined
  through = await proxy(
    () => (first as WorldNode).address,
    gate.join,
    0,
    () => {},
  )
  world.defer(() => through?.close())
  first = await world.node({ ...eu, advertise: through.address })
  const node = await world.node({ ...eu, parent: first.address })
  const tokens = join(world.dir, 'tokens')
  writeFileSync(tokens, '* get **, attr region=eu\n', { mode: 0o600 })
  const door: Door = await openDoor({ node }, { listen: '127.0.0.1:0', tokens })
  world.defer(() => door.close())
  await publish(join(world.dir, 'film.mp4'), { via: first.address, where, as: 'film.mp4' })
  const isPulled = (): boolean => node.status().pulls.some(({ name }) => name === 'film.mp4')
  await until(isPulled, 'the node has heard of it')
  const url = `http://${door.address}/files/film.mp4`
  // Where players have begun to read.
  const begun: number[] = []
  const asked = (message: unknown): void => {
    const { request } = message as { readonly request: IncomingMessage }
    if (request.url !== '/files/film.mp4') return
    begun.push(Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0))
  }
  subscribe('http.server.request.start', asked)
  world.defer(() => void unsubscribe('http.server.request.start', asked))
  const part = () => Math.round((gate.through / size) * 1_000) / 10
  await page.setContent(`<video muted preload="auto" src="${url}"></video>`)
  await until(() => begun.length > 0, 'the player reads')
  gate.let(Math.floor(size * 0.05))
  // Chromium has a picture to show, of that size.
  await page.waitForFunction(() => {
    const video = document.querySelector('video')
    return video !== null && video.readyState >= 2 && video.videoWidth === 320
  })
  const firstPart = part()
  expect(firstPart).toBeLessThanOrEqual(5)
  await page.screenshot({ path: join(world.dir, 'first.png') })
  await page.evaluate((seconds) => {
    const video = document.querySelector('video') as HTMLVideoElement
    video.currentTime = seconds
  }, 54)
  await until(() => begun.some((offset) => offset > size * 0.8), 'it reads elsewhere')
  // In its order that would come with nine parts of ten.
  gate.let(Math.floor(size * 0.25))
  await page.waitForFunction(() => {
    const video = document.querySelector('video')
    return video !== null && !video.seeking && video.readyState >= 2 && video.currentTime >= 54
  })
  console.log(`first frame with ${firstPart} % of the film, after seeking ${part()} %`)
  expect(part()).toBeLessThanOrEqual(25)
})
