/** Data connections of the origin that break, and what is sent again on the next one. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { progressOf } from '../plans.js'
import { Bench, type BenchOptions, block, bytes, outcomes } from './origin-support.js'

const breaks = (member: number, code: 'ERR_FR_NODE_LOST' | 'ERR_FR_UNREACHABLE') =>
  ({ type: 'unfed', member, direction: 'out', code, text: 'it broke' }) as const
const opens = (member: number, ranges: readonly RangePair[]) =>
  ({ type: 'fedOut', member, lacking: { ranges, receivedBytes: 0 } }) as const
const lists = (wishes: readonly OriginWish[]) =>
  wishes.flatMap((wish) =>
    wish.type === 'list' ? [[wish.member, wish.offset, wish.length, wish.route]] : [],
  )
const dials = (wishes: readonly OriginWish[]) =>
  wishes.flatMap((wish) => (wish.type === 'feed' ? [wish.member] : []))

/** Goes on with reports of all nodes until one wishes this. */
function passUntilFed(bench: Bench, withinMs: number): number {
  for (let waitedMs = 100; waitedMs <= withinMs; waitedMs += 100)
    if (dials(bench.pass(100, [0, 1])).length > 0) return waitedMs
  throw new Error('nobody is dialled')
}

const unicast: BenchOptions = { shape: 'unicast' }

describe('a data connection of the origin that breaks', () => {
  it('is opened again, and brings what is lacking of what was listed, and its digests', () => {
    const bench = new Bench(2, unicast).running().sealed()
    bench.feed(breaks(1, 'ERR_FR_NODE_LOST'))
    expect(passUntilFed(bench, 1_000)).toBeLessThanOrEqual(300)
    const lacks: RangePair[] = [
      [block, 100],
      [3 * block, block],
    ]
    const again = bench.feed(opens(1, lacks))
    expect(lists(again)).toEqual(lacks.map(([offset, length]) => [1, offset, length, 0]))
    expect(again.filter(({ type }) => type === 'sendDigests')).toMatchObject([
      { member: 1, offset: 0, length: bytes },
    ])
    expect(lists(bench.pass(1_000, [0, 1]))).toEqual([])
  })

  it('at first is waited for as long, and its cause is that of the failure', () => {
    const bench = new Bench(2, { ...unicast, retries: 0 })
    bench.ready(0)
    bench.feed(
      { type: 'linked', member: 1, nodeId: 'id1' },
      { type: 'said', member: 1, frame: { type: 'accept', have: [] } },
      breaks(1, 'ERR_FR_UNREACHABLE'),
    )
    const speaks = bench.pass(limits.silenceMs - 200, [0, 1])
    expect(outcomes(speaks)).toEqual([])
    expect(dials(speaks)).toEqual([1])
    const ended = outcomes(bench.pass(400, [0, 1]))
    expect(ended).toEqual([['n1:1', 'failed', 'ERR_FR_UNREACHABLE: it broke']])
  })

  it('is opened again where the node was silent until its link had another connection', () => {
    const bench = new Bench(2, unicast).running().sealed()
    const back = { type: 'linkBack', member: 1 } as const
    const unfeeds = (wishes: readonly OriginWish[]) =>
      wishes.filter(({ type }) => type === 'unfeedOut')
    expect(unfeeds(bench.feed(back))).toEqual([])
    bench.pass(limits.suspectMs + 100, [0])
    expect(unfeeds(bench.feed(back))).toMatchObject([{ member: 1 }])
    expect(unfeeds(bench.feed({ type: 'linkBroke', member: 1, text: 'reset' }, back))).toEqual([])
    expect(bench.machine.peers[1]?.counts.reopened).toBe(3)
  })

  it('has a link that is dialled again where only mates hear of the node', () => {
    const bench = new Bench(3).running()
    const wishes: OriginWish[] = []
    for (let bytes = 1; bytes < 15; bytes++) {
      const received = [{ member: 1, bytes }]
      wishes.push(...bench.pass(100, [2]))
      wishes.push(...bench.from(0, progressOf({ receivedBytes: bytes, received })))
    }
    expect(wishes).toContainEqual({ type: 'redial', member: 1 })
    expect(bench.machine.peers[1]?.presence).toBe('alive')
  })

  it('that was never broken lists nothing twice', () => {
    const bench = new Bench(2, unicast)
    bench.ready(0)
    const wishes = bench.ready(1)
    expect(lists(wishes)).toHaveLength(2)
    expect(lists(bench.feed(opens(1, [[0, bytes]])))).toEqual([])
  })

  it('brings what a node passes on with its route, and what was taken back without', () => {
    const size = 64 * block
    const bench = new Bench(2, { bytes: size, uplink: 1e6 }).running()
    const dealt = lists(bench.pass(50, [0, 1])).filter(([member]) => member === 1)
    const all = lists(bench.until('list', 5_000))
    expect(all.length + dealt.length).toBeGreaterThan(0)
    bench.feed(breaks(1, 'ERR_FR_NODE_LOST'))
    const again = lists(bench.feed(opens(1, [[0, size]])))
    expect(again.length).toBeGreaterThan(0)
    expect(new Set(again.map(([, , , route]) => route))).toEqual(new Set([1]))
  })

  it('is tried as long as a silent node is waited for, and no longer', () => {
    const bench = new Bench(2, { ...unicast, retries: 0 }).running()
    bench.feed(breaks(1, 'ERR_FR_NODE_LOST'))
    const startMs = bench.nowMs
    let tries = 0
    let ended: readonly OriginWish[] = []
    while (outcomes(ended).length === 0) {
      ended = bench.pass(100, [0, 1], () => bench.nowMs)
      if (dials(ended).length === 0) continue
      tries++
      ended = [...ended, ...bench.feed(breaks(1, 'ERR_FR_UNREACHABLE'))]
    }
    expect(outcomes(ended)).toEqual([['n1:1', 'failed', 'ERR_FR_NODE_LOST: it broke']])
    expect(bench.nowMs - startMs).toBe(limits.silenceMs)
    expect(tries).toBeGreaterThanOrEqual(limits.silenceMs / limits.reopenMsMax)
    expect(tries).toBeLessThanOrEqual((2 * limits.silenceMs) / limits.reopenMsMax + 4)
  })

  it('of a complete node costs nobody anything', () => {
    const bench = new Bench(2, unicast).running().sealed()
    bench.complete(1)
    bench.feed(breaks(1, 'ERR_FR_NODE_LOST'))
    const wishes = bench.pass(limits.silenceMs * 2, [0, 1], () => bench.nowMs)
    expect(wishes.filter(({ type }) => type === 'hangUp')).toEqual([])
  })
})
