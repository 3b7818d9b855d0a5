/** Units past the relays: when the origin begins with them, and that no relay is rated by them. */
import { describe, expect, it } from 'vitest'
import { GIB, KIB } from '../../../../src/base/limits.js'
import { DealtRelay } from '../../../../src/control/dealing/relay-queue.js'
import { DealerBench, relayed, report } from './dealer-bench.js'

const unit = 64 * KIB

describe('units that a relay is not to forward', () => {
  /** For 2 s, each 10 ms: so many units past it, one to forward, which it does at once. */
  const fed = (past: number): DealtRelay => {
    const relay = new DealtRelay(0, 0)
    let received = 0
    for (let atMs = 10; atMs <= 2_000; atMs += 10) {
      for (let i = 0; i < past; i++) relay.listedPast(unit)
      relay.deal(atMs * unit, unit, atMs)
      received += (past + 1) * unit
      relay.counted({ queuedBytes: 0, sentBytes: received }, 0)
      // The last unit is still on its way to a mate.
      relay.reported(report(received, unit, atMs), atMs)
    }
    return relay
  }

  it('count neither as its queue nor as its rate, however many there are', () => {
    const alone = fed(0)
    expect(alone.queue).toBe(unit)
    for (const past of [1, 7]) {
      const relay = fed(past)
      expect(relay.queue).toBe(alone.queue)
      expect(relay.rate).toBe(alone.rate)
    }
  })

  it('are no part of it while they are half received either', () => {
    const relay = new DealtRelay(0, 0)
    relay.listedPast(unit)
    relay.listedPast(unit)
    relay.deal(0, unit, 0)
    relay.counted({ queuedBytes: 2 * unit, sentBytes: unit }, 0)
    relay.reported(report(unit, 0, 10), 10)
    expect(relay.queue).toBe(unit)
    relay.counted({ queuedBytes: 0, sentBytes: 3 * unit }, 0)
    relay.reported(report(3 * unit, 0, 20), 20)
    expect(relay.queue).toBe(0)
    expect(relay.isDone).toBe(true)
  })
})

describe('direct units', () => {
  /** Relays that stand still, behind an origin with nothing to do. */
  const stuck = () => {
    const bench = new DealerBench(GIB, 3, 4_000)
    bench.start()
    bench.pass(1_000)
    for (const relay of bench.relays.values()) relay.rate = 0
    bench.pass(500)
    return bench
  }
  const direct = (bench: DealerBench, ms: number) => {
    const sends = bench.pass(ms)
    return sends.length - relayed(sends).length
  }

  it('wait until the origin has been dry for a while, and go on at each look from then on', () => {
    const bench = stuck()
    bench.isOriginDry = true
    expect(direct(bench, 60)).toBe(0)
    expect(direct(bench, 900)).toBeGreaterThan(0)
    for (let i = 0; i < 5; i++) expect(direct(bench, 10)).toBeGreaterThan(0)
  })

  it('do not stop for one full look, and do after many', () => {
    const bench = stuck()
    bench.isOriginDry = true
    bench.pass(900)
    bench.isOriginDry = false
    expect(direct(bench, 50)).toBe(0)
    bench.isOriginDry = true
    expect(direct(bench, 20)).toBeGreaterThan(0)
    bench.isOriginDry = false
    bench.pass(400)
    bench.isOriginDry = true
    expect(direct(bench, 60)).toBe(0)
  })
})
