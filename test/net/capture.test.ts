/** What a sealed push shows to whoever captures every packet of its network. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../bench/running.mjs'
import { MIB, push, sameContent } from '../../bench/workspace.mjs'
import { startWorld, type World } from './world.js'

const bytes = 8 * MIB
/** Long enough that random bytes have it nowhere else; looked for at the beginning of each page. */
const piece = 16
const page = 4096

let world: World

beforeAll(async () => {
  world = await startWorld(2, 400, 8 * bytes)
})

afterAll(() => world?.close())

/** All packets at the origin and at the second node: what is fed, and what mates relay. */
async function captured(run: () => Promise<unknown>, name: string): Promise<Buffer> {
  const { lab, workspace } = world
  const dumps = [0, 2].map((host) => {
    const file = path.join(workspace.directory, `${name}-${host}.pcap`)
    const args = ['-i', 'eth0', '-s', '0', '-B', '65536', '-U', '-Z', 'root', '-w', file]
    return { file, running: lab.start(host, 'tcpdump', args) }
  })
  for (const { running } of dumps)
    await until(() => running.stderr.includes('listening on'), `tcpdump: ${running.stderr}`)
  await run()
  for (const { running } of dumps) {
    running.kill('SIGINT')
    await running.ended
    expect(running.stderr).toMatch(/^0 packets dropped by kernel$/m)
  }
  return Buffer.concat(dumps.map(({ file }) => readFileSync(file)))
}

/** How many pages of the file begin somewhere in what was captured. */
function pagesIn(capture: Buffer, content: Buffer): number {
  const wanted = new Set<string>()
  for (let at = 0; at < content.length; at += page)
    wanted.add(content.toString('latin1', at, at + piece))
  // By the first two bytes, or every place would be a text of its own.
  const first = new Set([...wanted].map((text) => text.slice(0, 2)))
  const starts = new Uint8Array(65_536)
  for (const text of first) starts[text.charCodeAt(0) * 256 + text.charCodeAt(1)] = 1
  const found = new Set<string>()
  for (let at = 0; at + piece <= capture.length; at++) {
    if (starts[capture.readUInt16BE(at)] === 0) continue
    const text = capture.toString('latin1', at, at + piece)
    if (wanted.has(text)) found.add(text)
  }
  return found.size
}

test.each([
  ['shows the file where it is not sealed', [], bytes / page],
  ['shows nothing of it where it is', ['--seal'], 0],
])('a capture of all packets %s', async (_, args, pages) => {
  const { lab, workspace, keyFile, nodes } = world
  const name = args.length === 0 ? 'readable' : 'secret'
  const source = await workspace.randomFile(name, bytes)
  const run = () => push(workspace, { source, nodes, keyFile, prefix: lab.prefix(0), args })
  const capture = await captured(run, name)
  const content = readFileSync(source)
  for (const node of nodes) expect(sameContent(source, path.join(node.data, name))).toBe(true)
  // The origin sends it once at least, and half of it comes to the second node from its mate.
  expect(capture.length).toBeGreaterThan(1.4 * bytes)
  const found = pagesIn(capture, content)
  // A packet may end in the middle of a piece.
  if (pages > 0) expect(found).toBeGreaterThan(0.95 * pages)
  else expect(found).toBe(0)
  expect(capture.includes(name), 'nor its name').toBe(false)
})
