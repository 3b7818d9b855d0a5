/** What silence means: suspicion, absence, loss; one's own side; and limits that grow. */
import { describe, expect, it } from 'vitest'
import { Detector, type Health, isOwnSide } from '../../../../src/control/members/detector.js'

const silence = { suspectMs: 1_000, awayMs: 2_000, lostMs: 15_000 }

class Bench {
  nowMs = 0
  readonly detector = new Detector(silence)

  constructor(peers: number, rttMs = 0) {
    for (let peer = 0; peer < peers; peer++) this.detector.watch(peer, 0, rttMs)
  }

  /** Time passes; these speak every 100 ms. */
  pass(ms: number, speaking: readonly number[], everyMs = 100): this {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += everyMs
      for (const peer of speaking) this.detector.heard(peer, this.nowMs)
      this.detector.look(this.nowMs)
    }
    return this
  }

  health(peer: number): Health {
    return this.detector.health(peer, this.nowMs)
  }
}

describe('a silent peer among others', () => {
  it('is suspected, then away, at last lost; and each at its time', () => {
    const bench = new Bench(4)
    const seen = new Map<Health, number>()
    while (bench.health(3) !== 'lost') {
      bench.pass(100, [0, 1, 2])
      if (!seen.has(bench.health(3))) seen.set(bench.health(3), bench.nowMs)
    }
    expect([...seen]).toEqual([
      ['alive', 100],
      ['suspected', 1_000],
      ['away', 2_000],
      ['lost', 15_000],
    ])
  })

  it('is alive again with its first word, and has all its time anew', () => {
    const bench = new Bench(4).pass(8_000, [0, 1, 2])
    expect(bench.health(3)).toBe('away')
    bench.detector.heard(3, bench.nowMs)
    expect(bench.health(3)).toBe('alive')
    expect(bench.pass(1_900, [0, 1, 2]).health(3)).toBe('suspected')
    expect(bench.pass(200, [0, 1, 2]).health(3)).toBe('away')
  })

  it('lives on the word of others, but not for ever', () => {
    const bench = new Bench(3)
    while (bench.health(2) !== 'away' && bench.nowMs < 100_000) {
      bench.pass(100, [0, 1])
      bench.detector.heardOf(2, bench.nowMs)
    }
    expect(bench.nowMs).toBeGreaterThanOrEqual(2 * silence.lostMs)
    expect(bench.nowMs).toBeLessThan(100_000)
  })

  it('is nobody that is not watched, or no longer', () => {
    const bench = new Bench(2).pass(5_000, [0])
    bench.detector.forget(1)
    expect([bench.health(1), bench.detector.isWatched(1)]).toEqual(['alive', false])
    bench.detector.forget(0)
    expect(bench.detector.deadlineMs()).toBeNull()
  })

  it('is asked after in time: no deadline is later than what it is for', () => {
    const bench = new Bench(3)
    expect(bench.detector.deadlineMs()).toBe(1_000)
    bench.pass(1_000, [0, 1])
    // The silent one is away before the others would be suspected.
    expect(bench.detector.deadlineMs()).toBe(2_000)
    bench.pass(1_000, [0, 1])
    expect(bench.detector.deadlineMs()).toBe(3_000)
    expect([...bench.detector.look(3_000)].sort()).toEqual([0, 1])
  })
})

describe('a peer that a mate of it misses, too', () => {
  it('is away as soon as it is suspected here, and not before', () => {
    const bench = new Bench(4).pass(500, [0, 1, 2])
    bench.detector.missed(3)
    expect(bench.pass(400, [0, 1, 2]).health(3)).toBe('alive')
    expect(bench.pass(100, [0, 1, 2]).health(3)).toBe('away')
    bench.detector.heard(3, bench.nowMs)
    expect(bench.pass(1_900, [0, 1, 2]).health(3)).toBe('suspected')
  })

  it('is away at once where it is suspected here already', () => {
    const bench = new Bench(4).pass(1_500, [0, 1, 2])
    bench.detector.missed(3)
    expect(bench.detector.deadlineMs()).toBeLessThanOrEqual(bench.nowMs)
    expect([...bench.detector.look(bench.nowMs)]).toEqual([3])
    expect(bench.health(3)).toBe('away')
  })

  it('is away also where most are silent: the mate is there', () => {
    const bench = new Bench(3).pass(500, [0])
    for (const peer of [1, 2]) bench.detector.missed(peer)
    bench.pass(500, [0])
    expect([1, 2].map((peer) => bench.health(peer))).toEqual(['away', 'away'])
  })

  it('lives by its own word, and by bytes that others have of it', () => {
    for (const word of ['heard', 'heardOf'] as const) {
      const bench = new Bench(4).pass(900, [0, 1, 2])
      bench.detector.missed(3)
      bench.detector[word](3, bench.nowMs)
      expect([word, bench.pass(900, [0, 1, 2]).health(3)]).toEqual([word, 'alive'])
    }
  })
})

describe('silence on this side', () => {
  it.each([
    [1, 1, true],
    [1, 2, false],
    [2, 2, true],
    [1, 3, false],
    [2, 3, true],
    [2, 4, false],
    [3, 4, true],
    [0, 0, false],
  ])('%i of %i that fall silent together: %s', (fallen, living, isOurs) => {
    expect(isOwnSide(fallen, living)).toBe(isOurs)
  })

  it('makes nobody away, and everybody is lost when silence ends', () => {
    const bench = new Bench(5).pass(14_900, [])
    for (let peer = 0; peer < 5; peer++) expect(bench.health(peer)).toBe('suspected')
    bench.pass(100, [])
    for (let peer = 0; peer < 5; peer++) expect(bench.health(peer)).toBe('lost')
  })

  it('ends with the first word, and the others are waited for anew', () => {
    const bench = new Bench(5).pass(8_000, [])
    bench.detector.heard(0, bench.nowMs)
    expect(bench.pass(900, [0]).health(1)).toBe('alive')
    bench.detector.heard(1, bench.nowMs)
    bench.detector.heard(2, bench.nowMs)
    bench.pass(1_200, [0, 1, 2])
    expect([3, 4].map((peer) => bench.health(peer))).toEqual(['away', 'away'])
  })

  it('is none when peers fall silent one after the other', () => {
    const bench = new Bench(4).pass(3_000, [0, 1, 2]).pass(3_000, [0, 1]).pass(3_000, [0])
    expect([1, 2, 3].map((peer) => bench.health(peer))).toEqual(['away', 'away', 'away'])
  })
})

describe('those that are away', () => {
  it('do not count among those of whom most are silent', () => {
    const bench = new Bench(5).pass(3_000, [0, 1, 2, 3]).pass(5_000, [0])
    expect([1, 2, 3].map((peer) => bench.health(peer))).toEqual(Array(3).fill('alive'))
  })

  it('count no more once they are back, or are forgotten', () => {
    for (const leave of ['heard', 'forget'] as const) {
      const bench = new Bench(6).pass(3_000, [0, 1, 2, 3, 4]).pass(3_000, [0, 1, 2, 3])
      for (const peer of [4, 5]) bench.detector[leave](peer, bench.nowMs)
      const living = leave === 'heard' ? [0, 1, 4, 5] : [0, 1]
      bench.pass(3_000, living)
      expect([2, 3].map((peer) => bench.health(peer))).toEqual(['away', 'away'])
    }
  })

  it('are missed by nobody, nor is one that is not watched', () => {
    const bench = new Bench(4).pass(3_000, [0, 1, 2])
    for (const peer of [3, 99]) bench.detector.missed(peer)
    bench.detector.heard(3, bench.nowMs)
    expect(bench.pass(1_900, [0, 1, 2]).health(3)).toBe('suspected')
  })
})

describe('limits of silence', () => {
  /** When the last of three peers is away, silent from now on. */
  const awayAfterMs = (bench: Bench): number => {
    const sinceMs = bench.nowMs
    while (bench.health(2) !== 'away' && bench.nowMs < sinceMs + 60_000) bench.pass(100, [0, 1])
    return bench.nowMs - sinceMs
  }

  it('grow with the round trip', () => {
    expect(awayAfterMs(new Bench(3, 500))).toBe(2_000 + 2 * 4 * 500)
  })

  it('grow with how late words come, and shrink when they come in time again', () => {
    const bench = new Bench(3).pass(12_000, [0, 1, 2], 1_500)
    expect(awayAfterMs(bench)).toBeGreaterThan(4_000)
    const calm = new Bench(3).pass(12_000, [0, 1, 2], 1_500).pass(60_000, [0, 1, 2])
    expect(awayAfterMs(calm)).toBe(2_000)
  })

  it('do not grow by an outage', () => {
    const bench = new Bench(3).pass(8_000, [0, 1])
    bench.detector.heard(2, bench.nowMs)
    expect(awayAfterMs(bench)).toBe(2_000)
  })

  it('never keep a peer for more than twice the silence', () => {
    const bench = new Bench(3, 60_000)
    while (bench.health(2) !== 'lost' && bench.nowMs < 100_000) bench.pass(100, [0, 1])
    expect(bench.nowMs).toBe(2 * silence.lostMs)
  })
})
