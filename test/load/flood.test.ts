/**
 * `npm run flood [-- --short]`: floods the port of a node while it receives a file.
 *
 * A real `fr node`, a real `fr push` limited only by the machine, and connections without a key
 * from this process (strangers.ts). The push must complete with the right content and never stand
 * still for a second. The node must accept nothing else, stay small, answer peers that hold the
 * key, and keep no descriptor afterwards.
 *
 * Flood and transfer share the machine, so this measures the worst case, not the cost.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { watchMemory } from '../../bench/machine.mjs'
import { MIB, type NodeProcess, sameContent, Workspace } from '../../bench/workspace.mjs'
import { fetchStatus, type NodeStatus } from '../../src/api/index.js'
import { awakeMs, watch } from '../../src/base/time/awake.js'
import { flood, type Seen } from './strangers.js'

const isShort = process.env['FR_SHORT'] !== undefined
const fileBytes = (isShort ? 256 : 1024) * MIB
const connections = isShort ? 2_000 : 10_000
/** More than a node holds of strangers (limits.unauthenticatedConnections). */
const atOnce = 400
const rssAnonMax = 150 * MIB
const stillMsMax = 1_000
const settleMs = 10_000
/** Large enough for the hash workers. */
const smallBytes = 64 * MIB
const key = 'flood-'.padEnd(43, 'k')

let workspace: Workspace
let node: NodeProcess
let source: string
let small: string
let before: { readonly fds: readonly string[]; readonly status: NodeStatus }
let seen: Seen
let rssAnon = 0
let pushStatus: number | string
let longestStill = 0
const asked = { answered: 0, unanswered: 0, worstMs: 0 }

const status = () => fetchStatus(node.address, { key, timeoutMs: 10_000 })
const pushSmall = () => workspace.fr(['push', small, '--to', node.address, '--json'])

/** Each descriptor of the node, as the kernel names it. */
function descriptors(): string[] {
  const directory = `/proc/${node.child.pid}/fd`
  return readdirSync(directory).flatMap((fd) => {
    try {
      return [readlinkSync(path.join(directory, fd))]
    } catch {
      return [] // closed meanwhile
    }
  })
}

/** Longest time between two moments at which bytes had landed, as far as reported. */
function stillness() {
  let bytes = 0
  let atMs = 0
  return (now = 0) => {
    if (now <= bytes) return
    if (atMs > 0) longestStill = Math.max(longestStill, awakeMs() - atMs)
    bytes = now
    atMs = awakeMs()
  }
}

/** Peers that hold the key are served during the flood. */
async function ask(isOver: () => boolean, landed: (bytes?: number) => void): Promise<void> {
  while (!isOver()) {
    const atMs = performance.now()
    try {
      const { transfers } = await status()
      asked.answered += 1
      asked.worstMs = Math.max(asked.worstMs, performance.now() - atMs)
      landed(transfers[0]?.landedBytes)
    } catch {
      asked.unanswered += 1
    }
    await sleep(50)
  }
}

beforeAll(async () => {
  // Time in which this process had no turn proves nothing about the node.
  watch()
  const env = { ...process.env, FR_KEY: key }
  workspace = new Workspace(4 * fileBytes, 'any', { name: 'fr-flood', env })
  source = await workspace.randomFile('source.bin', fileBytes)
  small = await workspace.randomFile('small.bin', smallBytes)
  node = await workspace.startNode({ name: 'node', args: ['--log-level', 'warn'] })
  // Things opened at the first use (a pipe on each lane, workers) are no leak.
  const { lanes = 1 } = (await status()).counters
  for (let i = 0; i < 2 * lanes; i++) await pushSmall().succeed('a push before the flood')
  // What the node has under another name already is hashed in a worker.
  for (const name of ['before.bin', 'again.bin']) {
    const large = ['push', source, '--as', name, '--to', node.address, '--json']
    await workspace.fr(large).succeed('a large push before the flood')
  }
  await sleep(1_500)
  before = { fds: descriptors(), status: await status() }

  let isOver = false
  const landed = stillness()
  const memory = watchMemory(node.child.pid, 50)
  const startMs = performance.now()
  const port = Number(node.address.split(':').at(-1))
  const flooding = flood(port, { least: connections, atOnce }, () => !isOver)
  const asking = ask(() => isOver, landed)
  // Starts the strangers first.
  await sleep(300)
  const pushMs = performance.now()
  const push = workspace.fr(['push', source, '--to', node.address, '--json'])
  push.onLine((line) => {
    if (line.event === 'progress') landed(line.landedBytes)
  })
  pushStatus = await push.ended
  landed(fileBytes)
  const pushSeconds = (performance.now() - pushMs) / 1000
  isOver = true
  seen = await flooding
  await asking
  rssAnon = memory.end().peak
  console.info(
    `${seen.called} strangers in ${((performance.now() - startMs) / 1000).toFixed(1)} s, ` +
      `${seen.opened} connected; the push took ${pushSeconds.toFixed(2)} s; ` +
      `${asked.answered} questions answered, the slowest in ${asked.worstMs.toFixed(0)} ms, ` +
      `${asked.unanswered} not; RssAnon of the node ${(rssAnon / MIB).toFixed(0)} MiB, ` +
      `no byte landed for at most ${longestStill.toFixed(0)} ms`,
  )
})

afterAll(() => workspace?.close())

test('the push completes, and the content is right', () => {
  expect(pushStatus).toBe(0)
  expect(sameContent(source, path.join(node.data, 'source.bin'))).toBe(true)
})

test(`bytes land at least every ${stillMsMax} ms`, () => {
  expect(longestStill).toBeLessThanOrEqual(stillMsMax)
})

test(`RssAnon of the node stays below ${rssAnonMax / MIB} MiB`, () => {
  expect(rssAnon).toBeGreaterThan(0)
  expect(rssAnon).toBeLessThan(rssAnonMax)
})

test(`${connections} strangers have called, and none is let in`, () => {
  expect(seen.called).toBeGreaterThanOrEqual(connections)
  expect(seen.opened).toBeGreaterThanOrEqual(connections * 0.9)
  expect(seen.welcomed).toBe(0)
})

test('who holds the key is answered during the flood', () => {
  expect(asked.answered).toBeGreaterThan(0)
  expect(asked.unanswered).toBeLessThanOrEqual(asked.answered / 10)
})

test('no descriptor is left', async () => {
  const endMs = performance.now() + settleMs
  let left: string[]
  do {
    await sleep(250)
    left = descriptors().filter((name) => !before.fds.includes(name))
  } while (left.length > 0 && performance.now() < endMs)
  expect(left).toEqual([])
})

test('nothing else was accepted', async () => {
  const { counters, transfers, dataDir } = await status()
  const { transfersStarted = 0 } = before.status.counters
  expect(counters['transfersStarted']).toBe(transfersStarted + 1)
  expect([counters['openFeeds'], counters['openFiles'], transfers]).toEqual([0, 0, []])
  expect(readdirSync(path.join(dataDir, '.fastreplica', 'partials'))).toEqual([])
})

test('a push after the flood, and the node ends cleanly', async () => {
  await pushSmall().succeed('a push after the flood')
  node.kill('SIGTERM')
  expect(await node.ended, node.stderr).toBe(143)
})
