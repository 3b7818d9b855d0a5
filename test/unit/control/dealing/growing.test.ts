/** Dealing of a content that is still written. */
import { describe, expect, it } from 'vitest'
import { KIB, MIB } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import type { Send } from '../../../../src/control/dealing/dealer.js'
import { dealerOf } from '../../../../src/control/dealing/strategies.js'
import { UnicastDealer } from '../../../../src/control/dealing/unicast.js'
import { bytesOf, DealerBench, relayed } from './dealer-bench.js'
import { classicDealer } from './dealers.js'

class GrowingBench extends DealerBench {
  #bytes: number

  /** Nodes that pass on 5,000 bytes a millisecond; `bytes` are there at the start. */
  constructor(bytes: number, nodes: number) {
    super(bytes, nodes, 5_000)
    this.#bytes = bytes
    const all = [...this.relays.keys()]
    this.tell({ type: 'started', nodes: all, isGrowing: true, nowMs: this.nowMs })
  }

  append(length: number): Send[] {
    const range: RangePair = [this.#bytes, length]
    this.#bytes += length
    return this.tell({ type: 'grown', range, nowMs: this.nowMs })
  }
}

const covered = (sends: readonly Send[]): RangePair[] =>
  RangeSet.of(sends.map(({ offset, length }) => [offset, length])).toArray()

describe('what grows', () => {
  it('is dealt as it comes, not at the next tick', () => {
    const bench = new GrowingBench(0, 3)
    expect(bench.append(100)).toMatchObject([{ offset: 0, length: 100, relay: true }])
    expect(bench.append(7)).toMatchObject([{ offset: 100, length: 7, relay: true }])
    bench.pass(100)
    expect(bytesOf(bench.sends)).toBe(107)
  })

  it('is dealt in windows where it comes faster than relays pass it on', () => {
    const bench = new GrowingBench(MIB, 3)
    // Some 3 MB are passed on in 200 ms.
    for (let at = 0; at < 20; at++) {
      bench.append(MIB)
      bench.pass(10)
    }
    expect(bench.dealer.openBytes).toBeGreaterThan(10 * MIB)
    bench.pass(3_000)
    expect(bench.dealer.openBytes).toBe(0)
    expect(covered(relayed(bench.sends))).toEqual([[0, 21 * MIB]])
    expect(bytesOf(relayed(bench.sends))).toBe(21 * MIB)
  })

  it('has short units however much there is at the start', () => {
    const bench = new GrowingBench(2 ** 40, 2)
    bench.pass(50)
    const units = relayed(bench.sends).map(({ length }) => length)
    expect(units.length).toBeGreaterThan(0)
    expect(Math.max(...units)).toBeLessThanOrEqual(8 * MIB)
  })

  it('is forgotten before the floor, and what a lost relay had not passed on is not', () => {
    const bench = new GrowingBench(2 * MIB, 2)
    bench.pass(1_000)
    const dealt = (node: number) => RangeSet.of(bench.dealer.dealt(node))
    const all = RangeSet.of([...dealt(0), ...dealt(1)])
    expect(all.toArray()).toEqual([[0, 2 * MIB]])
    bench.tell({ type: 'floored', bytes: MIB })
    const left = RangeSet.of([...dealt(0), ...dealt(1)])
    expect(left.toArray()).toEqual([[MIB, MIB]])
    bench.relay(0).rate = 0
    bench.append(MIB)
    const owed = dealt(0)
    owed.remove(0, 2 * MIB)
    expect(owed.isEmpty).toBe(false)
    bench.fail(0)
    bench.pass(1_000)
    const again = dealt(1)
    for (const range of owed) expect(again.contains(...range)).toBe(true)
    bench.tell({ type: 'floored', bytes: 3 * MIB })
    expect([bench.dealer.dealt(0), bench.dealer.dealt(1)]).toEqual([[], []])
  })

  it('goes along columns, which are forgotten, too', () => {
    const dealer = dealerOf('adaptive', 'chain', 0, 64 * KIB, {}, [], { groupSize: 2 })
    const nodes = [0, 1, 2, 3]
    dealer.chain.start(nodes.map((node) => ({ node })))
    expect(dealer.handle({ type: 'started', nodes, isGrowing: true, nowMs: 0 })).toEqual([])
    const sends = dealer.handle({ type: 'grown', range: [0, 500], nowMs: 3 })
    expect(sends).toMatchObject([{ offset: 0, length: 500, relay: true }])
    const column = sends[0]?.column ?? -1
    expect(dealer.along(column)).toEqual([[0, 500]])
    dealer.handle({ type: 'floored', bytes: 400 })
    expect(dealer.along(column)).toEqual([[400, 100]])
  })

  it('goes to each node itself where there are no relays', () => {
    const dealer = new UnicastDealer('adaptive', 0)
    expect(dealer.handle({ type: 'grown', range: [0, 10], nowMs: 0 })).toEqual([])
    const sent = dealer.handle({ type: 'started', nodes: [0, 1], nowMs: 0 })
    expect(sent.map(({ node, length }) => [node, length])).toEqual([
      [0, 10],
      [1, 10],
    ])
    dealer.handle({ type: 'nodeFailed', node: 0, nowMs: 1 })
    dealer.handle({ type: 'nodeJoined', node: 2, missing: [], nowMs: 1 })
    const more = dealer.handle({ type: 'grown', range: [10, 5], nowMs: 2 })
    expect(more.map(({ node, offset, length }) => [node, offset, length])).toEqual([
      [1, 10, 5],
      [2, 10, 5],
    ])
    expect(dealer.directBytes).toBe(15)
  })

  it('has no equal shares', () => {
    const dealer = classicDealer(MIB, 64 * KIB)
    expect(() => dealer.handle({ type: 'grown', range: [MIB, 1], nowMs: 0 })).toThrow(RangeError)
  })
})
