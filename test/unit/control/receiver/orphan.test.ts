/** A node whose origin is gone, or silent. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { originNumber } from '../../../../src/control/messages/types.js'
import {
  alone,
  announced,
  Bench,
  bytes,
  digests,
  frame,
  hashed,
  landed,
  lostMs,
  seal,
  sent,
} from './node-support.js'

it('a node without mates fails by name when the origin is silent', () => {
  const bench = new Bench().receiving(alone)
  while (bench.nowMs < lostMs) bench.tick()
  expect(bench.machine.phase).toBe('ended')
})

it('a node whose origin is silent says on its link what the origin may still hear', () => {
  const bench = new Bench().receiving()
  bench.feed(announced, frame(seal))
  while (bench.machine.phase === 'receiving') bench.tick()
  expect(bench.machine.phase).toBe('orphaned')
  bench.feed(landed(0, bytes), hashed(0, bytes, digests(1, 2, 3)))
  bench.feed({ type: 'summed', fileDigest: 'digest' })
  expect(sent(bench.feed({ type: 'published', warnings: [] }))).toEqual([
    { type: 'complete', bytes, repairedBytes: 0, fileDigest: 'digest', warnings: [] },
  ])
})

describe('a node whose link to the origin has no connection', () => {
  const broke = { type: 'linkBroke', member: originNumber, text: 'reset' } as const
  const back = { type: 'linkBack', member: originNumber } as const
  const fedIn = { type: 'fedIn', member: originNumber } as const
  const reset = { code: 'ERR_FR_NODE_LOST', text: 'it broke' } as const
  const unfed = { type: 'unfed', member: originNumber, direction: 'in', ...reset } as const
  const orphaned = { type: 'note', event: 'orphaned' }
  const needs = { type: 'say', frame: { type: 'needDigests' } }

  it('goes on as before while the origin feeds it', () => {
    const bench = new Bench().receiving()
    bench.feed(fedIn, broke)
    bench.pass(10 * limits.resumeMs)
    expect(bench.machine.phase).toBe('receiving')
  })

  it('goes on alone at once where the feed breaks as well, and is heard once it is back', () => {
    const bench = new Bench().receiving()
    expect(bench.feed(fedIn, broke, unfed)).toMatchObject([orphaned])
    // What it says meanwhile waits in the link.
    const wrong = { type: 'digests', offset: 0, length: bytes, digests: null } as const
    expect(bench.feed(back, wrong)).toMatchObject([needs])
    expect(bench.machine.phase).toBe('receiving')
  })

  it('goes on alone after a while where it has no feed, and as before once it is back', () => {
    const bench = new Bench().receiving()
    bench.feed(broke)
    expect(bench.machine.phase).toBe('receiving')
    bench.pass(limits.resumeMs)
    expect(bench.machine.phase).toBe('orphaned')
    bench.feed(landed(0, bytes), hashed(0, bytes, digests(1, 2, 3)), announced, back, frame(seal))
    expect(bench.machine.phase).toBe('summing')
  })

  it('ends after that where no bytes flow yet', () => {
    const bench = new Bench()
    bench.feed({ type: 'prepared' }, broke)
    const wishes = bench.pass(limits.resumeMs)
    expect(wishes.at(-1)).toMatchObject({ failure: { code: 'ERR_FR_ORIGIN_LOST' } })
  })
})

describe('a node whose link to the origin breaks for good', () => {
  const lost = {
    type: 'unlinked',
    member: originNumber,
    code: 'ERR_FR_NODE_LOST',
    text: 'reset',
  } as const
  const end = (keepPartial = true) => ({
    type: 'end',
    failure: { code: 'ERR_FR_ORIGIN_LOST' },
    keepPartial,
  })

  it('waits as long as for a silent one, and keeps what still comes', () => {
    const bench = new Bench().receiving()
    bench.feed(landed(0, bytes))
    expect(bench.feed(lost)).toMatchObject([{ type: 'note', event: 'orphaned' }])
    expect([bench.machine.phase, bench.machine.waitsFor]).toEqual([
      'orphaned',
      'another coordinator',
    ])
    expect(bench.feed(hashed(0, bytes, digests(1, 2, 3)), announced)).toEqual([])
    expect(bench.machine.held.verifiedBytes).toBe(bytes)
    // It says nothing, and publishes nothing without a seal.
    bench.nowMs = lostMs - 1
    expect(bench.feed({ type: 'due' })).toEqual([])
    expect(bench.tick()).toMatchObject([end()])
  })

  it('gives way at once to a transfer that wants the name, and not before', () => {
    const bench = new Bench().receiving()
    expect(bench.feed({ type: 'outbid' })).toEqual([])
    bench.feed(lost)
    expect(bench.feed({ type: 'outbid' })).toMatchObject([end()])
  })

  it('asks whoever takes over for repairs that have not come', () => {
    const bench = new Bench().receiving()
    bench.feed(announced, landed(0, bytes), hashed(0, bytes, digests(9, 2, 3)), lost)
    const term = { counter: 2, member: 0 }
    expect(sent(bench.feed({ type: 'succeeded', term, nodeId: 'id0' }))).toEqual([
      { type: 'holds', have: [[100, 150]], fileDigest: null },
      { type: 'need', scratch: true, ranges: [[0, 100]] },
    ])
  })

  it('publishes where only its own disk is left to do', () => {
    const bench = new Bench().receiving()
    bench.feed(landed(0, bytes), hashed(0, bytes, digests(1, 2, 3)), announced, frame(seal))
    expect(bench.feed(lost)).toEqual([])
    expect(bench.feed({ type: 'summed', fileDigest: 'digest' })).toEqual([{ type: 'publish' }])
    bench.nowMs = 2 * lostMs
    expect(bench.feed({ type: 'due' })).toEqual([])
    expect(bench.feed({ type: 'published', warnings: [] })).toEqual([
      { type: 'end', failure: null, keepPartial: false },
    ])
  })

  it.each<[string, (bench: Bench) => void, object]>([
    ['before bytes flow', (bench) => bench.feed({ type: 'prepared' }), end()],
    ['over a violation', (bench) => bench.receiving(), { failure: { code: 'ERR_FR_PROTOCOL' } }],
  ])('%s ends at once', (how, begin, wished) => {
    const bench = new Bench()
    begin(bench)
    const code = how === 'over a violation' ? 'ERR_FR_PROTOCOL' : 'ERR_FR_NODE_LOST'
    expect(bench.feed({ ...lost, code })).toMatchObject([wished])
  })
})
