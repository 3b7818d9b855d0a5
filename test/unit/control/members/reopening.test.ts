import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Reopening } from '../../../../src/control/members/reopening.js'

/** Waits of a connection that cannot be opened again, each from half of the full wait to all. */
function waits(seed: number, member: number, count: number): number[] {
  const reopening = new Reopening(seed)
  let nowMs = 1_000
  return Array.from({ length: count }, () => {
    reopening.broke(member, nowMs)
    const waitMs = reopening.dueMs - nowMs
    nowMs = reopening.dueMs
    expect(reopening.due(nowMs - 1)).toEqual([])
    expect(reopening.due(nowMs)).toEqual([member])
    expect(reopening.dueMs).toBe(Number.POSITIVE_INFINITY)
    return waitMs
  })
}

describe('a connection that broke', () => {
  it('is opened again soon, after 0.2, 0.4, 0.8 s, then every second, or up to half sooner', () => {
    const fullMs = [200, 400, 800, 1_000, 1_000, 1_000]
    for (let member = 0; member < 20; member++) {
      const [soonMs, ...laterMs] = waits(7, member, 1 + fullMs.length)
      expect(soonMs).toBe(limits.reopenSoonMs)
      for (const [i, waitMs] of laterMs.entries()) {
        expect(waitMs).toBeGreaterThanOrEqual((fullMs[i] as number) / 2)
        expect(waitMs).toBeLessThanOrEqual(fullMs[i] as number)
      }
    }
  })

  it('waits other times than others do, and the same when it is replayed', () => {
    expect(waits(7, 3, 4)).toEqual(waits(7, 3, 4))
    expect(waits(7, 3, 4)).not.toEqual(waits(8, 3, 4))
    expect(waits(7, 3, 4)).not.toEqual(waits(7, 4, 4))
  })

  it('begins anew once it has been open for a while, and not before', () => {
    const reopening = new Reopening(1)
    const next = (openMs: number): number => {
      const breaksMs = 10_000 + openMs
      reopening.broke(5, 0)
      reopening.broke(5, 5_000)
      reopening.broke(5, 7_000)
      reopening.opened(5, 10_000)
      expect(reopening.isBroken(5)).toBe(false)
      expect(reopening.broke(5, breaksMs)).toBe(breaksMs)
      expect(reopening.isBroken(5)).toBe(true)
      const waitMs = reopening.dueMs - breaksMs
      reopening.forget(5)
      return waitMs
    }
    expect(next(limits.steadyMs)).toBe(limits.reopenSoonMs)
    expect(next(limits.steadyMs - 1)).toBeGreaterThan(limits.reopenMs)
  })

  it('says since when there is none', () => {
    const reopening = new Reopening(1)
    expect([reopening.broke(5, 100), reopening.broke(5, 300), reopening.broke(5, 900)]).toEqual([
      100, 100, 100,
    ])
    reopening.forget(5)
    expect([reopening.dueMs, reopening.isBroken(5)]).toEqual([Number.POSITIVE_INFINITY, false])
  })
})
