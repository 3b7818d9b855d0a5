/** Gateways: they pass on what they are dealt to all nodes, and keep nothing. */
import { describe, expect, it } from 'vitest'
import { MIB } from '../../src/base/limits.js'
import { bound } from '../../src/control/plan/plan.js'
import { Random } from '../../src/sim/random.js'
import { runScenario } from '../../src/sim/run-seed.js'
import {
  type NodeScenario,
  type Scenario,
  scenarioOf,
  steadyScenario,
} from '../../src/sim/scenario.js'

/** The same push, with these behind the other nodes; gateways unless they say otherwise. */
function withMore(scenario: Scenario, more: readonly Partial<NodeScenario>[]): Scenario {
  const { nodes, edges } = scenario
  const model = nodes[0] as NodeScenario
  const plain = { ...model, trouble: null, joinsAtMs: null, uplinkFactor: 1 }
  const added = more.map((one): NodeScenario => ({ ...plain, isGateway: true, ...one }))
  const edge = { latencyMs: 0.2, breaksAtMs: null, stallAtMs: null, stallMs: 0, cannotDial: false }
  const wider = edges.map((row) => [...row, ...added.map(() => edge)])
  const whole = [...nodes, ...added]
  const rows = added.map(() => whole.map(() => edge))
  return { ...scenario, nodes: whole, edges: [...wider, ...rows] }
}

const uplink = 1_000
const steady: Scenario = { ...steadyScenario(3), bytes: 4 * MIB + 5 }
const count = steady.nodes.length
/** What the uplinks of all together can carry is the limit. */
const narrow: Scenario = {
  ...steady,
  originUplinkBytesPerMs: 6_000,
  nodes: steady.nodes.map((node) => ({
    ...node,
    uplinkBytesPerMs: uplink,
    downlinkBytesPerMs: 40_000,
  })),
}
const fast = { uplinkBytesPerMs: 8_000, downlinkBytesPerMs: 40_000 }

function boundMs({ bytes, originUplinkBytesPerMs }: Scenario, gateways: number): number {
  const speed = (perMs: number) => ({ uplinkBytesPerSecond: perMs * 1000 })
  const nodes = Array.from({ length: count }, (_, i) => ({ address: `${i}`, ...speed(uplink) }))
  const more = Array.from({ length: gateways }, () => speed(fast.uplinkBytesPerMs))
  return 1000 * (bound(bytes, speed(originUplinkBytesPerMs), nodes, more).boundSeconds ?? 0)
}

const complete = (scenario: Scenario) => {
  const result = runScenario(scenario)
  const reasons = result.outcomes.slice(0, count).map(({ reason }) => reason)
  expect(reasons).toEqual(Array.from({ length: count }, () => null))
  return result
}

describe('adaptive dealing', () => {
  it('gives a gateway what its uplink is worth: the n-th part for each of n nodes', () => {
    expect(complete(narrow).exchangeMs).toBeLessThan(1.12 * boundMs(narrow, 0))
    for (const gateways of [1, 2]) {
      const { exchangeMs, pulledBytes } = complete(
        withMore(
          narrow,
          Array.from({ length: gateways }, () => fast),
        ),
      )
      expect(exchangeMs).toBeLessThan(1.12 * boundMs(narrow, gateways))
      expect(pulledBytes).toBe(0)
    }
  })

  it('waits for no gateway that is slow', () => {
    const { exchangeMs } = complete(withMore(narrow, [{ ...fast, uplinkBytesPerMs: 100 }]))
    expect(exchangeMs).toBeLessThan(1.1 * complete(narrow).exchangeMs)
  })

  it('deals again what a gateway that dies or hangs has not passed on', () => {
    const whole = complete(withMore(narrow, [fast])).exchangeMs
    for (const trouble of ['killed', 'hung'] as const) {
      const dying = { ...fast, trouble, atMs: whole / 2 }
      const { exchangeMs, logged } = complete(withMore(narrow, [dying]))
      expect(exchangeMs).toBeLessThan(1.3 * boundMs(narrow, 0))
      if (trouble === 'killed') expect(logged).toContain('no-gateway')
    }
  })

  it('brings who joins what a gateway has passed on before', () => {
    const joiner = { ...fast, isGateway: false, joinsAtMs: 600 }
    const scenario = withMore(narrow, [fast, joiner])
    const { outcomes, originBytes } = complete(scenario)
    expect(outcomes.at(-1)?.reason).toBeNull()
    // Its mates bring it: the origin has no copy to spare for one node.
    expect(originBytes).toBeLessThan(3 * scenario.bytes)
  })
})

it('under classic dealing a gateway has a share like the others', () => {
  const classic: Scenario = { ...steady, strategy: 'classic', bytes: 64 * 65_536 }
  const { originBytes } = complete(withMore(classic, [{}]))
  expect(originBytes).toBeLessThan(1.05 * classic.bytes)
})

it('ends well whatever goes wrong, at gateways too', { timeout: 300_000 }, () => {
  for (let seed = 1; seed <= 25; seed++) {
    const scenario = scenarioOf(seed)
    const random = new Random(seed ^ 0x6a7e)
    if (scenario.nodes.some(({ joinsAtMs }) => joinsAtMs !== null)) continue
    const gateways = Array.from({ length: random.integer(1, 3) }, (): Partial<NodeScenario> => {
      const troubles = [null, 'killed', 'hung', 'refuses', 'unreachable'] as const
      const uplinkBytesPerMs = random.between(500, 20_000)
      return { trouble: random.pick(troubles), atMs: random.between(0, 2_000), uplinkBytesPerMs }
    })
    runScenario(withMore(scenario, gateways))
  }
})
