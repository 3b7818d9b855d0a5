/** Relays that speak and stand still, and nodes that ask for what is not dealt yet. */
import { describe, expect, it } from 'vitest'
import { MIB } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import { bytesOf, DealerBench, relayed, to } from './dealer-bench.js'

describe('a relay that speaks and stands still', () => {
  const standing = (nodes: number, still: readonly number[]) => {
    const bench = new DealerBench(64 * MIB, nodes, 2_000)
    bench.start()
    bench.pass(500)
    for (const node of still) Object.assign(bench.relay(node), { rate: 0, isStanding: true })
    return bench
  }

  it('has what it holds dealt to others within a second, and nothing more while it stands', () => {
    const bench = standing(4, [1])
    const { listed, forwarded } = bench.relay(1)
    bench.pass(1_000)
    const held = RangeSet.of(bench.dealer.dealt(1)).bytes
    expect(held).toBeLessThanOrEqual(forwarded)
    expect(listed - held).toBeGreaterThan(0)
    expect(bench.dealer.excluded()).toEqual([1])
    expect(relayed(to(bench.pass(3_000), 1))).toEqual([])
  })

  it('is dealt to again when it moves', () => {
    const bench = standing(4, [1])
    bench.pass(1_000)
    Object.assign(bench.relay(1), { rate: 2_000, isStanding: false })
    expect(relayed(to(bench.pass(1_000), 1)).length).toBeGreaterThan(0)
    expect(bench.dealer.excluded()).toEqual([])
  })

  it('is no reason for anything when most do: then nobody sends', () => {
    const bench = standing(4, [0, 1, 2])
    const dealt = [0, 1, 2].map((node) => RangeSet.of(bench.dealer.dealt(node)).bytes)
    bench.pass(3_000)
    for (const [node, bytes] of dealt.entries())
      expect(RangeSet.of(bench.dealer.dealt(node)).bytes).toBeGreaterThanOrEqual(bytes)
  })
})

describe('a need', () => {
  it('is answered with what was dealt: the rest comes with the deal', () => {
    const bench = new DealerBench(64 * MIB, 4, 1_000)
    bench.start()
    bench.pass(500)
    const dealt = RangeSet.of([0, 1, 2, 3].flatMap((node) => [...bench.dealer.dealt(node)]))
    const need = { node: 2, stream: 0, nowMs: bench.nowMs, ranges: [[0, 64 * MIB]] as const }
    const sends = bench.tell({ type: 'needed', scratch: false, ...need })
    expect(sends.every((send) => send.node === 2 && !send.relay)).toBe(true)
    expect(RangeSet.of(sends.map((send) => [send.offset, send.length])).toArray()).toEqual(
      dealt.toArray(),
    )
    // A repair is of what has come, and always sent.
    expect(bytesOf(bench.tell({ type: 'needed', scratch: true, ...need }))).toBe(64 * MIB)
  })
})
