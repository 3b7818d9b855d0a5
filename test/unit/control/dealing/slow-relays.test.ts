/** Slow is not dead: a relay far slower than the others is demoted, served, and tried again. */
import { describe, expect, it } from 'vitest'
import { limits, MIB } from '../../../../src/base/limits.js'
import { GroupDealer } from '../../../../src/control/dealing/group.js'
import { Pool } from '../../../../src/control/dealing/pool.js'
import { dealerOf } from '../../../../src/control/dealing/strategies.js'
import { DealerBench, relayed, to } from './dealer-bench.js'

const bytes = 4096 * MIB
const demoting = (below: number) => new GroupDealer(new Pool(bytes), undefined, [], true, below)

/** Four relays of which the last is as slow as that. */
function slowed(rate: number, below = 0.05): DealerBench {
  const bench = new DealerBench(bytes, 4, 4_000, demoting(below))
  bench.start()
  bench.pass(300)
  bench.relay(3).rate = rate
  return bench
}

/** Time passes until it is so, five seconds at most. */
function until(bench: DealerBench, isSo: () => boolean): void {
  for (let i = 0; i < 100 && !isSo(); i++) bench.pass(50)
  expect(isSo()).toBe(true)
}

describe('a relay far slower than the others', () => {
  it('is dealt nothing to pass on, and is still sent what is dealt to all', () => {
    const bench = slowed(40)
    until(bench, () => bench.dealer.demoted.length > 0)
    expect(bench.dealer.demoted).toEqual([3])
    expect(relayed(to(bench.pass(limits.demotedMs / 2), 3))).toEqual([])
    const need = { node: 3, scratch: true, ranges: [[0, MIB]], nowMs: bench.nowMs } as const
    expect(to(bench.tell({ type: 'needed', ...need }), 3).length).toBeGreaterThan(0)
    expect(bench.dealer.excluded()).not.toContain(3)
  })

  it('is one of them again, once it is fast', () => {
    const bench = slowed(40)
    until(bench, () => bench.dealer.demoted.length > 0)
    bench.relay(3).rate = 4_000
    bench.pass(limits.demotedMs + 3_000)
    expect(bench.dealer.demoted).toEqual([])
    expect(relayed(to(bench.pass(500), 3)).length).toBeGreaterThan(0)
  })

  it('that stays slow is tried again after longer and longer', () => {
    const bench = slowed(40)
    const spans: number[] = []
    let sinceMs: number | undefined
    for (let i = 0; i < 500 && spans.length < 2; i++) {
      bench.pass(50)
      const isDemoted = bench.dealer.demoted.length > 0
      if (isDemoted) sinceMs ??= bench.nowMs
      else if (sinceMs !== undefined) {
        spans.push(bench.nowMs - sinceMs)
        sinceMs = undefined
      }
    }
    expect(spans.map((ms) => Math.round(ms / limits.demotedMs))).toEqual([1, 2])
  })
})

describe('a relay is none of these', () => {
  it('for a rate that fades because it has passed on all it was dealt', () => {
    const small = 4 * MIB
    const dealer = new GroupDealer(new Pool(small), undefined, [], true, 0.05)
    const bench = new DealerBench(small, 4, 4_000, dealer)
    bench.relay(3).rate = 40
    bench.start()
    bench.pass(600)
    const { listed, forwarded } = bench.relay(3)
    expect([dealer.openBytes, listed - forwarded]).toEqual([0, 0])
    for (let i = 0; i < 50; i++) {
      bench.pass(100)
      expect(dealer.demoted).toEqual([])
    }
  })

  it('for a moment in which it was slow, before the origin paused', () => {
    const bench = slowed(40)
    bench.pass(1_200)
    bench.nowMs += 2_000
    // The reports that came meanwhile are read first.
    for (const node of bench.relays.keys()) bench.report(node)
    bench.tick()
    expect(bench.dealer.demoted).toEqual([])
    until(bench, () => bench.dealer.demoted.length > 0)
  })
})

it.each([
  ['that is half as fast', slowed(2_000)],
  ['where nobody is to be demoted', slowed(40, 0)],
])('a relay %s stays one', (_, bench) => {
  bench.pass(5_000)
  expect(bench.dealer.demoted).toEqual([])
})

it('equal shares are dealt once and for all, however slow a relay is', () => {
  const dealer = dealerOf('classic', 'group', 64 * MIB, 65_536, {}, [], {}, 0.5) as GroupDealer
  const bench = new DealerBench(64 * MIB, 4, 4_000, dealer)
  bench.start()
  bench.relay(3).rate = 40
  bench.pass(3_000)
  expect(dealer.demoted).toEqual([])
})
