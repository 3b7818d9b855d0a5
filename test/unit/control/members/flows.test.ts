/** When a feed gets more connections: looks every 25 ms at a way that the test makes up. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { FlowCount, type FlowLook, type FlowPath } from '../../../../src/control/members/flows.js'

interface Way {
  readonly rttMs: number
  /** Bytes a second that so many flows carry. */
  readonly carries: (flows: number) => number
  readonly queueMs?: number
  /** Segments sent again a second, of each flow. */
  readonly losses?: number
  /** Part of the time that windows hold each flow back. */
  readonly limited?: number
  readonly waits?: (look: number) => boolean
  readonly isBlind?: boolean
}

const lookMs = 25
const mbit = 125_000

/** How many flows a feed has each time that changes, within so many seconds. */
function run(way: Way, seconds: number, fixed?: number): number[] {
  const count = new FlowCount()
  const seen = [1]
  let [flows, payloadBytes, retransmits, windowLimitedMs] = [1, 0, 0, 0]
  for (let i = 0; i * lookMs <= seconds * 1000; i++) {
    const path: FlowPath = { queueMs: way.queueMs ?? 0, retransmits, windowLimitedMs }
    const queuedBytes = way.waits?.(i) === false ? 0 : 100_000
    const look: FlowLook = {
      ...{ nowMs: i * lookMs, payloadBytes, queuedBytes, rttMs: way.rttMs, flows },
      ...(way.isBlind !== true && { path }),
    }
    const wanted = count.wanted(look, fixed)
    if (wanted !== flows) seen.push(wanted)
    flows = wanted
    payloadBytes += (way.carries(flows) * lookMs) / 1000
    retransmits += ((way.losses ?? 0) * flows * lookMs) / 1000
    windowLimitedMs += (way.limited ?? 0) * flows * lookMs
  }
  return seen
}

const each = (mbits: number) => (flows: number) => flows * mbits * mbit
const lossy: Way = { rttMs: 40, carries: each(11), losses: 1 }

describe('a feed', () => {
  it('on a long way with loss gets more, up to the most', () => {
    expect(run(lossy, 5)).toEqual([1, 2, 4, 8, limits.flowsPerFeed])
  })

  it('gets no more once a queue stands on its way', () => {
    expect(run({ ...lossy, queueMs: 25 }, 20)).toEqual([1])
  })

  it('gets more where windows hold it back, but not those of a receiver that is slow', () => {
    const way: Way = { rttMs: 100, carries: each(240), limited: 0.9 }
    expect(run(way, 2).slice(0, 3)).toEqual([1, 2, 4])
    expect(run({ ...way, carries: each(10) }, 20)).toEqual([1])
  })

  it('waits ever longer for the next step where the last has brought nothing', () => {
    const way: Way = { ...lossy, carries: () => 11 * mbit }
    expect(run(way, 2)).toEqual([1, 2])
    expect(run(way, 3.5)).toEqual([1, 2, 4])
    expect(run(way, 6)).toEqual([1, 2, 4])
    expect(run(way, 8)).toEqual([1, 2, 4, 8])
  })

  it.each<[string, Way]>([
    ['near', { ...lossy, rttMs: limits.flowsFarMs - 1 }],
    ['without loss', { ...lossy, losses: 0 }],
    ['that mostly has nothing to send', { ...lossy, waits: (look) => look % 2 === 0 }],
    ['of which the system tells nothing', { ...lossy, isBlind: true }],
  ])('%s keeps its one', (_, way) => {
    expect(run(way, 30)).toEqual([1])
  })

  it('gets as many as somebody has said, once it has something to send', () => {
    const near: Way = { rttMs: 0, carries: each(1), isBlind: true }
    expect(run(near, 1, 5)).toEqual([1, 5])
    expect(run({ ...near, waits: () => false }, 1, 5)).toEqual([1])
    expect(run(lossy, 5, 1)).toEqual([1])
  })
})
