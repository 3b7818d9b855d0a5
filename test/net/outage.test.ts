/**
 * Outages that TCP survives: cables out, a switch away, stopped processes. All must complete, and
 * the origin sends little more than one copy. Prints the seconds with and without the fault, and
 * the bytes that the origin sent.
 */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MIB, push, sameContent } from '../../bench/workspace.mjs'
import { startWorld, type World } from './world.js'

const count = 4
const mbit = 200
const bytes = 48 * MIB
/** Longer than a node may be silent before others do its work. */
const outSeconds = 2.5
/** The outage begins when this part of all bytes has landed. */
const strikesAt = 0.15
/** Copies that the origin may send; unicast of the rest would be over three. */
const copiesMax = 1.6

let world: World
let source: string
let plainSeconds = Number.NaN

beforeAll(async () => {
  world = await startWorld(count, mbit, (count + 1) * bytes)
  source = await world.workspace.randomFile('source', bytes)
})

afterAll(() => world?.close())

/** Every process on these hosts. */
function processesOn(hosts: readonly number[]): number[] {
  return hosts.flatMap((host) => {
    const args = ['netns', 'pids', world.lab.namespaces[host + 1] ?? '']
    const { stdout } = spawnSync('ip', args, { encoding: 'utf8' })
    return stdout.split('\n').filter(Boolean).map(Number)
  })
}

async function cablesOut(hosts: readonly number[]): Promise<void> {
  for (const host of hosts) world.lab.cut(host)
  await sleep(outSeconds * 1000)
  for (const host of hosts) world.lab.mend(host)
}

async function stopped(hosts: readonly number[]): Promise<void> {
  const pids = processesOn(hosts)
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  await sleep(outSeconds * 1000)
  for (const pid of pids) process.kill(pid, 'SIGCONT')
}

/** Pushes once while `fault` happens; resolves to the seconds it took. */
async function pushThrough(name: string, fault?: () => Promise<void>): Promise<number> {
  const { lab, workspace, keyFile, nodes } = world
  const before = lab.counters()[0]?.sent ?? 0
  let fate: Promise<void> | undefined
  const { result, exitStatus } = await push(workspace, {
    source,
    nodes,
    keyFile,
    prefix: lab.prefix(0),
    args: ['--as', name],
    onLine(line) {
      if (fault === undefined || fate !== undefined || line.event !== 'progress') return
      const { landedBytes = 0 } = line as { landedBytes?: number }
      if (landedBytes >= strikesAt * bytes * count) fate = fault()
    },
  })
  // The fault must have come in the middle.
  expect(fate !== undefined).toBe(fault !== undefined)
  await fate
  expect(result.nodes.map((node) => node.reason)).toEqual(nodes.map(() => null))
  expect(exitStatus).toBe(0)
  for (const node of nodes) {
    const copy = path.join(node.data, name)
    expect(sameContent(source, copy)).toBe(true)
    rmSync(copy)
  }
  const sent = (lab.counters()[0]?.sent ?? 0) - before
  const copies = sent / bytes
  const plain = fault === undefined ? '' : `, ${plainSeconds.toFixed(1)} s without`
  const origin = `origin ${(sent / 1e6).toFixed(0)} MB (${copies.toFixed(2)} copies)`
  console.info(`${name}: ${result.seconds.toFixed(1)} s${plain}, ${origin}`)
  expect(copies).toBeLessThan(copiesMax)
  return result.seconds
}

const everyone = Array.from({ length: count + 1 }, (_, host) => host)

describe(`48 MiB to ${count} nodes at ${mbit} Mbit/s, with ${outSeconds} s of`, () => {
  test('nothing', async () => {
    plainSeconds = await pushThrough('undisturbed')
  })

  test.each<[string, () => Promise<void>]>([
    ['push-stopped', () => stopped([0])],
    ['nodes-stopped', () => stopped(everyone.slice(1))],
    ['origin-cable-out', () => cablesOut([0])],
    ['node-cable-out', () => cablesOut([2])],
    ['switch-away', () => cablesOut(everyone)],
  ])('%s', async (name, fault) => {
    await pushThrough(name, fault)
  })
})
