/**
 * Adaptive dealing: who gets the next unit, how long it is, and when the origin sends by itself.
 */
import { describe, expect, it } from 'vitest'
import { GIB, KIB, MIB } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { Send } from '../../../../src/control/dealing/dealer.js'
import { bytesOf, DealerBench, direct, relayed, to } from './dealer-bench.js'
import { adaptiveDealer, fastRates } from './dealers.js'

describe('windows', () => {
  it('fill evenly at the start, one unit after the other', () => {
    const bench = new DealerBench(MIB, 3)
    const sends = bench.start()
    expect(sends.every((send) => send.relay)).toBe(true)
    expect(sends.slice(0, 3).map((send) => send.node)).toEqual([0, 1, 2])
    const [first] = sends.map((send) => bytesOf(to(sends, send.node)))
    for (const node of [0, 1, 2]) expect(bytesOf(to(sends, node))).toBe(first)
    // A few segments: nobody knows how slow they are.
    expect(first).toBeGreaterThanOrEqual(4 * KIB)
    expect(first).toBeLessThanOrEqual(16 * KIB)
    // In order, without gaps or overlaps.
    expect(RangeSet.of(sends.map((send) => [send.offset, send.length])).toArray()).toEqual([
      [0, bytesOf(sends)],
    ])
  })

  it.each([
    // [file, an even share of it / 64, at most 8 MiB]
    [192 * MIB, MIB],
    [3 * GIB, 8 * MIB],
  ])('of %i bytes start with a small part of an even share', (bytes, most) => {
    const bench = new DealerBench(bytes, 3)
    const sends = bench.start()
    for (const node of [0, 1, 2]) {
      expect(bytesOf(to(sends, node))).toBeGreaterThan(0.8 * most)
      expect(bytesOf(to(sends, node))).toBeLessThanOrEqual(most)
    }
    bench.isOriginDry = true
    for (bench.nowMs = 10; bench.nowMs <= 200; bench.nowMs += 10) bench.tick()
    for (const node of [0, 1, 2]) {
      expect(bench.dealer.dealtBytes(node)).toBeGreaterThan(0.8 * Math.min(4 * most, 8 * MIB))
      expect(bench.dealer.dealtBytes(node)).toBeLessThanOrEqual(Math.min(4 * most, 8 * MIB))
    }
  })

  it('the next unit goes to the emptiest', () => {
    const bench = new DealerBench(GIB, 3, 0, adaptiveDealer(GIB, fastRates))
    const [{ length: unit }] = bench.start() as [Send]
    bench.nowMs = 4
    bench.relay(1).forwarded = 2 * unit
    expect(bench.report(1)).toEqual([])
    bench.nowMs = 10
    const first = bench.tick().map((send) => [send.node, send.relay])
    expect(first.slice(0, 2)).toEqual([
      [1, true],
      [1, true],
    ])
    bench.nowMs = 18
    bench.relay(2).forwarded = 4 * unit
    bench.report(2)
    bench.report(0)
    bench.nowMs = 20
    expect(bench.tick()[0]?.node).toBe(2)
  })

  it('open at each look until relays have reported, while the feeds are drained', () => {
    const bench = new DealerBench(1.5 * MIB, 3)
    bench.start()
    const dealt = [0, 1, 2].map((node) => bench.dealer.dealtBytes(node))
    bench.isOriginDry = true
    for (bench.nowMs = 10; bench.nowMs <= 200; bench.nowMs += 10) bench.tick()
    for (const node of [0, 1, 2]) {
      const more = bench.dealer.dealtBytes(node) / (dealt[node] as number)
      expect(more).toBeGreaterThan(32)
      // Bytes that a kernel has taken say little: it ends by itself.
      expect(more).toBeLessThanOrEqual(128)
    }
  })

  it('last longer where looks come late', () => {
    const windowOf = (lateMs: number): number => {
      const bench = new DealerBench(GIB, 3, 10_000)
      bench.start()
      bench.pass(1_000)
      bench.nowMs += lateMs
      bench.pass(100)
      return bench.relay(0).listed - bench.relay(0).forwarded
    }
    expect(windowOf(100) - windowOf(0)).toBeGreaterThan(500_000)
  })

  it.each([
    // [bytes per ms, least and most bytes in the queue after a second]
    [10, 6 * KIB, 12 * KIB],
    [100, 10_000, 18_000],
    [1_000, 100_000, 170_000],
    [20_000, 1_600_000, 3_200_000],
    [100_000, 8_000_000, 16_000_000],
  ])(
    'at %i bytes/ms hold a tenth of a second, or the least that keeps a feed busy',
    (rate, least, most) => {
      const bench = new DealerBench(Math.min(rate * 60_000, 2 * GIB), 3, rate)
      bench.start()
      bench.pass(1_000)
      for (const { listed, forwarded } of bench.relays.values()) {
        // Listed when the last report had come; 5 ms of forwarding may be unknown to the dealer.
        expect(listed - forwarded).toBeGreaterThanOrEqual(least - 10 * rate)
        expect(listed - forwarded).toBeLessThanOrEqual(most + 10 * rate)
      }
    },
  )

  it('give each relay what it can carry, whatever that is', () => {
    const bench = new DealerBench(128 * MIB, 3)
    const rates = [20_000, 10_000, 5_000]
    for (const [node, rate] of rates.entries()) bench.relay(node).rate = rate
    bench.start()
    bench.pass(500)
    const sends = bench.pass(2_000)
    for (const [node, rate] of rates.entries()) {
      const share = bytesOf(relayed(to(sends, node))) / (2_000 * rate)
      expect(share).toBeGreaterThan(0.9)
      expect(share).toBeLessThan(1.1)
    }
  })

  it('follow a link that becomes slower and faster again', () => {
    const bench = new DealerBench(GIB, 2, 10_000)
    bench.start()
    bench.pass(1_000)
    bench.relay(0).rate = 1_000
    bench.pass(2_000)
    expect(bench.relay(0).listed - bench.relay(0).forwarded).toBeLessThan(200 * KIB)
    bench.relay(0).rate = 10_000
    bench.pass(1_000)
    expect(bench.relay(0).listed - bench.relay(0).forwarded).toBeGreaterThan(600 * KIB)
  })
})

describe('units', () => {
  it.each([
    [100, 4 * KIB, 4 * KIB],
    [1_000, 12 * KIB, 24 * KIB],
    [4_000, 32 * KIB, 128 * KIB],
    [50_000, 512 * KIB, 1 * MIB],
    [2_000_000, 8 * MIB, 8 * MIB],
  ])('at %i bytes/ms take about 20 ms, between a page and 8 MiB', (rate, least, most) => {
    const bench = new DealerBench(rate * 12_000, 3, rate)
    bench.start()
    bench.pass(1_000)
    const units = relayed(bench.pass(1_000))
    expect(units.length).toBeGreaterThan(0)
    for (const { length } of units) {
      expect(length).toBeGreaterThanOrEqual(least)
      expect(length).toBeLessThanOrEqual(most)
      expect(length % (4 * KIB)).toBe(0)
    }
  })

  it('end with the file, and come from it once', () => {
    const bytes = 5 * MIB + 12_345
    const bench = new DealerBench(bytes, 4, 20_000)
    bench.start()
    bench.pass(1_000)
    expect(bench.dealer.openBytes).toBe(0)
    const units = relayed(bench.sends)
    expect(bytesOf(units)).toBe(bytes)
    expect(RangeSet.of(units.map((unit) => [unit.offset, unit.length])).toArray()).toEqual([
      [0, bytes],
    ])
  })

  it.each([
    [0, 0],
    [1, 1],
    [2, 1],
    [4 * KIB, 1],
    [32 * KIB, 8],
  ])('a file of %i bytes is %i sends', (bytes, count) => {
    const bench = new DealerBench(bytes, 3, 1_000)
    bench.start()
    bench.pass(500)
    expect(bench.sends).toHaveLength(count)
    expect(bytesOf(bench.sends)).toBe(bytes)
    expect(bench.dealer.openBytes).toBe(0)
  })

  it('for one node alone are marked too: its history for nodes that join', () => {
    const bench = new DealerBench(8 * MIB, 1, 10_000)
    bench.start()
    bench.pass(2_000)
    expect(relayed(bench.sends)).toEqual(bench.sends)
    expect(bytesOf(bench.sends)).toBe(8 * MIB)
  })
})

describe('direct units', () => {
  it.each([
    // [all windows full, origin dry, start-up over] -> sent
    [true, true, true, true],
    [false, true, true, false],
    [true, false, true, false],
    [true, true, false, false],
  ])('full %s, dry %s, started %s: %s', (isFull, isDry, isStarted, isSent) => {
    const bench = new DealerBench(16 * MIB, 3, 1_000)
    if (!isFull) bench.relay(1).rate = 1e6
    bench.start()
    bench.pass(isStarted ? 1_000 : 0)
    bench.isOriginDry = isDry
    const sent = direct(bench.pass(isStarted ? 300 : 90))
    expect(sent.length > 0).toBe(isSent)
    // To everybody alike.
    for (const node of [1, 2])
      expect(to(sent, node).map((send) => send.offset)).toEqual(
        to(sent, 0).map((send) => send.offset),
      )
  })

  it('are nobody’s to make good, and are counted', () => {
    const bench = new DealerBench(GIB, 2, 1_000)
    bench.isOriginDry = true
    bench.start()
    bench.pass(1_000)
    const sent = direct(to(bench.sends, 0))
    expect(sent.length).toBeGreaterThan(0)
    expect(bench.dealer.directBytes).toBe(bytesOf(sent))
    const dealt = RangeSet.of([...bench.dealer.dealt(0), ...bench.dealer.dealt(1)])
    for (const { offset, length } of sent) expect(dealt.present(offset, length)).toEqual([])
  })
})

describe('a silent relay', () => {
  const silent = () => {
    const bench = new DealerBench(64 * MIB, 3, 4_000)
    bench.start()
    bench.pass(500)
    bench.relay(1).isSilent = true
    return bench
  }
  /** How long it takes; a second at most. */
  const until = (bench: DealerBench, isSo: () => boolean): number => {
    const startMs = bench.nowMs
    while (!isSo() && bench.nowMs < startMs + 1_000) bench.pass(5)
    return bench.nowMs - startMs
  }

  it('is dealt nothing to relay after a while, and its backlog counts nowhere', () => {
    const bench = silent()
    const ms = until(bench, () => bench.dealer.excluded().length > 0)
    // Longer than a few reports may be late, shorter than a window lasts anybody.
    expect(ms).toBeGreaterThan(100)
    expect(ms).toBeLessThan(400)
    expect(bench.dealer.excluded()).toEqual([1])
    expect(relayed(to(bench.pass(1_000), 1))).toEqual([])
  })

  it('has what it did not forward dealt again, some time after it was left out', () => {
    const bench = silent()
    const { listed, forwarded } = bench.relay(1)
    const suspectMs = until(bench, () => bench.dealer.excluded().length > 0)
    const before = RangeSet.of(bench.dealer.dealt(1))
    const held = before.bytes
    const first = bench.sends.length
    const ms = until(bench, () => RangeSet.of(bench.dealer.dealt(1)).bytes < held)
    expect(ms).toBeGreaterThan(100)
    expect(suspectMs + ms).toBeLessThan(1_000)
    before.subtract(RangeSet.of(bench.dealer.dealt(1)))
    // What was queued, in whole units.
    expect(before.bytes).toBeGreaterThanOrEqual(listed - forwarded)
    bench.pass(600)
    const others = RangeSet.of(
      relayed(bench.sends.slice(first)).map((send) => [send.offset, send.length]),
    )
    for (const [offset, length] of before) expect(others.contains(offset, length)).toBe(true)
  })

  it('is one of them again when it is heard of', () => {
    const bench = silent()
    bench.pass(600)
    bench.relay(1).isSilent = false
    const sends = bench.pass(300)
    expect(bench.dealer.excluded()).toEqual([])
    expect(relayed(to(sends, 1)).length).toBeGreaterThan(0)
  })

  it('is nobody when the origin itself was late', () => {
    const bench = silent()
    bench.relay(1).isSilent = false
    const dealt = [0, 1, 2].map((node) => RangeSet.of(bench.dealer.dealt(node)).bytes)
    bench.nowMs += 1_000
    bench.tick()
    expect(bench.dealer.excluded()).toEqual([])
    for (const [node, bytes] of dealt.entries())
      expect(RangeSet.of(bench.dealer.dealt(node)).bytes).toBeGreaterThanOrEqual(bytes)
  })

  it('has nothing more taken back or dealt while most are silent, then all go on', () => {
    const bench = new DealerBench(64 * MIB, 4, 4_000)
    bench.start()
    bench.pass(300)
    for (const relay of bench.relays.values()) relay.isSilent = true
    const late = bench.pass(400)
    const dealt = [0, 1, 2, 3].map((node) => RangeSet.of(bench.dealer.dealt(node)).bytes)
    // What windows still took before the silence was one.
    expect(bytesOf(late)).toBeLessThan(4 * 320 * KIB)
    bench.isOriginDry = true
    expect(bench.pass(8_000)).toEqual([])
    expect([0, 1, 2, 3].map((node) => RangeSet.of(bench.dealer.dealt(node)).bytes)).toEqual(dealt)
    // One is heard before the others, whose words have their time again.
    bench.isOriginDry = false
    bench.relay(2).isSilent = false
    bench.pass(100)
    for (const relay of bench.relays.values()) relay.isSilent = false
    bench.pass(5_000)
    expect(bench.dealer.openBytes).toBe(0)
    expect(bytesOf(relayed(bench.sends))).toBe(64 * MIB)
  })

  it('that is the only one is still sent what it misses', () => {
    const bench = new DealerBench(8 * MIB, 1, 4_000)
    bench.start()
    bench.pass(100)
    bench.relay(0).isSilent = true
    bench.isOriginDry = true
    bench.pass(2_000)
    expect(bench.dealer.openBytes).toBe(0)
  })

  it('and late reports are two things: what comes in bursts of half a second is waited for', () => {
    const bench = new DealerBench(64 * MIB, 4, 1_000)
    bench.start()
    for (let i = 0; i < 6; i++) {
      bench.relay(1).isSilent = true
      bench.pass(450)
      bench.relay(1).isSilent = false
      bench.pass(20)
    }
    bench.relay(1).isSilent = true
    const dealt = RangeSet.of(bench.dealer.dealt(1)).bytes
    bench.pass(700)
    expect(RangeSet.of(bench.dealer.dealt(1)).bytes).toBeGreaterThanOrEqual(dealt)
    bench.pass(500)
    expect(RangeSet.of(bench.dealer.dealt(1)).bytes).toBeLessThan(dealt)
  })
})

describe('a lost node', () => {
  it('keeps what it forwarded in its deal; the rest is dealt again', () => {
    const bench = new DealerBench(GIB, 3, 4_000)
    bench.start()
    bench.pass(1_000)
    bench.report(1)
    const { forwarded } = bench.relay(1)
    const own = relayed(to(bench.sends, 1))
    const sends = bench.fail(1)
    const kept = RangeSet.of(bench.dealer.dealt(1))
    let at = 0
    for (const { offset, length } of own) {
      at += length
      expect([offset, kept.contains(offset, length)]).toEqual([offset, at <= forwarded])
    }
    const later = [...sends, ...bench.pass(1_000)]
    expect(to(later, 1)).toEqual([])
    const again = RangeSet.of(relayed(later).map((send) => [send.offset, send.length]))
    for (const { offset, length } of own)
      if (!kept.contains(offset, length)) expect(again.contains(offset, length)).toBe(true)
  })

  it('leaves one who is sent everything, and none without an error', () => {
    const bench = new DealerBench(64 * MIB, 2, 10_000)
    bench.start()
    bench.pass(200)
    bench.fail(0)
    const sends = bench.pass(200)
    expect(sends.length).toBeGreaterThan(0)
    expect(relayed(sends)).toEqual(sends)
    expect(bench.fail(1)).toEqual([])
    expect(bench.pass(500)).toEqual([])
    expect(bench.dealer.openBytes).toBeGreaterThan(0)
    expect(bench.tell({ type: 'nodeFailed', node: 1, nowMs: bench.nowMs })).toEqual([])
  })
})

describe('a broken edge', () => {
  it('gets direct copies of what the relay is dealt from then on', () => {
    const bench = new DealerBench(32 * MIB, 4, 4_000)
    bench.start()
    bench.pass(100)
    // No relay reaches all.
    for (const from of [0, 0, 1, 3]) bench.tell({ type: 'edgeLost', from, to: 2 })
    bench.tell({ type: 'edgeLost', from: 2, to: 0 })
    const sends = bench.pass(200)
    const places = (of: Send[]) => of.map((send) => [send.offset, send.length])
    const units = relayed(sends).filter(({ node }) => node !== 2)
    expect(to(units, 0).length).toBeGreaterThan(0)
    expect(places(to(direct(sends), 2))).toEqual(places(units))
    bench.fail(2)
    expect(direct(bench.pass(50))).toEqual([])
  })

  it('costs nothing where the origin is the limit: others are dealt instead', () => {
    const bench = new DealerBench(64 * MIB, 4, 4_000)
    bench.start()
    bench.pass(100)
    const dealt = (ms: number) => relayed(to(bench.pass(ms), 0)).length
    bench.tell({ type: 'edgeLost', from: 0, to: 2 })
    expect(dealt(200)).toBe(0)
    bench.tell({ type: 'edgeBack', from: 0, to: 2 })
    expect(dealt(200)).toBeGreaterThan(0)
  })
})

describe('needs', () => {
  const need = (node: number, scratch: boolean, nowMs: number) => ({
    type: 'needed' as const,
    node,
    scratch,
    ranges: [[64 * KIB, 64 * KIB]] as const,
    nowMs,
  })

  it('are answered once while the answer is under way, repairs each time', () => {
    const bench = new DealerBench(GIB, 2, 1_000, adaptiveDealer(GIB, fastRates))
    bench.start()
    const answer = {
      node: 1,
      offset: 64 * KIB,
      length: 64 * KIB,
      relay: false,
      why: 'answer',
    }
    expect(bench.tell(need(1, false, 0))).toEqual([{ ...answer, scratch: false }])
    expect(bench.tell(need(1, false, 10))).toEqual([])
    expect(bench.tell(need(1, true, 10))).toEqual([{ ...answer, scratch: true }])
    expect(bench.tell(need(1, true, 20))).toEqual([{ ...answer, scratch: true }])
    bench.isOriginDry = true
    bench.pass(600)
    expect(bench.tell(need(1, false, bench.nowMs))).toEqual([{ ...answer, scratch: false }])
  })
})
