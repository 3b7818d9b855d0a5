/** Contents that nodes pull, simulated: who ends with what, and how often bytes cross. */
import { expect, it } from 'vitest'
import { runSwarm, type SwarmScenario } from '../../src/sim/swarm/swarm.js'

const MB = 1e6
const plain: SwarmScenario = {
  ...{ seed: 1, nodes: 51, sites: 1, units: 8, unitBytes: MB },
  ...{ up: 12.5 * MB, down: 12.5 * MB, latencyMs: { within: 0.5, between: 20 } },
  ...{ qualified: 1, heardMs: 50, mostMs: 600_000 },
}
const size = plain.units * plain.unitBytes

it('brings a content to fifty nodes with 1.3 of its bytes out of the initiator at most', () => {
  const found = runSwarm(plain)
  expect(found).toMatchObject({ complete: 50, lacking: 0, wastedBytes: 0 })
  expect(found.originBytes).toBeLessThanOrEqual(1.3 * size)
})

it('brings it into a site about once, and to all of the site', () => {
  const found = runSwarm({ ...plain, nodes: 31, sites: 3, seed: 3 })
  expect(found).toMatchObject({ complete: 30, lacking: 0 })
  expect(found.originBytes).toBeLessThanOrEqual(1.3 * size)
  for (const entered of found.enteredBytes.slice(1)) expect(entered).toBeLessThan(1.25 * size)
})

// The scale of the claim with FR_SWARM_NODES=10000, which takes minutes.
const many = Number(process.env['FR_SWARM_NODES'] ?? 150)

it('ends with all of it at whoever qualifies, and nothing at others, while nodes come and go', {
  timeout: 60_000 + many * 60,
}, () => {
  const found = runSwarm({
    ...{ ...plain, nodes: many, sites: 12, units: 4, qualified: 0.5, heardMs: 2_000, seed: 5 },
    churn: { perMinute: 0.2, awayMs: 3_000, untilMs: 10_000 },
    cut: { fromMs: 500, toMs: 8_000, sites: 4 },
  })
  expect(found).toMatchObject({ lacking: 0, strangers: 0 })
  expect(found.complete).toBeGreaterThan(many * 0.4)
})
