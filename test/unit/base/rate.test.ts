/** A rate that follows a total. */
import { describe, expect, it } from 'vitest'
import { SmoothedRate } from '../../../src/base/rate.js'

describe('SmoothedRate', () => {
  it('needs two looks, and follows looks that are far apart at once', () => {
    const rate = new SmoothedRate(100)
    rate.add(5_000, 1_000)
    expect(rate.value).toBe(0)
    rate.add(6_000, 1_500)
    expect(rate.value).toBe(2_000)
    rate.add(6_000, 2_000)
    expect(rate.value).toBe(0)
  })

  it('smooths what is looked at often, and ignores looks that measure the clock', () => {
    const rate = new SmoothedRate(100)
    rate.add(0, 0)
    for (let atMs = 20; atMs <= 1_000; atMs += 20) {
      rate.add(atMs, atMs)
      rate.add(atMs + 1_000_000, atMs + 5)
    }
    expect(rate.value).toBeCloseTo(1_000, 0)
    rate.add(1_040, 1_020)
    expect(rate.value).toBeCloseTo(1_200, 0)
  })

  it('stands still where the total falls', () => {
    const rate = new SmoothedRate(100)
    rate.add(1_000, 0)
    rate.add(0, 200)
    expect(rate.value).toBe(0)
    rate.add(100, 400)
    expect(rate.value).toBe(500)
  })
})
