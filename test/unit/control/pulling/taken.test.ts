/** A node that takes nothing of what mates have listed for it. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { Puller } from '../../../../src/control/pulling/puller.js'
import { Taken } from '../../../../src/control/pulling/taken.js'

const feed = (payloadBytes: number, queuedBytes: number) => ({ payloadBytes, queuedBytes })
const lookMs = 2 * limits.progressMs

describe('as a holder sees it', () => {
  const looked = (...feeds: ReturnType<typeof feed>[]): Taken => {
    const taken = new Taken()
    for (const [i, counters] of feeds.entries()) taken.look(1, counters, i * lookMs)
    return taken
  }
  const still = Array.from({ length: limits.pullQuietMs / lookMs + 1 }, () => feed(10, 5))

  it('is still once nothing has gone out for long enough', () => {
    expect(looked(...still.slice(1)).isStill(1)).toBe(false)
    const taken = looked(...still)
    expect([taken.isStill(1), taken.isStill(2)]).toEqual([true, false])
    taken.look(1, feed(11, 4), 1e6)
    expect(taken.isStill(1)).toBe(false)
  })

  it('is not where nothing waits for it', () => {
    expect(looked(...still, feed(10, 0)).isStill(1)).toBe(false)
  })

  it('is not where the holder itself had no turn', () => {
    const taken = looked(feed(10, 5))
    taken.look(1, feed(10, 5), 1e6)
    expect(taken.isStill(1)).toBe(false)
  })

  it('begins anew with another feed', () => {
    const taken = looked(...still)
    taken.forget(1)
    expect(taken.isStill(1)).toBe(false)
  })
})

describe('as it hears it', () => {
  const lacking = RangeSet.of([[0, 100]])
  const untaken = { type: 'pullRefused', code: 'ERR_FR_TIMEOUT', text: 'not taken' } as const

  /** Asks of these mates, each of which answers so; resolves to when the origin is asked. */
  function leftMs(count: number, answer: Omit<typeof untaken, 'code'> & { code: string }): number {
    const puller = new Puller(100)
    const members = Array.from({ length: count }, (_, i) => i + 1)
    const mates = members.map((number) => ({ number, nodeId: `id${number}`, address: 'a:1' }))
    puller.introduce(mates, 0, undefined)
    for (const member of members) {
      puller.link(member, 0)
      puller.linked(member, 1)
    }
    puller.want(lacking, 0)
    for (let nowMs = 0; ; nowMs = puller.deadlineMs() as number) {
      const wishes = puller.advance(nowMs)
      if (wishes.some(({ type }) => type === 'need')) return nowMs
      for (const wish of wishes) {
        if (wish.type !== 'say' || wish.frame.type !== 'pull') continue
        const { request } = wish.frame
        const frame = { ...answer, request } as Frame & { type: 'pullRefused' }
        puller.answered(wish.member, frame, nowMs)
      }
    }
  }

  it('waits for what several mates have listed, and does not ask the origin', () => {
    expect(leftMs(2, untaken)).toBe(limits.pullPatienceMs)
  })

  it('asks the origin soon where one alone says so, or where it is another reason', () => {
    expect(leftMs(1, untaken)).toBeLessThanOrEqual(limits.pullSearchMs)
    expect(leftMs(2, { ...untaken, code: 'ERR_FR_LIMIT' })).toBeLessThanOrEqual(limits.pullSearchMs)
  })
})
