/** Dialling again and attempts after the first, as the machine of the origin has them. */

import { describe, expect, it } from 'vitest'
import type { FrErrorCode } from '../../../../src/base/errors.js'
import { limits } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { Extent } from '../../../../src/control/coordinator/extent.js'
import { OriginJoins } from '../../../../src/control/coordinator/joins.js'
import { OriginOutbox } from '../../../../src/control/coordinator/outbox.js'
import { OriginRetries } from '../../../../src/control/coordinator/retries.js'
import { backoffMs } from '../../../../src/control/members/backoff.js'
import { Peers } from '../../../../src/control/members/peers.js'
import { peerThat } from '../peers.js'
import { progressOf, runningPlans, sampledAt } from '../plans.js'
import { announced, Bench, bytes, dials } from './origin-support.js'

describe('backing off', () => {
  const span = { firstMs: 100, mostMs: 1_000 }

  it('waits twice as long each time, up to a bound, and differs from seed to seed', () => {
    const waits = (seed: number) => [1, 2, 3, 4, 5, 99].map((tries) => backoffMs(span, tries, seed))
    for (let seed = 0; seed < 200; seed++) {
      for (const [i, waitMs] of waits(seed).entries()) {
        const fullMs = Math.min(1_000, 100 * 2 ** i)
        expect(waitMs).toBeGreaterThanOrEqual(fullMs / 2)
        expect(waitMs).toBeLessThanOrEqual(fullMs)
      }
    }
    expect(waits(7)).toEqual(waits(7))
    const firsts = Array.from({ length: 200 }, (_, seed) => backoffMs(span, 1, seed))
    expect(new Set(firsts).size).toBeGreaterThan(40)
    const below = firsts.filter((waitMs) => waitMs < 75).length
    expect(below).toBeGreaterThan(60)
    expect(below).toBeLessThan(140)
  })
})

describe('a node that cannot be connected to', () => {
  it('is dialled again, while nobody waits for it, and joins', () => {
    const bench = new Bench(2)
    expect(bench.lost(1, 'ERR_FR_UNREACHABLE')).toEqual([])
    expect(bench.ready(0).some((c) => c.type === 'announcePlan')).toBe(true)
    expect(dials(bench.until('connect'))).toEqual([1])
    expect(bench.nowMs).toBeLessThanOrEqual(limits.redialMs)
    expect(bench.ready(1).some((c) => c.type === 'say' && c.frame.type === 'plan')).toBe(true)
  })

  it('is dialled less and less often, and out by name when its time is over', () => {
    const bench = new Bench(1)
    let dialled = 1
    for (;;) {
      bench.lost(0, 'ERR_FR_UNREACHABLE')
      const dueMs = bench.machine.deadlineMs() as number
      if (dueMs >= limits.reachMs) break
      bench.nowMs = dueMs
      expect(dials(bench.feed({ type: 'due' }))).toEqual([0])
      dialled += 1
    }
    expect(dialled).toBeGreaterThan(10)
    expect(dialled).toBeLessThan(30)
    const over = bench.until('end')
    expect(bench.nowMs).toBe(limits.reachMs)
    expect(announced(over)).toMatchObject([
      {
        code: 'ERR_FR_UNREACHABLE',
        attempts: 1,
        reason: `ERR_FR_UNREACHABLE: reset; dialled ${dialled} times in 10 s`,
      },
    ])
  })

  it('is out at once where dialling again cannot help', () => {
    const bench = new Bench(1)
    expect(announced(bench.lost(0, 'ERR_FR_AUTH'))).toMatchObject([{ code: 'ERR_FR_AUTH' }])
  })

  it('is out at once where its name cannot be looked up, which has had its time', () => {
    const bench = new Bench(1)
    bench.feed({ type: 'lookUpBegan', member: 0 })
    expect(announced(bench.lost(0, 'ERR_FR_UNREACHABLE'))).toMatchObject([{ attempts: 1 }])
  })
})

describe('a node whose attempt failed', () => {
  it('is tried again at a new place, and complete if that succeeds', () => {
    const bench = new Bench(2)
    bench.ready(0, 1)
    bench.sealed()
    const lost = bench.lost(1)
    expect(announced(lost)).toEqual([])
    expect(bench.states).toHaveLength(2)
    expect(bench.states[1]).toEqual(['connecting', 'the next try (ERR_FR_NODE_LOST)'])
    // Also when everybody else is complete.
    expect(bench.complete(0).some((c) => c.type === 'end')).toBe(false)
    expect(dials(bench.until('connect'))).toEqual([2])
    const joined = bench.readyAs(2, 1)
    expect(runningPlans(joined, 0)).toMatchObject([{ members: [{}, {}, { number: 2 }] }])
    const ended = bench.complete(2)
    expect(ended.at(-1)).toEqual({ type: 'end', failure: null })
    expect(bench.outcomes).toMatchObject([
      { node: 'n0:1', status: 'complete', attempts: 1, reason: null },
      { node: 'n1:1', status: 'complete', attempts: 2, reason: null },
    ])
  })

  it('has its last attempt as its outcome, announced once', () => {
    const bench = new Bench(1)
    const all: OriginWish[] = []
    for (const place of [0, 1, 2]) {
      bench.feed({ type: 'linked', member: place, nodeId: 'id' })
      all.push(
        ...bench.from(place, { type: 'refuse', code: 'ERR_FR_NO_SPACE', text: `try ${place}` }),
      )
      if (place < 2) all.push(...bench.until('connect'))
    }
    expect(dials(all)).toEqual([1, 2])
    expect(all.at(-1)).toEqual({ type: 'end', failure: null })
    expect(announced(all)).toEqual(bench.outcomes)
    expect(bench.outcomes).toMatchObject([
      {
        status: 'refused',
        attempts: 3,
        code: 'ERR_FR_NO_SPACE',
        reason: 'ERR_FR_NO_SPACE: try 2',
      },
    ])
  })

  it('keeps its place among the others', () => {
    const bench = new Bench(2)
    bench.ready(0, 1)
    bench.sealed().lost(0)
    bench.until('connect')
    bench.readyAs(2, 0)
    bench.complete(1)
    bench.complete(2)
    expect(bench.outcomes.map(({ node, attempts }) => [node, attempts])).toEqual([
      ['n0:1', 2],
      ['n1:1', 1],
    ])
  })

  it('says a cause that is the same only once, in its newest words', () => {
    const bench = new Bench(1, { retries: 1 })
    for (const place of [0, 1]) {
      bench.feed({ type: 'linked', member: place, nodeId: 'id' })
      bench.from(place, { type: 'refuse', code: 'ERR_FR_NO_SPACE', text: `${place} GiB free` })
      if (place === 0) bench.until('connect')
    }
    expect(bench.outcomes[0]).toMatchObject({ attempts: 2, reason: 'ERR_FR_NO_SPACE: 1 GiB free' })
  })

  it('is final where it cannot be connected to any more', () => {
    const bench = new Bench(1)
    bench.ready(0)
    bench.lost(0)
    bench.until('connect')
    for (let over = false; !over; ) {
      bench.lost(1, 'ERR_FR_UNREACHABLE')
      over = bench.until('hangUp', limits.reachMs).length > 0
    }
    expect(bench.outcomes[0]).toMatchObject({ code: 'ERR_FR_UNREACHABLE', attempts: 2 })
    expect(bench.outcomes[0]?.reason).toContain('(before: ERR_FR_NODE_LOST: reset)')
  })

  it.each([true, false])('has all the time that others take, then its own: back %s', (isBack) => {
    const bench = new Bench(2, { rejoinMs: 30_000 })
    bench.ready(0, 1)
    bench.sealed().lost(1)
    const refusing = (untilMs: number): void => {
      while (bench.nowMs < untilMs && !bench.machine.isEnded) {
        bench.nowMs = Math.min(untilMs, bench.machine.deadlineMs() ?? untilMs)
        const wishes = bench.feed({ type: 'due' }, sampledAt(bench.nowMs))
        for (const node of dials(wishes)) bench.lost(node, 'ERR_FR_UNREACHABLE')
        bench.from(0, progressOf({ atMs: bench.nowMs, landedBytes: bench.nowMs }))
      }
    }
    refusing(5 * limits.reachMs)
    expect(bench.machine.peers.map(({ phase }) => phase)).toEqual(['running', 'out', 'connecting'])
    bench.complete(0)
    refusing(bench.nowMs + 29_000)
    expect(bench.machine.isEnded).toBe(false)
    if (isBack) {
      bench.readyAs(2, 1)
      bench.complete(2)
    } else refusing(bench.nowMs + 1_000)
    expect(bench.machine.isEnded).toBe(true)
    const code = isBack ? null : 'ERR_FR_UNREACHABLE'
    expect(bench.outcomes[1]).toMatchObject({ attempts: 2, rejoined: isBack, code })
  })

  it.each<[string, { retries?: number }, FrErrorCode]>([
    ['it will not pass', {}, 'ERR_FR_NAME'],
    ['no retries are wanted', { retries: 0 }, 'ERR_FR_NO_SPACE'],
  ])('is not tried again where %s', (_, over, code) => {
    const bench = new Bench(1, over)
    bench.feed({ type: 'linked', member: 0, nodeId: 'id' })
    const refused = bench.from(0, { type: 'refuse', code, text: 'no' })
    expect(announced(refused)).toMatchObject([{ code, attempts: 1 }])
    expect(refused.at(-1)).toEqual({ type: 'end', failure: null })
  })

  it('that was added is tried again too, and whoever asked hears of the last', () => {
    const bench = new Bench(1, { retries: 1 })
    bench.ready(0)
    bench.feed({ type: 'nodeAdded', request: 4, link: { address: 'x:1' } })
    const refuse = (node: number) => {
      bench.feed({ type: 'linked', member: node, nodeId: 'idx' })
      return bench.from(node, { type: 'refuse', code: 'ERR_FR_NO_SPACE', text: 'full' })
    }
    expect(refuse(1).some((c) => c.type === 'answerAdd')).toBe(false)
    bench.until('connect')
    expect(refuse(2).find((c) => c.type === 'answerAdd')).toMatchObject({
      request: 4,
      failure: { code: 'ERR_FR_NO_SPACE' },
    })
  })

  it('that is added again before its next attempt has that one alone', () => {
    const bench = new Bench(2)
    bench.ready(0, 1)
    bench.lost(1)
    expect(dials(bench.feed({ type: 'nodeAdded', request: 0, link: { address: 'n1:1' } }))).toEqual(
      [2],
    )
    bench.readyAs(2, 1)
    const later: OriginWish[] = []
    for (const endMs = bench.nowMs + 3_000; bench.nowMs < endMs; bench.nowMs += 100) {
      for (const node of [0, 2])
        later.push(...bench.from(node, progressOf({ atMs: bench.nowMs, landedBytes: bench.nowMs })))
    }
    expect(dials(later)).toEqual([])
    expect(bench.machine.peers.map((peer) => peer.history.attempts)).toEqual([1, 1, 2])
  })

  it('is not tried again when places run out', () => {
    const bench = new Bench(1, { retries: limits.retriesMax })
    for (let place = 0; place < limits.placesPerPush; place++) {
      if (bench.machine.isEnded) throw new Error(`ended at ${place}`)
      bench.feed({ type: 'linked', member: place, nodeId: 'id' })
      bench.from(place, { type: 'refuse', code: 'ERR_FR_TIMEOUT', text: 'late' })
      if (place === limits.retriesMax) break
      bench.until('connect')
    }
    expect(bench.machine.isEnded).toBe(true)
    expect(bench.outcomes[0]?.attempts).toBe(limits.retriesMax + 1)
    const { connectMs, silenceMs, progressMs } = limits
    const times = { connectMs, silenceMs, progressMs }
    const extent = new Extent(1, 1)
    const config = { extent, digestBytes: 8, nodeId: '', nodes: [], ...times }
    const returns = (places: number): boolean => {
      const peers = new Peers([peerThat('offered')])
      while (peers.length < places) peers.add(peerThat('out', peers.length))
      const outbox = new OriginOutbox()
      const joins = new OriginJoins(outbox, false, limits.nodesPerPush)
      const retries = new OriginRetries({ ...config, retries: 1 }, peers, outbox, joins)
      const failure = { code: 'ERR_FR_NO_SPACE', text: 'full' } as const
      return retries.returns(peers.of(0), failure, 0)
    }
    expect(returns(limits.placesPerPush - 1)).toBe(true)
    expect(returns(limits.placesPerPush)).toBe(false)
  })
})

describe('an origin that was silent while a node took over', () => {
  it('waits until that is over, and goes on with what is left', () => {
    const bench = new Bench(2, { retries: 0 })
    bench.ready(0, 1)
    bench.sealed()
    const stale = { type: 'stale', term: { counter: 2, member: 1 }, epoch: 0 } as const
    const told = [...bench.from(0, stale), ...bench.from(1, stale)]
    expect(told.flatMap((wish) => (wish.type === 'warn' ? [wish.text] : []))).toEqual([
      'n1:1 has taken over in term 2: nodes had not heard of this process for too long',
    ])
    const dialled = [...dials(bench.until('connect')), ...dials(bench.until('connect'))]
    expect(dialled).toEqual([2, 3])
    // A data connection that was opened early is refused, before they say why or after that.
    const refused = {
      type: 'unfed',
      direction: 'out',
      code: 'ERR_FR_PROTOCOL',
      text: 'no',
    } as const
    for (const node of dialled)
      bench.feed({ type: 'linked', member: node, nodeId: `id${node - 2}` })
    bench.feed({ ...refused, member: 3 })
    for (const node of dialled) bench.from(node, stale)
    bench.feed({ ...refused, member: 2 })
    for (const endMs = bench.nowMs + 3 * limits.acceptMs; bench.nowMs < endMs; ) {
      bench.nowMs += limits.beatMs
      for (const node of dialled) bench.from(node, stale)
      bench.feed({ type: 'due' })
    }
    expect(bench.states).toEqual(dialled.map(() => ['accepted', 'whoever took over']))
    // One has published, the other lacks all.
    bench.from(2, { type: 'claimed' }, { type: 'accept', have: [[0, bytes]] })
    const begun = bench.from(3, { type: 'claimed' }, { type: 'accept', have: [] })
    // It is opened again with the first thing that is sent.
    expect(begun).toContainEqual({ type: 'feed', member: 3 })
    for (const node of dialled) bench.feed({ type: 'fedOut', member: node })
    for (const node of dialled) bench.complete(node)
    expect(bench.outcomes.map(({ code, rejoined }) => [code, rejoined])).toEqual([
      [null, false],
      [null, false],
    ])
    expect(bench.machine.isEnded).toBe(true)
    expect(bench.machine.supersession.view).toEqual({ term: 2, coordinator: 'n1:1' })
  })

  it('does not believe in an older term, or in one of nobody', () => {
    for (const term of [
      { counter: 1, member: 0 },
      { counter: 2, member: 9 },
    ]) {
      const bench = new Bench(1, { retries: 0 })
      bench.ready(0)
      bench.from(0, { type: 'stale', term, epoch: 0 })
      expect(bench.outcomes).toMatchObject([{ code: 'ERR_FR_STALE' }])
      expect(bench.machine.supersession.view).toEqual({ term: 1, coordinator: null })
    }
  })
})
