/** What the coordinator tells each member that it may send to another site. */
import { describe, expect, it } from 'vitest'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { runningPlans } from '../plans.js'
import { Bench } from './origin-support.js'

const rate = 1_600_000

/** A group of three in site a, with the origin, and one in site b. */
class Sites {
  readonly bench: Bench
  /** By sender, what it may send to b; the origin is -1. */
  readonly shares = new Map<number, number>()

  constructor() {
    const sites = ['a', 'a', 'a', 'b', 'b', 'b']
    this.bench = new Bench(6, {
      ...{ shape: 'chain', groupSize: 3 },
      nodes: sites.map((site, i) => ({ address: `n${i}:1`, site })),
      sites: { site: 'a', siteLinks: [{ sites: ['a', 'b'], bytesPerSecond: rate }] },
    })
    this.hear(this.bench.ready(0, 1, 2, 3, 4, 5))
  }

  hear(wishes: readonly OriginWish[]): void {
    for (const wish of wishes)
      if (wish.type === 'pace') this.shares.set(-1, wish.sets[0]?.bytesPerSecond ?? 0)
    for (const node of [0, 1, 2, 3, 4, 5])
      for (const { siteShares } of runningPlans(wishes, node)) {
        expect(siteShares.length).toBeLessThanOrEqual(1)
        const [share] = siteShares
        if (share === undefined) this.shares.delete(node)
        else if (share.site === 'b') this.shares.set(node, share.bytesPerSecond)
      }
  }

  get sum(): number {
    return [...this.shares.values()].reduce((sum, share) => sum + share, 0)
  }
}

describe('a limited link between sites', () => {
  it('is shared by those who hand over columns, and a part is left for the origin', () => {
    const { shares } = new Sites()
    expect(Object.fromEntries(shares)).toEqual({
      0: 500_000,
      1: 500_000,
      2: 500_000,
      [-1]: 100_000,
    })
  })

  it('is shared anew when one of them is gone, and at no time more than there is', () => {
    const sites = new Sites()
    const { bench } = sites
    bench.nowMs = 1_000
    sites.hear(bench.lost(0))
    sites.shares.delete(0)
    expect(sites.sum).toBeLessThanOrEqual(1.01 * rate)
    for (const _ of Array(10)) {
      bench.nowMs += 100
      sites.hear(bench.feed({ type: 'due' }))
      expect(sites.sum).toBeLessThanOrEqual(1.01 * rate)
    }
    // Two nodes carry three columns; nothing of the link is left unused.
    expect(sites.sum).toBeGreaterThan(0.99 * rate)
    expect(Math.min(sites.shares.get(1) ?? 0, sites.shares.get(2) ?? 0)).toBeGreaterThan(0.3 * rate)
  })

  it('is for those who still lack something', () => {
    const sites = new Sites()
    const bench = sites.bench.sealed()
    sites.hear(bench.complete(3))
    for (const _ of Array(6)) {
      bench.nowMs += 100
      sites.hear(bench.feed({ type: 'due' }))
      expect(sites.sum).toBeLessThanOrEqual(1.01 * rate)
    }
    // Whoever fed it has a part of what is left for repairs.
    const shares = [0, 1, 2].map((node) => sites.shares.get(node) ?? 0).sort((a, b) => a - b)
    expect(shares).toEqual([50_000, 750_000, 750_000])
  })
})
