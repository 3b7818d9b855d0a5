/** Members that feed a node and fall silent: who is asked, who is missed, in which turn. */
import { describe, expect, it } from 'vitest'
import { Feeders } from '../../../../src/control/pulling/feeders.js'

const suspectMs = 1_000
/** What is waited for an answer: half of what is between suspected and failed. */
const answerMs = 500

class Bench {
  nowMs = 0
  readonly feeders = new Feeders({ suspectMs, failMs: 2_000 })
  readonly asked: number[] = []
  readonly missed: number[] = []
  #bytes = 0

  constructor(you: number, feeders: readonly number[]) {
    this.feeders.you = you
    this.bring(feeders)
  }

  bring(members: readonly number[]): void {
    this.#bytes++
    for (const member of members) this.feeders.received(member, this.#bytes, this.nowMs)
  }

  /** These bring bytes, and these answer at once when they are asked. */
  pass(ms: number, bringing: readonly number[], answering: readonly number[] = []): this {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 50
      this.bring(bringing)
      const { ask, missed } = this.feeders.advance(this.nowMs)
      this.asked.push(...ask)
      this.missed.push(...missed)
      for (const member of ask)
        if (answering.includes(member)) this.feeders.said(member, this.nowMs)
    }
    return this
  }
}

describe('a feeder', () => {
  it('whose bytes come is never asked', () => {
    const bench = new Bench(0, [1, 2, 3]).pass(10_000, [1, 2, 3])
    expect([bench.asked, bench.missed]).toEqual([[], []])
  })

  it('that brings nothing is asked, and missed once where it does not answer', () => {
    const bench = new Bench(0, [1, 2]).pass(suspectMs - 50, [2])
    expect(bench.asked).toEqual([])
    bench.pass(50, [2])
    expect([bench.asked, bench.feeders.silent, bench.missed]).toEqual([[1], [1], []])
    bench.pass(answerMs - 50, [2])
    expect(bench.missed).toEqual([])
    bench.pass(10_000, [2])
    expect(bench.missed).toEqual([1])
    expect(bench.feeders.silent).toEqual([1])
  })

  it('that answers had nothing to pass on', () => {
    const bench = new Bench(0, [1, 2]).pass(20_000, [2], [1])
    expect([bench.missed, bench.feeders.silent]).toEqual([[], []])
    expect(bench.asked.length).toBeGreaterThan(10)
  })

  it('that is heard again is missed anew', () => {
    const bench = new Bench(0, [1, 2]).pass(2_000, [2]).pass(100, [1, 2]).pass(2_000, [2])
    expect(bench.missed).toEqual([1, 1])
  })

  it('whose data connection is gone, or that never brought anything, is nobody to miss', () => {
    const bench = new Bench(0, [1, 2])
    bench.feeders.unfed(1)
    bench.feeders.received(3, 0, 0)
    expect([bench.pass(10_000, [2]).missed, bench.asked]).toEqual([[], []])
  })
})

it('where all stand still the next two are asked, from the own number upwards and round', () => {
  const all = Array.from({ length: 9 }, (_, i) => i)
  const asked = (you: number): number[] => {
    const bench = new Bench(
      you,
      all.filter((one) => one !== you),
    )
    return [...new Set(bench.pass(20_000, [], all).asked)]
  }
  expect([0, 4, 7, 8].map(asked)).toEqual([
    [1, 2],
    [5, 6],
    [8, 0],
    [0, 1],
  ])
})

it('one that is missed leaves its turn to the next', () => {
  const bench = new Bench(0, [1, 2, 3, 4]).pass(20_000, [], [2, 3, 4])
  expect(bench.missed).toEqual([1])
  expect(new Set(bench.asked)).toEqual(new Set([1, 2, 3]))
})
