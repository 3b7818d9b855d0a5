/** Who lags: the votes of the relays at the origin, and the reports behind them at a node. */
import { describe, expect, it } from 'vitest'
import { KIB, MIB } from '../../../../src/base/limits.js'
import { LagVotes } from '../../../../src/control/dealing/lag-votes.js'
import { Backlog, type MateSample } from '../../../../src/control/receiver/backlog.js'

/** Five nodes, of which 4 is the one in question; the others land 10 MiB per second. */
class Votes {
  nowMs = 0
  readonly votes = new LagVotes()
  voters: readonly number[] = []
  ownRate = 0.1
  landed = 0
  ownLanded = 0

  constructor(landed = 10 * MIB, ownLanded = 1 * MIB) {
    this.landed = landed
    this.ownLanded = ownLanded
    this.votes.started([0, 1, 2, 3, 4])
  }

  /** Reports every 10 ms, and the origin's look after each. */
  pass(ms: number): boolean {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 10
      this.landed += 100 * KIB
      this.ownLanded += 100 * KIB * this.ownRate
      for (const node of [0, 1, 2, 3]) {
        const behind = this.voters.includes(node) ? [4] : []
        this.votes.reported(node, this.landed, behind, this.nowMs)
      }
      this.votes.reported(4, this.ownLanded, [], this.nowMs)
      this.votes.ticked(this.nowMs)
    }
    return this.votes.lagging.has(4)
  }
}

describe('LagVotes', () => {
  it('takes what had landed by the first report for no rate', () => {
    const votes = new Votes()
    votes.voters = [0, 1, 2, 3]
    // It stands still behind the others: what it began with must not make it look fast.
    votes.ownRate = 0
    votes.ownLanded = 9 * MIB
    votes.pass(20)
    expect(votes.pass(60)).toBe(true)
  })

  it.each([
    // [voters of four, landed less, rate of the others'] -> lags
    [[], 9 * MIB, 0.1, false],
    [[0, 1], 9 * MIB, 0.1, false],
    [[0, 1, 2], 9 * MIB, 0.1, true],
    [[0, 1, 2, 3], 9 * MIB, 0.1, true],
    [[0, 1, 2, 3], 0, 1, false],
    [[0, 1, 2, 3], 400 * KIB, 1, false],
    [[0, 1, 2, 3], 9 * MIB, 0.9, false],
    [[0, 1, 2, 3], 9 * MIB, 0.4, true],
  ])('%j find it behind, %i bytes less, %d of the rate: %s', (voters, less, rate, lags) => {
    // After half a second, when rates are known, it has landed so much less.
    const bench = new Votes(20 * MIB, 20 * MIB - less + 5_000 * KIB * (1 - rate))
    bench.ownRate = rate
    bench.pass(500)
    bench.voters = voters
    expect(bench.pass(100)).toBe(lags)
  })

  it('needs the votes for 30 ms without a break', () => {
    const bench = new Votes()
    bench.pass(500)
    for (let i = 0; i < 10; i++) {
      bench.voters = [0, 1, 2]
      expect(bench.pass(30)).toBe(false)
      bench.voters = [0, 1]
      expect(bench.pass(10)).toBe(false)
    }
    bench.voters = [0, 1, 2]
    expect(bench.pass(40)).toBe(true)
  })

  it('is over after 100 ms with less than 40 % of the votes', () => {
    const bench = new Votes()
    bench.pass(500)
    bench.voters = [0, 1, 2, 3]
    expect(bench.pass(50)).toBe(true)
    // Half of them is enough to stay.
    bench.voters = [0, 1]
    expect(bench.pass(500)).toBe(true)
    bench.voters = [0]
    expect(bench.pass(100)).toBe(true)
    bench.voters = [0, 1]
    expect(bench.pass(10)).toBe(true)
    bench.voters = [0]
    expect(bench.pass(110)).toBe(false)
  })

  it('does not hear a node on itself, nor on what it has left', () => {
    const bench = new Votes()
    bench.pass(500)
    bench.voters = [0, 1, 2, 3]
    bench.pass(50)
    bench.votes.left(4)
    expect(bench.votes.lagging.size).toBe(0)
    bench.votes.reported(4, 0, [0, 1, 2, 3], bench.nowMs)
    expect(bench.pass(100)).toBe(false)
    for (let i = 0; i < 20; i++) {
      bench.nowMs += 10
      bench.votes.reported(0, 0, [0], bench.nowMs)
      bench.votes.ticked(bench.nowMs)
    }
    expect(bench.votes.lagging.size).toBe(0)
  })
})

/** Feeds that are listed 1 MiB per 10 ms, each acknowledged so many milliseconds later. */
function reportsOf(backlog: Backlog, delaysMs: readonly number[], ms: number) {
  const perMs = MIB / 10
  let report = backlog.report([], 0)
  for (let nowMs = 0; nowMs <= ms; nowMs += 10) {
    const mates = delaysMs.map((delayMs, index): MateSample => {
      const listed = perMs * nowMs
      const acked = perMs * Math.max(0, nowMs - delayMs)
      const sentBytes = (listed + acked) / 2
      return {
        member: index,
        queuedBytes: listed - sentBytes,
        unackedBytes: sentBytes - acked,
        sentBytes,
      }
    })
    report = backlog.report(mates, nowMs)
  }
  return report
}

describe('Backlog', () => {
  it('is that of the worst feed, queued and unacknowledged together', () => {
    const backlog = new Backlog()
    const mates = [
      { member: 0, queuedBytes: 10, unackedBytes: 5, sentBytes: 100 },
      { member: 2, queuedBytes: 0, unackedBytes: 40, sentBytes: 100 },
      { member: 3, queuedBytes: 30, unackedBytes: 0, sentBytes: 0 },
    ]
    expect(backlog.report(mates, 0)).toEqual({ backlogBytes: 40, behind: [] })
    backlog.exclude([2])
    expect(backlog.report(mates, 1).backlogBytes).toBe(30)
    backlog.exclude([2, 3])
    expect(backlog.report(mates, 2).backlogBytes).toBe(15)
    backlog.exclude([])
    expect(backlog.report(mates, 3).backlogBytes).toBe(40)
    expect(new Backlog().report([], 0)).toEqual({ backlogBytes: 0, behind: [] })
  })

  it.each([
    // [delays of the feeds] -> who is behind
    [[10, 10, 10, 90], []],
    [[10, 10, 10, 150], [3]],
    [
      [200, 10, 150, 20, 10],
      [0, 2],
    ],
    [[100, 100, 100, 150], []],
    [[100, 100, 100, 400], [3]],
    // With two mates the other one is the measure; with one there is none.
    [[10, 200], [1]],
    [[200], []],
  ])('with feeds %j ms late, %j are behind', (delaysMs, behind) => {
    expect(reportsOf(new Backlog(), delaysMs, 1_000).behind).toEqual(behind)
  })

  it('judges by age, not by bytes: a long queue on a fast feed is not behind', () => {
    const backlog = new Backlog()
    const slow = (nowMs: number): MateSample => {
      return { member: 1, queuedBytes: 1_000, unackedBytes: 0, sentBytes: Math.min(500, nowMs) }
    }
    let report = backlog.report([], 0)
    for (let nowMs = 0; nowMs <= 400; nowMs += 10) {
      const sentBytes = nowMs * 100_000
      const fast = { queuedBytes: 5_000_000, unackedBytes: 0, sentBytes }
      report = backlog.report([{ member: 0, ...fast }, slow(0), { member: 2, ...fast }], nowMs)
    }
    expect(report).toEqual({ backlogBytes: 5_000_000, behind: [1] })
  })

  it('an age is never too small, however long a feed stands still', () => {
    const backlog = new Backlog()
    let report = backlog.report([], 0)
    for (let nowMs = 0; nowMs <= 20_000; nowMs += 10) {
      const fine = { queuedBytes: 0, unackedBytes: 0, sentBytes: nowMs }
      const stuck = { member: 3, queuedBytes: nowMs + 1, unackedBytes: 0, sentBytes: 0 }
      const mates = [0, 1, 2].map((member): MateSample => ({ member, ...fine }))
      report = backlog.report([...mates, stuck], nowMs)
      expect(report.behind).toEqual(nowMs > 100 ? [3] : [])
    }
    // It catches up at once when everything is acknowledged.
    const all = [0, 1, 2, 3].map((member): MateSample => {
      return { member, queuedBytes: 0, unackedBytes: 0, sentBytes: 30_000 }
    })
    expect(backlog.report(all, 20_010)).toEqual({ backlogBytes: 0, behind: [] })
  })

  it('is worth sending when it says something new, or nothing was said for 100 ms', () => {
    const backlog = new Backlog()
    const report = { landedBytes: 1, receivedBytes: 1, backlogBytes: 0, behind: [] }
    expect(backlog.isWorthSending(report, 0)).toBe(true)
    expect(backlog.isWorthSending(report, 10)).toBe(false)
    expect(backlog.isWorthSending(report, 99)).toBe(false)
    expect(backlog.isWorthSending(report, 100)).toBe(true)
    expect(backlog.isWorthSending({ ...report, landedBytes: 2 }, 101)).toBe(true)
    expect(backlog.isWorthSending({ ...report, receivedBytes: 2 }, 102)).toBe(true)
    expect(backlog.isWorthSending({ ...report, backlogBytes: 2 }, 103)).toBe(true)
    expect(backlog.isWorthSending({ ...report, behind: [1] }, 104)).toBe(true)
    expect(backlog.isWorthSending({ ...report, behind: [1] }, 105)).toBe(false)
  })
})
