/**
 * Outages that TCP survives: cables out, a switch away, stopped processes; and ways that forget
 * connections meanwhile, as address translation does. All must complete, and the origin sends
 * little more than one copy. Prints the seconds with and without the fault, and
 * the bytes that the origin sent.
 */
import { execFileSync, spawnSync } from 'node:child_process'
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
/** For two hosts only. */
const betweenSeconds = 4
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

function nft(host: number, ...args: readonly string[]): void {
  execFileSync('ip', ['netns', 'exec', world.lab.namespaces[host + 1] ?? '', 'nft', ...args])
}

/** Drops what this host sends to the other and what comes from there, where it is so. */
function drop(host: number, other: number, sent = '', came = ''): void {
  const address = world.lab.address(other)
  nft(host, 'flush', 'ruleset')
  nft(host, 'add', 'table', 'ip', 'way')
  for (const [hook, end, where] of [
    ['output', 'daddr', sent],
    ['input', 'saddr', came],
  ] as const) {
    nft(host, 'add', 'chain', 'ip', 'way', hook, `{ type filter hook ${hook} priority 0; }`)
    nft(host, 'add', 'rule', 'ip', 'way', hook, `ip ${end} ${address} ${where} drop`)
  }
}

/** There is no way between two hosts for a while, and then one that knows no connection. */
async function forgotten(host: number, other: number): Promise<void> {
  drop(host, other)
  const args = ['netns', 'exec', world.lab.namespaces[host + 1] ?? '', 'ss', '-tnH']
  const { stdout } = spawnSync('ip', [...args, 'dst', world.lab.address(other)], {
    encoding: 'utf8',
  })
  const ports = stdout.match(/(?<=:)\d+(?=\s+\S+:\d+\s*$)/gm) ?? []
  await sleep(betweenSeconds * 1000)
  const old = `{ ${ports.join(', ')} }`
  drop(host, other, `tcp sport ${old}`, `tcp dport ${old}`)
}

/** Pushes once while `fault` happens; resolves to the seconds it took. */
async function pushThrough(
  name: string,
  fault?: () => Promise<void>,
): Promise<{ seconds: number; reopened: number[] }> {
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
  const reopened = result.nodes.map((node) => node.reopened)
  return { seconds: result.seconds, reopened }
}

const everyone = Array.from({ length: count + 1 }, (_, host) => host)

describe(`48 MiB to ${count} nodes at ${mbit} Mbit/s, with ${outSeconds} s of`, () => {
  test('nothing', async () => {
    plainSeconds = (await pushThrough('undisturbed')).seconds
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

describe(`48 MiB to ${count} nodes with ${betweenSeconds} s in which there is no way`, () => {
  test('from the origin to a node, which is another one after that', async () => {
    try {
      const { reopened } = await pushThrough('way-forgets', () => forgotten(0, 1))
      expect(reopened[0]).toBeGreaterThan(0)
    } finally {
      nft(0, 'flush', 'ruleset')
    }
  })
})
