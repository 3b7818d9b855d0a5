/** The limits that a caller sets: a time-out for the push, a least rate for each node. */
import { describe, expect, it } from 'vitest'
import { KIB, limits } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { progressOf, sampledAt } from '../plans.js'
import { announced, Bench, bytes, dials } from './origin-support.js'

const least = 2 * KIB
const windowMs = limits.rateWindowMs

/** Nodes that report 4 times a second what has landed. */
class Landing extends Bench {
  readonly landed: number[] = []
  /** Listed to each node, and still at the origin. */
  queuedBytes = 0

  /** Each node lands at its rate, and says so unless its rate is null; until one is out. */
  landing(ms: number, rates: readonly (number | null)[]): OriginWish[] {
    const commands: OriginWish[] = []
    for (const endMs = this.nowMs + ms; this.nowMs < endMs && announced(commands).length === 0; ) {
      this.nowMs += 250
      for (const [node, rate] of rates.entries()) {
        if (rate === null || this.machine.peers[node]?.isServing !== true) continue
        this.landed[node] = Math.min(bytes, (this.landed[node] ?? 0) + Math.round(rate / 4))
        commands.push(...this.reports(node))
      }
      const feeds = rates.map((_, node) => ({
        member: node,
        sentBytes: 0,
        queuedBytes: this.queuedBytes,
        unackedBytes: 0,
      }))
      commands.push(...this.feed(sampledAt(this.nowMs, feeds), { type: 'due' }))
    }
    return commands
  }

  reports(node: number): OriginWish[] {
    const landedBytes = this.landed[node] ?? 0
    const sums = { landedBytes, verifiedBytes: landedBytes, receivedBytes: landedBytes }
    return this.from(node, progressOf({ atMs: this.nowMs, ...sums }))
  }
}

/** Two that have everything and serve, and between them one that lacks everything. */
function oneBehind(): Landing {
  const bench = new Landing(3, { minRateBytesPerSecond: least })
  bench.ready(0, 1, 2)
  bench.sealed()
  for (const node of [0, 2]) {
    bench.landed[node] = bytes
    bench.complete(node)
  }
  return bench
}

describe('the time-out of a push', () => {
  it('fails whoever has no outcome, wherever it is, and no attempt follows', () => {
    const bench = new Bench(6, { timeoutMs: 2_000 })
    bench.ready(0, 1, 4)
    bench.feed({ type: 'linked', member: 2, nodeId: 'id2' })
    bench.feed({ type: 'said', member: 2, frame: { type: 'claimed' } })
    bench.feed({ type: 'lookUpBegan', member: 5 })
    bench.lost(3, 'ERR_FR_UNREACHABLE')
    bench.until('announcePlan')
    bench.nowMs = 1_990
    bench.sealed().complete(0)
    bench.lost(4)
    const commands = bench.until('end')
    expect(bench.nowMs).toBe(2_000)
    expect(commands.at(-1)).toEqual({ type: 'end', failure: null })
    const late = 'ERR_FR_TIMEOUT: not complete when the time-out of 2 s ended'
    expect(
      bench.outcomes.map(({ status, reason, attempts }) => [status, reason, attempts]),
    ).toEqual([
      ['complete', null, 1],
      ['failed', late, 1],
      ['failed', late, 1],
      ['failed', `${late} (before: ERR_FR_UNREACHABLE: reset)`, 1],
      ['failed', `${late} (before: ERR_FR_NODE_LOST: reset)`, 1],
      ['failed', late, 1],
    ])
    expect(announced(commands)).toHaveLength(5)
    expect(bench.machine.deadlineMs()).toBeNull()
  })
})

describe('the least rate', () => {
  it('fails a node that lands less while bytes are there for it', () => {
    const bench = oneBehind()
    const commands = bench.landing(60_000, [0, 100, 0])
    expect(bench.nowMs).toBe(windowMs)
    // The last report that counts is a quarter of a second old.
    expect(announced(commands)).toMatchObject([
      {
        node: 'n1:1',
        code: 'ERR_FR_TIMEOUT',
        reason: 'ERR_FR_TIMEOUT: landed 98 B/s over 10 s; at least 2.0 KiB/s are wanted',
        attempts: 1,
      },
    ])
    expect(dials(commands)).toEqual([])
    expect(bench.machine.isEnded).toBe(true)
  })

  it('is looked at window by window', () => {
    const bench = oneBehind()
    expect(announced(bench.landing(4 * windowMs, [0, 1.1 * least, 0]))).toEqual([])
    const slowMs = bench.nowMs
    expect(announced(bench.landing(60_000, [0, 0, 0]))).toHaveLength(1)
    expect(bench.nowMs - slowMs).toBeLessThan(2 * windowMs)
  })

  it('watches nobody unless it is given', () => {
    const bench = new Landing(1)
    bench.ready(0)
    expect(announced(bench.landing(10 * windowMs, [4]))).toEqual([])
  })

  it('does not count time in which nobody has bytes for the node', () => {
    const bench = new Landing(2, { minRateBytesPerSecond: least, uplink: 0 })
    bench.ready(0, 1)
    // All that was listed has landed; what is missing trickles in from somewhere.
    for (const { node, counts } of bench.machine.peers) bench.landed[node] = counts.listedBytes
    expect(bench.landed[0]).toBeLessThan(bytes)
    expect(announced(bench.landing(5 * windowMs, [4, 4]))).toEqual([])
    bench.queuedBytes = 1
    expect(announced(bench.landing(60_000, [4, 4]))).toHaveLength(2)
  })

  it('does not count time in which the node is silent', () => {
    const bench = oneBehind()
    bench.landing(1_000, [0, 100, 0])
    bench.landing(10_000, [0, null, 0])
    expect(bench.machine.peers[1]?.presence).toBe('away')
    bench.landing(windowMs / 2, [0, 100, 0])
    expect(announced(bench.landing(60_000, [0, 100, 0]))).toHaveLength(1)
    expect(bench.nowMs).toBeGreaterThan(windowMs + 10_000 - limits.awayMs)
  })

  it('bounds publishing by the time of all bytes, once the digest of the file is known', () => {
    const bench = new Landing(1, { minRateBytesPerSecond: least })
    bench.ready(0)
    bench.landed[0] = bytes
    expect(announced(bench.landing(20_000, [0]))).toEqual([])
    bench.sealed()
    const sinceMs = bench.nowMs
    const wholeMs = (bytes / least) * 1000
    const commands = bench.landing(10 * wholeMs, [0])
    expect(announced(commands)).toMatchObject([
      {
        reason: 'ERR_FR_TIMEOUT: has not published 256 KiB in 138 s; at least 2.0 KiB/s are wanted',
        attempts: 1,
      },
    ])
    expect(bench.nowMs - sinceMs).toBe(wholeMs + windowMs)
  })
})
