/** What must not let one relay hold up the end: held-up reports, and a relay that stands still. */
import { describe, expect, it } from 'vitest'
import { limits, MIB } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import { DealtRelay } from '../../../../src/control/dealing/relay-queue.js'
import { bytesOf, DealerBench, relayed, report, to } from './dealer-bench.js'
import { adaptiveDealer } from './dealers.js'

describe('reports that arrive in a bunch', () => {
  /** 4 MB/s, a report every 25 ms by the node's clock; `arrivesAt` says when each is heard. */
  const windowAfter = (arrivesAt: (atMs: number) => number): number => {
    const relay = new DealtRelay(0, 0)
    relay.deal(0, 64 * MIB, 0)
    for (let atMs = 25; atMs <= 2_000; atMs += 25) {
      const forwarded = 4_000 * atMs
      relay.reported(report(forwarded + MIB, MIB, atMs), arrivesAt(atMs))
    }
    return relay.window
  }

  it('say nothing about its speed: the window is the same as if they had come in time', () => {
    const inTime = windowAfter((atMs) => atMs)
    expect(inTime).toBeGreaterThan(500_000)
    expect(inTime).toBeLessThan(700_000)
    const bunched = windowAfter((atMs) => Math.ceil(atMs / 500) * 500)
    expect(bunched).toBe(inTime)
  })

  it('a window opens in steps, however much one look shows', () => {
    const relay = new DealtRelay(0, 0)
    const floor = relay.window
    relay.reported(report(0, 0, 0), 0)
    relay.deal(0, 64 * MIB, 0)
    relay.reported(report(64 * MIB, 0, 20), 20)
    expect(relay.window).toBeGreaterThan(floor)
    expect(relay.window).toBeLessThanOrEqual(4 * floor)
  })
})

describe('units', () => {
  it.each([2 ** 20, 4 * 2 ** 30, 2 ** 40])('a file of %d bytes has a bounded number', (bytes) => {
    const least = Math.min(...new DealerBench(bytes, 2).start().map(({ length }) => length))
    expect(least).toBeGreaterThanOrEqual(Math.min(bytes, 4096))
    expect(bytes / least).toBeLessThanOrEqual(limits.landedPieces / 2 + 1)
  })
})

describe('a relay that stands still when all is dealt', () => {
  const ended = () => {
    const bench = new DealerBench(16 * MIB, 3, 4_000)
    bench.start()
    while (bench.dealer.openBytes > 0) bench.pass(5)
    return bench
  }

  it('has what it holds dealt again to those who are done, once they have been for a while', () => {
    const bench = ended()
    bench.relay(1).rate = 0
    const { listed, forwarded } = bench.relay(1)
    expect(listed).toBeGreaterThan(forwarded)
    expect(bytesOf(bench.pass(300))).toBe(0)
    const again = bench.pass(600)
    expect(relayed(again)).toEqual(again)
    expect(bytesOf(again)).toBeGreaterThanOrEqual(listed - forwarded)
    // Nothing is lost from the deal on the way: it is somebody's, whole.
    const all = [0, 1, 2].flatMap((node) => [...bench.dealer.dealt(node)])
    expect(RangeSet.of(all).toArray()).toEqual([[0, 16 * MIB]])
    expect(to(again, 0).length + to(again, 2).length).toBeGreaterThan(0)
  })

  it('nothing is dealt twice when everybody ends in time', () => {
    const bench = ended()
    expect(bytesOf(bench.pass(2_000))).toBe(0)
  })
})

describe('an end before anybody has reported', () => {
  const ended = (nodes: readonly number[], sentBytes: number, unackedBytes: number) => {
    const dealer = adaptiveDealer(nodes.length * 1_024)
    dealer.handle({ type: 'started', nodes, nowMs: 0 })
    const at = { queuedBytes: 0, atMs: 10, nowMs: 10 }
    for (const node of nodes)
      dealer.handle({ type: 'counted', node, sentBytes, unackedBytes, ...at })
    return { dealer, sends: dealer.handle({ type: 'ticked', nowMs: 10 }) }
  }

  it('a node that is alone keeps what it was dealt: nobody else is to have it', () => {
    const { dealer, sends } = ended([0], 1_024, 0)
    expect(sends).toEqual([])
    expect(dealer.dealt(0)).toEqual([[0, 1_024]])
    expect(dealer.directBytes).toBe(0)
  })

  it('nothing goes twice while more waits to be acknowledged than payload was sent', () => {
    const { dealer, sends } = ended([0, 1], 1_024, 1_500)
    expect(sends).toEqual([])
    expect(dealer.directBytes).toBe(0)
  })
})
