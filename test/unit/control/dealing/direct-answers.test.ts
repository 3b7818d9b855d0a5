/** What the origin lists for one node alone stays bounded, however much and in how many pieces. */
import { describe, expect, it } from 'vitest'
import { GIB, KIB, limits, MIB } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import type { Dealer, Send } from '../../../../src/control/dealing/dealer.js'
import type { GroupDealer } from '../../../../src/control/dealing/group.js'
import { DealerBench, direct, relayed, to } from './dealer-bench.js'
import { adaptiveDealer, classicDealer, fastRates } from './dealers.js'

const unit = 64 * KIB
const pieces = 3 * limits.needRanges
const bytes = 2 * pieces * unit
/** Every second unit: the rest comes from relays. */
const missing = Array.from({ length: pieces }, (_, i): RangePair => [2 * i * unit, unit])

const dealers: [string, () => Dealer][] = [
  ['classic', () => classicDealer(bytes, unit)],
  ['adaptive', () => adaptiveDealer(bytes)],
]

describe.each(dealers)('what a node that joins %s dealing is brought', (_, make) => {
  const joined = (): { dealer: Dealer; first: Send[] } => {
    const dealer = make()
    dealer.handle({ type: 'started', nodes: [0, 1], nowMs: 0 })
    for (let nowMs = 10; dealer.openBytes > 0; nowMs += 10) {
      for (const node of [0, 1]) {
        const counts = { sentBytes: 1e12, queuedBytes: 0, unackedBytes: 0 }
        dealer.handle({ type: 'counted', node, ...counts, atMs: nowMs, nowMs })
        const said = { landedBytes: 0, receivedBytes: 1e12, backlogBytes: 0, behind: [] }
        dealer.handle({ type: 'reported', node, atMs: nowMs, ...said, nowMs })
      }
      dealer.handle({ type: 'ticked', nowMs })
    }
    const first = dealer.handle({ type: 'nodeJoined', node: 2, missing, nowMs: 1e5 })
    return { dealer, first: to(first, 2) }
  }
  const counted = (dealer: Dealer, queuedBytes: number): Send[] => {
    const fact = { node: 2, sentBytes: 0, queuedBytes, unackedBytes: 0, atMs: 2e5, nowMs: 2e5 }
    return dealer.handle({ type: 'counted', ...fact })
  }
  const ranges = (sends: readonly Send[]) =>
    RangeSet.of(sends.map(({ offset, length }): RangePair => [offset, length]))

  it('comes in parts as its feed drains, each piece once', () => {
    const { dealer, first } = joined()
    expect(first).toHaveLength(limits.needRanges)
    expect(counted(dealer, 200 * MIB)).toEqual([])
    const later = [counted(dealer, 20 * MIB), counted(dealer, 0), counted(dealer, 0)]
    expect(later.map((sends) => sends.length)).toEqual([limits.needRanges, limits.needRanges, 0])
    const all = [...first, ...later.flat()]
    expect(all.every((send) => send.why === 'level' && !send.relay)).toBe(true)
    expect(ranges(all).toArray()).toEqual(missing)
  })

  it('is not sent twice when the node asks for it before its turn', () => {
    const { dealer } = joined()
    const asked = missing.slice(-10)
    const need = { type: 'needed', node: 2, scratch: false, ranges: asked } as const
    expect(ranges(dealer.handle({ ...need, nowMs: 3e5 })).toArray()).toEqual(asked)
    const rest = [...counted(dealer, 0), ...counted(dealer, 0), ...counted(dealer, 0)]
    expect(ranges(rest).toArray()).toEqual(missing.slice(limits.needRanges, -10))
  })

  it('is nothing any more once the node is lost', () => {
    const { dealer } = joined()
    dealer.handle({ type: 'nodeFailed', node: 2, nowMs: 3e5 })
    expect(counted(dealer, 0)).toEqual([])
  })
})

describe('a node with much on its feed', () => {
  it('is owed what passes its broken edge, and gets it in few pieces', () => {
    const bench = new DealerBench(GIB, 3, 4_000)
    bench.start()
    bench.pass(500)
    // No relay reaches all.
    for (const [from, to] of [
      [0, 2],
      [1, 2],
      [2, 1],
    ] as const)
      bench.tell({ type: 'edgeLost', from, to })
    const count = (queuedBytes: number) => {
      const { nowMs } = bench
      const fact = { node: 2, sentBytes: 0, queuedBytes, unackedBytes: 0, atMs: nowMs, nowMs }
      return direct(bench.tell({ type: 'counted', ...fact }))
    }
    const dealt: Send[] = []
    for (let i = 0; i < 100; i++) {
      count(GIB)
      bench.nowMs += 10
      const { listed } = bench.relay(0)
      bench.relay(0).forwarded = listed
      bench.report(0)
      dealt.push(...bench.tell({ type: 'ticked', nowMs: bench.nowMs }))
    }
    expect(direct(dealt)).toEqual([])
    const units = relayed(dealt).map((send): RangePair => [send.offset, send.length])
    expect(units.length).toBeGreaterThan(20)
    const paid = count(0)
    expect(paid.every((send) => send.node === 2 && send.why === 'bypass')).toBe(true)
    expect(paid.map((send) => [send.offset, send.length])).toEqual(RangeSet.of(units).toArray())
    expect(count(0)).toEqual([])
  })

  it('leaves the rest of the file in the pool when all who are left joined late', () => {
    const dealer = adaptiveDealer(GIB)
    dealer.handle({ type: 'started', nodes: [0], nowMs: 0 })
    for (const node of [1, 2])
      dealer.handle({ type: 'nodeJoined', node, missing: [[0, GIB]], nowMs: 0 })
    dealer.handle({ type: 'nodeFailed', node: 0, nowMs: 0 })
    for (let nowMs = 10; nowMs < 2_000; nowMs += 10) {
      for (const node of [1, 2]) {
        const counts = { sentBytes: 0, queuedBytes: 8 * MIB, unackedBytes: 0 }
        dealer.handle({ type: 'counted', node, ...counts, atMs: nowMs, nowMs })
      }
      dealer.handle({ type: 'ticked', nowMs })
    }
    expect(dealer.openBytes).toBeGreaterThan(0)
  })
})

describe('what a node asks for', () => {
  const started = (dealer: GroupDealer, nodes: number[]) =>
    dealer.handle({ type: 'started', nodes, nowMs: 0 })
  const need = (dealer: GroupDealer, scratch: boolean, nowMs = 0) =>
    dealer
      .handle({ type: 'needed', node: 3, scratch, ranges: [[0, 2 * unit]], nowMs })
      .map((send) => [send.node, send.offset, send.length, send.relay, send.scratch])

  it('is not listed again while it is queued, but is once the feed has drained', () => {
    const dealer = classicDealer(4 * unit, unit, [], fastRates)
    started(dealer, [1, 3])
    expect(need(dealer, false)).toEqual([[3, 0, 2 * unit, false, false]])
    expect(need(dealer, false, 100)).toEqual([])
    dealer.handle({
      type: 'counted',
      node: 3,
      sentBytes: 0,
      queuedBytes: 1,
      unackedBytes: 0,
      atMs: 5000,
      nowMs: 5000,
    })
    expect(need(dealer, false, 5000)).toEqual([])
    dealer.handle({
      type: 'counted',
      node: 3,
      sentBytes: 0,
      queuedBytes: 0,
      unackedBytes: 0,
      atMs: 9000,
      nowMs: 9000,
    })
    expect(need(dealer, false, 9000)).toEqual([[3, 0, 2 * unit, false, false]])
  })

  it('is always sent where it is a repair', () => {
    const dealer = classicDealer(4 * unit, unit, [], fastRates)
    started(dealer, [1, 3])
    expect(need(dealer, true)).toEqual([[3, 0, 2 * unit, false, true]])
    expect(need(dealer, true)).toEqual([[3, 0, 2 * unit, false, true]])
  })
})
