/** Commands and nodes that are killed while what they send or receive is still written. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../../bench/running.mjs'
import { copyDigest, listOf, type Running, type ServingNode, sha256, World } from './cli-world.js'
import { journalled } from './journals.js'

let world: World
let nodes: ServingNode[]
let path: string
beforeEach(async () => {
  world = new World()
  nodes = await world.nodes(3)
  path = join(world.directory, 'log')
})
afterEach(() => world.close())

const cache = () => ({ XDG_CACHE_HOME: join(world.directory, 'cache') })

interface Seen {
  readonly node: string
  readonly verifiedBytes: number
  readonly state: string
}

/** So much is verified at each of these nodes, by the last report of the push. */
function isVerified(push: Running, bytes: number, at: readonly ServingNode[] = nodes): boolean {
  const last = push.lines.findLast(({ event }) => event === 'progress') ?? {}
  const seen = (last['nodes'] ?? []) as readonly Seen[]
  return at.every(({ address }) => {
    const node = seen.findLast((one) => one.node === address)
    return node !== undefined && node.verifiedBytes >= bytes
  })
}

function follow(...more: readonly string[]): Running {
  const args = ['push', '--follow', 'log', '--to', listOf(nodes), '--json', ...more]
  return world.fr(args, { env: cache() })
}

/** What has been verified is written down twice a second. */
async function writtenDown(bytes: number): Promise<void> {
  for (const { data } of nodes) {
    const isSo = async (): Promise<boolean> => (await journalled(data)).verified > bytes
    await until(isSo, 'it is written down')
  }
}

function expectCopies(at: readonly ServingNode[] = nodes): void {
  for (const node of at) expect(copyDigest(node, 'log')).toBe(sha256(readFileSync(path)))
}

it('goes on with the same content where a push of a followed file was killed', async () => {
  const content = world.file('log', 3_000_000)
  const killed = follow()
  await killed.until('all of it is verified', () => isVerified(killed, content.length))
  await writtenDown(content.length - 131_072)
  killed.kill('SIGKILL')
  await killed.ended
  for (const node of nodes) expect(copyDigest(node, 'log')).toBeNull()
  appendFileSync(path, 'more')
  const again = follow('--final-after', '300ms')
  expect(await again.ended).toBe(0)
  expectCopies()
  const result = again.lines.at(-1)
  const outcomes = result?.['nodes'] as readonly { heldBytes: number; receivedBytes: number }[]
  for (const { heldBytes, receivedBytes } of outcomes) {
    expect(heldBytes).toBeGreaterThan(content.length - 131_072)
    expect(receivedBytes).toBeLessThan(1_000_000)
  }
})

it('ends the content with SIGTERM, and tells how far nodes were behind', async () => {
  world.file('log', 100_000)
  const push = follow()
  await push.until('all of it is verified', () => isVerified(push, 100_000))
  appendFileSync(path, 'more')
  await push.until('what was appended is verified', () => isVerified(push, 100_004))
  push.kill('SIGTERM')
  expect(await push.ended).toBe(0)
  expectCopies()
  const { nodes: outcomes } = push.lines.at(-1) as {
    readonly nodes: readonly { readonly lag: Record<string, number> }[]
  }
  for (const { lag } of outcomes) {
    expect(lag).toMatchObject({ behindBytes: 0 })
    expect(lag['p50Ms']).toBeGreaterThan(0)
    expect(lag['p99Ms']).toBeGreaterThanOrEqual(lag['p50Ms'] ?? 0)
  }
  expect(push.stderr).toMatch(/lag [\d.]+ ms, p99 [\d.]+ ms/)
})

it('is cancelled by the second signal, and nobody has the content', async () => {
  world.file('log', 100_000)
  const push = follow()
  await push.until('all of it is verified', () => isVerified(push, 100_000))
  const [frozen] = nodes
  frozen?.child.kill('SIGSTOP')
  push.kill('SIGINT')
  await push.until('the first signal is told', () => push.stderr.includes('the content ends here'))
  push.kill('SIGINT')
  expect(await push.ended).toBe(130)
  frozen?.child.kill('SIGCONT')
  expect(copyDigest(frozen as ServingNode, 'log')).toBeNull()
})

it('comes from a program to nodes of which one is killed and one joins', async () => {
  const [first, second, victim] = nodes as [ServingNode, ServingNode, ServingNode]
  const late = await world.node('late')
  const push = world.fr(
    [
      ...['push', '-', '--follow', '--as', 'log', '--to', listOf(nodes), '--json', '--allow-add'],
      ...['--rejoin', '0', '--retries', '0'],
    ],
    { env: cache(), stdio: ['pipe', 'pipe', 'pipe'] },
  )
  const content = world.file('log', 6_000_000)
  const say = (from: number, to: number) => push.child.stdin?.write(content.subarray(from, to))
  say(0, 2_000_000)
  await push.until('a part is everywhere', () => isVerified(push, 2_000_000))
  victim.child.kill('SIGKILL')
  say(2_000_000, 4_000_000)
  await push.until('the others go on', () => isVerified(push, 4_000_000, [first, second]))
  const plan = push.lines.find(({ event }) => event === 'plan') as { transfer: string }
  const add = ['add', plan.transfer, late.address, '--via', first.address]
  expect((await world.run(add)).status).toBe(0)
  say(4_000_000, 6_000_000)
  await push.until('the late one has all', () => isVerified(push, 6_000_000, [first, second, late]))
  push.child.stdin?.end()
  expect(await push.ended).toBe(3)
  writeFileSync(path, content)
  expectCopies([first, second, late])
})

it('comes to two groups, of which one loses a node, and to a node that joins', async () => {
  const others = await Promise.all(['n4', 'n5', 'n6', 'late'].map((name) => world.node(name)))
  const late = others.pop() as ServingNode
  const groups = [...nodes, ...others]
  const args = ['push', '-', '--follow', '--as', 'log', '--to', listOf(groups), '--group-size', '3']
  const push = world.fr([...args, '--json', '--allow-add', '--rejoin', '0', '--retries', '0'], {
    env: cache(),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const content = world.file('log', 6_000_000)
  const say = (from: number, to: number) => push.child.stdin?.write(content.subarray(from, to))
  say(0, 2_000_000)
  await push.until('a part is everywhere', () => isVerified(push, 2_000_000, groups))
  const plan = push.lines.find(({ event }) => event === 'plan') as unknown as {
    readonly transfer: string
    readonly shape: string
    readonly groups: readonly (readonly string[])[]
  }
  expect(plan.shape).toBe('chain')
  const victim = groups.find(({ address }) => address === plan.groups[0]?.[1]) as ServingNode
  const rest = groups.filter((node) => node !== victim)
  victim.child.kill('SIGKILL')
  say(2_000_000, 4_000_000)
  await push.until('both groups go on', () => isVerified(push, 4_000_000, rest))
  const add = ['add', plan.transfer, late.address, '--via', rest[0]?.address ?? '']
  expect((await world.run(add)).status).toBe(0)
  say(4_000_000, 6_000_000)
  push.child.stdin?.end()
  expect(await push.ended).toBe(3)
  writeFileSync(path, content)
  expectCopies([...rest, late])
})

it('goes on at a node that was killed and comes back', async () => {
  const content = world.file('log', 2_000_000)
  const victim = nodes[2] as ServingNode
  const push = follow('--rejoin', '30s')
  await push.until('all of it is verified', () => isVerified(push, content.length))
  await writtenDown(content.length - 131_072)
  victim.child.kill('SIGKILL')
  await victim.ended
  appendFileSync(path, content.subarray(0, 500_000))
  await push.until('the others go on', () =>
    isVerified(push, content.length + 500_000, nodes.slice(0, 2)),
  )
  const again = ['--listen', victim.address, '--data', victim.data]
  const back = world.fr(['node', ...again, '--json'])
  await push.until('it has caught up', () => isVerified(push, content.length + 500_000))
  push.kill('SIGINT')
  expect(await push.ended).toBe(0)
  expectCopies()
  back.kill()
})
