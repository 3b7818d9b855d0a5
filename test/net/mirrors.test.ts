/** Mirrors where machines cannot reach each other: packets are lost, nobody says so. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MIB, push, sameContent } from '../../bench/workspace.mjs'
import { startWorld, type World } from './world.js'

const bytes = 16 * MIB
let world: World

// Hosts are silenced one after the other.
beforeAll(async () => {
  world = await startWorld(3, 200, 16 * bytes)
})

afterAll(() => world?.close())

/** What `host` answers to `other` is lost; the rest of its network works. */
function silence(host: number, other: number): void {
  const inside = ['-n', world.lab.namespaces[host + 1] ?? '']
  const args = [...inside, 'route', 'add', 'blackhole', `${world.lab.address(other)}/32`]
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

test('a mirror sends most of what the slow uplink of an origin would have to', async () => {
  const { lab, workspace, keyFile, nodes } = world
  lab.setSpeed(0, { upMbit: 10 })
  const [mirror, ...others] = nodes as [(typeof nodes)[0], ...typeof nodes]
  const source = await workspace.randomFile('first', bytes)
  const from = (host: number) => ({ source, keyFile, prefix: lab.prefix(host) })
  await push(workspace, { ...from(1), nodes: [mirror], args: ['--as', 'held'] })
  const { result, exitStatus } = await push(workspace, {
    ...from(0),
    nodes: others,
    args: ['--mirror', mirror.address],
  })
  expect(exitStatus).toBe(0)
  const share = result.shares.find(({ node }) => node === mirror.address)
  expect(result.originBytesSent).toBeLessThan(bytes / 2)
  expect(share?.relayedBytes).toBeGreaterThan(others.length * (bytes / 2))
  for (const node of others) expect(sameContent(source, path.join(node.data, 'first'))).toBe(true)
})

test('a mirror serves the node that the origin cannot reach', async () => {
  const { lab, workspace, keyFile, nodes } = world
  const [mirror, , lost] = nodes as [(typeof nodes)[0], unknown, (typeof nodes)[0]]
  lab.setSpeed(0, { upMbit: 200 })
  silence(3, 0)
  const source = await workspace.randomFile('second', bytes)
  const { result, exitStatus } = await push(workspace, {
    source,
    nodes,
    keyFile,
    prefix: lab.prefix(0),
    args: ['--mirror', mirror.address, '--connect-timeout', '3s'],
  })
  expect(exitStatus).toBe(0)
  for (const { node, status, servedBy } of result.nodes) {
    expect(status).toBe('complete')
    expect(servedBy).toBe(node === lost.address ? mirror.address : null)
  }
  for (const node of nodes) expect(sameContent(source, path.join(node.data, 'second'))).toBe(true)
})

test('an origin that is spared sends one copy to its mirror, and nothing to others', async () => {
  const { lab, workspace, keyFile, nodes } = world
  const [mirror, ...others] = nodes as [(typeof nodes)[0], ...typeof nodes]
  silence(2, 0)
  const source = await workspace.randomFile('third', bytes)
  const before = lab.counters()[0]?.sent ?? 0
  const { result, exitStatus } = await push(workspace, {
    source,
    nodes: others,
    keyFile,
    prefix: lab.prefix(0),
    args: ['--mirror', mirror.address, '--spare-origin'],
  })
  expect(exitStatus).toBe(0)
  for (const { servedBy } of result.nodes) expect(servedBy).toBe(mirror.address)
  const sent = (lab.counters()[0]?.sent ?? 0) - before
  expect(sent / bytes).toBeLessThan(1.15)
  for (const node of nodes) expect(sameContent(source, path.join(node.data, 'third'))).toBe(true)
})
