/**
 * Connections that break and are opened again, every 250 ms one somewhere in a group of eight: all
 * nodes complete, nobody asks for anything that was not under way, little is sent again, and it
 * takes little longer.
 */
import { describe, expect, it } from 'vitest'
import { Cluster } from '../../src/sim/cluster.js'
import { type ResetKind, resetScenario, steadyScenario } from '../../src/sim/scenario.js'

const cases: readonly { kinds: readonly ResetKind[]; seeds: readonly number[] }[] = [
  { kinds: ['edge'], seeds: [3] },
  { kinds: ['link'], seeds: [4, 6] },
  { kinds: ['feed', 'edge', 'link'], seeds: [5, 8] },
]

describe.each(cases)('resets of $kinds', ({ kinds, seeds }) => {
  it('cost what was under way and nothing else', () => {
    const times = { steadyMs: 0, ms: 0 }
    for (const seed of seeds) {
      const scenario = resetScenario(seed, kinds)
      const cluster = new Cluster(scenario)
      const result = cluster.run()
      const sent = cluster.network.sentBytes.reduce((sum, bytes) => sum + bytes, 0)
      const { resets } = cluster.network
      const { strategy } = scenario
      const steady = new Cluster({ ...steadyScenario(seed, 8), strategy, isUnchecked: true }).run()
      times.steadyMs += steady.exchangeMs
      times.ms += result.exchangeMs
      const sentCopies = sent / (8 * scenario.bytes)
      const seen = { seed, resets, sent: sentCopies, asked: result.pulledBytes, times }
      expect(result.outcomes.map(({ reason }) => reason)).toEqual(Array(8).fill(null))
      expect([seed, result.outcomes.map(({ attempts }) => attempts)]).toEqual([
        seed,
        Array(8).fill(1),
      ])
      expect(resets, JSON.stringify(seen)).toBeGreaterThanOrEqual(6)
      // What waits in sockets and windows when a connection breaks is sent again, no more.
      expect(seen.sent, JSON.stringify(seen)).toBeLessThan(1.02)
      expect(result.logged).not.toContain('edge-lost')
      expect(result.logged).not.toContain('retried')
      expect(cluster.nodes.reduce((sum, node) => sum + (node?.asks ?? 0), 0)).toBe(0)
    }
    expect(times.ms / times.steadyMs, JSON.stringify(times)).toBeLessThan(1.1)
  })
})
