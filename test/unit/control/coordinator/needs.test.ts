/** What several nodes ask the origin for: it is sent to one of them. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { RangePair } from '../../../../src/base/ranges.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { OriginNeeds } from '../../../../src/control/coordinator/needs.js'
import { OriginOutbox } from '../../../../src/control/coordinator/outbox.js'
import type { Dealer } from '../../../../src/control/dealing/dealer.js'
import { Peers } from '../../../../src/control/members/peers.js'
import { peerThat } from '../peers.js'

const numbers = [0, 1, 2]

describe('what several nodes ask for', () => {
  let outbox: OriginOutbox
  let needs: OriginNeeds
  let answers: [number, readonly RangePair[]][]
  const all = numbers.map((node) => peerThat('running', node))
  const [one, two, three] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]]

  const start = (shape: Dealer['shape']): void => {
    const neighbours = (node: number): number[] => numbers.filter((other) => other !== node)
    outbox = new OriginOutbox()
    answers = []
    const dealer = { shape, chain: { neighbours } } as unknown as Dealer
    needs = new OriginNeeds(dealer, new Peers(all), outbox, ({ node }, ranges) =>
      answers.push([node, ranges]),
    )
  }
  beforeEach(() => start('chain'))

  const count = (sentBytes: number, queuedBytes: number, nowMs: number): OriginWish[] => {
    needs.counted({ member: 0, sentBytes, queuedBytes, unackedBytes: 0, pulledBytes: 0 }, nowMs)
    return outbox.take()
  }
  const held = (member: number, ranges: RangePair[]): OriginWish => {
    const frame = { type: 'detour', member: 0, why: 'held', ranges, route: 0 } as const
    return { type: 'say', member, frame }
  }

  it('goes to the first, and from there to the others once it has come', () => {
    needs.asked(one, [[0, 100]], 0)
    needs.asked(two, [[50, 100]], 0)
    needs.asked(three, [[60, 10]], 0)
    expect(answers).toEqual([
      [0, [[0, 100]]],
      [1, [[100, 50]]],
    ])
    // Counters that may be older say nothing.
    expect(count(0, 0, 10)).toEqual([])
    expect(count(0, 40, 100)).toEqual([])
    expect(count(100, 0, 110)).toEqual([held(1, [[50, 50]]), held(2, [[60, 10]])])
    needs.asked(three, [[60, 10]], 200)
    expect(answers.at(-1)).toEqual([2, [[60, 10]]])
  })

  it('waits for no feed that is never drained', () => {
    needs.asked(one, [[0, 100]], 0)
    needs.asked(two, [[0, 100]], 0)
    expect(count(1000, 500, 100)).toEqual([])
    expect(count(1599, 500, 200)).toEqual([])
    expect(count(1600, 500, 300)).toEqual([held(1, [[0, 100]])])
  })

  it('goes to the others after all where the first has left, or takes too long', () => {
    needs.asked(one, [[0, 100]], 0)
    needs.asked(two, [[0, 100]], 0)
    needs.asked(three, [[0, 100]], 0)
    needs.asked(three, [[0, 100]], 10_000)
    expect(answers.slice(1)).toEqual([[2, [[0, 100]]]])
    needs.left(three, 10_000)
    needs.left(one, 10_000)
    expect(answers.slice(2)).toEqual([[1, [[0, 100]]]])
    needs.completed(two)
    expect(outbox.take()).toEqual([])
  })

  it('goes to each where nodes have nothing from each other', () => {
    start('unicast')
    for (const peer of all) needs.asked(peer, [[0, 100]], 0)
    expect(answers.map(([node]) => node)).toEqual(numbers)
  })
})
