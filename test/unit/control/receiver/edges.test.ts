/** Data connections between mates that break, at the machine of a node. */
import { describe, expect, it } from 'vitest'
import type { FrErrorCode } from '../../../../src/base/errors.js'
import { limits } from '../../../../src/base/limits.js'
import type { EdgeWord } from '../../../../src/control/messages/types.js'
import type { NodeFact, NodeWish } from '../../../../src/control/receiver/events.js'
import { planOf } from '../plans.js'
import { Bench, bytes, frame, landed, sent } from './node-support.js'

const broke = (member: number, direction: 'in' | 'out', code: FrErrorCode): NodeFact => ({
  type: 'unfed',
  member,
  direction,
  code,
  text: null,
})
const feeds = (wishes: readonly NodeWish[]) =>
  wishes.flatMap((wish) => (wish.type === 'feed' ? [wish.member] : []))
const lost = (wishes: NodeWish[]) => sent(wishes).filter(({ type }) => type === 'edgeLost')
const back = (wishes: NodeWish[]) => sent(wishes).filter(({ type }) => type === 'edgeBack')

/** What is wished while time passes, 50 ms at a time. */
function pass(bench: Bench, ms: number): NodeWish[] {
  const wishes: NodeWish[] = []
  for (let at = 0; at < ms; at += 50) wishes.push(...bench.pass(50))
  return wishes
}

describe('a node that takes nothing unsealed', () => {
  const edge = { member: 0, id: '1'.repeat(32), secret: '2'.repeat(64) }
  const failures = (edges: readonly EdgeWord[], mustSeal: boolean) => {
    const bench = new Bench({ mustSeal })
    bench.feed({ type: 'prepared' })
    return sent(bench.feed(frame(planOf(1, [0, 1], { edges }))))
  }

  it('refuses a plan with a connection that is to be open, and no other', () => {
    const failed = { type: 'failed', code: 'ERR_FR_SEAL' }
    const sealed = { ...edge, sealed: true } as const
    expect(failures([edge], true)).toMatchObject([failed])
    expect(failures([sealed, { ...edge, member: 2 }], true)).toMatchObject([failed])
    for (const taken of [failures([sealed], true), failures([edge], false)])
      expect(taken).not.toMatchObject([failed])
  })
})

describe('a data connection to a mate that breaks', () => {
  it('is opened again, and nobody hears of it', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedOut', member: 2 }, broke(2, 'out', 'ERR_FR_NODE_LOST'))
    const wishes = pass(bench, 250)
    expect([feeds(wishes), lost(wishes)]).toEqual([[2], []])
    bench.feed({ type: 'fedOut', member: 2 })
    const later = pass(bench, 2 * limits.edgeMs)
    expect([feeds(later), lost(later)]).toEqual([[], []])
  })

  it('is said to be lost when it stays broken, and to be back once it is open again', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedOut', member: 2 }, broke(2, 'out', 'ERR_FR_NODE_LOST'))
    const wishes: NodeWish[] = []
    let tries = 0
    for (let at = 0; at < 10_000; at += 50) {
      const now = bench.pass(50)
      wishes.push(...now)
      if (feeds(now).length === 0) continue
      tries++
      wishes.push(...bench.feed(broke(2, 'out', 'ERR_FR_UNREACHABLE')))
    }
    expect(lost(wishes)).toMatchObject([{ member: 2, incoming: false, code: 'ERR_FR_NODE_LOST' }])
    expect(tries).toBeGreaterThanOrEqual(10)
    expect(tries).toBeLessThanOrEqual(24)
    const opened = bench.feed({ type: 'fedOut', member: 2 })
    expect(back(opened)).toEqual([{ type: 'edgeBack', member: 2, incoming: false }])
    expect(back(bench.feed({ type: 'fedOut', member: 2 }))).toEqual([])
  })

  it('is left alone once the other side will not have it', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedOut', member: 2 }, broke(2, 'out', 'ERR_FR_NODE_LOST'))
    pass(bench, 100)
    expect(lost(bench.feed(broke(2, 'out', 'ERR_FR_PROTOCOL')))).toMatchObject([{ member: 2 }])
    const wishes = pass(bench, 5_000)
    expect([feeds(wishes), lost(wishes)]).toEqual([[], []])
  })

  it('is lost at once where it was refused, or never was', () => {
    for (const code of ['ERR_FR_PROTOCOL', 'ERR_FR_UNREACHABLE'] as const) {
      const bench = new Bench().receiving()
      expect(lost(bench.feed(broke(2, 'out', code)))).toMatchObject([{ member: 2, code }])
      expect(feeds(pass(bench, limits.edgeMs))).toEqual([])
    }
  })

  it('is forgotten with a mate that is gone', () => {
    const bench = new Bench().receiving()
    bench.feed(broke(2, 'out', 'ERR_FR_NODE_LOST'), broke(2, 'in', 'ERR_FR_NODE_LOST'))
    bench.feed(frame(planOf(1, [0, 1], { epoch: 9 })))
    const wishes = pass(bench, 2 * limits.edgeMs)
    expect([feeds(wishes), lost(wishes)]).toEqual([[], []])
  })
})

describe('a data connection from a mate that breaks', () => {
  it('is waited for a while', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedIn', member: 2 }, broke(2, 'in', 'ERR_FR_NODE_LOST'))
    expect(lost(pass(bench, limits.edgeMs - 100))).toEqual([])
    expect(lost(pass(bench, 200))).toMatchObject([{ member: 2, incoming: true }])
  })

  it('is not missed once it is back', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedIn', member: 2 }, broke(2, 'in', 'ERR_FR_NODE_LOST'))
    pass(bench, limits.edgeMs - 100)
    bench.feed({ type: 'fedIn', member: 2 })
    expect(lost(pass(bench, limits.edgeMs))).toEqual([])
  })

  it('is said to be back where it was said to be lost', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedIn', member: 2 }, broke(2, 'in', 'ERR_FR_NODE_LOST'))
    expect(lost(pass(bench, 2 * limits.edgeMs)).length).toBe(1)
    const opened = bench.feed({ type: 'fedIn', member: 2 })
    expect(back(opened)).toEqual([{ type: 'edgeBack', member: 2, incoming: true }])
  })

  it('because bytes on it were changed is borne a few times', () => {
    const bench = new Bench().receiving()
    const wishes: NodeWish[] = []
    for (let times = 0; times < limits.spoiltFeeds; times++)
      wishes.push(...bench.feed({ type: 'fedIn', member: 2 }, broke(2, 'in', 'ERR_FR_SPOILT')))
    expect([lost(wishes), bench.machine.edges.refuses(2)]).toEqual([[], false])
    const last = bench.feed({ type: 'fedIn', member: 2 }, broke(2, 'in', 'ERR_FR_SPOILT'))
    expect(lost(last)).toMatchObject([{ member: 2, code: 'ERR_FR_SPOILT' }])
    expect(bench.machine.edges.refuses(2)).toBe(true)
  })

  it('is not waited for after a violation, and no other is taken', () => {
    const bench = new Bench().receiving()
    expect(bench.machine.edges.refuses(2)).toBe(false)
    expect(lost(bench.feed(broke(2, 'in', 'ERR_FR_PROTOCOL')))).toMatchObject([{ member: 2 }])
    expect([2, 0].map((member) => bench.machine.edges.refuses(member))).toEqual([true, false])
  })
})

describe('what a node lacks', () => {
  it('is what has not landed, in no more ranges than one message has', () => {
    const bench = new Bench().receiving()
    expect(bench.machine.lacks).toEqual([[0, bytes]])
    bench.feed(landed(100, 100))
    expect(bench.machine.lacks).toEqual([
      [0, 100],
      [200, bytes - 200],
    ])
  })
})

describe('a connection from a mate that breaks and comes back all the time', () => {
  const open = (member: number): NodeFact => ({ type: 'fedIn', member })

  it('is said to be lost where those of others hold, and not otherwise', () => {
    for (const breaking of [[0], [0, 2]]) {
      const bench = new Bench().receiving()
      for (const member of [0, 2]) bench.feed(open(member))
      const said: NodeWish[] = []
      for (let times = 0; times < 4; times++) {
        for (const member of breaking) {
          said.push(...bench.feed(broke(member, 'in', 'ERR_FR_NODE_LOST')))
          said.push(...bench.feed(open(member)))
        }
        said.push(...pass(bench, 300))
      }
      const code = 'ERR_FR_NODE_LOST'
      const lostOne = [{ type: 'edgeLost', member: 0, incoming: true, code }]
      expect(lost(said)).toEqual(breaking.length === 1 ? lostOne : [])
      expect(back(said)).toEqual([])
    }
  })
})

describe('a mate that the plan leaves out', () => {
  const to = (...members: number[]) => [
    { route: 1, to: members.map((member) => ({ member, next: 0 })) },
  ]

  it('because its connection is broken is dialled on, and anew once a plan has it again', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedOut', member: 2 }, broke(2, 'out', 'ERR_FR_NODE_LOST'))
    const said = pass(bench, limits.edgeMs + 100)
    expect(lost(said)).toMatchObject([{ member: 2, incoming: false }])
    bench.feed(broke(2, 'out', 'ERR_FR_UNREACHABLE'))
    bench.feed(frame(planOf(1, [0, 1, 2], { epoch: 2, routes: to(0) })))
    expect(feeds(pass(bench, limits.reopenMsMax))).toEqual([2])
    expect(back(bench.feed({ type: 'fedOut', member: 2 }))).toMatchObject([{ member: 2 }])
    const again = bench.feed(frame(planOf(1, [0, 1, 2], { epoch: 3, routes: to(0, 2) })))
    expect(feeds(again)).toEqual([2])
  })

  it('is reported again where it is tried again in vain', () => {
    const bench = new Bench().receiving()
    expect(lost(bench.feed(broke(2, 'out', 'ERR_FR_UNREACHABLE')))).toHaveLength(1)
    bench.feed(frame(planOf(1, [0, 1, 2], { epoch: 2, routes: to(0) })))
    bench.feed(frame(planOf(1, [0, 1, 2], { epoch: 3, routes: to(0, 2) })))
    expect(lost(bench.feed(broke(2, 'out', 'ERR_FR_UNREACHABLE')))).toHaveLength(1)
  })

  it('is not dialled again before the plan names it again', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedOut', member: 2 })
    bench.feed(frame(planOf(1, [0, 1, 2], { epoch: 2, routes: to(0) })))
    bench.feed(broke(2, 'out', 'ERR_FR_NODE_LOST'))
    expect(feeds(pass(bench, limits.edgeMs))).toEqual([])
    const again = bench.feed(frame(planOf(1, [0, 1, 2], { epoch: 3, routes: to(0, 2) })))
    expect(feeds(again)).toEqual([2])
  })
})
