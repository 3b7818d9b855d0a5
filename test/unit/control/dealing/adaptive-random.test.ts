/**
 * The dealer under random facts: whatever is reported, lost or asked for, every byte reaches every
 * node that lives, by what it was sent itself, by what living mates relay, or by what is made good
 * of lost ones; and it comes to an end.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KIB, MIB } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { Send } from '../../../../src/control/dealing/dealer.js'
import { DealerBench } from './dealer-bench.js'

const node = fc.nat({ max: 4 })
const fact = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('pass' as const),
      ms: fc.integer({ min: 1, max: 80 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('late' as const),
      ms: fc.integer({ min: 1, max: 900 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('rate' as const),
      node,
      rate: fc.constantFrom(0, 1, 100, 5_000, 1e6),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('silent' as const), node, isSilent: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('behind' as const),
      node,
      behind: fc.subarray([0, 1, 2, 3, 4]),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('dry' as const), isDry: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('fail' as const), node }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('edge' as const), node, to: node }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('need' as const),
      node,
      at: fc.nat({ max: 1_000 }),
      scratch: fc.boolean(),
    }),
  },
)
type Fact = typeof fact extends fc.Arbitrary<infer T> ? T : never

class Run {
  readonly bench: DealerBench
  readonly bytes: number
  readonly count: number
  /** [relay, receiver] -> what the relay had been dealt when the feed between them broke. */
  readonly cuts = new Map<string, RangeSet>()

  constructor(bytes: number, count: number) {
    this.bytes = bytes
    this.count = count
    this.bench = new DealerBench(bytes, count, 1_000)
    this.bench.start()
  }

  step(fact: Fact): void {
    const { bench } = this
    if ('node' in fact && !bench.relays.has(fact.node)) return
    switch (fact.type) {
      case 'pass':
        bench.pass(fact.ms)
        return
      case 'late':
        bench.nowMs += fact.ms
        bench.tick()
        return
      case 'rate':
        bench.relay(fact.node).rate = fact.rate
        return
      case 'silent':
        bench.relay(fact.node).isSilent = fact.isSilent
        return
      case 'behind':
        bench.relay(fact.node).behind = fact.behind
        return
      case 'dry':
        bench.isOriginDry = fact.isDry
        return
      case 'fail':
        bench.fail(fact.node)
        return
      case 'edge':
        this.#cut(fact.node, fact.to)
        return
      case 'need':
        this.#need(fact)
        return
      default:
        fact satisfies never
    }
  }

  /** From now on all is well with whoever lives. */
  end(): void {
    const { bench } = this
    for (const relay of bench.relays.values())
      Object.assign(relay, { isSilent: false, rate: 20_000, behind: [] })
    bench.isOriginDry = true
    for (let i = 0; i < 100 && bench.dealer.openBytes > 0 && bench.relays.size > 0; i++)
      bench.pass(100)
  }

  /** What reaches this node in the end, by the rules of the product. */
  reaches(to: number): RangeSet {
    const { dealer, sends } = this.bench
    const all = RangeSet.of(sends.filter((send) => send.node === to).map(rangeOf))
    for (let from = 0; from < this.count; from++) {
      if (from === to) continue
      const relayed = this.cuts.get(`${from}>${to}`) ?? dealer.dealt(from)
      for (const [offset, length] of relayed) all.add(offset, length)
    }
    return all
  }

  #cut(from: number, to: number): void {
    if (from === to || !this.bench.relays.has(to) || this.cuts.has(`${from}>${to}`)) return
    this.bench.tell({ type: 'edgeLost', from, to })
    this.cuts.set(`${from}>${to}`, RangeSet.of(this.bench.dealer.dealt(from)))
  }

  #need(fact: Fact & { type: 'need' }): void {
    const offset = Math.floor((fact.at / 1_001) * this.bytes)
    const length = Math.min(64 * KIB, this.bytes - offset)
    if (length === 0) return
    const ranges = [[offset, length]] as const
    const { node, scratch } = fact
    const { nowMs } = this.bench
    const sends = this.bench.tell({ type: 'needed', node, scratch, ranges, nowMs })
    for (const send of sends)
      expect([send.node, send.relay, send.scratch]).toEqual([node, false, scratch])
  }
}

const rangeOf = ({ offset, length }: Send): [number, number] => [offset, length]

describe('adaptive dealing', () => {
  it('loses no byte and comes to an end, whatever happens', { timeout: 60_000 }, () => {
    const bytes = fc.oneof(fc.constantFrom(0, 1, 32 * KIB, 32 * KIB + 1), fc.nat({ max: 6 * MIB }))
    const facts = fc.array(fact, { maxLength: 40 })
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 5 }), facts, (size, count, list) => {
        const run = new Run(size, count)
        for (const each of list) run.step(each)
        run.end()
        const { dealer, sends, relays } = run.bench
        for (const { offset, length } of sends) {
          expect(length).toBeGreaterThan(0)
          expect(offset + length).toBeLessThanOrEqual(size)
        }
        if (relays.size === 0) return
        expect(dealer.openBytes).toBe(0)
        expect(RangeSet.of(sends.map(rangeOf)).bytes).toBe(size)
        for (const to of relays.keys()) expect(run.reaches(to).bytes).toBe(size)
      }),
      { numRuns: 1_000 },
    )
  })
})
