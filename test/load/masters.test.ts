/**
 * `npm run masters`: the master is killed FR_ROUNDS times (50), each time in the middle of what is
 * copied. `several`: one of three with their state in NATS, of which another one takes over;
 * `alone`: the only one, with its state on its own disk, which is started again.
 *
 * All along no link has more allocated to it than it may carry. Then every node has all files, none
 * has received much more than their bytes, no term had two masters, and what was kept is whole.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../../bench/running.mjs'
import { client, push } from '../../src/api/index.js'
import { StateFiles } from '../../src/store/master/state-files.js'
import { copyDigest, MIB, type ServingNode, sha256 } from '../e2e/cli-world.js'
import { MastersWorld } from '../e2e/masters-world.js'

const rounds = Number(process.env['FR_ROUNDS'] ?? 50)
const bytes = 3 * MIB
const linkBytes = 6 * MIB
const convergesMs = 300_000

const topology = `apiVersion: fastreplica/v1
kind: Topology
metadata: {name: two}
spec:
  sites: [{name: x}, {name: y}]
  links: [{from: x, to: y, rate: ${linkBytes}B, bothWays: true}]
`

class Load {
  readonly world = new MastersWorld()
  readonly key = this.world.env['FR_KEY'] as string
  readonly digests = new Map<string, string>()
  readonly options = ['--topology', this.world.path('topology.yaml')]
  nodes: ServingNode[] = []
  allocations = 0
  #isOver = false

  async start(masters: number): Promise<void> {
    const names = Array.from({ length: rounds }, (_, i) => `f${i}`)
    const spec = `spec: {where: 'name=*', files: [${names.join(', ')}]}`
    const head = 'apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: all}'
    mkdirSync(this.world.path('sets'))
    writeFileSync(this.world.path('sets/all.yaml'), `${head}\n${spec}\n`)
    writeFileSync(this.world.path('topology.yaml'), topology)
    await this.world.startMasters(masters, this.options)
  }

  async startNodes(): Promise<void> {
    const sites = { a: 'x', b: 'x', c: 'y', d: 'y' }
    const each = Object.entries(sites).map(([name, site]) =>
      this.world.node(name, [
        ...[...this.world.masterArguments, '--name', name, '--attr', `site=${site}`],
        ...['--limit-down', '4MB'],
      ]),
    )
    this.nodes = await Promise.all(each)
    const via = this.world.masters[0]?.address as string
    const applied = await this.world.run(['sets', 'apply', 'sets', '--via', via, '--json'])
    expect([applied.status, applied.stderr]).toEqual([0, ''])
  }

  async arrive(round: number): Promise<void> {
    const name = `f${round}`
    this.digests.set(name, sha256(this.world.file(name, bytes)))
    const { address } = this.nodes[round % 2] as ServingNode
    const pushed = await push(this.world.path(name), { to: [address], key: this.key }).result
    expect(pushed.nodes[0]?.status).toBe('complete')
  }

  /** Whoever leads is asked what it has allocated, again and again. */
  async watch(): Promise<void> {
    while (!this.#isOver) {
      for (const { address } of this.world.masters) {
        try {
          for await (const link of client.links(address, { key: this.key, timeoutMs: 1_000 })) {
            const most = link.capabilityBytesPerSecond ?? Number.POSITIVE_INFINITY
            expect(link.allocatedBytesPerSecond, link.name).toBeLessThanOrEqual(most * 1.000_001)
            if (link.allocatedBytesPerSecond > 0) this.allocations += 1
          }
        } catch (error) {
          if (!/ERR_FR_/.test(String((error as { code?: string }).code))) throw error
        }
      }
      await pause(100)
    }
  }

  over(): void {
    this.#isOver = true
  }

  async converges(): Promise<void> {
    const missing = (): string[] =>
      this.nodes.flatMap((node) =>
        [...this.digests]
          .filter(([name, digest]) => copyDigest(node, name) !== digest)
          .map(([name]) => `${name} at ${node.address}`),
      )
    let left = missing()
    const isDone = (): boolean => {
      left = missing()
      return left.length === 0
    }
    await until(isDone, 'all nodes have all files', convergesMs, 500).catch((error: Error) => {
      throw new Error(`${error.message}: ${left.slice(0, 20).join(', ')}`)
    })
  }

  /** Bytes that came to nodes to which nothing is pushed. */
  async copied(): Promise<number> {
    const received = await Promise.all(this.nodes.slice(2).map((node) => this.world.received(node)))
    return received.reduce((sum, each) => sum + each, 0)
  }

  /** Of each node: times all bytes that it was to receive. */
  async timesReceived(): Promise<number[]> {
    const received = await Promise.all(this.nodes.map((node) => this.world.received(node)))
    return received.map((each) => each / (rounds * bytes))
  }
}

async function under(load: Load, kill: (round: number) => Promise<void>): Promise<void> {
  await load.startNodes()
  const watching = load.watch()
  for (let round = 0; round < rounds; round++) {
    const before = await load.copied()
    await load.arrive(round)
    // In the middle of what is copied.
    while ((await load.copied()) < before + 200_000) await pause(20)
    await pause(Math.random() * 700)
    await kill(round)
  }
  await load.converges()
  load.over()
  await watching
  expect(load.allocations).toBeGreaterThan(0)
}

function spread(seconds: readonly number[]): string {
  const sorted = [...seconds].sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))]?.toFixed(2)
  return `median ${at(0.5)} s, 95 % ${at(0.95)} s, most ${at(1)} s`
}

test('several: another one leads, no copy is doubled, none is lost', {
  timeout: 1_800_000,
}, async () => {
  const load = new Load()
  const { world } = load
  try {
    await world.startNats()
    await load.start(3)
    let { one, term } = await world.untilLeads()
    const seconds: number[] = []
    await under(load, async (round) => {
      const startMs = performance.now()
      // Now and then it only sleeps, and wakes up when another one leads.
      const isAsleep = round % 5 === 4
      const before = one
      if (isAsleep) before.running.child.kill('SIGSTOP')
      const replaced = isAsleep ? undefined : world.replace(before, load.options)
      const next = await world.untilLeads(term)
      seconds.push((performance.now() - startMs) / 1_000)
      if (isAsleep) before.running.child.kill('SIGCONT')
      await replaced
      one = next.one
      term = next.term
    })
    const times = await load.timesReceived()
    console.log(`${rounds} kills: another one led after ${spread(seconds)}; term ${term}`)
    console.log(`nodes received ${times.map((one) => one.toFixed(4)).join(', ')} times their files`)
    expect(Math.max(...times)).toBeLessThan(1.03)
    expect(new Set(world.terms).size).toBe(world.terms.length)
    expect(world.logs.filter((text) => /ERR_FR_STATE|ERR_FR_INTERNAL/.test(text))).toEqual([])
  } finally {
    await world.close()
  }
})

test('alone: it is started again, no copy is doubled, none is lost', {
  timeout: 1_800_000,
}, async () => {
  const load = new Load()
  const { world } = load
  try {
    await load.start(1)
    const seconds: number[] = []
    const [one] = world.masters
    if (one === undefined) throw new Error('no master')
    await under(load, async () => {
      const startMs = performance.now()
      await world.replace(one, load.options)
      await world.untilLinked(load.nodes.slice(0, 1), one)
      seconds.push((performance.now() - startMs) / 1_000)
    })
    const times = await load.timesReceived()
    console.log(`${rounds} kills: a node was linked again after ${spread(seconds)}`)
    console.log(`nodes received ${times.map((one) => one.toFixed(4)).join(', ')} times their files`)
    expect(Math.max(...times)).toBeLessThan(1.03)
    expect(world.logs.filter((text) => /ERR_FR_STATE|state-not-kept/.test(text))).toEqual([])
    one.running.kill('SIGKILL')
    await one.running.ended
    const state = new StateFiles(`${world.path(one.name)}/.fastreplica`)
    const { entries, notes } = await state.load()
    await state.close()
    expect(notes).toEqual([])
    expect(entries.filter(({ type }) => type === 'heard').length).toBeGreaterThanOrEqual(rounds)
  } finally {
    await world.close()
  }
})
