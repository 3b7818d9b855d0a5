/** The verdict of `npm run soak`: what grows is found, and what only moves is not. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/sim/random.js'
import { judge, slopeAnHour, spansOf, trend } from '../soak/slopes.mjs'
import { verdictOf } from '../soak/verdict.mjs'

const everySeconds = 10
const hour = 360

/** Samples of an hour; `noise` above the value, as memory has before it is collected. */
function samples(valueAt: (share: number) => number, noise = 0, count = hour) {
  const random = new Random(7)
  return Array.from({ length: count }, (_, n) => ({
    at: n * everySeconds,
    value: valueAt(n / count) + noise * random.next(),
  }))
}

describe('a slope', () => {
  it('is in units an hour', () => {
    const points = spansOf(
      samples((share) => 100 + 36 * share),
      'median',
    )
    expect(points).toHaveLength(60)
    expect(slopeAnHour(points)).toBeCloseTo(36, 0)
  })

  it('is not moved by some values far away', () => {
    const all = samples((share) => 100 + 36 * share)
    for (const n of [3, 50, 51, 200, 359]) all[n] = { ...all[n], value: 1e9 } as (typeof all)[0]
    expect(slopeAnHour(spansOf(all, 'lowest'))).toBeCloseTo(36, 0)
  })

  it('has no trend where all is equal, or there is nothing', () => {
    expect(
      trend(
        spansOf(
          samples(() => 5),
          'median',
        ),
      ),
    ).toBe(0)
    expect(trend([])).toBe(0)
    expect(slopeAnHour([])).toBeNaN()
  })
})

describe('a figure grows', () => {
  const bound = { which: 'lowest', most: 3e6 } as const

  it('where it leaks, however much of it is collected now and then', () => {
    const judged = judge(
      samples((share) => 30e6 + 8e6 * share, 20e6),
      bound,
    )
    expect(judged.grows).toBe(true)
    expect(judged.slope).toBeGreaterThan(5e6)
  })

  it('and not where it moves, jumps once, falls, or grows by less than counts', () => {
    const still = [
      samples(() => 30e6, 20e6),
      samples((share) => 30e6 - 8e6 * share, 1e6),
      samples((share) => 30e6 + 1e6 * share, 1e6),
      samples((share) => (share > 0.98 ? 60e6 : 30e6), 1e6),
    ]
    for (const each of still) expect(judge(each, bound)).toMatchObject({ grows: false })
  })

  it('never by a few samples', () => {
    const judged = judge(
      samples((share) => 1e9 * share, 0, 8),
      bound,
    )
    expect(judged).toMatchObject({ isJudged: false, grows: false })
  })
})

describe('the verdict of a soak', () => {
  const level = { anonymous: 3e7, heap: 1e7, external: 1e6, files: 30, threads: 11 }
  const usual = { ...level, disk: 1e7, entries: 50, cpu: 1, lag: [0, 10, 20] }
  const about = { wrong: [], readers: { requests: 1, cut: 0, failed: [] } }
  const of = (change: (n: number) => object) =>
    Array.from({ length: hour }, (_, n) => ({
      at: n * everySeconds,
      processes: { node: { ...usual, ...change(n) }, idle: usual },
    }))

  it('is sound where nothing grows', () => {
    expect(
      verdictOf(
        of(() => ({})),
        about,
      ).isSound,
    ).toBe(true)
  })

  it('is not where one figure does, and says which', () => {
    const { isSound, rows } = verdictOf(
      of((n) => ({ files: 30 + Math.floor(n / 40) })),
      about,
    )
    expect(isSound).toBe(false)
    expect(rows.filter(({ grows }: { grows: boolean }) => grows)).toMatchObject([
      { name: 'node', figure: 'files' },
    ])
  })

  it('leaves out what is so before everything has come once', () => {
    const early = of((n) => ({ disk: Math.min(n, 80) * 1e6 }))
    expect(verdictOf(early, about).isSound).toBe(true)
  })

  it('judges the delay by what it is above that of an idle process', () => {
    const lag = (n: number) => [0, 10 + n, 20 + n]
    const busy = of((n) => ({ lag: lag(n) }))
    expect(verdictOf(busy, about).isSound).toBe(false)
    for (const [n, { processes }] of busy.entries()) processes.idle = { ...usual, lag: lag(n) }
    expect(verdictOf(busy, about).isSound).toBe(true)
  })

  it('is not sound without samples, or where anything came out wrong', () => {
    expect(verdictOf([], about).isSound).toBe(false)
    expect(
      verdictOf(
        of(() => ({})),
        { ...about, wrong: ['push'] },
      ).isSound,
    ).toBe(false)
    const readers = { ...about.readers, failed: ['cut off'] }
    expect(
      verdictOf(
        of(() => ({})),
        { ...about, readers },
      ).isSound,
    ).toBe(false)
  })
})
