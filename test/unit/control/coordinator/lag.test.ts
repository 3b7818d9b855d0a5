import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Lag } from '../../../../src/control/coordinator/lag.js'

describe('lag', () => {
  it('is from when bytes were there to when the word of them comes', () => {
    const lag = new Lag()
    lag.joins(0, 0, 0)
    for (let i = 1; i <= 100; i++) {
      lag.grew(i * 1_000, i * 10)
      lag.reached(0, i * 1_000, i * 10 + (i === 100 ? 200 : 5))
    }
    const { p50Ms, p99Ms, p50Bytes, behindBytes } = lag.of(0) ?? {}
    expect(p50Ms).toBeGreaterThanOrEqual(5)
    expect(p50Ms).toBeLessThan(5 * 1.1 ** 2)
    expect(p99Ms).toBeLessThan(5 * 1.1 ** 2)
    expect(p50Bytes).toBeGreaterThanOrEqual(1_000)
    expect(behindBytes).toBe(0)
    lag.grew(107_000, 2_000)
    expect(lag.of(0)?.behindBytes).toBe(7_000)
    expect(lag.of(1)).toBeNull()
  })

  it('is none of what was there before a member joined, nor in pauses', () => {
    const lag = new Lag()
    lag.grew(5_000, 0)
    lag.joins(7, 0, 5_000)
    lag.reached(7, 3_000, 9_000)
    expect(lag.of(7)).toMatchObject({ p99Ms: 0, p99Bytes: 0, behindBytes: 2_000 })
    lag.reached(7, 5_000, 9_500)
    expect(lag.of(7)?.p99Ms).toBe(0)
    lag.grew(6_000, 20_000)
    lag.reached(7, 6_000, 20_010)
    expect(lag.of(7)?.p50Ms).toBeLessThan(12.2)
    expect(lag.of(7)?.p50Ms).toBeGreaterThanOrEqual(10)
  })

  it('keeps so many marks at most, and measures who is behind all of them', () => {
    const lag = new Lag()
    lag.joins(0, 0, 0)
    const many = 3 * limits.lagMarks
    for (let i = 1; i <= many; i++) lag.grew(i, i)
    lag.reached(0, many, many)
    expect(lag.of(0)?.p99Ms).toBeGreaterThan(0.5 * many)
  })
})
