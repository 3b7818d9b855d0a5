/** The equal split: each node is dealt its own share, in windows, and nothing else. */
import { describe, expect, it } from 'vitest'
import { KIB, MIB } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import type { Send } from '../../../../src/control/dealing/dealer.js'
import { equalShares } from '../../../../src/control/plan/plan.js'
import { bytesOf, DealerBench, direct, relayed, to } from './dealer-bench.js'
import { classicDealer, fastRates } from './dealers.js'

const block = 64 * KIB
const bytes = 48 * MIB + 5
/** The origin sends at once, unless something is held on a feed. */
function benchOf(nodes: number, rate = 0): DealerBench {
  const bench = new DealerBench(bytes, nodes, rate, classicDealer(bytes, block))
  bench.isOriginDry = true
  return bench
}
const rangesOf = (sends: readonly Send[]): RangeSet =>
  RangeSet.of(sends.map(({ offset, length }): RangePair => [offset, length]))

describe('equal shares are dealt', () => {
  it('in windows, front to back, and whole in the end, however fast their relays are', () => {
    const bench = benchOf(3)
    for (const [node, rate] of [20_000, 20_000, 0].entries()) bench.relay(node).rate = rate
    expect(bench.dealer.openBytes).toBe(bytes)
    const first = bench.start()
    expect(bytesOf(first)).toBeLessThan(2 * MIB)
    expect(bench.dealer.openBytes).toBe(bytes - bytesOf(first))
    bench.pass(10_000)
    expect(bench.dealer.openBytes).toBe(0)
    const shares = equalShares(bytes, block, 3)
    for (const [node, share] of shares.entries()) {
      const sends = to(bench.sends, node)
      expect(relayed(sends)).toEqual(sends)
      expect(sends.map(({ offset }) => offset)).toEqual(
        sends.map(({ offset }) => offset).sort((a, b) => a - b),
      )
      // Each byte once: nobody is helped in the end.
      expect(bytesOf(sends)).toBe(share[1])
      expect(bench.dealer.dealt(node)).toEqual([share])
      expect(bench.dealer.share(node)).toEqual(share)
    }
    expect(bench.dealer.directBytes).toBe(0)
  })

  it('evenly: nobody runs further ahead of the slowest feed than a window', () => {
    const bench = benchOf(3, 5_000)
    bench.start()
    Object.assign(bench.relay(2), { rate: 200, heldBytes: 400 * KIB })
    bench.pass(500)
    const dealt = () => [0, 1, 2].map((node) => bench.dealer.dealtBytes(node))
    expect(dealt()[2]).toBeLessThan(400 * KIB)
    expect(Math.max(...dealt())).toBeGreaterThan(500 * KIB)
    expect(Math.max(...dealt())).toBeLessThan(2 * MIB)
    Object.assign(bench.relay(2), { rate: 5_000, heldBytes: 0 })
    bench.pass(5_000)
    expect(bench.dealer.openBytes).toBe(0)
  })

  it('without waiting for a node that lags', () => {
    const bench = benchOf(4, 10_000)
    Object.assign(bench.relay(3), { rate: 200, heldBytes: 400 * KIB })
    for (const node of [0, 1, 2]) bench.relay(node).behind = [3]
    bench.start()
    bench.pass(2_000)
    expect(bench.dealer.excluded()).toEqual([3])
    for (const node of [0, 1, 2])
      expect(bench.dealer.dealt(node)).toEqual([bench.dealer.share(node)])
    expect(bench.dealer.dealtBytes(3)).toBeLessThan(2 * MIB)
  })

  it('to those who were there at the start: one that joins relays nothing', () => {
    const bench = benchOf(2, 5_000)
    bench.start()
    bench.pass(500)
    bench.join(2, [])
    bench.pass(20_000)
    expect(bench.dealer.openBytes).toBe(0)
    expect([0, 1, 2].map((node) => bench.dealer.mayRelay(node))).toEqual([true, true, false])
    expect(to(bench.sends, 2)).toEqual([])
  })

  it('in blocks, so that with fewer of these than nodes some have none', () => {
    const dealer = classicDealer(2 * block, block, [], fastRates)
    dealer.handle({ type: 'started', nodes: [4, 5, 6], nowMs: 0 })
    expect([4, 5, 6].filter((node) => dealer.mayRelay(node))).toHaveLength(2)
    expect(dealer.openBytes).toBe(0)
  })

  it('without holes, which everybody is told of at the start', () => {
    const holes: RangePair[] = [[0, 20 * MIB]]
    const dealer = classicDealer(bytes, block, holes)
    const sends = dealer.handle({ type: 'started', nodes: [0, 1], nowMs: 0 })
    const told = sends.filter((send) => send.why === 'hole')
    expect(told.map(({ node, offset, length }) => [node, offset, length])).toEqual([
      [0, 0, 20 * MIB],
      [1, 0, 20 * MIB],
    ])
    expect(dealer.share(0)).toEqual(equalShares(bytes, block, 2)[0])
    expect(rangesOf(relayed(sends)).present(0, 20 * MIB)).toEqual([])
    expect(dealer.openBytes + bytesOf(relayed(sends))).toBe(bytes - 20 * MIB)
  })
})

describe('the share of a node that cannot relay', () => {
  it('is brought to everybody by the origin, but for what the node was dealt', () => {
    const bench = benchOf(3, 5_000)
    bench.start()
    bench.pass(1_000)
    bench.fail(1)
    const dealt = RangeSet.of(bench.dealer.dealt(1))
    expect(dealt.bytes).toBeGreaterThan(2 * MIB)
    bench.pass(10_000)
    const missing = RangeSet.of([bench.dealer.share(1) as RangePair])
    missing.subtract(dealt)
    for (const node of [0, 2]) {
      const sends = direct(to(bench.sends, node))
      expect(rangesOf(sends).toArray()).toEqual(missing.toArray())
      expect(bytesOf(sends)).toBe(missing.bytes)
      expect(bench.dealer.dealt(node)).toEqual([bench.dealer.share(node)])
    }
    const all = [0, 1, 2].reduce((sum, node) => sum + bench.dealer.dealtBytes(node), 0)
    expect(all + bench.dealer.directBytes).toBe(bytes)
  })

  it('is brought to the others also while its own feed is full', () => {
    const bench = benchOf(3, 1_000)
    Object.assign(bench.relay(1), { rate: 0, isStanding: true, heldBytes: 200 * KIB })
    bench.start()
    bench.pass(40_000)
    expect(bench.dealer.openBytes).toBe(0)
    expect(bench.dealer.dealtBytes(1) + bench.dealer.directBytes).toBe(
      (bench.dealer.share(1) as RangePair)[1],
    )
  })

  it('is brought also where other bytes fill its feed from the start', () => {
    const holes: RangePair[] = [[0, 12 * MIB]]
    const bench = new DealerBench(bytes, 3, 5_000, classicDealer(bytes, block, holes))
    bench.isOriginDry = true
    Object.assign(bench.relay(0), { rate: 0, isStanding: true, heldBytes: 2 * MIB })
    bench.start()
    bench.pass(40_000)
    expect(bench.dealer.dealtBytes(0)).toBeLessThan(MIB)
    expect(bench.dealer.openBytes).toBe(0)
  })

  it('is brought also where other bytes stand on the feed of a relay that is done', () => {
    const bench = new DealerBench(block + 1, 3, 5_000, classicDealer(block + 1, block))
    bench.isOriginDry = true
    bench.start()
    bench.fail(0)
    bench.relay(1).heldBytes = 2 * MIB
    bench.pass(5_000)
    expect(bench.dealer.openBytes).toBe(0)
  })

  it('is brought to a node that has just joined, although the last relay stands still', () => {
    const bench = benchOf(2, 5_000)
    bench.start()
    bench.pass(20)
    bench.join(2, [])
    bench.pass(20)
    bench.fail(0)
    Object.assign(bench.relay(1), { rate: 0, isStanding: true, heldBytes: 2 * MIB })
    bench.pass(40_000)
    expect(bench.dealer.openBytes).toBe(0)
  })

  it('is brought while the node is silent; it goes on with the rest', () => {
    const bench = benchOf(3, 2_000)
    bench.start()
    bench.pass(100)
    bench.relay(1).isSilent = true
    bench.pass(800)
    const brought = bench.dealer.directBytes
    expect(brought).toBeGreaterThan(0)
    bench.relay(1).isSilent = false
    bench.pass(50)
    const after = bench.dealer.directBytes
    bench.pass(20_000)
    expect(bench.dealer.directBytes).toBe(after)
    expect(bench.dealer.openBytes).toBe(0)
    expect(bench.dealer.dealtBytes(1) + bench.dealer.directBytes).toBe(
      (bench.dealer.share(1) as RangePair)[1],
    )
  })
})
