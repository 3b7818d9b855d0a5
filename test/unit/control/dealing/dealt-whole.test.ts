/** A content that one node passes on whole: a descriptor. */
import { describe, expect, it } from 'vitest'
import { MIB } from '../../../../src/base/limits.js'
import { bytesOf, DealerBench, direct, relayed, to } from './dealer-bench.js'
import { wholeDealer } from './dealers.js'

const bytes = 24 * MIB + 5

/** Nodes that pass on 5,000 bytes a millisecond, and an origin whose uplink has nothing to do. */
function benchOf(nodes: number, first: number): DealerBench {
  const bench = new DealerBench(bytes, nodes, 5_000, wholeDealer(bytes, first))
  bench.isOriginDry = true
  return bench
}

describe('a content that is dealt whole', () => {
  it('goes to the one node, each byte once, although the origin has nothing else to do', () => {
    const bench = benchOf(4, 2)
    bench.start()
    bench.pass(15_000)
    expect(bench.dealer.openBytes).toBe(0)
    expect(bytesOf(bench.sends)).toBe(bytes)
    expect(to(bench.sends, 2)).toEqual(bench.sends)
    expect(relayed(bench.sends)).toEqual(bench.sends)
    expect(bench.dealer.dealt(2)).toEqual([[0, bytes]])
    expect(bench.dealer.directBytes).toBe(0)
  })

  it('is passed on by the next node where that one is lost, with what it had not passed on', () => {
    const bench = benchOf(4, 3)
    bench.start()
    bench.pass(1_000)
    const before = bench.dealer.dealtBytes(3)
    expect(before).toBeGreaterThan(0)
    bench.fail(3)
    bench.pass(15_000)
    expect(bench.dealer.openBytes).toBe(0)
    // Round after the last: the first one.
    expect(to(bench.sends, 1)).toEqual([])
    expect(to(bench.sends, 2)).toEqual([])
    const rest = bytesOf(to(bench.sends, 0))
    expect(rest).toBeGreaterThanOrEqual(bytes - before)
    expect(rest).toBeLessThan(bytes)
    expect(direct(bench.sends)).toEqual([])
  })

  it('is passed on by another node while that one says nothing', () => {
    const bench = benchOf(3, 1)
    bench.start()
    bench.pass(500)
    bench.relay(1).isSilent = true
    bench.pass(15_000)
    expect(bench.dealer.openBytes).toBe(0)
    expect(bytesOf(to(bench.sends, 2))).toBeGreaterThan(0)
    expect(to(bench.sends, 0)).toEqual([])
  })

  it('goes to everybody once nobody can pass it on', () => {
    const bench = benchOf(2, 0)
    bench.start()
    bench.pass(200)
    for (const node of [0, 1]) bench.tell({ type: 'distrusted', node, nowMs: bench.nowMs })
    bench.pass(10_000)
    expect(bench.dealer.openBytes).toBe(0)
    expect(bench.dealer.directBytes).toBeGreaterThan(0)
  })
})
