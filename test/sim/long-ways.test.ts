/** Pushes to nodes that are far away on the virtual network: how close to the bound. */
import { expect, it } from 'vitest'
import { runScenario } from '../../src/sim/run-seed.js'
import {
  bestBytesPerMs,
  type NodeScenario,
  type Scenario,
  steadyScenario,
} from '../../src/sim/scenario.js'

/** Eight nodes with equal links, a file of five seconds at the bound. */
function far(rttMs: readonly number[]): Scenario {
  const steady = steadyScenario(1)
  const links = { uplinkBytesPerMs: 4_800, downlinkBytesPerMs: 4_800 }
  const node = { ...(steady.nodes[0] as NodeScenario), ...links }
  const calm = { breaksAtMs: null, stallAtMs: null, stallMs: 0, cannotDial: false }
  // Every way between two hosts is half as long as the round trips of both to the origin together.
  const edge = (from: number, to: number) => {
    const sum = (rttMs[to] as number) + (from === 0 ? 0 : (rttMs[from - 1] as number))
    return { ...calm, latencyMs: from === 0 ? sum / 2 : sum / 4 }
  }
  return {
    ...{ ...steady, shape: 'group', bytes: 24_000_000, chunkBytes: 4_344, firstBytes: 14_480 },
    originUplinkBytesPerMs: 4_800,
    nodes: rttMs.map(() => node),
    edges: Array.from({ length: 9 }, (_, from) => rttMs.map((_, to) => edge(from, to))),
  }
}

const many = (rttMs: number) => Array.from({ length: 8 }, () => rttMs)

it.each([
  ['40 ms', many(40), 1.05],
  ['100 ms', many(100), 1.1],
  ['200 ms', many(200), 1.25],
  ['10 to 150 ms', [10, 10, 20, 40, 60, 80, 100, 150], 1.1],
])('round trips of %s hold up the start and the end, and no byte between', (_, rttMs, most) => {
  const scenario = far(rttMs)
  const { exchangeMs, originBytes, failure } = runScenario(scenario)
  expect(failure).toBeNull()
  expect((exchangeMs * bestBytesPerMs(scenario)) / scenario.bytes).toBeLessThan(most)
  expect(originBytes).toBeLessThan(1.02 * scenario.bytes)
})
