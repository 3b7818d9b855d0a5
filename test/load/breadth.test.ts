/**
 * `npm run breadth [-- nodes|sparse|large ...]`: tests that take too long or too much space for
 * `npm test`; the rest is in test/e2e/breadth.test.ts. Real `fr node` and `fr push` on loopback:
 *
 * - 64 nodes (or FR_BREADTH_NODES) in 8 processes get a file of 8 MiB in one group;
 * - a sparse file of 10 GiB keeps its holes at a node;
 * - a file of 8 GiB passes through node and push in constant memory.
 *
 * A part is skipped, with the reason, when there is not enough space.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, type TestContext, test } from 'vitest'
import { availableMemoryBytes, watchMemory } from '../../bench/machine.mjs'
import { GIB, listOf, MIB, Obstacle, root, sameContent, Workspace } from '../../bench/workspace.mjs'

/** A slow machine with two cores greets fewer than 64 in time. */
const nodesWanted = Number(process.env['FR_BREADTH_NODES'] ?? 64)
const rssAnonMax = 120 * MIB
const key = randomBytes(32).toString('base64url')

let workspace: Workspace | undefined
afterEach(() => workspace?.close())

/**
 * Space for this many bytes and 1 GiB, and for the whole of a sparse file as a node requires it; in
 * memory only if there is twice as much.
 */
function roomFor(bytes: number, skip: TestContext['skip']): Workspace {
  try {
    const options = { name: 'fr-breadth', env: { ...process.env, FR_KEY: key } }
    const where = availableMemoryBytes() > 2 * bytes ? 'any' : 'disk'
    workspace = new Workspace(bytes + GIB, where, options)
    return workspace
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error
    return skip(error.message)
  }
}

/** The result of a push that completes everywhere, and the largest RssAnon of its process. */
async function push(here: Workspace, source: string, to: string) {
  const running = here.fr(['push', source, '--to', to, '--json'])
  const memory = watchMemory(running.child.pid, 50)
  await running.succeed('fr push')
  const result = running.lines.at(-1)
  expect(result?.['event']).toBe('result')
  return { result, rssAnon: memory.end().peak }
}

test('nodes: every one of a group gets the file', async ({ skip }) => {
  const here = roomFor(65 * 8 * MIB, skip)
  const source = await here.randomFile('source.bin', 8 * MIB)
  const dataDirs = Array.from({ length: nodesWanted }, (_, at) => here.makeDirectory(`node${at}`))
  const each = Math.ceil(nodesWanted / 8)
  const shares = Array.from({ length: 8 }, (_, at) => dataDirs.slice(at * each, (at + 1) * each))
  const program = path.join(root, 'test/e2e/push-node.mjs')
  const start = (dirs: string[]) =>
    here.start(process.execPath, [program, JSON.stringify({ key }), ...dirs]).ready('nodes')
  const addresses: string[] = (await Promise.all(shares.map(start))).flat()
  expect(addresses).toHaveLength(nodesWanted)
  await push(here, source, addresses.join(','))
  for (const dataDir of dataDirs) {
    expect(sameContent(source, path.join(dataDir, 'source.bin')), dataDir).toBe(true)
  }
})

test('sparse: 10 GiB keep their holes, and only data is sent', async ({ skip }) => {
  const bytes = 10 * GIB
  const here = roomFor(bytes, skip)
  const source = here.path('sparse.bin')
  const chunk = randomBytes(MIB)
  const file = openSync(source, 'wx')
  ftruncateSync(file, bytes)
  // Data at the start, in the middle, across block borders, and at the end.
  const places = [0, 200 * MIB, 3 * GIB + 5_000, 3 * GIB + 64 * MIB, 7 * GIB - 4_096, bytes - MIB]
  for (const at of places) writeSync(file, chunk, 0, chunk.length, at)
  closeSync(file)
  const node = await here.startNode({ name: 'node' })
  const { result } = await push(here, source, node.address)
  const copy = path.join(node.data, 'sparse.bin')
  const [had = 0, has = 0] = [source, copy].map((name) => statSync(name).blocks * 512)
  console.info(
    `${(had / MIB).toFixed(1)} MiB allocated at the source, ${(has / MIB).toFixed(1)} here`,
  )
  expect(has).toBeLessThan(had + MIB)
  expect(result?.['originBytesSent']).toBeLessThan(2 * places.length * MIB)
  expect(sameContent(source, copy)).toBe(true)
})

test('large: 8 GiB pass through node and push in flat memory', async ({ skip }) => {
  const here = roomFor(16 * GIB, skip)
  const source = await here.randomFile('large.bin', 8 * GIB)
  const node = await here.startNode({ name: 'node' })
  const memory = watchMemory(node.child.pid, 50)
  const { rssAnon } = await push(here, source, listOf([node]))
  const sizes = { push: rssAnon, node: memory.end().peak }
  for (const [name, size] of Object.entries(sizes)) {
    console.info(`RssAnon of the ${name}: ${(size / MIB).toFixed(0)} MiB`)
    expect(size, name).toBeGreaterThan(0)
    expect(size, name).toBeLessThan(rssAnonMax)
  }
  expect(sameContent(source, path.join(node.data, 'large.bin'))).toBe(true)
})
