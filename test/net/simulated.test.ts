/**
 * The lab against the simulator: a push takes as long over its links as it is simulated to take,
 * within 5 %, from the plan to the last outcome.
 *
 * What is simulated is what a network allows whose machines always have a processor. So the links
 * are slow here, nodes have served a push before, processes come before all others where the system
 * lets them, and the least of some runs counts: whatever else this machine has to do makes a push
 * end later, never earlier. A row is over with the first run that is not too late; one that is too
 * early is wrong however busy the machine is.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { wireFactor } from '../../bench/lab/lab.mjs'
import { MIB, push, sameContent } from '../../bench/workspace.mjs'
import { simulate } from '../../src/api/simulate.js'
import { parseTrace } from '../support/trace.js'
import { speedsOf, startWorld, type World, type WorldOptions } from './world.js'

const count = 4
const mbit = 40
const tolerance = 0.05
const runsMax = 12
/** One way, about: two veth pairs and a bridge. */
const latencyMs = 0.1

interface Row {
  readonly strategy: 'adaptive' | 'classic'
  readonly bytes: number
  readonly hosts: NonNullable<WorldOptions['hosts']>
  /** What leaves the origin's host is less. */
  readonly copies: number
}

const slow = { upMbit: mbit / 4 }
const strategy = 'adaptive'
const hosts = { 2: slow, 3: slow }
const rows: Readonly<Record<string, Row>> = {
  'two uplinks of a quarter': { strategy, bytes: 8 * MIB, hosts, copies: 1.5 },
  'one uplink of a quarter, classic': {
    ...{ strategy: 'classic', bytes: 3 * MIB, copies: 1.15 },
    hosts: { 2: slow },
  },
  'equal links': { strategy, bytes: 16 * MIB, hosts: {}, copies: 1.15 },
}

/** Before a command: it has real-time priority, where that is allowed. */
const first = ['chrt', '-r', '1']
const comesFirst = spawnSync('chrt', [...first.slice(1), 'true']).status === 0

let world: World
/** As the lab has them. */
let speeds = speedsOf(count, mbit, hosts)

beforeAll(async () => {
  world = await startWorld(count, mbit, 256 * MIB, { queue: 'fair', hosts })
  for (const { child } of world.nodes)
    if (comesFirst) spawnSync('chrt', ['-a', '-r', '-p', '1', String(child.pid)])
  await pushed('first', { strategy, bytes: 2 * MIB })
})

afterAll(() => world?.close())

/** What a link of this speed carries of TCP payload. */
const payload = (wireMbit: number): number => (wireMbit * 1e6) / 8 / wireFactor

async function simulated({ bytes, strategy, hosts }: Row): Promise<number> {
  const [origin, ...nodes] = speedsOf(count, mbit, hosts).map(({ upMbit, downMbit }, host) => ({
    address: `node${host}:1`,
    uplinkBytesPerSecond: payload(upMbit),
    downlinkBytesPerSecond: payload(downMbit),
  }))
  const { exchangeSeconds, complete } = await simulate({
    ...{ bytes, strategy, shape: 'group', nodes, latencyMs, model: 'sessions', speedsKnown: false },
    uplinkBytesPerSecond: origin?.uplinkBytesPerSecond ?? Number.NaN,
  })
  expect(complete).toBe(count)
  return exchangeSeconds
}

/** Seconds from the plan to the last outcome, and what left the origin's host in copies. */
async function pushed(
  name: string,
  { bytes, strategy }: Pick<Row, 'bytes' | 'strategy'>,
): Promise<{ seconds: number; copies: number }> {
  const { lab, workspace, nodes, keyFile } = world
  const source = await workspace.randomFile(name, bytes)
  const trace = workspace.path(`${name}.trace`)
  const sent = () => lab.counters()[0]?.sent ?? 0
  const before = sent()
  const { result, exitStatus } = await push(workspace, {
    ...{ source, nodes, keyFile, prefix: [...(comesFirst ? first : []), ...lab.prefix(0)] },
    args: ['--strategy', strategy, '--shape', 'group', '--trace', trace],
  })
  const copies = (sent() - before) / bytes
  expect(exitStatus).toBe(0)
  expect(result.nodes.map(({ status }) => status)).toEqual(nodes.map(() => 'complete'))
  for (const { data } of nodes) {
    const copy = path.join(data, name)
    expect(sameContent(source, copy)).toBe(true)
    rmSync(copy)
  }
  const { events } = parseTrace(readFileSync(trace, 'utf8'))
  for (const file of [source, trace]) rmSync(file)
  const at = (event: string): number =>
    Math.max(...events.filter((each) => each.name === event).map(({ ts }) => ts))
  return { seconds: (at('complete') - at('plan')) / 1e6, copies }
}

test.each(Object.entries(rows))('%s', async (name, row) => {
  const before = speeds
  speeds = speedsOf(count, mbit, row.hosts)
  for (const [host, { upMbit }] of speeds.entries())
    if (upMbit !== before[host]?.upMbit) world.lab.setSpeed(host, { upMbit })
  const wanted = await simulated(row)
  const parts: number[] = []
  let isLate = true
  while (isLate && parts.length < runsMax) {
    const { seconds, copies } = await pushed(`${name}-${parts.length}`, row)
    parts.push(seconds / wanted)
    isLate = seconds > wanted * (1 + tolerance)
    if (!isLate) expect(copies).toBeLessThan(row.copies)
  }
  const text = `of the simulated time: ${parts.map((part) => part.toFixed(3)).join(' ')}`
  expect(isLate, text).toBe(false)
  expect(parts.at(-1), text).toBeGreaterThan(1 - tolerance)
})
