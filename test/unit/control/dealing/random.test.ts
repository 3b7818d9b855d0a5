/**
 * The dealer under random facts: whatever is reported, lost or asked for, every byte reaches every
 * node that lives, by what it was sent itself, by what living mates relay, or by what is made good
 * of lost ones; and it comes to an end, also where one relay stands still for good.
 */

import { describe, expect, it } from 'vitest'
import { KIB, MIB } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import type { Send } from '../../../../src/control/dealing/dealer.js'
import type { GroupDealer } from '../../../../src/control/dealing/group.js'
import fc from '../../../support/property.js'
import { DealerBench } from './dealer-bench.js'
import { adaptiveDealer, classicDealer } from './dealers.js'

const block = 64 * KIB

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
      type: fc.constant('standing' as const),
      node,
      isStanding: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('held' as const),
      node,
      heldBytes: fc.constantFrom(0, 100 * KIB, 2 * MIB, 70 * MIB),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('join' as const) }) },
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
  /** Nodes so far. */
  count: number
  /** [relay, receiver] -> what the relay had been dealt when the feed between them broke. */
  readonly cuts = new Map<string, RangeSet>()

  constructor(bytes: number, count: number, dealer: GroupDealer) {
    this.bytes = bytes
    this.count = count
    this.bench = new DealerBench(bytes, count, 1_000, dealer)
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
      case 'standing':
        bench.relay(fact.node).isStanding = fact.isStanding
        return
      case 'held':
        bench.relay(fact.node).heldBytes = fact.heldBytes
        return
      case 'join':
        this.#join()
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

  /** From now on all is well with whoever lives, except that this relay may stand still. */
  end(standing: number | undefined): void {
    const { bench } = this
    const well = { isSilent: false, isStanding: false, heldBytes: 0, rate: 20_000, behind: [] }
    for (const relay of bench.relays.values()) Object.assign(relay, well)
    const bad = standing === undefined ? undefined : bench.relays.get(standing)
    const isRelay = standing !== undefined && bench.dealer.mayRelay(standing)
    if (bad !== undefined && isRelay && bench.relays.size > 1)
      Object.assign(bad, { isStanding: true, heldBytes: 2 * MIB, rate: 0 })
    bench.isOriginDry = true
    // What is taken back in this time is open again.
    bench.pass(1_000)
    for (let i = 0; i < 100 && bench.dealer.openBytes > 0 && bench.relays.size > 0; i++)
      bench.pass(100)
    // What is owed to somebody is listed when its feed is next looked at.
    bench.pass(10)
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

  /** It is brought what no mate that lives was dealt. */
  #join(): void {
    const { dealer, relays } = this.bench
    const missing = RangeSet.of([[0, this.bytes]])
    for (const mate of relays.keys())
      for (const [offset, length] of dealer.dealt(mate)) missing.remove(offset, length)
    this.bench.join(this.count++, missing.toArray())
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

const dealers = {
  adaptive: (bytes: number, holes: readonly RangePair[]) => adaptiveDealer(bytes, undefined, holes),
  classic: (bytes: number, holes: readonly RangePair[]) => classicDealer(bytes, block, holes),
}

describe.each(['adaptive', 'classic'] as const)('%s dealing', (strategy) => {
  it('loses no byte and comes to an end, whatever happens', { timeout: 60_000 }, () => {
    const bytes = fc.oneof(fc.constantFrom(0, 1, 32 * KIB, block + 1), fc.nat({ max: 6 * MIB }))
    const facts = fc.array(fact, { maxLength: 40 })
    const holes = fc.array(fc.nat({ max: 6 * MIB }), { maxLength: 5 })
    const standing = fc.option(node, { nil: undefined })
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 5 }), facts, holes, standing, (...given) => {
        const [size, count, list, starts, bad] = given
        const all = RangeSet.of(starts.map((at) => [at - (at % block), block]))
        const run = new Run(size, count, dealers[strategy](size, all.present(0, size)))
        for (const each of list) run.step(each)
        run.end(bad)
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
      { numRuns: 500 },
    )
  })
})
