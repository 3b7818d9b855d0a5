/** Waiting for a peer by a process that may be too busy to look. */
import { describe, expect, it } from 'vitest'
import { nowMs } from '../../../src/base/time/awake.js'
import { Patience } from '../../../src/base/time/patience.js'

function sleepWithoutTurning(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

describe('patience', () => {
  it('ends, and not before its time', async () => {
    const began = nowMs()
    await new Promise<void>((resolve) => new Patience(60, resolve))
    expect(nowMs() - began).toBeGreaterThan(58)
  })

  it('does not count the time in which this process had no turn', async () => {
    const began = nowMs()
    const over = new Promise<void>((resolve) => new Patience(200, resolve))
    sleepWithoutTurning(400)
    await over
    // Late is what comes behind the next beat, 100 ms after the first look at the clock.
    expect(nowMs() - began).toBeGreaterThan(400 - 100 + 200 - 5)
  })

  it('is not heard of again once it has been ended', async () => {
    let calls = 0
    const ended = new Patience(20, () => {
      calls += 1
    })
    ended.end()
    ended.end()
    await new Promise<void>((resolve) => new Patience(60, resolve))
    expect(calls).toBe(0)
  })
})
