/** Mirrors: they hold the content, and bring it where the uplink of the origin is the limit. */
import { describe, expect, it } from 'vitest'
import { MIB } from '../../src/base/limits.js'
import { Cluster } from '../../src/sim/cluster.js'
import { Random } from '../../src/sim/random.js'
import { runScenario } from '../../src/sim/run-seed.js'
import {
  type NodeScenario,
  type Scenario,
  scenarioOf,
  steadyScenario,
} from '../../src/sim/scenario.js'

/** The same push, with so many nodes behind the others that hold everything. */
function withMirrors(scenario: Scenario, mirrors: readonly Partial<NodeScenario>[]): Scenario {
  const { nodes, bytes, edges } = scenario
  const model = nodes[0] as NodeScenario
  const all = bytes === 0 ? [] : [[0, bytes] as const]
  const added = mirrors.map((mirror): NodeScenario => {
    const plain = { ...model, trouble: null, joinsAtMs: null, uplinkFactor: 1 }
    return { ...plain, holds: all.map(([o, l]) => [o, l]), isMirror: true, ...mirror }
  })
  const edge = { latencyMs: 0.2, breaksAtMs: null, stallAtMs: null, stallMs: 0, cannotDial: false }
  const wider = edges.map((row) => [...row, ...added.map(() => edge)])
  const whole = [...nodes, ...added]
  const rows = added.map(() => whole.map(() => edge))
  return { ...scenario, nodes: whole, edges: [...wider, ...rows] }
}

describe('adaptive dealing', () => {
  const steady: Scenario = { ...steadyScenario(3), bytes: 8 * MIB + 5 }
  const slow: Scenario = { ...steady, originUplinkBytesPerMs: 1_000 }
  const fast = { uplinkBytesPerMs: 40_000, downlinkBytesPerMs: 40_000 }
  const run = (scenario: Scenario) => {
    const { outcomes, originBytes, pulledBytes, exchangeMs } = runScenario(scenario)
    expect(outcomes.map(({ reason }) => reason)).toEqual(scenario.nodes.map(() => null))
    return { originBytes, pulledBytes, exchangeMs }
  }
  const alone = run(slow)

  it('lets a mirror bring most of the bytes where the uplink of the origin is slow', () => {
    const { originBytes, pulledBytes, exchangeMs } = run(withMirrors(slow, [fast]))
    expect(originBytes).toBeLessThan(slow.bytes / 4)
    expect(pulledBytes).toBe(0)
    expect(exchangeMs).toBeLessThan(alone.exchangeMs / 4)
    expect(run(withMirrors(slow, [fast, fast])).originBytes).toBeLessThan(0.7 * originBytes)
  })

  it('waits for no mirror that is slow', () => {
    const lame = { ...fast, uplinkBytesPerMs: 200 }
    expect(run(withMirrors(slow, [lame])).exchangeMs).toBeLessThan(1.02 * alone.exchangeMs)
    const { exchangeMs } = run(withMirrors(steady, [lame]))
    expect(exchangeMs).toBeLessThan(1.1 * run(steady).exchangeMs)
  })

  it('lets the origin bring what a mirror that dies has not', () => {
    const dying = { ...fast, trouble: 'killed', atMs: 400 } as const
    const { outcomes, originBytes } = runScenario(withMirrors(slow, [dying]))
    const reasons = outcomes.slice(0, slow.nodes.length).map(({ reason }) => reason)
    expect(reasons).toEqual(slow.nodes.map(() => null))
    expect(originBytes).toBeGreaterThan(slow.bytes / 2)
    expect(originBytes).toBeLessThan(0.9 * slow.bytes)
  })
})

it('brings what is missing everywhere when the origin is gone', () => {
  for (const seed of [3, 4, 5]) {
    const scenario = { ...steadyScenario(seed), bytes: 8 * MIB + 5, originDiesAtMs: 150 }
    const alone = new Cluster(scenario)
    alone.run()
    expect(alone.successions.map(({ event }) => event)).toContain('incomplete')
    const cluster = new Cluster(withMirrors(scenario, [{}]))
    cluster.run()
    expect(cluster.successions.map(({ event }) => event)).toContain('finished')
    for (const node of cluster.nodes.slice(0, scenario.nodes.length))
      expect([node?.failure, node?.publications]).toEqual([null, 1])
  }
})

it('under classic dealing a mirror has a share like the others', () => {
  const steady: Scenario = { ...steadyScenario(3), strategy: 'classic', bytes: 64 * 65_536 }
  const { originBytes } = runScenario(withMirrors(steady, [{}]))
  const shares = steady.nodes.length + 1
  expect(originBytes).toBeLessThan(steady.bytes * (1 - 1 / shares) + 65_536)
})

it('ends well whatever goes wrong, at mirrors too', { timeout: 300_000 }, () => {
  for (let seed = 1; seed <= 40; seed++) {
    const scenario = scenarioOf(seed)
    const random = new Random(seed ^ 0x3142)
    if (scenario.nodes.some(({ joinsAtMs }) => joinsAtMs !== null)) continue
    const mirrors = Array.from({ length: random.integer(1, 4) }, (): Partial<NodeScenario> => {
      const troubles = [null, 'killed', 'hung', 'refuses', 'unreachable'] as const
      const uplinkBytesPerMs = random.between(500, 20_000)
      return { trouble: random.pick(troubles), atMs: random.between(0, 2_000), uplinkBytesPerMs }
    })
    runScenario(withMirrors(scenario, mirrors))
  }
})
