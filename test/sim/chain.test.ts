/** Pushes to groups in a chain on the virtual network: what fails, and how close to the bound. */
import { describe, expect, it } from 'vitest'
import type { Strategy } from '../../src/control/messages/types.js'
import type { Handover, TreeShape } from '../../src/control/plan/layout.js'
import { Random } from '../../src/sim/random.js'
import { runScenario } from '../../src/sim/run-seed.js'
import {
  bestBytesPerMs,
  type NodeScenario,
  type Scenario,
  scenarioOf,
  steadyScenario,
} from '../../src/sim/scenario.js'

const count = Number(process.env.FR_SIM_SEEDS ?? 60)
const only = process.env.FR_SIM_SEED

/** The scenario of the seed in groups of one to three nodes, where it has a chain to offer. */
function chainOf(seed: number): Scenario | undefined {
  const scenario = scenarioOf(seed)
  const starters = scenario.nodes.filter(({ joinsAtMs }) => joinsAtMs === null).length
  if (scenario.shape === 'unicast' || starters < 3) return undefined
  const groupSize = new Random(seed ^ 0xc4a1).integer(1, 3)
  const random = new Random(seed ^ 0x7ee)
  const shape = random.pick<TreeShape>(['chain', 'chain', 'tree', 'binomial'])
  const handover: Handover = random.chance(0.3) ? 'every' : 'corresponding'
  return { ...scenario, shape, groupSize, handover, sites: random.pick([0, 3]) }
}

/** Nodes with equal links in one room, a file of one second at the bound. */
function evenChain(nodes: number, groupSize: number, over: Partial<NodeScenario>[] = []): Scenario {
  const steady = steadyScenario(1)
  const links = { uplinkBytesPerMs: 12_500, downlinkBytesPerMs: 50_000 }
  const node = { ...(steady.nodes[0] as NodeScenario), ...links }
  const calm = { breaksAtMs: null, stallAtMs: null, stallMs: 0, cannotDial: false }
  const edge = { ...calm, latencyMs: 0.3 }
  return {
    ...{ ...steady, shape: 'chain', groupSize, sites: 0, bytes: 12_500_000 },
    originUplinkBytesPerMs: 12_500,
    nodes: Array.from({ length: nodes }, (_, i) => ({ ...node, ...over[i] })),
    edges: Array.from({ length: nodes + 1 }, () => Array.from({ length: nodes }, () => edge)),
  }
}

function run(scenario: Scenario) {
  const result = runScenario(scenario)
  const { bytes } = scenario
  const ratio = (result.exchangeMs * bestBytesPerMs(scenario)) / bytes
  return { ...result, ratio, copies: result.originBytes / bytes, pulls: result.pulledBytes / bytes }
}

describe('simulated pushes to a chain of groups', () => {
  it(`end well for ${count} seeds`, { timeout: 300_000 }, () => {
    const seen = new Map<string, number>()
    const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [+only]
    for (const seed of seeds) {
      const scenario = chainOf(seed)
      if (scenario === undefined) continue
      try {
        const { failure, outcomes, logged } = runScenario(scenario)
        const kinds = failure === null ? outcomes.map(({ status }) => status) : [failure]
        for (const kind of [...kinds, ...logged]) seen.set(kind, (seen.get(kind) ?? 0) + 1)
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
    }
    if (only !== undefined) return
    for (const kind of ['complete', 'failed', 'refused', 'joined'])
      expect([kind, (seen.get(kind) ?? 0) > 0]).toEqual([kind, true])
  })

  it.each([
    [8, 4],
    [32, 8],
    [30, 7],
    [5, 1],
  ])('%i nodes in groups of %i: one copy leaves the origin, close to the bound', (nodes, size) => {
    const { ratio, copies, pulls } = run(evenChain(nodes, size))
    expect(ratio).toBeLessThan(1.15)
    expect(copies).toBeLessThan(1.02)
    expect(pulls).toBe(0)
  })

  const dies: Partial<NodeScenario> = { trouble: 'killed', atMs: 500 }
  const silent: Partial<NodeScenario> = { trouble: 'hung', atMs: 500 }
  it.each<[string, number[], Partial<NodeScenario>]>([
    ['a head dies', [1], dies],
    ['a node between two groups dies', [6], dies],
    ['one of the last group dies', [13], dies],
    ['the first group dies', [0, 1, 2, 3], dies],
    ['a whole group between two dies', [4, 5, 6, 7], dies],
    ['a node between two groups falls silent', [6], silent],
    ['a whole group between two falls silent', [4, 5, 6, 7], silent],
  ])('goes on where %s', (_, places, trouble) => {
    const over: Partial<NodeScenario>[] = []
    for (const place of places) over[place] = trouble
    const { outcomes, copies } = run(evenChain(16, 4, over))
    const complete = outcomes.filter(({ status }) => status === 'complete').length
    expect(complete).toBe(16 - places.length)
    // What was under way comes again, and little more.
    expect(copies).toBeLessThan(1.2)
    const most = places.length > 1 ? 0.5 : 0.15
    for (const { duplicateBytes, bytes, status } of outcomes)
      if (status === 'complete') expect(duplicateBytes / bytes).toBeLessThan(most)
  })

  it.each<[string, Strategy, [number, number][]]>([
    [
      'a head and one that its column enters at',
      'classic',
      [
        [1, 500],
        [9, 500],
      ],
    ],
    [
      'nodes of three groups',
      'adaptive',
      [
        [1, 500],
        [6, 300],
        [9, 500],
      ],
    ],
    ['a third', 'adaptive', [1, 4, 7, 10, 13].map((place) => [place, 500])],
  ])('is whole where %s die together, with %s dealing', (_, strategy, dead) => {
    const over: Partial<NodeScenario>[] = []
    for (const [place, atMs] of dead) over[place] = { trouble: 'killed', atMs }
    const { outcomes, copies } = run({ ...evenChain(16, 4, over), strategy })
    const complete = outcomes.filter(({ status }) => status === 'complete').length
    expect(complete).toBe(16 - dead.length)
    // What several lack leaves the origin for one of them, and goes on from there.
    if (strategy === 'adaptive') expect(copies).toBeLessThan(1.4)
  })

  it('sends nobody past the columns what is under way on one', () => {
    const chain = evenChain(8, 2)
    const edges = chain.edges.map((row, from) =>
      row.map((edge, to) =>
        (from === 3 || from === 4) && (to === 4 || to === 5) ? { ...edge, breaksAtMs: 400 } : edge,
      ),
    )
    const { outcomes } = run({ ...chain, edges })
    expect(outcomes.map(({ reason }) => reason)).toEqual(chain.nodes.map(() => null))
  })

  it.each<[string, number[], number, number]>([
    ['the one that it feeds', [6], 12_500, 1.5],
    ['anybody', [4, 5, 6, 7], 12_500, 1.5],
    ['the one that it feeds what goes past the columns', [6], 50_000, 4],
  ])('goes on where a node no longer reaches %s in the next group', (_, lost, uplink, most) => {
    const chain = { ...evenChain(16, 4), originUplinkBytesPerMs: uplink }
    const edges = chain.edges.map((row, from) =>
      row.map((edge, to) =>
        from === 3 && lost.includes(to)
          ? { ...edge, breaksAtMs: 300 + 10 * to, cannotDial: true }
          : edge,
      ),
    )
    const { outcomes, copies, logged } = run({ ...chain, edges })
    expect(logged).toContain('edge-lost')
    expect(outcomes.map(({ reason }) => reason)).toEqual(chain.nodes.map(() => null))
    expect(copies).toBeLessThan(most)
  })

  it.each([
    ['further down a mate', 4, 5],
    ['of the first group the one that it feeds', 0, 4],
  ])('brings digests in time where a node never reaches %s', (_, sender, receiver) => {
    const chain = { ...evenChain(8, 4), bytes: 60_000_000 }
    // The first row is that of the origin.
    const edges = chain.edges.map((row, from) =>
      row.map((edge, to) =>
        from === sender + 1 && to === receiver ? { ...edge, cannotDial: true } : edge,
      ),
    )
    const { outcomes, logged } = run({ ...chain, edges })
    expect(logged).toContain('edge-lost')
    expect(logged).not.toContain('need-digests')
    expect(outcomes.map(({ reason }) => reason)).toEqual(chain.nodes.map(() => null))
  })

  it('goes past one of the last group that falls silent, and accuses nobody', () => {
    const over: Partial<NodeScenario>[] = []
    over[5] = silent
    const { copies, warnings } = run({ ...evenChain(8, 4, over), bytes: 50_000_000 })
    expect(warnings).toEqual([])
    expect(copies).toBeLessThan(1.2)
  })

  it('feeds a node that joins once a group is complete, from what that has', () => {
    const over: Partial<NodeScenario>[] = []
    for (const place of [8, 9, 10]) over[place] = { joinsAtMs: 300 }
    const { outcomes, copies, pulls } = run(evenChain(11, 4, over))
    expect(outcomes.map(({ reason }) => reason)).toEqual(outcomes.map(() => null))
    expect(copies).toBeLessThan(1.05)
    expect(pulls).toBeGreaterThan(2.9)
    for (const { duplicateBytes, bytes } of outcomes.slice(8))
      expect(duplicateBytes / bytes).toBeLessThan(0.05)
  })

  it('brings everything itself to a node that joined where all others die', () => {
    const over: Partial<NodeScenario>[] = Array.from({ length: 8 }, () => dies)
    over[8] = { joinsAtMs: 100 }
    const { outcomes } = run(evenChain(9, 4, over))
    expect(outcomes.at(-1)).toMatchObject({ status: 'complete' })
  })

  it('takes from mirrors what these hold', () => {
    const mirror: Partial<NodeScenario> = { isMirror: true, holds: [[0, 12_500_000]] }
    const over: Partial<NodeScenario>[] = []
    over[6] = mirror
    over[7] = mirror
    const { outcomes, copies } = run(evenChain(8, 3, over))
    const complete = outcomes.filter(({ status }) => status === 'complete').length
    expect(complete).toBeGreaterThanOrEqual(6)
    expect(copies).toBeLessThan(0.9)
  })
})
