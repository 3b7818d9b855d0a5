/** What nodes hold at the start: said, checked, and left out of what is dealt. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { UnicastDealer } from '../../../../src/control/dealing/unicast.js'
import {
  commonOf,
  filledByAll,
  haveFault,
  missingText,
  toldOf,
} from '../../../../src/control/holdings/have.js'
import { StreamLedger } from '../../../../src/control/holdings/ledger.js'
import { type Frame, originNumber } from '../../../../src/control/messages/types.js'
import { block, bytes, Bench as Origin } from '../coordinator/origin-support.js'
import { classicDealer, fastRates } from '../dealing/dealers.js'
import { Bench, digests, frame, bytes as nodeBytes, plan, seal } from '../receiver/node-support.js'

const file = { bytes: 3 * block + 5, blockBytes: block }
const have = (...ranges: RangePair[]): RangePair[] => ranges

describe('what is told of holdings', () => {
  const apart = (count: number): RangeSet =>
    RangeSet.of(Array.from({ length: count }, (_, i): RangePair => [3 * i, 2]))

  it('has to be whole blocks, all of it', () => {
    expect(haveFault(have([0, block], [2 * block, block]), file)).toBeNull()
    expect(haveFault(have([0, block], [2 * block, 5]), file)).toMatch(/parts of blocks/)
  })

  it('is no longer than a frame', () => {
    expect(toldOf(apart(limits.needRanges))).toHaveLength(limits.needRanges)
    expect(toldOf(apart(limits.needRanges + 1))).toEqual(apart(limits.needRanges).toArray())
  })

  it('is few words, whatever is missing', () => {
    expect(missingText(apart(2))).toBe('nobody holds 4 bytes of the file: 0-1, 3-4')
    expect(missingText(apart(8))).toMatch(/, 21-22$/)
    expect(missingText(apart(10))).toMatch(/^nobody holds 20 bytes.*, 21-22 and 2 more ranges$/)
  })
})

describe('a node', () => {
  it('says what it has from before, and does not have it hashed or sent again', () => {
    const bench = new Bench()
    const held = [{ offset: 100, length: 100, digests: digests(2) }]
    const said = bench.feed({ type: 'prepared', held })
    const accept: Frame = { type: 'accept', have: have([100, 100]) }
    expect(said).toEqual([
      { type: 'hold', ranges: [[100, 100]] },
      { type: 'say', member: originNumber, frame: accept },
    ])
    expect(bench.machine.held.verifiedBytes).toBe(100)
  })

  it('that has all of it waits for the seal alone', () => {
    const bench = new Bench()
    bench.feed({
      type: 'prepared',
      held: [{ offset: 0, length: nodeBytes, digests: digests(1, 2, 3) }],
    })
    bench.feed(frame(plan))
    expect(bench.feed(frame(seal))).toEqual([{ type: 'sum', digests: digests(1, 2, 3) }])
  })
})

describe('the origin', () => {
  const listed = (commands: readonly OriginWish[]) =>
    commands.flatMap((c): RangePair[] => (c.type === 'list' ? [[c.offset, c.length]] : []))
  const ready = (origin: Origin, node: number, said: RangePair[]) =>
    origin.feed(
      { type: 'linked', member: node, nodeId: `id${node}` },
      { type: 'said', member: node, frame: { type: 'accept', have: said } },
      { type: 'fedOut', member: node },
    )

  it('deals what nobody holds, and tells who lacks what others hold', () => {
    const origin = new Origin(2)
    ready(origin, 0, have([0, 3 * block]))
    const commands = ready(origin, 1, have([2 * block, block]))
    expect(RangeSet.of(listed(commands))).toEqual(RangeSet.of([[3 * block, block]]))
    const detours = commands.flatMap((c) =>
      c.type === 'say' && c.frame.type === 'detour' ? [c] : [],
    )
    expect(detours).toMatchObject([
      { member: 1, frame: { member: 0, why: 'held', ranges: [[0, 2 * block]] } },
    ])
  })

  it('sends a node that joins what neither it nor others hold', () => {
    const origin = new Origin(2)
    ready(origin, 0, have([0, 3 * block]))
    origin.lost(1, 'ERR_FR_AUTH')
    origin.feed({ type: 'nodeAdded', request: 1, link: { address: 'n2:1' } })
    const joined = ready(origin, 2, have([2 * block, block]))
    expect(listed(joined)).toEqual([])
    expect(joined).toContainEqual(
      expect.objectContaining({
        member: 2,
        frame: expect.objectContaining({ why: 'held', ranges: [[0, 2 * block]] }),
      }),
    )
  })

  it.each<[string, RangePair[]]>([
    ['parts of blocks', have([0, 5])],
    ['more than the file', have([0, bytes + block])],
  ])('believes no node that holds %s', (_, said) => {
    const origin = new Origin(2)
    ready(origin, 0, said)
    expect(origin.machine.peers[0]?.phase).toBe('out')
    expect(haveFault(said, { bytes, blockBytes: block })).not.toBeNull()
  })
})

it('what all have is in each of the sets', () => {
  const sets = [have([0, 50], [60, 40]), have([10, 80]), have([0, 20], [70, 100])]
  const all = sets.map((ranges) => RangeSet.of(ranges))
  expect(commonOf(all).toArray()).toEqual([
    [10, 10],
    [70, 20],
  ])
  expect(commonOf(all.slice(0, 1)).toArray()).toEqual(sets[0])
  expect([commonOf([]).isEmpty, all[0]?.toArray()]).toEqual([true, sets[0]])
})

it('of a block that several have filled only what one of them lacks is to come', () => {
  const filled = (...ranges: RangePair[]) => ({ filled: RangeSet.of(ranges) })
  // Of the first block both lack something, of the last one only one has anything.
  const all = [filled([10, block - 10], [3 * block, 5]), filled([0, block - 20]), filled()]
  expect(filledByAll(all, file).toArray()).toEqual([
    [10, block - 30],
    [3 * block, 5],
  ])
})

it('the last, short block is whole', () => {
  expect(haveFault(have([2 * block, block + 5]), file)).toBeNull()
  expect(haveFault(have([2 * block, block + 4]), file)).not.toBeNull()
})

it('fixed shares are of what nobody holds', () => {
  const dealer = classicDealer(file.bytes, block, [], fastRates)
  const leftOut = RangeSet.of([[block, block]])
  dealer.handle({ type: 'started', nodes: [0, 1], leftOut, nowMs: 0 })
  expect(dealer.dealt(0)).toEqual([
    [0, block],
    [2 * block, block],
  ])
  expect(dealer.dealt(1)).toEqual([[3 * block, 5]])
  expect(dealer.openBytes).toBe(0)
})

it('who is sent all by the origin is sent what it lacks', () => {
  const dealer = new UnicastDealer('adaptive', file.bytes)
  const held = new Map([[1, RangeSet.of([[0, 3 * block]])]])
  const sends = dealer.handle({ type: 'started', nodes: [0, 1], have: held, nowMs: 0 })
  expect(sends.map(({ node, offset, length }) => [node, offset, length])).toEqual([
    [0, 0, file.bytes],
    [1, 3 * block, 5],
  ])
})

describe('what is written down of a ledger', () => {
  it('is what was verified since, not what was restored: that is in the journal', () => {
    const ledger = new StreamLedger(4 * block, block, 2)
    ledger.restore(0, block, Uint8Array.of(1, 1))
    ledger.announce(block, 2 * block, Uint8Array.of(2, 2, 3, 3))
    ledger.compute(block, 2 * block, Uint8Array.of(2, 2, 9, 9))
    expect(ledger.takeVerified()).toEqual([
      { offset: block, length: block, digests: Uint8Array.of(2, 2) },
    ])
    expect(ledger.takeVerified()).toEqual([])
  })
})
