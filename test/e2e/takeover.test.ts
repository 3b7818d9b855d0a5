/** `fr push` is killed while bytes flow: the nodes go on by themselves, and say so. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  copyDigest,
  listOf,
  MIB,
  type Running,
  type ServingNode,
  sha256,
  World,
} from './cli-world.js'

let world: World
/** On a loaded machine a process may take so long to start, and nodes to hear of each other. */
const withinMs = 60_000
const testMs = 4 * withinMs

beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

/** The lines of its log about this. */
const events = (node: ServingNode, event: string): string[] =>
  node.stderr.split('\n').filter((line) => line.includes(` event=${event} `))

const logged = async (node: ServingNode, event: string): Promise<void> => {
  await node.until(event, () => events(node, event).length > 0, withinMs)
}

/** A push to these, killed as soon as what it has printed is so. */
async function killed(
  nodes: readonly ServingNode[],
  args: readonly string[],
  isSo: (lines: readonly Record<string, unknown>[]) => boolean,
): Promise<void> {
  const push: Running = world.fr(['push', 'a.bin', '--to', listOf(nodes), '--json', ...args])
  await push.until('its moment', () => isSo(push.lines), withinMs)
  push.kill('SIGKILL')
  await push.ended
}

const share = (lines: readonly Record<string, unknown>[]): number =>
  Number(lines.findLast(({ event }) => event === 'progress')?.['share'] ?? 0)

/** What `fr status` prints of a node once its transfer has ended. */
async function endedAt(node: ServingNode): Promise<string> {
  const untilMs = Date.now() + withinMs
  for (;;) {
    const { stdout } = await world.run(['status', node.address])
    const [, ended] = stdout.split('\nended ')
    if (ended !== undefined || Date.now() > untilMs) return ended ?? stdout
  }
}

it('at the end: four nodes finish by themselves, and say so', { timeout: testMs }, async () => {
  const content = world.file('a.bin', 6 * MIB + 5)
  const slow = ['--limit-down', '1MB']
  const nodes = await Promise.all([1, 2, 3, 4].map((i) => world.node(`n${i}`, i > 3 ? slow : [])))
  // Somebody has all of it, and the last one lacks most.
  const isNearlyAll = (lines: Parameters<typeof share>[0]): boolean =>
    share(lines) >= 0.85 && lines.some(({ event }) => event === 'node')
  await killed(nodes, [], isNearlyAll)
  await Promise.all(nodes.map((node) => logged(node, 'published')))
  for (const node of nodes) expect(copyDigest(node, 'a.bin')).toBe(sha256(content))
  // Where all are slow another standby may take the next term.
  expect(nodes.flatMap((node) => events(node, 'took-over')).join()).toContain('term=2')
  for (const node of nodes) expect(events(node, 'follows')).not.toEqual([])
  const last = nodes[3] as ServingNode
  expect(await endedAt(last)).toMatch(/ a\.bin +complete .* took over \(term \d+\)/)
})

it(
  'stopped and continued: it says who took over, and brings what is left',
  async () => {
    const content = world.file('a.bin', 12 * MIB + 5)
    // It lacks most when another has taken over.
    const slow = ['--limit-down', '1MB']
    const nodes = await Promise.all([1, 2, 3].map((i) => world.node(`n${i}`, i > 2 ? slow : [])))
    const args = [
      'push',
      'a.bin',
      '--to',
      listOf(nodes),
      '--json',
      '--silence',
      '3s',
      '--no-clobber',
    ]
    const push: Running = world.fr(args)
    const isComplete = () => push.lines.some(({ event }) => event === 'node')
    await push.until('a node', isComplete, withinMs)
    push.kill('SIGSTOP')
    const follows = nodes.map((node) => logged(node, 'follows'))
    await Promise.all(follows)
    push.kill('SIGCONT')
    expect(await push.ended, push.stderr).toBe(0)
    const of = { status: 'complete', digest: push.lines.at(-1)?.['digest'] }
    const result = push.lines.at(-1) ?? {}
    expect(result).toMatchObject({ nodes: nodes.map(() => of) })
    expect(result['term']).toBeGreaterThan(1)
    expect(nodes.map(({ address }) => address)).toContain(result['coordinator'])
    for (const node of nodes) expect(copyDigest(node, 'a.bin')).toBe(sha256(content))
  },
  testMs,
)

it('in the middle: all name the same missing ranges', { timeout: testMs }, async () => {
  const content = world.file('a.bin', 12 * MIB + 5)
  const nodes = await world.nodes(4)
  await killed(nodes, ['--limit-up', '3MB'], (lines) => share(lines) >= 0.4)
  await Promise.all(nodes.map((node) => logged(node, 'failed')))
  const said = /text="the origin is gone: nobody holds (\d+) bytes of the file: (.*)"/
  const texts = nodes.map((node) => said.exec(events(node, 'failed')[0] ?? '')?.slice(1))
  expect(new Set(texts.map((text) => text?.join())).size).toBe(1)
  // The next push brings only those.
  const missing = Number(texts[0]?.[0])
  const { status, lines } = await world.run(['push', 'a.bin', '--to', listOf(nodes), '--json'])
  expect(status).toBe(0)
  const there = { heldBytes: content.length - missing }
  expect(lines.at(-1)).toMatchObject({ nodes: nodes.map(() => there) })
  for (const node of nodes) expect(copyDigest(node, 'a.bin')).toBe(sha256(content))
})

it('in the middle, with a mirror: it brings the rest', { timeout: testMs }, async () => {
  const content = world.file('a.bin', 8 * MIB + 5)
  const mirror = await world.node('mirror', ['--mirror'])
  expect((await world.run(['push', 'a.bin', '--to', mirror.address])).status).toBe(0)
  const nodes = await world.nodes(3)
  const args = ['--limit-up', '3MB', '--mirror', mirror.address]
  await killed(nodes, args, (lines) => share(lines) >= 0.2)
  await Promise.all(nodes.map((node) => logged(node, 'published')))
  for (const node of nodes) expect(copyDigest(node, 'a.bin')).toBe(sha256(content))
})
