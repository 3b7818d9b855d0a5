import { describe, expect, it } from 'vitest'
import { limits, MIB } from '../../../../src/base/limits.js'
import { HashQueue, HashSchedule } from '../../../../src/control/holdings/hashing.js'
import { limited } from '../../../../src/control/plan/limited.js'
import {
  bound,
  equalShares,
  forecastClassic,
  forecastUnicast,
} from '../../../../src/control/plan/plan.js'
import {
  refuseFeeds,
  refuseRelays,
  refuseUnsupported,
} from '../../../../src/control/plan/refusals.js'
import fc from '../../../support/property.js'

const block = 65_536

describe('equal shares', () => {
  it('cover the file once, block aligned, within one block of each other', () => {
    fc.assert(
      fc.property(fc.nat(block * 40), fc.integer({ min: 1, max: 64 }), (bytes, nodes) => {
        const shares = equalShares(bytes, block, nodes)
        let cursor = 0
        for (const [offset, length] of shares) {
          expect(offset).toBe(cursor)
          if (length > 0) expect(offset % block).toBe(0)
          cursor += length
        }
        expect(cursor).toBe(bytes)
        const blocks = shares.map(([, length]) => Math.ceil(length / block))
        expect(Math.max(...blocks) - Math.min(...blocks)).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('bound and forecast', () => {
  const node = (address: string, up?: number, down?: number) => ({
    address,
    ...(up === undefined ? {} : { uplinkBytesPerSecond: up }),
    ...(down === undefined ? {} : { downlinkBytesPerSecond: down }),
  })
  const origin = (rate: number) => ({ uplinkBytesPerSecond: rate })

  it.each([
    ['nothing known', {}, [node('a'), node('b')], null, null],
    ['origin', origin(100), [node('a'), node('b')], 10, 'origin uplink'],
    [
      'a slow receiver',
      origin(100),
      [node('a', 100, 100), node('b', 100, 20)],
      50,
      'downlink of b',
    ],
    [
      'uplinks',
      origin(100),
      [node('a', 10), node('b', 10), node('c', 0.001)],
      1000 / (120.001 / 3),
      'uplinks',
    ],
    ['one downlink only', {}, [node('a', undefined, 50), node('b')], 20, 'downlink of a'],
  ])('%s', (_, from, nodes, seconds, limiting) => {
    const forecast = bound(1000, from, nodes)
    if (seconds === null) expect(forecast.boundSeconds).toBeNull()
    else expect(forecast.boundSeconds).toBeCloseTo(seconds as number)
    expect(forecast.limiting).toBe(limiting)
  })

  const limits = { upBytesPerSecond: 40, downBytesPerSecond: 30 }

  it.each([
    ['a limit where nothing else is known', node('a'), 40, 30],
    ['links that carry more', node('a', 100, 100), 40, 30],
    ['links that carry less', node('a', 20, 25), 20, 25],
  ])('a limit counts as the smaller: %s', (_, link, up, down) => {
    const usable = limited(link, limits)
    expect(usable).toMatchObject({ uplinkBytesPerSecond: up, downlinkBytesPerSecond: down })
    expect(usable.isUpLimited === true).toBe(up === 40)
    expect(limited(link, {})).toEqual(link)
  })

  it('says that a limit is what limits', () => {
    const nodes = [limited(node('a', 100, 100), limits), node('b')]
    expect(bound(300, origin(100), nodes)).toMatchObject({
      boundSeconds: 10,
      limiting: 'limit of a',
    })
    const from = limited(origin(100), limits)
    expect(bound(300, from, [node('b'), node('c')]).limiting).toBe('limit of the origin')
    expect(forecastUnicast(400, from, [node('b'), node('c')])).toMatchObject({
      predictedSeconds: 20,
      limiting: 'limit of the origin',
    })
  })

  it('the equal split waits for its weakest relay, and says so', () => {
    const bytes = 10 * block
    const nodes = Array.from({ length: 10 }, (_, i) => node(`n${i}`, i === 9 ? 100 : 1000, 1000))
    const forecast = forecastClassic(bytes, block, origin(1000), nodes)
    expect(forecast.boundSeconds).toBeCloseTo(bytes / 1000)
    // The paper's ninefold: one relay at a tenth of the speed forwards its share nine times.
    expect((forecast.predictedSeconds as number) / (forecast.boundSeconds as number)).toBeCloseTo(9)
    expect(forecast.limiting).toBe('uplink of n9')
  })
})

describe('HashSchedule', () => {
  const share = (owner: number, offset: number, length: number) => ({ owner, offset, length })

  it('goes round the shares in whole blocks, and is done when all came back', () => {
    const schedule = new HashSchedule(
      [share(0, 0, 20 * MIB), share(1, 20 * MIB, 10 * MIB), share(2, 30 * MIB, 0)],
      block,
    )
    const tasks = Array.from({ length: 5 }, () => schedule.take(() => 0))
    expect(
      tasks.map((task) => [task?.owner, (task?.offset ?? 0) / MIB, (task?.length ?? 0) / MIB]),
    ).toEqual([
      [0, 0, 8],
      [1, 20, 8],
      [0, 8, 8],
      [1, 28, 2],
      [0, 16, 4],
    ])
    expect([schedule.take(() => 0), schedule.isDone]).toEqual([undefined, false])
    for (let i = 0; i < 5; i++) schedule.done()
    expect(schedule.isDone).toBe(true)
  })

  it('stays close to what was sent, unless the owner is gone', () => {
    const schedule = new HashSchedule([share(5, 0, 100 * MIB)], block, 8 * MIB)
    expect(schedule.take(() => 0)?.offset).toBe(0)
    expect(schedule.take(() => 0)).toBeUndefined()
    expect(schedule.take(() => 1 * MIB)?.offset).toBe(8 * MIB)
    expect(schedule.take(() => 1 * MIB)).toBeUndefined()
    schedule.free(5)
    expect(schedule.take(() => 1 * MIB)?.offset).toBe(16 * MIB)
  })

  it('nothing to hash is done at once', () => {
    expect(new HashSchedule([share(0, 0, 0)], block).isDone).toBe(true)
  })
})

describe('HashQueue', () => {
  it('lets short runs grow for a moment, long ones and last ones go at once', () => {
    const queue = new HashQueue(block)
    queue.add(0, block, 0)
    expect(queue.take(5, false)).toBeUndefined()
    expect(queue.deadlineMs()).toBe(10)
    queue.add(block, block, 5)
    expect(queue.take(10, false)).toEqual([0, 2 * block])
    queue.add(4 * MIB, 9 * MIB, 11)
    expect(queue.take(11, false)).toEqual([4 * MIB, 8 * MIB])
    expect(queue.take(12, true)).toEqual([12 * MIB, MIB])
    expect([queue.isIdle, queue.deadlineMs()]).toEqual([false, null])
    for (let i = 0; i < 3; i++) queue.done()
    expect(queue.isIdle).toBe(true)
  })

  it('keeps few tasks in flight', () => {
    const queue = new HashQueue(block)
    queue.add(0, 200 * MIB, 0)
    let taken = 0
    while (queue.take(0, true) !== undefined) taken++
    expect(taken).toBe(limits.hashTasksInFlight)
    expect(queue.deadlineMs()).toBeNull()
  })
})

describe('refusals', () => {
  const wishes = {
    shape: 'auto',
    groupSize: undefined,
    nodes: 3,
  }
  it('lets through what there is', () => {
    refuseRelays('group')
    refuseFeeds('group', 3, 3)
    refuseFeeds('chain', 4, 3)
    refuseUnsupported(wishes)
    refuseUnsupported({ ...wishes, shape: 'group', groupSize: 3 })
  })
  it('names what to do about relays of a tree, and about too many feeds', () => {
    expect(() => refuseRelays('chain')).toThrow(/relays .*say --shape group .*leave out --relay/)
    expect(() => refuseFeeds('group', 4, 3)).toThrow(/4 nodes .* feeds 3 at most \(--max-feeds\)/)
  })
  it.each([
    [{ shape: 'group', groupSize: 2 }, /one group of 3 nodes/],
    [{ shape: 'group', nodes: 65 }, /64 are the most/],
  ])('names %o', (change, text) => {
    const refused = () => refuseUnsupported({ ...wishes, ...change })
    expect(refused).toThrow(
      expect.objectContaining({ code: 'ERR_FR_UNSUPPORTED', message: expect.stringMatching(text) }),
    )
  })
})
