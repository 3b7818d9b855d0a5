import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { SwarmAsk } from '../../../../src/control/messages/swarming.js'
import { Deals } from '../../../../src/control/swarm/deals.js'
import { UnitSet } from '../../../../src/control/swarm/units.js'

const count = 32
const none = new UnitSet(count)
const all = UnitSet.ofRuns(count, [[0, count]])
const here = { have: all, coming: none }

function peer(name: string, site = 'a') {
  return { nodeId: name, address: `${name}:1`, site }
}

function ask(more: Partial<SwarmAsk> = {}): SwarmAsk {
  const nothing = { have: [], coming: [], wants: [0, 1, 2], most: 1, isStuck: false, others: 0 }
  return { contentId: 'c', address: 'x:1', ...nothing, ...more }
}

function grantsOf(deals: Deals, nowMs: number, from = here): (readonly number[])[] {
  return deals.due(from, nowMs).map(({ answer }) => answer.grants)
}

describe('the initiator', () => {
  it('gives each unit once, while somebody who lives has it', () => {
    const deals = new Deals({ count, isInitiator: true, site: 'a' })
    deals.asked(1, peer('a'), ask({ wants: [0, 1], most: 2 }), 0)
    expect(grantsOf(deals, 0)).toEqual([[0, 1]])
    deals.asked(2, peer('b'), ask({ wants: [0, 1] }), 10)
    expect(grantsOf(deals, 10)).toEqual([])
    // It waits, and is answered in the end.
    expect(deals.dueMs).toBe(10 + limits.swarmWaitMs)
    expect(grantsOf(deals, deals.dueMs)).toEqual([[]])
    deals.asked(3, peer('b'), ask({ wants: [0, 2] }), 2_000)
    expect(grantsOf(deals, 2_000)).toEqual([[2]])
  })

  it('gives it again when whoever had it is silent, and to whoever is stuck', () => {
    const deals = new Deals({ count, isInitiator: true, site: 'a' })
    deals.asked(1, peer('a'), ask({ wants: [0] }), 0)
    expect(grantsOf(deals, 0)).toEqual([[0]])
    deals.asked(2, peer('b'), ask({ wants: [0], isStuck: true }), 10)
    expect(grantsOf(deals, 10)).toEqual([[0]])
    const later = limits.swarmSilenceMs + 2 * limits.swarmAgainMs + 500
    deals.asked(3, peer('c'), ask({ wants: [0] }), later)
    expect(grantsOf(deals, later)).toEqual([[0]])
  })

  it('counts on who has all that it wants for much longer', () => {
    const deals = new Deals({ count, isInitiator: true, site: 'a' })
    deals.asked(1, peer('a'), ask({ have: [[0, count]], wants: [], most: 0 }), 0)
    expect(grantsOf(deals, 0)).toEqual([[]])
    deals.asked(2, peer('b'), ask({ wants: [0] }), 60_000)
    expect(grantsOf(deals, 60_000)).toEqual([])
  })
})

describe('any holder', () => {
  it('gives what it gave least, of what it has', () => {
    const deals = new Deals({ count, isInitiator: false, site: 'a' })
    const few = { have: UnitSet.ofRuns(count, [[1, 2]]), coming: none }
    deals.asked(1, peer('a'), ask(), 0)
    expect(grantsOf(deals, 0, few)).toEqual([[1]])
    deals.asked(2, peer('b'), ask(), 0)
    expect(grantsOf(deals, 0, few)).toEqual([[2]])
  })

  it('sends so many at once, and gives the next when one has come, or comes to nothing', () => {
    const deals = new Deals({ count, isInitiator: false, site: 'a' })
    const wants = Array.from({ length: count }, (_, unit) => unit)
    for (let each = 0; each < limits.swarmSlots; each++)
      deals.asked(each, peer(`n${each}`), ask({ wants }), 0)
    expect(grantsOf(deals, 0).flat()).toHaveLength(limits.swarmSlots)
    deals.asked(90, peer('late'), ask({ wants }), 1)
    expect(grantsOf(deals, 1)).toEqual([])
    // It has what it was given.
    deals.asked(91, peer('n0'), ask({ wants: [], most: 0, have: [[0, count]] }), 2)
    const [told, given] = grantsOf(deals, 2).sort((a, b) => a.length - b.length)
    expect([told, given]).toEqual([[], [expect.any(Number)]])
    // It neither has nor gets what it was given.
    deals.asked(92, peer('n1'), ask({ wants: [], most: 0 }), 3)
    deals.asked(93, peer('later'), ask({ wants }), 3)
    expect(grantsOf(deals, 3).flat()).toHaveLength(1)
  })

  it('takes back what is not told of in time', () => {
    const deals = new Deals({ count, isInitiator: false, site: 'a' })
    const wants = Array.from({ length: count }, (_, unit) => unit)
    for (let each = 0; each < limits.swarmSlots; each++)
      deals.asked(each, peer(`n${each}`), ask({ wants }), 0)
    deals.due(here, 0)
    deals.asked(90, peer('late'), ask({ wants }), limits.swarmLeaseMs)
    expect(grantsOf(deals, limits.swarmLeaseMs).flat()).toHaveLength(1)
  })

  it('gives a unit into another site once, and to all of its own', () => {
    const deals = new Deals({ count, isInitiator: false, site: 'a' })
    deals.asked(1, peer('far', 'b'), ask({ wants: [7] }), 0)
    deals.asked(2, peer('near'), ask({ wants: [7] }), 0)
    expect(grantsOf(deals, 0)).toEqual([[7], [7]])
    deals.asked(3, peer('farMate', 'b'), ask({ wants: [7, 8], most: 2, others: 1 }), 1)
    deals.asked(4, peer('mate'), ask({ wants: [7] }), 1)
    deals.asked(5, peer('third', 'c'), ask({ wants: [7] }), 1)
    expect(grantsOf(deals, 1)).toEqual([[8], [7], [7]])
    // Whoever is stuck gets it, and so does the site when the one that got it is silent.
    deals.asked(6, peer('farMate', 'b'), ask({ wants: [7], isStuck: true }), 2)
    expect(grantsOf(deals, 2)).toEqual([[7]])
    const late = 2 + 10 * limits.swarmSilenceMs
    deals.asked(7, peer('farThird', 'b'), ask({ wants: [7] }), late)
    expect(grantsOf(deals, late)).toEqual([[7]])
  })

  it('names others, the nearest first, and as many as it is asked for', () => {
    const deals = new Deals({ count, isInitiator: false, site: 'a' })
    deals.asked(1, peer('far', 'b'), ask({ have: [[0, 1]] }), 0)
    deals.asked(2, peer('near'), ask(), 0)
    deals.asked(3, peer('nearHas'), ask({ have: [[0, 1]] }), 0)
    deals.due(here, 0)
    deals.asked(4, peer('me'), ask({ others: 16 }), 1)
    const [answered] = deals.due(here, 1)
    const others = answered?.answer.others ?? []
    expect(others.map(({ nodeId }) => nodeId)).toEqual(['nearHas', 'near', 'far'])
    deals.asked(5, peer('me'), ask({ others: 1 }), 2)
    expect(deals.due(here, 2)[0]?.answer.others).toHaveLength(1)
  })

  it('knows a bounded number of askers', () => {
    const deals = new Deals({ count, isInitiator: false, site: 'a' })
    for (let each = 0; each < limits.swarmAskers + 50; each++)
      deals.asked(each, peer(`n${each}`), ask({ most: 0 }), each)
    expect(deals.askers).toBe(limits.swarmAskers)
  })

  it('wants to be asked less often while more ask than it can answer', () => {
    const deals = new Deals({ count, isInitiator: false, site: 'a' })
    let number = 0
    const storm = (seconds: number, each: number): number => {
      let againMs = 0
      for (let second = 0; second < seconds; second++)
        for (let at = 0; at < each; at++) {
          const nowMs = (Math.floor(number / each) + 1) * 1_000 + at / each
          deals.asked(number++, peer(`n${at % 99}`), ask({ most: 0 }), nowMs)
          againMs = deals.due(here, nowMs)[0]?.answer.againMs ?? againMs
        }
      return againMs
    }
    expect(storm(1, 10)).toBe(limits.swarmAgainMs)
    expect(storm(8, 2 * limits.swarmAsksPerSecond)).toBeGreaterThan(2 * limits.swarmAgainMs)
  })
})
