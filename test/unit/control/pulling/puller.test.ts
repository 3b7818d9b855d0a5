/** Who is asked for what a node lacks, and what becomes of it: time and answers in, wishes out. */
import { describe, expect, it } from 'vitest'
import { KIB, limits, MIB } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import type { Mate } from '../../../../src/control/messages/types.js'
import { Puller, type PullWish } from '../../../../src/control/pulling/puller.js'

const block = 64 * KIB
const unit = limits.pullUnitBytes
const mate = (index: number, site?: string): Mate => ({
  number: index,
  nodeId: String(index),
  address: `n${index}:1`,
  ...(site === undefined ? {} : { site }),
})

interface Ask {
  readonly index: number
  readonly request: number
  readonly ranges: readonly RangePair[]
}

/** Node 0 with its mates. What it asks is kept; links open when told to. */
class Bench {
  nowMs = 0
  readonly puller = new Puller(block)
  readonly dialled: number[] = []
  readonly asks: Ask[] = []
  readonly origin = new RangeSet()

  constructor(...mates: readonly Mate[]) {
    this.puller.introduce(mates, 0, 'home')
  }

  want(...ranges: RangePair[]): this {
    this.puller.want(RangeSet.of(ranges), this.nowMs)
    return this.advance()
  }

  advance(): this {
    const wishes: PullWish[] = this.puller.advance(this.nowMs)
    for (const wish of wishes) {
      if (wish.type === 'connect') this.dialled.push(wish.member)
      if (wish.type === 'say' && wish.frame.type === 'pull')
        this.asks.push({ index: wish.member, ...wish.frame })
      if (wish.type === 'need') for (const range of wish.ranges) this.origin.add(...range)
    }
    return this
  }

  open(index: number, rttMs = 0.2): this {
    this.puller.linked(index, rttMs)
    return this.advance()
  }

  /** Goes to the deadlines up to this time. */
  pass(ms: number): this {
    const endMs = this.nowMs + ms
    for (let at = this.puller.deadlineMs(); at !== null && at <= endMs; ) {
      expect(at).toBeGreaterThanOrEqual(this.nowMs)
      this.nowMs = at
      this.advance()
      const next = this.puller.deadlineMs()
      if (next === at) throw new Error('a deadline that is not met stands still')
      at = next
    }
    this.nowMs = endMs
    return this.advance()
  }

  /** The mate holds all it was asked for by request `at`, or these of it. */
  hold(at: number, ranges?: readonly RangePair[], backlogBytes = 0): this {
    const ask = this.asks[at] as Ask
    const held = ranges ?? ask.ranges
    const frame = { type: 'holding', request: ask.request, ranges: held, backlogBytes } as const
    this.puller.answered(ask.index, frame, this.nowMs)
    return this.advance()
  }

  land(...ranges: readonly RangePair[]): this {
    for (const range of ranges) this.puller.landed(...range, this.nowMs)
    return this.advance()
  }

  /** Indices of whom was asked, in order. */
  get asked(): number[] {
    return this.asks.map((ask) => ask.index)
  }
}

describe('Puller', () => {
  it('asks in units, and is done when all has landed', () => {
    const bench = new Bench(mate(1)).want([0, 3 * unit]).open(1)
    expect(bench.dialled).toEqual([1])
    expect(bench.asks).toMatchObject([{ index: 1, ranges: [[0, unit]] }])
    for (let i = 0; i < 3; i++) bench.hold(i).land(...(bench.asks[i] as Ask).ranges)
    expect(bench.puller.pulledBytes).toBe(3 * unit)
    expect(bench.puller.pulled).toEqual([{ member: 1, bytes: 3 * unit }])
    expect(bench.puller.deadlineMs()).toBeNull()
    expect(bench.origin.isEmpty).toBe(true)
    // It came from there, though nobody is there any more.
    bench.puller.gone(1, bench.nowMs)
    expect(bench.puller.pulled).toEqual([{ member: 1, bytes: 3 * unit }])
  })

  it('leaves everything to the origin when there is nobody to ask', () => {
    const bench = new Bench().want([block, 5 * unit])
    expect(bench.origin.toArray()).toEqual([[block, 5 * unit]])
    expect(bench.puller.deadlineMs()).toBeNull()
  })

  describe('prefers', () => {
    const all = (...mates: Mate[]): Bench => {
      const bench = new Bench(...mates).want([0, block])
      expect(bench.dialled.length).toBe(mates.length)
      return bench
    }

    it('its own site to a nearer mate', () => {
      const bench = new Bench(mate(1, 'away'), mate(2), mate(3, 'home'))
      bench.open(1, 1).open(2, 1).open(3, 50).want([0, block])
      expect(bench.asked).toEqual([3])
    })

    it('dials its own site first', () => {
      const mates = [1, 2, 3, 4, 5, 6].map((index) => mate(index, index > 4 ? 'home' : 'away'))
      expect(new Bench(...mates).want([0, block]).dialled).toEqual([5, 6, 1, 2])
    })

    it('a shorter way, not counting less than a millisecond or a factor of two', () => {
      const bench = new Bench(mate(1), mate(2), mate(3)).open(1, 9).open(2, 3).open(3, 2.5)
      expect(bench.want([0, block]).asked).toEqual([2])
      expect(bench.want([unit, block]).asked).toEqual([2, 3])
    })

    it('whoever has least to send', () => {
      const bench = all(mate(1), mate(2)).open(1).open(2)
      bench.hold(0, undefined, 10 * unit).land([0, block])
      bench.want([unit, block])
      expect(bench.asked).toEqual([1, 2])
    })
  })

  it('asks several in parallel, each for little until it has served some', () => {
    const bench = new Bench(...[1, 2, 3, 4, 5, 6].map((index) => mate(index)))
    bench.want([0, 100 * unit])
    expect(bench.dialled).toEqual([1, 2, 3, 4])
    for (const index of bench.dialled) bench.open(index)
    expect(bench.asked).toEqual([1, 2, 3, 4])
    for (let round = 0; round < 30; round++) {
      const open = bench.asks.length
      for (let i = 0; i < open; i++) bench.hold(i)
      for (const ask of bench.asks.slice(0, open)) bench.land(...ask.ranges)
    }
    const most = new Map<number, number>()
    const outstanding = bench.asks.slice(-4 * limits.pullRequests)
    for (const { index } of outstanding) most.set(index, (most.get(index) ?? 0) + 1)
    expect([...most.values()].every((count) => count <= limits.pullRequests)).toBe(true)
    expect(bench.puller.pulledBytes).toBe(100 * unit)
    // Nobody is asked twice for what has landed or is promised.
    const bytes = bench.asks.flatMap((ask) => ask.ranges).reduce((sum, [, n]) => sum + n, 0)
    expect(bytes).toBe(100 * unit)
    expect(bench.dialled).toEqual([1, 2, 3, 4])
  })

  it('takes what one does not hold to the next, and to the origin when nobody does', () => {
    const bench = new Bench(mate(1), mate(2))
      .want([0, 4 * block])
      .open(1)
      .open(2)
    bench.hold(0, [[block, block]])
    expect(bench.asks[1]).toMatchObject({
      index: 2,
      ranges: [
        [0, block],
        [2 * block, 2 * block],
      ],
    })
    expect(bench.origin.isEmpty).toBe(true)
    bench.hold(1, [[0, block]])
    expect(bench.origin.toArray()).toEqual([[2 * block, 2 * block]])
    expect(bench.asks.length).toBe(2)
  })

  it('looks for more mates when those it knows lack something, and asks the origin last', () => {
    const bench = new Bench(...[1, 2, 3, 4, 5, 6].map((index) => mate(index))).want([0, block])
    for (const index of [1, 2, 3, 4]) bench.open(index)
    for (const i of [0, 1, 2, 3]) bench.hold(i, [])
    expect(bench.dialled).toEqual([1, 2, 3, 4, 5, 6])
    expect(bench.origin.isEmpty).toBe(true)
    bench.open(5).open(6).hold(4, []).hold(5, [])
    expect(bench.asked).toEqual([1, 2, 3, 4, 5, 6])
    expect(bench.origin.toArray()).toEqual([[0, block]])
  })

  it('does not ask for what lands meanwhile, whoever brought it', () => {
    const bench = new Bench(mate(1)).want([0, 4 * unit])
    bench.land([0, 2 * unit]).open(1)
    expect(bench.asks[0]).toMatchObject({ ranges: [[2 * unit, unit]] })
    bench.land([2 * unit, 2 * unit])
    expect(bench.puller.deadlineMs()).toBeNull()
    expect(bench.puller.pulledBytes).toBe(0)
    // Its answer comes too late to matter.
    expect(bench.hold(0).puller.deadlineMs()).toBeNull()
  })

  it('wants nothing twice that is asked for already', () => {
    const bench = new Bench(mate(1))
      .want([0, block])
      .open(1)
      .want([0, 2 * block])
    bench.hold(0).land([0, block])
    expect(bench.asks.map((ask) => ask.ranges)).toEqual([[[0, block]], [[block, block]]])
  })

  describe('does not wait', () => {
    it('for links that do not open', () => {
      const bench = new Bench(mate(1), mate(2)).want([0, block])
      bench.pass(limits.pullAnswerMs - 1)
      expect(bench.origin.isEmpty).toBe(true)
      bench.pass(1)
      expect(bench.origin.toArray()).toEqual([[0, block]])
    })

    it('for an answer', () => {
      const bench = new Bench(mate(1), mate(2)).want([0, block]).open(1).open(2)
      expect(bench.pass(limits.pullAnswerMs + 1).asked).toEqual([1, 2])
      bench.pass(limits.pullAnswerMs + 1)
      expect(bench.origin.toArray()).toEqual([[0, block]])
    })

    it('for a promise that is not kept', () => {
      const bench = new Bench(mate(1), mate(2))
        .want([0, 2 * block])
        .open(1)
        .open(2)
        .hold(0)
      bench.pass(limits.pullQuietMs - 1).land([0, block])
      bench.pass(limits.pullQuietMs - 1)
      expect(bench.asked).toEqual([1])
      bench.pass(2)
      expect(bench.asks[1]).toMatchObject({ index: 2, ranges: [[block, block]] })
      // The other one is asked for what else there is; the first is left alone for a while.
      bench.hold(1).land([block, block]).want([unit, block])
      expect(bench.asked).toEqual([1, 2, 2])
    })

    it('for the origin before other mates were asked', () => {
      for (const how of ['quiet', 'broken', 'gone'] as const) {
        const bench = new Bench(...[1, 2, 3, 4, 5].map((index) => mate(index)))
        bench.want([0, block]).open(1).hold(0)
        bench.pass(limits.pullSearchMs + 1)
        if (how === 'broken') bench.puller.unlinked(1, 'ERR_FR_NODE_LOST', bench.nowMs)
        if (how === 'gone') bench.puller.gone(1, bench.nowMs)
        if (how === 'quiet') bench.pass(limits.pullQuietMs - limits.pullSearchMs)
        else bench.advance()
        // Of the others none was in time at first; one was not dialled before.
        expect([how, bench.dialled]).toEqual([how, [1, 2, 3, 4, 5]])
        bench.pass(limits.pullAnswerMs - 2)
        expect([how, bench.origin.toArray()]).toEqual([how, []])
        bench.open(5)
        expect(bench.asked).toEqual([1, 5])
        bench.hold(1).land([0, block])
        expect(bench.puller.deadlineMs()).toBeNull()
        expect(bench.origin.isEmpty).toBe(true)
      }
    })

    it('for them either, where none of them can be asked in time', () => {
      const bench = new Bench(mate(1), mate(2), mate(3), mate(4), mate(5))
      bench.want([0, block]).open(1).hold(0).pass(limits.pullQuietMs)
      expect(bench.origin.isEmpty).toBe(true)
      bench.pass(limits.pullSearchMs)
      expect(bench.origin.toArray()).toEqual([[0, block]])
    })

    it('for one that brings other things for ever', () => {
      const bench = new Bench(mate(1)).want([0, block]).open(1).hold(0)
      for (let i = 0; i < 100 && bench.origin.isEmpty; i++) {
        bench.puller.received(1, i, bench.nowMs)
        bench.pass(limits.pullQuietMs / 2)
      }
      expect(bench.origin.toArray()).toEqual([[0, block]])
      expect(bench.nowMs).toBeLessThan(2 * limits.pullServedMs + limits.pullQuietMs)
    })

    it.each([0, 1_000 * MIB])('for liars, who say they have %d bytes to send before', (backlog) => {
      const bench = new Bench(...[1, 2, 3, 4, 5, 6].map((index) => mate(index))).want([0, block])
      let answered = 0
      for (let bytes = 1; bench.origin.isEmpty && bench.nowMs < limits.stallMs; bytes++) {
        for (const index of bench.dialled) bench.open(index)
        while (answered < bench.asks.length) bench.hold(answered++, undefined, backlog)
        // What comes is not what they promised.
        for (const index of bench.dialled) bench.puller.received(index, bytes, bench.nowMs)
        bench.pass(limits.pullQuietMs / 2)
      }
      expect(bench.origin.toArray()).toEqual([[0, block]])
      expect(bench.nowMs).toBeLessThanOrEqual(2 * limits.pullPatienceMs + limits.pullQuietMs)
    })

    it('for liars who bring a crumb at a time', () => {
      const bench = new Bench(...[1, 2, 3, 4, 5, 6].map((index) => mate(index))).want([0, block])
      let answered = 0
      for (let at = 0; bench.origin.isEmpty && bench.nowMs < limits.stallMs; at++) {
        for (const index of bench.dialled) bench.open(index)
        while (answered < bench.asks.length) bench.hold(answered++)
        bench.land([at, 1]).pass(limits.pullQuietMs / 2)
      }
      expect(bench.origin.isEmpty).toBe(false)
      expect(bench.nowMs).toBeLessThanOrEqual(2 * limits.pullPatienceMs + limits.pullQuietMs)
    })

    it('longer than pullSearchMs where nobody promises anything', () => {
      const mates = Array.from({ length: 60 }, (_, i) => mate(i + 1))
      const bench = new Bench(...mates).want([0, block]).pass(limits.pullSearchMs)
      expect(bench.origin.toArray()).toEqual([[0, block]])
    })

    it('but does, while the promised part comes, for the turn of the rest', () => {
      const bench = new Bench(mate(1)).want([0, 8 * unit]).open(1)
      let held = 0
      for (let i = 0; i < 8; i++) {
        while (held < bench.asks.length) bench.hold(held++)
        bench.pass(limits.pullQuietMs - 1)
        bench.land(...(bench.asks[i] as Ask).ranges)
      }
      expect(bench.origin.isEmpty).toBe(true)
      expect(bench.puller.pulledBytes).toBe(8 * unit)
    })
  })

  describe('of a holder', () => {
    it('that says it holds more than it was asked for believes only what was asked', () => {
      const bench = new Bench(mate(1)).want([0, block]).open(1)
      bench.hold(0, [[0, 1000 * block]]).land([0, 1000 * block])
      expect(bench.puller.pulledBytes).toBe(block)
    })

    it('that answers for another, twice, or out of nothing hears nothing', () => {
      const bench = new Bench(mate(1), mate(2)).want([0, block]).open(1).open(2)
      const [{ request }] = bench.asks as [Ask]
      const lie = { type: 'holding', ranges: [[0, block]], backlogBytes: 0 } as const
      bench.puller.answered(2, { ...lie, request }, 0)
      bench.puller.answered(1, { ...lie, request: 77 }, 0)
      bench.puller.answered(9, { ...lie, request }, 0)
      bench.hold(0, []).advance()
      expect(bench.asked).toEqual([1, 2])
      bench.puller.answered(1, { ...lie, request }, 0)
      bench.hold(1, [])
      expect(bench.origin.toArray()).toEqual([[0, block]])
    })

    it('that refuses or dies asks another for all it had', () => {
      const bench = new Bench(mate(1), mate(2)).want([0, block]).open(1).open(2).hold(0)
      bench.puller.unlinked(1, 'ERR_FR_NODE_LOST', bench.nowMs)
      expect(bench.advance().asked).toEqual([1, 2])
      const { request } = bench.asks[1] as Ask
      const frame = { type: 'pullRefused', request, code: 'ERR_FR_LIMIT', text: '' } as const
      bench.puller.answered(2, frame, bench.nowMs)
      expect(bench.advance().origin.toArray()).toEqual([[0, block]])
    })

    it('that is gone is not asked again', () => {
      const bench = new Bench(mate(1)).want([0, block]).open(1).hold(0)
      bench.puller.gone(1, bench.nowMs)
      expect(bench.advance().origin.toArray()).toEqual([[0, block]])
      expect(bench.want([unit, block]).asked).toEqual([1])
      expect(bench.puller.isAsking(1)).toBe(false)
    })

    it('whose feed breaks is asked once more, over another', () => {
      const bench = new Bench(mate(1)).want([0, block]).open(1).hold(0)
      bench.puller.unfed(1, 'ERR_FR_NODE_LOST', bench.nowMs)
      expect(bench.advance().asked).toEqual([1, 1])
      expect(bench.puller.isAsking(1)).toBe(true)
      bench.puller.unfed(1, 'ERR_FR_NODE_LOST', bench.nowMs)
      expect(bench.advance().origin.toArray()).toEqual([[0, block]])
    })

    it('that breaks the protocol is never asked again', () => {
      for (const how of ['link', 'feed'] as const) {
        const bench = new Bench(mate(1)).want([0, block]).open(1)
        if (how === 'link') bench.puller.unlinked(1, 'ERR_FR_PROTOCOL', bench.nowMs)
        else bench.puller.unfed(1, 'ERR_FR_PROTOCOL', bench.nowMs)
        expect(bench.advance().origin.toArray()).toEqual([[0, block]])
        bench.nowMs += 10 * limits.pullPauseMs
        expect(bench.want([unit, block]).dialled).toEqual([1])
      }
    })

    it('that broke down is asked again after a while', () => {
      const bench = new Bench(mate(1)).want([0, block]).open(1)
      bench.puller.unlinked(1, 'ERR_FR_NODE_LOST', bench.nowMs)
      expect(bench.advance().origin.bytes).toBe(block)
      bench.nowMs += limits.pullPauseMs
      expect(bench.want([unit, block]).dialled).toEqual([1, 1])
    })
  })

  it('asks for whole blocks where they are larger than a unit', () => {
    const puller = new Puller(4 * unit)
    puller.introduce([mate(1)], 0, undefined)
    puller.linked(1, 1)
    puller.want(RangeSet.of([[0, 9 * unit]]), 0)
    const [ask] = puller.advance(0)
    expect(ask).toMatchObject({ type: 'say', frame: { ranges: [[0, 4 * unit]] } })
  })
})
