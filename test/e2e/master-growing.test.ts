/** A master has what is still written copied on, whoever is killed meanwhile. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { freeAddress } from '../../bench/programs.mjs'
import { client, fetchStatus } from '../../src/api/index.js'
import { copyDigest, type Running, type ServingNode, sha256, World } from './cli-world.js'
import { journalled } from './journals.js'

let world: World
beforeEach(() => {
  world = new World()
  mkdirSync(world.path('sets'))
})
afterEach(() => world.close())

function generator(to: ServingNode): Running {
  const args = [
    'push',
    '--follow',
    'log',
    '--to',
    to.address,
    '--json',
    '--rejoin',
    '0',
    '--silence',
    '6s',
  ]
  return world.fr(args, { env: { XDG_CACHE_HOME: world.path('cache') } })
}

const key = () => ({ key: world.env['FR_KEY'] as string })

/** So much of the log is verified at each of these nodes, while it is written. */
async function untilThere(nodes: readonly ServingNode[], bytes: number): Promise<void> {
  const has = async ({ address }: ServingNode): Promise<boolean> => {
    for await (const { name, state, heldBytes } of client.list(address, key()))
      if (name === 'log') return state === 'growing' && heldBytes >= bytes
    return false
  }
  for (const node of nodes) while (!(await has(node))) await sleep(20)
}

async function received({ address }: ServingNode): Promise<number> {
  const { counters } = await fetchStatus(address, key())
  return counters['receivedBytes'] ?? 0
}

it('follows it to all, through kills of all kinds, and each byte comes once', async () => {
  const head = 'apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: all}'
  writeFileSync(world.path('sets/all.yaml'), `${head}\nspec: {where: 'name=*', files: [log]}\n`)
  const startMaster = async (listen: string) => {
    const where = ['--data', world.path('master'), '--sets', world.path('sets')]
    const running = world.fr(['master', '--listen', listen, ...where, '--json'])
    await running.until('it listens', () => running.lines.length > 0)
    return running
  }
  let master = await startMaster(await freeAddress())
  const address = String(master.lines[0]?.['address'])
  const node = (name: string, ...more: readonly string[]) =>
    world.node(name, ['--master', address, '--name', name, ...more])
  const [a, b, c] = await Promise.all([node('a'), node('b'), node('c')])
  let last = c as ServingNode
  const path = world.path('log')
  world.file('log', 1_000_000)
  const first = generator(a)
  await untilThere([b, last], 1_000_000)
  // Somebody reads beside, at a node that has it by order.
  const reader = world.fr(['get', 'log', '--follow', '--from', b.address, '-o', 'read'])
  // A receiver, which has written down what it has verified.
  while ((await journalled(last.data)).verified < 1_000_000) await sleep(20)
  last.kill('SIGKILL')
  await last.ended
  appendFileSync(path, world.file('more', 500_000))
  last = await node('c')
  await untilThere([b, last], 1_500_000)
  expect(await received(last)).toBeLessThan(1_000_000)
  // The master.
  master.kill('SIGKILL')
  await master.ended
  appendFileSync(path, world.file('more', 500_000))
  master = await startMaster(address)
  await untilThere([b, last], 2_000_000)
  // What makes it.
  first.kill('SIGKILL')
  await first.ended
  appendFileSync(path, world.file('more', 123_456))
  const again = generator(a)
  await untilThere([b, last], 2_123_456)
  again.kill('SIGTERM')
  expect(await again.ended).toBe(0)
  expect(await reader.ended).toBe(0)
  const all = readFileSync(path)
  for (const one of [a, b, last]) while (copyDigest(one, 'log') === null) await sleep(20)
  for (const one of [a, b, last]) expect(copyDigest(one, 'log')).toBe(sha256(all))
  expect(sha256(readFileSync(world.path('read')))).toBe(sha256(all))
  expect(await received(b)).toBeLessThan(all.length + 300_000)
  expect(master.stderr).not.toContain('copy-failed')
})
